// Defects of the controller: elections, epochs, what it answers.

#include <algorithm>

#include "broker/controller/controller_rules.h"
#include "scenarios/zoo/mutants.h"

namespace highwater::scenarios {
namespace {

namespace controller = broker::controller;
using broker::BrokerId;
using broker::ControllerEpoch;
using broker::LeaderEpoch;
using controller::ControllerRules;
using controller::Elected;
using controller::ElectionFacts;

ControllerRules& RulesOf(RunHooks& hooks) { return hooks.broker_options.controller_rules; }

// The first of `wanted` if it is live, in sync or not; else what `safe` says.
Elected ElectRegardless(const ElectionFacts& facts, const std::vector<BrokerId>& wanted,
                        Elected (*safe)(const ElectionFacts&)) {
  const bool live = !wanted.empty() && std::find(facts.live.begin(), facts.live.end(),
                                                 wanted.front()) != facts.live.end();
  if (!live) return safe(facts);
  Elected elected{.state = facts.state, .recipients = facts.live};
  elected.state.leader = wanted.front();
  std::vector<BrokerId>& isr = elected.state.isr;
  if (std::find(isr.begin(), isr.end(), wanted.front()) == isr.end()) {
    isr.push_back(wanted.front());
  }
  return elected;
}

constexpr Mutant kMutants[] = {
    {"M32", "controller", "KAFKA-2729, KAFKA-3042, W2",
     "a conditional write whose answer was lost is taken for a conflict",
     [](RunHooks& hooks) {
       RulesOf(hooks).was_applied = ControllerRules::Kafka323().was_applied;
       RulesOf(hooks).rereads_after_conflict = ControllerRules::Kafka323().rereads_after_conflict;
     }},
    {"M34", "controller", "KIP-841, KAFKA-13916, KAFKA-14140, W3, W9",
     "whatever ISR a leader proposes is taken: dead members, old leaders",
     [](RunHooks& hooks) {
       RulesOf(hooks).check_alter_partition = controller::CheckAlterPartitionOfKafka323;
     }},
    {"M50", "controller", "KAFKA-3083, KAFKA-6082",
     "a controller does not look whether a newer one has written",
     [](RunHooks& hooks) {
       RulesOf(hooks).written_by_newer_controller = [](ControllerEpoch, ControllerEpoch) {
         return false;
       };
     }},
    {"M67", "controller", "C30, KAFKA-3083",
     "the first live replica of the assignment is elected, whether it is in sync or not",
     [](RunHooks& hooks) {
       RulesOf(hooks).elect_offline = [](const ElectionFacts& facts) {
         if (facts.live.empty()) return controller::ElectOffline(facts);
         Elected elected{.state = facts.state, .recipients = facts.live};
         elected.state.leader = facts.live.front();
         elected.state.isr = {facts.live.front()};
         return elected;
       };
     }},
    {"M69", "controller", "C32", "an election lets the dead stay in the ISR",
     [](RunHooks& hooks) {
       RulesOf(hooks).elect_offline = [](const ElectionFacts& facts) {
         Elected elected = controller::ElectOffline(facts);
         if (elected.error == broker::protocol::ErrorCode::NONE)
           elected.state.isr = facts.state.isr;
         return elected;
       };
     }},
    {"M71", "controller", "C42, KAFKA-15021",
     "a decision of the controller does not raise the leader epoch",
     [](RunHooks& hooks) {
       RulesOf(hooks).next_leader_epoch = [](LeaderEpoch epoch) { return epoch; };
     }},
    {"M75", "controller", "W17", "requests that a resignation drops are never answered",
     [](RunHooks& hooks) { RulesOf(hooks).answers_dropped_requests = [] { return false; }; }},
    {"W1", "controller", "KIP-966",
     "a broker that comes back without its clean-shutdown marker is taken for what it was",
     [](RunHooks& hooks) {
       RulesOf(hooks).may_have_lost_records = ControllerRules::Kafka323().may_have_lost_records;
     }},
    {"W1b", "controller", "KIP-966", "a broker that left the ISR stays eligible for ever",
     [](RunHooks& hooks) {
       RulesOf(hooks).eligible_after = [](const controller::LeaderAndIsr& before,
                                          const std::vector<BrokerId>& isr, int32_t) {
         return controller::EligibleAfter(before, isr, 1000);
       };
     }},
    {"W1c", "controller", "KIP-966", "a broker that came back unclean stays in the ISR",
     [](RunHooks& hooks) {
       RulesOf(hooks).after_unclean_start = [](const controller::LeaderAndIsr& state, BrokerId,
                                               int32_t) { return state; };
     }},
    {"C35", "controller", "C35", "the preferred leader is elected whether it is in sync or not",
     [](RunHooks& hooks) {
       RulesOf(hooks).elect_preferred = [](const ElectionFacts& facts) {
         return ElectRegardless(facts, facts.replicas, controller::ElectPreferred);
       };
     }},
    {"M73", "controller", "KAFKA-9089, KIP-455, C34",
     "a reassignment elects a new replica whether it is in sync or not",
     [](RunHooks& hooks) {
       RulesOf(hooks).elect_reassigned = [](const ElectionFacts& facts) {
         return ElectRegardless(facts, facts.target, controller::ElectReassigned);
       };
     }},
    {"C93", "controller", "C93",
     "a replica that is not assigned any more stays in the ISR for a while",
     [](RunHooks& hooks) { RulesOf(hooks).limited_to = ControllerRules::Kafka323().limited_to; }},
    {"C94", "controller", "C94",
     "to call a reassignment off drops replicas that may be the only ones in sync",
     [](RunHooks& hooks) {
       RulesOf(hooks).may_drop_others = ControllerRules::Kafka323().may_drop_others;
     }},
    {"W15", "controller", "KAFKA-13972, W15",
     "replicas of a cancelled reassignment are stopped under the epoch that they have",
     [](RunHooks& hooks) {
       RulesOf(hooks).stop_epoch = ControllerRules::Kafka323().stop_epoch;
       RulesOf(hooks).moves_epoch_before_cancel =
           ControllerRules::Kafka323().moves_epoch_before_cancel;
       hooks.broker_options.rules.MustObeyStop = broker::ReplicationRules::Kafka323().MustObeyStop;
     }},
    {"C36", "controller", "KAFKA-13916 class", "at a controlled shutdown nobody else is elected",
     [](RunHooks& hooks) {
       RulesOf(hooks).elect_at_shutdown = [](const ElectionFacts& facts) {
         return Elected{.state = facts.state, .recipients = facts.live_or_shutting_down};
       };
     }},
};

}  // namespace

absl::Span<const Mutant> ControllerMutants() { return kMutants; }

}  // namespace highwater::scenarios
