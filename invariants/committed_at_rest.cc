#include "invariants/committed_at_rest.h"

#include <fmt/ranges.h>

#include <map>
#include <optional>

namespace highwater::invariants {
namespace {

using broker::BrokerId;
using broker::Offset;
using broker::TopicPartition;

// Longer than any leader waits for a follower in a run whose heal phase is long enough to judge.
constexpr absl::Duration kStandstill = absl::Seconds(5);

class CommittedAtRest final : public Invariant {
 public:
  CommittedAtRest(const RunFacts& facts, ViolationSink& sink) : facts_(facts), sink_(sink) {}

  std::string_view id() const override { return "committed-at-rest"; }

  void OnBecameLeader(const Leadership& leadership) override {
    if (!leadership.newest) return;
    Led& led = led_[leadership.partition];
    led = {.leader = leadership.broker, .epoch = leadership.epoch, .isr = {}, .since = {}};
    // Where nothing is known of its high watermark, nothing is said of it.
    const auto shown = shown_.find({leadership.partition, leadership.broker});
    if (shown != shown_.end() && shown->second < leadership.log_end) led.since = leadership.at;
  }

  void OnLogLoaded(BrokerId broker, const broker::LogLoadedEvent& event,
                   absl::Duration /*at*/) override {
    shown_.erase({event.partition, broker});
  }

  void OnFollowerHighWatermarkMoved(const FollowerState& state, Offset high_watermark) override {
    shown_[{state.partition, state.follower}] = high_watermark;
  }

  void OnIsrChanged(const LeaderState& state, absl::Span<const BrokerId> isr) override {
    if (Led* led = Find(state.leader, state.partition)) led->isr = {isr.begin(), isr.end()};
  }

  void OnAppended(BrokerId broker, const broker::AppendedEvent& event, absl::Duration at) override {
    Led* led = Find(broker, event.partition);
    if (led != nullptr && !led->since) led->since = at;
  }

  void OnHighWatermarkMoved(const LeaderState& state, Offset high_watermark) override {
    shown_[{state.partition, state.leader}] = high_watermark;
    Led* led = Find(state.leader, state.partition);
    if (led == nullptr || led->epoch != state.epoch) return;
    led->since = state.at;
    if (high_watermark >= EndOf(*led, state.partition)) led->since.reset();
  }

  void OnTopicDeleted(std::string_view topic) override {
    std::erase_if(led_, [&](const auto& entry) { return entry.first.topic == topic; });
    std::erase_if(shown_, [&](const auto& entry) { return entry.first.first.topic == topic; });
  }

  void AtRest(const std::vector<PartitionAtRest>& partitions, absl::Duration at) override {
    if (!facts_.settles && facts_.scope == Scope::kPromised) return;
    for (const PartitionAtRest& rest : partitions) {
      const auto found = led_.find(rest.partition);
      if (!rest.readable || found == led_.end()) continue;
      const Led& led = found->second;
      const TopicPromise promise = facts_.promise(rest.partition.topic);
      const int32_t enough = std::min(promise.min_insync_replicas, promise.replicas);
      if (static_cast<int32_t>(led.isr.size()) < enough) continue;
      Checked();
      const Offset end = EndOf(led, rest.partition);
      if (!led.since || at - *led.since < kStandstill) continue;
      const auto shown = shown_.find({rest.partition, led.leader});
      const Offset visible = shown == shown_.end() ? Offset(0) : shown->second;
      Violation violation{.invariant = "committed-at-rest",
                          .sentence =
                              "what a leader holds stays unseen although all faults are "
                              "over.",
                          .at = at,
                          .partition = rest.partition,
                          .offset = visible};
      violation.witnesses.push_back(fmt::format(
          "{}: broker-{} (leader epoch {}) holds records up to {}, with [{}] in sync, and shows "
          "those below {}; its high watermark has not moved for {} s",
          rest.partition, led.leader, led.epoch, end, fmt::join(led.isr, ", "), visible,
          absl::ToInt64Seconds(at - *led.since)));
      sink_.Report(std::move(violation));
    }
  }

 private:
  // The newest leader.
  struct Led {
    BrokerId leader = broker::kNoBroker;
    broker::LeaderEpoch epoch = broker::kNoLeaderEpoch;
    std::vector<BrokerId> isr;
    // Since when its high watermark has stood below its log end; nullopt: it does not.
    std::optional<absl::Duration> since;
  };

  Led* Find(BrokerId leader, const TopicPartition& partition) {
    const auto found = led_.find(partition);
    return found == led_.end() || found->second.leader != leader ? nullptr : &found->second;
  }
  [[nodiscard]] Offset EndOf(const Led& led, const TopicPartition& partition) const {
    const ReplicaLog* log = facts_.logs.Find(led.leader, partition);
    return log == nullptr ? Offset(0) : log->end;
  }

  RunFacts facts_;
  ViolationSink& sink_;
  std::map<TopicPartition, Led> led_;
  // The high watermarks of all replicas, as far as they were told.
  std::map<std::pair<TopicPartition, BrokerId>, Offset> shown_;
};

}  // namespace

std::unique_ptr<Invariant> MakeCommittedAtRest(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<CommittedAtRest>(facts, sink);
}

}  // namespace highwater::invariants
