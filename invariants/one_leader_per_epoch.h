#pragma once

// one-leader-per-epoch: a leader epoch of a partition belongs to one broker.
//
// In the client's words: "two brokers never both take writes of the same partition under the same
// leader epoch", so that (epoch, offset) names one record.
// Judged whenever a broker begins to lead.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeOneLeaderPerEpoch(const RunFacts& facts,
                                                               ViolationSink& sink);

}  // namespace highwater::invariants
