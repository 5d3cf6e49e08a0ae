#include "invariants/min_insync_acked.h"

namespace highwater::invariants {
namespace {

class MinInsyncAcked final : public Invariant {
 public:
  MinInsyncAcked(const RunFacts& facts, ViolationSink& sink) : facts_(facts), sink_(sink) {}

  std::string_view id() const override { return "min-insync-acked"; }

  void OnAcknowledged(const LeaderState& state, broker::Offset last, int16_t acks) override {
    if (acks != -1) return;
    Checked();
    const int32_t wanted = facts_.promise(state.partition.topic).min_insync_replicas;
    const int32_t holders = facts_.logs.HoldersUpTo(state.partition, last + 1);
    if (holders >= wanted) return;
    Violation violation{
        .invariant = "min-insync-acked",
        .sentence = "acks=all was answered for a record that too few brokers store.",
        .at = state.at,
        .partition = state.partition,
        .offset = last};
    violation.witnesses.push_back(fmt::format(
        "{}: broker-{} (leader epoch {}) acknowledges offset {}: {} of {} brokers store "
        "it (min.insync.replicas)",
        state.partition, state.leader, state.epoch, last, holders, wanted));
    sink_.Report(std::move(violation));
  }

 private:
  RunFacts facts_;
  ViolationSink& sink_;
};

}  // namespace

std::unique_ptr<Invariant> MakeMinInsyncAcked(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<MinInsyncAcked>(facts, sink);
}

}  // namespace highwater::invariants
