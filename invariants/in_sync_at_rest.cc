#include "invariants/in_sync_at_rest.h"

#include <fmt/ranges.h>

namespace highwater::invariants {
namespace {

using broker::BrokerId;
using broker::TopicPartition;

class InSyncAtRest final : public Invariant {
 public:
  InSyncAtRest(const RunFacts& facts, ViolationSink& sink) : facts_(facts), sink_(sink) {}

  std::string_view id() const override { return "in-sync-at-rest"; }

  void OnIsrChanged(const LeaderState& state, absl::Span<const BrokerId> isr) override {
    Known& known = known_[state.partition];
    if (state.epoch < known.epoch) return;
    known = {state.epoch, state.leader, {isr.begin(), isr.end()}};
  }

  void OnTopicDeleted(std::string_view topic) override {
    std::erase_if(known_, [&](const auto& entry) { return entry.first.topic == topic; });
  }

  void AtRest(const std::vector<PartitionAtRest>& partitions, absl::Duration at) override {
    if (!facts_.settles && facts_.scope == Scope::kPromised) return;
    for (const PartitionAtRest& rest : partitions) {
      const auto known = known_.find(rest.partition);
      // Whether one without a leader may be without is for readable-at-rest to judge.
      if (known == known_.end() || !rest.readable) continue;
      Checked();
      const int32_t replicas = facts_.promise(rest.partition.topic).replicas;
      const auto in_sync = static_cast<int32_t>(known->second.isr.size());
      if (in_sync >= replicas - facts_.brokers_down()) continue;
      Violation violation{.invariant = "in-sync-at-rest",
                          .sentence = "a replica is not in sync although all faults are over.",
                          .at = at,
                          .partition = rest.partition};
      violation.witnesses.push_back(fmt::format(
          "{}: broker-{} (leader epoch {}) holds [{}] in sync, of {} replicas", rest.partition,
          known->second.leader, known->second.epoch, fmt::join(known->second.isr, ", "), replicas));
      sink_.Report(std::move(violation));
    }
  }

 private:
  struct Known {
    broker::LeaderEpoch epoch = broker::kNoLeaderEpoch;
    BrokerId leader = broker::kNoBroker;
    std::vector<BrokerId> isr;
  };
  RunFacts facts_;
  ViolationSink& sink_;
  std::map<TopicPartition, Known> known_;  // as the leader of the greatest epoch knows it
};

}  // namespace

std::unique_ptr<Invariant> MakeInSyncAtRest(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<InSyncAtRest>(facts, sink);
}

}  // namespace highwater::invariants
