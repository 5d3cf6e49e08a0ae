#pragma once

// PrepareWorkerHeap: makes this process's heap fit for running worlds one after the other.
//
//   if (pid == 0) { PrepareWorkerHeap(options.memory_limit); ... }       // in the worker only
//
// A world touches other memory with almost every event: with pages of 4 KiB a large cluster spends
// a fifth of its time looking up addresses. So the heap gets 1 GiB of addresses at once, for which
// huge pages are asked, and gives nothing back between seeds. Memory is taken when it is touched,
// 2 MiB at a time. Where the kernel has no huge pages nothing but the reserve remains. Without
// effect under AddressSanitizer.
//
// Not responsible for: fiber stacks (core/fiber_stack.h), blocks of bytes that are kept
// (core/bytes.cc). Invariant: what a run does does not depend on it, only how long that takes.

#include <cstdint>
#include <optional>

namespace highwater::scenarios {

// `memory_limit`: bytes of address space that the process may have; at most half of them are
// reserved.
void PrepareWorkerHeap(std::optional<uint64_t> memory_limit);

}  // namespace highwater::scenarios
