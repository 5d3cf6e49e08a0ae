#include "invariants/nonmonotonic_send.h"

#include <map>
#include <set>

namespace highwater::invariants {
namespace {

class NonmonotonicSend final : public Invariant {
 public:
  NonmonotonicSend(const RunFacts& facts, ViolationSink& sink)
      : history_(facts.history), sink_(sink), scope_(facts.scope) {}

  std::string_view id() const override { return "nonmonotonic-send"; }

  void AtRest(const std::vector<PartitionAtRest>& partitions, absl::Duration at) override {
    for (const PartitionAtRest& rest : partitions) Judge(rest, at);
  }

 private:
  struct Place {
    uint32_t operation;
    broker::Offset offset;
  };

  void Judge(const PartitionAtRest& rest, absl::Duration at) {
    std::set<RecordId> seen;
    std::map<uint32_t, Place> latest;  // by client: the latest of its records so far
    for (const auto& [offset, id] : rest.records) {
      if (!IsPromised(id) || !seen.insert(id).second) continue;
      const auto [place, fresh] = latest.try_emplace(id.client, Place{id.operation, offset});
      if (fresh) continue;
      Checked();
      if (id.operation < place->second.operation)
        return Report(rest, id, offset, place->second, at);
      place->second = {id.operation, offset};
    }
  }

  [[nodiscard]] bool IsPromised(RecordId id) const {
    if (history_.Find(id) == nullptr) return false;  // a phantom
    return scope_ == Scope::kEverybody || history_.PromisesOf(id.client).ordered;
  }

  void Report(const PartitionAtRest& rest, RecordId id, broker::Offset offset, const Place& later,
              absl::Duration at) {
    Violation violation{
        .invariant = "nonmonotonic-send",
        .sentence = "a producer's records stand in another order than it sent them.",
        .at = at,
        .partition = rest.partition,
        .offset = offset};
    violation.witnesses.push_back(fmt::format("topic {}, partition {}, offset {}: record {}",
                                              rest.partition.topic, rest.partition.partition,
                                              offset, history_.Describe(id)));
    violation.witnesses.push_back(
        fmt::format("behind offset {}: record {}, which was sent after it", later.offset,
                    history_.Describe({id.client, later.operation})));
    sink_.Report(std::move(violation));
  }

  const ClientHistory& history_;
  ViolationSink& sink_;
  Scope scope_;
};

}  // namespace

std::unique_ptr<Invariant> MakeNonmonotonicSend(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<NonmonotonicSend>(facts, sink);
}

}  // namespace highwater::invariants
