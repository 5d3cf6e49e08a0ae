#include "invariants/committed_kept.h"

namespace highwater::invariants {
namespace {

class CommittedKept final : public Invariant {
 public:
  CommittedKept(const RunFacts& facts, ViolationSink& sink) : facts_(facts), sink_(sink) {}

  std::string_view id() const override { return "committed-kept"; }

  void OnBecameLeader(const Leadership& leadership) override {
    if (!leadership.newest) return;
    Checked();
    const auto difference = facts_.logs.FindDifference(leadership.broker, leadership.partition);
    if (!difference.has_value()) return;
    const StoredBatch& committed = difference->committed;
    Violation violation{.invariant = "committed-kept",
                        .sentence = "a committed record is gone or changed on a new leader.",
                        .at = leadership.at,
                        .partition = leadership.partition,
                        .offset = committed.base};
    violation.witnesses.push_back(
        fmt::format("{}: records {}..{} of leader epoch {} were below a high watermark; the commit "
                    "point is {}",
                    leadership.partition, committed.base, committed.last, committed.epoch,
                    facts_.logs.CommitPoint(leadership.partition)));
    violation.witnesses.push_back(
        difference->found.has_value()
            ? fmt::format(
                  "broker-{} leads in leader epoch {} and holds {}..{} of leader epoch {} "
                  "there{}",
                  leadership.broker, leadership.epoch, difference->found->base,
                  difference->found->last, difference->found->epoch,
                  difference->found->digest == committed.digest ? "" : ", with other content")
            : fmt::format("broker-{} leads in leader epoch {} with a log that ends at {}",
                          leadership.broker, leadership.epoch, leadership.log_end));
    sink_.Report(std::move(violation));
  }

 private:
  RunFacts facts_;
  ViolationSink& sink_;
};

}  // namespace

std::unique_ptr<Invariant> MakeCommittedKept(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<CommittedKept>(facts, sink);
}

}  // namespace highwater::invariants
