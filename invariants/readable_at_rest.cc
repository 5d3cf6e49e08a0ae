#include "invariants/readable_at_rest.h"

#include <map>

#include "invariants/lawful_stall.h"

namespace highwater::invariants {
namespace {

using broker::TopicPartition;

class ReadableAtRest final : public Invariant {
 public:
  ReadableAtRest(const RunFacts& facts, ViolationSink& sink) : facts_(facts), sink_(sink) {}

  std::string_view id() const override { return "readable-at-rest"; }

  void OnPartitionStateWritten(const broker::PartitionStateEvent& event,
                               absl::Duration /*at*/) override {
    states_[event.partition] = {.leader = event.leader,
                                .isr = event.isr,
                                .eligible = event.eligible,
                                .unclean = event.unclean_replicas};
  }

  void OnTopicDeleted(std::string_view topic) override {
    std::erase_if(states_, [&](const auto& entry) { return entry.first.topic == topic; });
  }

  void AtRest(const std::vector<PartitionAtRest>& partitions, absl::Duration at) override {
    const std::set<broker::BrokerId> left_out = facts_.left_out();
    for (const PartitionAtRest& rest : partitions) {
      Checked();
      if (rest.readable) continue;
      const auto state = states_.find(rest.partition);
      if (state != states_.end()) {
        if (auto why = WhyStalled(state->second, left_out)) {
          sink_.Excuse(rest.partition, *std::move(why));
          continue;
        }
      }
      Violation violation{.invariant = "readable-at-rest",
                          .sentence = "a partition cannot be read although all faults are over.",
                          .at = at,
                          .partition = rest.partition};
      violation.witnesses.push_back(
          fmt::format("topic {}, partition {}", rest.partition.topic, rest.partition.partition));
      violation.witnesses.push_back(fmt::format("a reader last met: {}", rest.obstacle));
      sink_.Report(std::move(violation));
    }
  }

 private:
  RunFacts facts_;
  ViolationSink& sink_;
  std::map<TopicPartition, WrittenState> states_;  // as last written
};

}  // namespace

std::unique_ptr<Invariant> MakeReadableAtRest(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<ReadableAtRest>(facts, sink);
}

}  // namespace highwater::invariants
