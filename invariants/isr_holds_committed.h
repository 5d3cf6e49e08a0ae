#pragma once

// isr-holds-committed: every in-sync replica stores what is committed.
//
// In the client's words: "whichever in-sync replica takes over, it has my record." Judged whenever
// a leader's high watermark moves: each member of the ISR that the leader knows has a log that
// reaches it, unless the member lost data since it told that leader, in that epoch, that it has it
// (that is damage, for the survivability of the run to judge, not for this rule). What it told the
// leader of another epoch counts for nothing: it may have come back without it [W7]. Follows [H1,
// H14, R20].

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeIsrHoldsCommitted(const RunFacts& facts,
                                                               ViolationSink& sink);

}  // namespace highwater::invariants
