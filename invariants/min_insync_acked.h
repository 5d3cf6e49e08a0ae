#pragma once

// min-insync-acked: when acks=all is answered, min.insync.replicas brokers store the record.
//
// In the client's words: "the broker said *all*; so at least min.insync.replicas brokers had my
// record at that moment." Judged at each answer to a Produce with acks=all, from what the brokers'
// logs hold then, or held until a fault took it [H15].

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeMinInsyncAcked(const RunFacts& facts,
                                                            ViolationSink& sink);

}  // namespace highwater::invariants
