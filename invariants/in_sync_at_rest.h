#pragma once

// in-sync-at-rest: once the faults are over, every replica is in sync again.
//
// In the client's words: "after a failure my topic gets back all the replicas that I ordered,
// without anybody's help." Judged at rest, from the ISR that the last leader of each partition has
// had confirmed: as many members as the topic has replicas, less the brokers that do not serve. A
// leader whose change of the ISR was written but never answered can change it no more [W2, H23].
//
// A broker waits replica.socket.timeout.ms and controller.socket.timeout.ms for somebody who has
// silently gone (30 s each). In a run whose heal phase is shorter than both together it is judged
// only where the scenario names it.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeInSyncAtRest(const RunFacts& facts,
                                                          ViolationSink& sink);

}  // namespace highwater::invariants
