#pragma once

// realtime-inversion: what was acknowledged before another record was sent stands before it.
//
// In the client's words: "my record was acknowledged, then I told you, then you sent yours: yours
// comes later in the partition." Jepsen's G0-realtime, which it tolerates; single records with
// acks=all owe it, and Redpanda's chaos suite judges it too. Judged at each acknowledgement:
// against the farthest offset that was acknowledged before the record's send began. Cost: log n
// each.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeRealtimeInversion(const RunFacts& facts,
                                                               ViolationSink& sink);

}  // namespace highwater::invariants
