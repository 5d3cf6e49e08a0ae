#pragma once

// RecycleSmallBlocks: operator new and delete of this program keep small blocks for the next one
// who asks.
//
//   RecycleSmallBlocks(Recycling::kOn);       // this thread, from now on
//
// An acknowledged produce takes some seventy small blocks; malloc and free need 150 instructions
// for each, a list of blocks of one size needs twenty. Every block is malloc's, so it does not
// matter who took it and whether recycling was on then. Off unless asked for, since what is
// recycled is not seen by those who watch malloc: valgrind (for which ci/full sets
// GLIBCXX_FORCE_NEW, as libstdc++ wants it), MALLOC_PERTURB_, mallinfo.
//
// Invariants:
//   1. A list keeps blocks of its size or more, at most kKeptBytes of them.
//   2. Off: malloc and free, nothing else.
// Without effect under AddressSanitizer, which has operators of its own.

namespace highwater::scenarios {

enum class Recycling : bool { kOff, kOn };

// Returns what was before.
Recycling RecycleSmallBlocks(Recycling recycling);

}  // namespace highwater::scenarios
