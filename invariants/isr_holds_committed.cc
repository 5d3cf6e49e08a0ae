#include "invariants/isr_holds_committed.h"

namespace highwater::invariants {
namespace {

using broker::BrokerId;
using broker::Offset;
using broker::TopicPartition;

class IsrHoldsCommitted final : public Invariant {
 public:
  IsrHoldsCommitted(const RunFacts& facts, ViolationSink& sink) : facts_(facts), sink_(sink) {}

  std::string_view id() const override { return "isr-holds-committed"; }

  void OnIsrChanged(const LeaderState& state, absl::Span<const BrokerId> isr) override {
    isr_[state.partition][state.leader] = {state.epoch, {isr.begin(), isr.end()}};
  }

  void OnFollowerFetched(const LeaderState& state, BrokerId follower,
                         Offset fetch_offset) override {
    Fetched& fetched = fetched_[state.partition][follower];
    if (fetched.epoch != state.epoch) fetched = {state.epoch, fetch_offset};
    fetched.up_to = std::max(fetched.up_to, fetch_offset);
  }

  void OnHighWatermarkMoved(const LeaderState& state, Offset high_watermark) override {
    const auto& known = isr_[state.partition][state.leader];
    if (known.epoch != state.epoch) return;
    Checked();
    for (const BrokerId member : known.isr) {
      const ReplicaLog* log = facts_.logs.Find(member, state.partition);
      if (log != nullptr && log->end >= high_watermark) continue;
      // What it had told this leader it may have lost since.
      if (log != nullptr && log->Stored(high_watermark) &&
          HasToldOf(member, state, high_watermark)) {
        continue;
      }
      Violation violation{.invariant = "isr-holds-committed",
                          .sentence = "a record was committed that an in-sync replica lacks.",
                          .at = state.at,
                          .partition = state.partition,
                          .offset = high_watermark - 1};
      violation.witnesses.push_back(fmt::format(
          "{}: broker-{} (leader epoch {}) raises the high watermark to {}; the log of broker-{}, "
          "in sync, ends at {}",
          state.partition, state.leader, state.epoch, high_watermark, member,
          log == nullptr ? Offset(0) : log->end));
      sink_.Report(std::move(violation));
    }
  }

  void OnTopicDeleted(std::string_view topic) override {
    const auto of_topic = [&](const auto& entry) { return entry.first.topic == topic; };
    std::erase_if(isr_, of_topic);
    std::erase_if(fetched_, of_topic);
  }

 private:
  struct Known {
    broker::LeaderEpoch epoch = broker::kNoLeaderEpoch;
    std::vector<BrokerId> isr;
  };
  struct Fetched {
    broker::LeaderEpoch epoch = broker::kNoLeaderEpoch;
    Offset up_to{0};
  };

  // Whether `member` was seen to store everything below `offset` in this very epoch.
  bool HasToldOf(BrokerId member, const LeaderState& state, Offset offset) {
    const Fetched& fetched = fetched_[state.partition][member];
    return fetched.epoch == state.epoch && fetched.up_to >= offset;
  }

  RunFacts facts_;
  ViolationSink& sink_;
  std::map<TopicPartition, std::map<BrokerId, Known>> isr_;  // as each leader knows it
  std::map<TopicPartition, std::map<BrokerId, Fetched>> fetched_;
};

}  // namespace

std::unique_ptr<Invariant> MakeIsrHoldsCommitted(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<IsrHoldsCommitted>(facts, sink);
}

}  // namespace highwater::invariants
