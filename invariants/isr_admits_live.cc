#include "invariants/isr_admits_live.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace highwater::invariants {
namespace {

using broker::BrokerId;
using broker::TopicPartition;

bool Contains(absl::Span<const BrokerId> ids, BrokerId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

class IsrAdmitsLive final : public Invariant {
 public:
  explicit IsrAdmitsLive(ViolationSink& sink) : sink_(sink) {}

  std::string_view id() const override { return "isr-admits-live"; }

  void OnPartitionStateWritten(const broker::PartitionStateEvent& event,
                               absl::Duration at) override {
    const auto before = states_.find(event.partition);
    if (before != states_.end() && before->second.leader_epoch == event.leader_epoch &&
        before->second.partition_epoch + 1 == event.partition_epoch) {
      Judge(before->second, event, at);
    }
    states_[event.partition] = {event.leader_epoch, event.partition_epoch, event.isr};
  }

  void OnTopicDeleted(std::string_view topic) override {
    std::erase_if(states_, [&](const auto& entry) { return entry.first.topic == topic; });
  }

 private:
  struct State {
    broker::LeaderEpoch leader_epoch = broker::kNoLeaderEpoch;
    broker::PartitionEpoch partition_epoch;
    std::vector<BrokerId> isr;
  };

  void Judge(const State& before, const broker::PartitionStateEvent& event, absl::Duration at) {
    Checked();
    for (const BrokerId member : event.isr) {
      if (Contains(before.isr, member) || Contains(event.live, member)) continue;
      Violation violation{.invariant = "isr-admits-live",
                          .sentence =
                              "a broker that has gone, or is about to go, counts as in "
                              "sync again.",
                          .at = at,
                          .partition = event.partition};
      violation.witnesses.push_back(fmt::format(
          "{}: the controller (epoch {}) takes broker-{} into the ISR [{}] (leader epoch {}, "
          "partition epoch {}); live and not shutting down are [{}]",
          event.partition, event.controller_epoch, member, fmt::join(event.isr, ", "),
          event.leader_epoch, event.partition_epoch, fmt::join(event.live, ", ")));
      sink_.Report(std::move(violation));
    }
  }

  ViolationSink& sink_;
  std::map<TopicPartition, State> states_;  // as last written
};

}  // namespace

std::unique_ptr<Invariant> MakeIsrAdmitsLive(const RunFacts&, ViolationSink& sink) {
  return std::make_unique<IsrAdmitsLive>(sink);
}

}  // namespace highwater::invariants
