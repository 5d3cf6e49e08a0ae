#pragma once

// nonmonotonic-send: the records that a producer sent to a partition one after the other stand
// there in that order.
//
// In the client's words: "what I sent later is read later." Judged at rest by where each record
// first stands, so that neither a copy of a record nor the loss of one counts here (duplicate,
// acked-durable). An idempotent producer was promised this, and one with a single request in
// flight; a scenario that names the invariant has it judged for all.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeNonmonotonicSend(const RunFacts& facts,
                                                              ViolationSink& sink);

}  // namespace highwater::invariants
