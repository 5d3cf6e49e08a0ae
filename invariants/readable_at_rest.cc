#include "invariants/readable_at_rest.h"

namespace highwater::invariants {
namespace {

class ReadableAtRest final : public Invariant {
 public:
  explicit ReadableAtRest(ViolationSink& sink) : sink_(sink) {}

  std::string_view id() const override { return "readable-at-rest"; }

  void AtRest(const std::vector<PartitionAtRest>& partitions, absl::Duration at) override {
    for (const PartitionAtRest& rest : partitions) {
      Checked();
      if (rest.readable) continue;
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
  ViolationSink& sink_;
};

}  // namespace

std::unique_ptr<Invariant> MakeReadableAtRest(const RunFacts&, ViolationSink& sink) {
  return std::make_unique<ReadableAtRest>(sink);
}

}  // namespace highwater::invariants
