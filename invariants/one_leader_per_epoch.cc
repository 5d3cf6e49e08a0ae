#include "invariants/one_leader_per_epoch.h"

namespace highwater::invariants {
namespace {

class OneLeaderPerEpoch final : public Invariant {
 public:
  explicit OneLeaderPerEpoch(ViolationSink& sink) : sink_(sink) {}

  std::string_view id() const override { return "one-leader-per-epoch"; }

  void OnBecameLeader(const Leadership& leadership) override {
    Checked();
    auto& leaders = leaders_[leadership.partition];
    const auto [place, fresh] = leaders.emplace(leadership.epoch, leadership.broker);
    if (fresh || place->second == leadership.broker) return;
    Violation violation{.invariant = "one-leader-per-epoch",
                        .sentence = "two brokers lead a partition in the same leader epoch.",
                        .at = leadership.at,
                        .partition = leadership.partition,
                        .offset = leadership.log_end};
    violation.witnesses.push_back(fmt::format("{}: broker-{} and broker-{} lead in leader epoch {}",
                                              leadership.partition, place->second,
                                              leadership.broker, leadership.epoch));
    sink_.Report(std::move(violation));
  }

  void OnTopicDeleted(std::string_view topic) override {
    std::erase_if(leaders_, [&](const auto& entry) { return entry.first.topic == topic; });
  }

 private:
  ViolationSink& sink_;
  std::map<broker::TopicPartition, std::map<broker::LeaderEpoch, broker::BrokerId>> leaders_;
};

}  // namespace

std::unique_ptr<Invariant> MakeOneLeaderPerEpoch(const RunFacts&, ViolationSink& sink) {
  return std::make_unique<OneLeaderPerEpoch>(sink);
}

}  // namespace highwater::invariants
