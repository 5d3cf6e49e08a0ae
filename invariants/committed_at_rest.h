#pragma once

// committed-at-rest: once the faults are over, whatever a leader holds becomes visible.
//
// In the client's words: "what I sent is either refused or readable in the end; it does not lie on
// the leader's disk for ever, neither acknowledged nor read". A producer of such records makes no
// progress although every broker is well. Judged at rest: a leader with enough replicas in sync
// whose high watermark has stood still below its log end for a while.
//
// Where the heal phase does not outlast the brokers' own time-outs it is judged only if the
// scenario names it.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeCommittedAtRest(const RunFacts& facts,
                                                             ViolationSink& sink);

}  // namespace highwater::invariants
