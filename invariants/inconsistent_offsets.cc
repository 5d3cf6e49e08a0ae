#include "invariants/inconsistent_offsets.h"

#include <absl/container/btree_map.h>

namespace highwater::invariants {
namespace {

class InconsistentOffsets final : public Invariant {
 public:
  InconsistentOffsets(const RunFacts& facts, ViolationSink& sink)
      : history_(facts.history), sink_(sink) {}

  std::string_view id() const override { return "inconsistent-offsets"; }

  void OnAcked(const AckedRecord& record) override {
    const int16_t acks = history_.Find(record.id)->acks;
    See(record.partition, record.offset, {.id = record.id, .acked = true, .acks = acks}, record.at);
  }
  void OnConsumed(const ConsumedRecord& record) override {
    if (!record.id.has_value()) return;  // a phantom
    See(record.partition, record.offset, {.id = *record.id}, record.at);
  }
  void OnTopicDeleted(std::string_view topic) override {
    std::erase_if(seen_, [&](const auto& entry) { return entry.first.topic == topic; });
  }

 private:
  struct Seen {
    RecordId id;
    bool acked = false;  // an acknowledgement said so, no reader
    int16_t acks = -1;   // with which it was acknowledged
  };

  void See(const broker::TopicPartition& partition, broker::Offset offset, Seen now,
           absl::Duration at) {
    const auto [place, fresh] = seen_[partition].try_emplace(offset, now);
    Seen& before = place->second;
    if (fresh) return;
    Checked();
    if (before.id == now.id) {
      before.acked = before.acked && now.acked;
      return;
    }
    Violation violation{.invariant = "inconsistent-offsets",
                        .sentence = "an offset was seen to hold two different records.",
                        .at = at,
                        .partition = partition,
                        .offset = offset,
                        .acks = AcksOf(before, now)};
    violation.witnesses.push_back(fmt::format("topic {}, partition {}, offset {}", partition.topic,
                                              partition.partition, offset));
    violation.witnesses.push_back(fmt::format("{}, then {}", Describe(before), Describe(now)));
    sink_.Report(std::move(violation));
    before = now;
  }

  // What only a leader's acknowledgement said was promised no more than its acks did.
  static std::optional<int16_t> AcksOf(const Seen& before, const Seen& now) {
    for (const Seen& seen : {before, now}) {
      if (seen.acked && seen.acks == 1) return 1;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::string Describe(const Seen& seen) const {
    return fmt::format("{} {}", seen.acked ? "acknowledged for" : "read as",
                       history_.Describe(seen.id));
  }

  const ClientHistory& history_;
  ViolationSink& sink_;
  std::map<broker::TopicPartition, absl::btree_map<broker::Offset, Seen>> seen_;
};

}  // namespace

std::unique_ptr<Invariant> MakeInconsistentOffsets(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<InconsistentOffsets>(facts, sink);
}

}  // namespace highwater::invariants
