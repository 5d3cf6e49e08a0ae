#include "invariants/spurious_reset.h"

namespace highwater::invariants {
namespace {

class SpuriousReset final : public Invariant {
 public:
  SpuriousReset(const RunFacts& facts, ViolationSink& sink) : facts_(facts), sink_(sink) {}

  std::string_view id() const override { return "spurious-reset"; }

  void OnPositionJumped(const PositionJump& jump) override {
    if (jump.reason == JumpReason::kAsked || jump.from == broker::kNoOffset) return;
    Checked();
    const broker::Offset start = facts_.logs.LogStart(jump.partition);
    const broker::Offset committed = facts_.logs.CommitPoint(jump.partition);
    if (jump.from < start || jump.from > committed) return;
    Violation violation{
        .invariant = "spurious-reset",
        .sentence = "a consumer was sent elsewhere although its position was a good one.",
        .at = jump.at,
        .partition = jump.partition,
        .offset = jump.from};
    violation.witnesses.push_back(fmt::format("topic {}, partition {}: {} stood at offset {}",
                                              jump.partition.topic, jump.partition.partition,
                                              jump.consumer, jump.from));
    violation.witnesses.push_back(
        fmt::format("it was told that {}; the log begins at {} and is committed up to {}",
                    jump.reason == JumpReason::kOutOfRange ? "this is out of range"
                                                           : "the log was cut below it",
                    start, committed));
    sink_.Report(std::move(violation));
  }

 private:
  const RunFacts facts_;
  ViolationSink& sink_;
};

}  // namespace

std::unique_ptr<Invariant> MakeSpuriousReset(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<SpuriousReset>(facts, sink);
}

}  // namespace highwater::invariants
