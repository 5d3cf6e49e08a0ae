#pragma once

// lost-write and unseen: an acknowledged record is read by somebody.
//
// lost-write, in the client's words: "you have read what stands behind my record, and mine never
// came." With B the farthest that anybody read (each value counted where it was first seen), a
// record acknowledged at or below B that no poll ever returned is lost.
// unseen: "all is calm, the partition was read to its end, and my record never came": lost, or so
// late that it comes to the same. Jepsen's classes of those names. Judged at rest; records below
// the log start offset were retention's to take.
//
// A loss at one leader that nobody ever notices by reading is acked-durable's matter.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeLostWrite(const RunFacts& facts, ViolationSink& sink);
[[nodiscard]] std::unique_ptr<Invariant> MakeUnseen(const RunFacts& facts, ViolationSink& sink);

}  // namespace highwater::invariants
