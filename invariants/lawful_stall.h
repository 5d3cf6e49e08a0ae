#pragma once

// WhyStalled: whether a partition without a leader may be without one. It is the proof that a run
// which leaves brokers out owes for each partition that cannot be used.
//
//   if (auto why = WhyStalled(state, left_out)) ...   // "waits for broker-2, which stays away:
//   ..."
//
// The safe rule [W1]: somebody of the last ISR, or who is eligible outside of it, leads at once if
// he is there and came back clean. Else the logs of all of them have to be compared, and so all of
// them have to be there. With Kafka 3.2.3's rules nobody is eligible and nobody unclean, and the
// same sentence says that a member of the last ISR has to come back.
//
// It reads what the controller wrote, so it excuses only who waits for a broker that really stays
// away; whether the controller may have written that is for other invariants to judge.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/types.h"

namespace highwater::invariants {

// As the controller wrote it last.
struct WrittenState {
  broker::BrokerId leader = broker::kNoBroker;
  std::vector<broker::BrokerId> isr;
  std::vector<broker::BrokerId> eligible;
  std::vector<broker::BrokerId> unclean;
};

// nullopt: it has no excuse.
[[nodiscard]] std::optional<std::string> WhyStalled(const WrittenState& state,
                                                    const std::set<broker::BrokerId>& left_out);

}  // namespace highwater::invariants
