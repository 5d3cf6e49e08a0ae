#include "invariants/duplicate.h"

#include <algorithm>

namespace highwater::invariants {
namespace {

class Duplicate final : public Invariant {
 public:
  Duplicate(const RunFacts& facts, ViolationSink& sink)
      : history_(facts.history), sink_(sink), scope_(facts.scope) {}

  std::string_view id() const override { return "duplicate"; }

  void AtRest(const std::vector<PartitionAtRest>& partitions, absl::Duration at) override {
    for (const PartitionAtRest& rest : partitions) Judge(rest, at);
  }

 private:
  void Judge(const PartitionAtRest& rest, absl::Duration at) {
    auto by_record = rest.records;
    std::sort(by_record.begin(), by_record.end(), [](const auto& a, const auto& b) {
      return std::tie(a.second, a.first) < std::tie(b.second, b.first);
    });
    size_t copies = 0;
    const std::pair<broker::Offset, RecordId>* first = nullptr;  // the second copy that is lowest
    broker::Offset original = broker::kNoOffset;
    for (size_t i = 1; i < by_record.size(); ++i) {
      const auto& entry = by_record[i];
      if (!IsPromised(entry.second)) continue;
      Checked();
      if (entry.second != by_record[i - 1].second) continue;
      ++copies;
      if (first != nullptr && first->first < entry.first) continue;
      first = &entry;
      original = by_record[i - 1].first;
    }
    if (first != nullptr) Report(rest, *first, original, copies, at);
  }

  [[nodiscard]] bool IsPromised(RecordId id) const {
    if (history_.Find(id) == nullptr) return false;  // a phantom
    return scope_ == Scope::kEverybody || history_.PromisesOf(id.client).idempotent;
  }

  void Report(const PartitionAtRest& rest, const std::pair<broker::Offset, RecordId>& copy,
              broker::Offset original, size_t copies, absl::Duration at) {
    Violation violation{.invariant = "duplicate",
                        .sentence = "a record that was sent once is stored more than once.",
                        .at = at,
                        .partition = rest.partition,
                        .offset = copy.first};
    violation.witnesses.push_back(fmt::format(
        "topic {}, partition {}, record {} of {}", rest.partition.topic, rest.partition.partition,
        history_.Describe(copy.second),
        history_.PromisesOf(copy.second.client).idempotent ? "an idempotent producer"
                                                           : "a producer without idempotence"));
    violation.witnesses.push_back(
        fmt::format("stored at offset {} and again at offset {}", original, copy.first));
    if (copies > 1) {
      violation.witnesses.push_back(
          fmt::format("and {} more such copies in this partition", copies - 1));
    }
    sink_.Report(std::move(violation));
  }

  const ClientHistory& history_;
  ViolationSink& sink_;
  Scope scope_;
};

}  // namespace

std::unique_ptr<Invariant> MakeDuplicate(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<Duplicate>(facts, sink);
}

}  // namespace highwater::invariants
