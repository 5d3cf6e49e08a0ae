#include "invariants/high_watermark_monotone.h"

namespace highwater::invariants {
namespace {

class HighWatermarkMonotone final : public Invariant {
 public:
  explicit HighWatermarkMonotone(ViolationSink& sink) : sink_(sink) {}

  std::string_view id() const override { return "high-watermark-monotone"; }

  void OnHighWatermarkMoved(const LeaderState& state, broker::Offset high_watermark) override {
    Last& last = last_[state.partition];
    if (state.epoch > last.epoch || state.leader != last.leader) {
      // A deposed leader may go on in its own, older epoch: each epoch is judged for itself, the
      // newest being remembered.
      if (state.epoch >= last.epoch) last = {state.leader, state.epoch, high_watermark};
      return;
    }
    if (state.epoch < last.epoch) return;
    Checked();
    if (high_watermark < last.high_watermark) {
      Violation violation{.invariant = "high-watermark-monotone",
                          .sentence = "a leader's high watermark went back within its epoch.",
                          .at = state.at,
                          .partition = state.partition,
                          .offset = high_watermark};
      violation.witnesses.push_back(fmt::format("{}: broker-{}, leader epoch {}: from {} to {}",
                                                state.partition, state.leader, state.epoch,
                                                last.high_watermark, high_watermark));
      sink_.Report(std::move(violation));
    }
    last.high_watermark = high_watermark;
  }

  void OnTopicDeleted(std::string_view topic) override {
    std::erase_if(last_, [&](const auto& entry) { return entry.first.topic == topic; });
  }

 private:
  struct Last {
    broker::BrokerId leader = broker::kNoBroker;
    broker::LeaderEpoch epoch = broker::kNoLeaderEpoch;
    broker::Offset high_watermark{0};
  };
  ViolationSink& sink_;
  std::map<broker::TopicPartition, Last> last_;
};

}  // namespace

std::unique_ptr<Invariant> MakeHighWatermarkMonotone(const RunFacts&, ViolationSink& sink) {
  return std::make_unique<HighWatermarkMonotone>(sink);
}

}  // namespace highwater::invariants
