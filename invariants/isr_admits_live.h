#pragma once

// isr-admits-live: nobody is counted as in sync again who has gone or is about to go.
//
// In the client's words: "my acks=all waits for nobody of whom the cluster knows that he is away."
// Judged whenever the controller writes an ISR that a leader proposed (the leader epoch stays
// [C73]): whoever joins is a broker that this controller holds to be live and not shutting down
// [C33]. Kafka 3.2.3 does not look [C74, W3], also when it has itself just asked that broker to
// leave [W9]. Where the state before is not known, because the answer to a write was lost, nothing
// is judged.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeIsrAdmitsLive(const RunFacts& facts,
                                                           ViolationSink& sink);

}  // namespace highwater::invariants
