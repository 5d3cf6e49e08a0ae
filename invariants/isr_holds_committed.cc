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

  void OnHighWatermarkMoved(const LeaderState& state, Offset high_watermark) override {
    const auto& known = isr_[state.partition][state.leader];
    if (known.epoch != state.epoch) return;
    for (const BrokerId member : known.isr) {
      const ReplicaLog* log = facts_.logs.Find(member, state.partition);
      if (log != nullptr && log->Stored(high_watermark)) continue;
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
    std::erase_if(isr_, [&](const auto& entry) { return entry.first.topic == topic; });
  }

 private:
  struct Known {
    broker::LeaderEpoch epoch = broker::kNoLeaderEpoch;
    std::vector<BrokerId> isr;
  };
  RunFacts facts_;
  ViolationSink& sink_;
  std::map<TopicPartition, std::map<BrokerId, Known>> isr_;  // as each leader knows it
};

}  // namespace

std::unique_ptr<Invariant> MakeIsrHoldsCommitted(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<IsrHoldsCommitted>(facts, sink);
}

}  // namespace highwater::invariants
