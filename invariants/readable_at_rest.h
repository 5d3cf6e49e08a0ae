#pragma once

// readable-at-rest: once the faults are over, every partition can be read to its end again.
//
// In the client's words: "when the machines are back, so is my topic." Judged at rest, after the
// heal phase in which nothing is started, killed or reconfigured: a cluster that stays stuck
// although nothing is broken any more violates it.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeReadableAtRest(const ClientHistory& history,
                                                            ViolationSink& sink, Scope scope);

}  // namespace highwater::invariants
