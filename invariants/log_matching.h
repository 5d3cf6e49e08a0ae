#pragma once

// log-matching: what a replica holds to be committed is what its leader has there.
//
// In the client's words: "a record that any replica would let me read is the one that everybody
// else has." Judged whenever a follower's high watermark moves, against the log of the leader of
// the same epoch: below that high watermark both hold the same batches. LogMatchingProperty in the
// published TLA+ of Kafka's replication. A follower that takes over the high watermark of an answer
// which also says where its log diverges breaks it until it has truncated [F8, W8].
//
// A leader that lost records is for the survivability of the run to judge, not for this rule.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeLogMatching(const RunFacts& facts,
                                                         ViolationSink& sink);

}  // namespace highwater::invariants
