#include "invariants/unread.h"

#include "invariants/record_set.h"

namespace highwater::invariants {
namespace {

using broker::Offset;

enum class Until : uint8_t {
  kFarthestRead,  // lost-write
  kEnd,           // unseen
};

class Unread final : public Invariant {
 public:
  Unread(const RunFacts& facts, ViolationSink& sink, Until until)
      : history_(facts.history), logs_(facts.logs), sink_(sink), until_(until) {}

  std::string_view id() const override { return until_ == Until::kEnd ? "unseen" : "lost-write"; }

  void OnAcked(const AckedRecord& record) override {
    partitions_[record.partition].acked.push_back(
        {.id = record.id, .offset = record.offset, .at = record.at});
  }
  void OnConsumed(const ConsumedRecord& record) override {
    if (!record.id.has_value() || history_.Find(*record.id) == nullptr) return;
    // Only where it was seen first: a copy behind proves nothing of what lies between.
    if (!read_.Insert(*record.id)) return;
    Offset& farthest = partitions_[record.partition].farthest;
    farthest = std::max(farthest, record.offset);
  }
  void OnTopicDeleted(std::string_view topic) override {
    std::erase_if(partitions_, [&](const auto& entry) { return entry.first.topic == topic; });
  }
  void AtRest(const std::vector<PartitionAtRest>& partitions, absl::Duration at) override {
    for (const PartitionAtRest& rest : partitions) {
      const auto partition = partitions_.find(rest.partition);
      if (partition == partitions_.end()) continue;
      if (until_ == Until::kEnd && !rest.readable) continue;
      Judge(rest, partition->second, at);
    }
  }

 private:
  struct Acked {
    RecordId id;
    Offset offset;
    absl::Duration at;
  };
  struct Partition {
    std::vector<Acked> acked;
    Offset farthest = broker::kNoOffset;
  };

  [[nodiscard]] bool IsDue(const Acked& acked, const PartitionAtRest& rest, Offset farthest) const {
    // Of one that could not be asked, what its brokers last said.
    const Offset start = rest.readable ? rest.log_start : logs_.LogStart(rest.partition);
    if (acked.offset < start) return false;
    return until_ == Until::kEnd ? acked.at <= rest.as_of : acked.offset <= farthest;
  }

  // One report for each kind of acks: what was promised differs.
  void Judge(const PartitionAtRest& rest, const Partition& partition, absl::Duration at) {
    std::map<int16_t, std::vector<const Acked*>> missing;
    for (const Acked& acked : partition.acked) {
      if (!IsDue(acked, rest, partition.farthest)) continue;
      Checked();
      if (read_.Contains(acked.id)) continue;
      missing[history_.Find(acked.id)->acks].push_back(&acked);
    }
    for (const auto& [acks, records] : missing) {
      const Acked& first = *records.front();
      Violation violation{
          .invariant = std::string(id()),
          .sentence = until_ == Until::kEnd
                          ? "an acknowledged record was never read, though all was read to the end."
                          : "an acknowledged record was never read, though what is behind it was.",
          .at = at,
          .partition = rest.partition,
          .offset = first.offset,
          .acks = acks};
      violation.witnesses.push_back(
          fmt::format("topic {}, partition {}, offset {}, record {}{}", rest.partition.topic,
                      rest.partition.partition, first.offset, history_.Describe(first.id),
                      records.size() > 1 ? fmt::format(", and {} more", records.size() - 1) : ""));
      violation.witnesses.push_back(
          fmt::format("readers came as far as offset {}", partition.farthest));
      sink_.Report(std::move(violation));
    }
  }

  const ClientHistory& history_;
  const ReplicaLogs& logs_;
  ViolationSink& sink_;
  Until until_;
  RecordSet read_;
  std::map<broker::TopicPartition, Partition> partitions_;
};

}  // namespace

std::unique_ptr<Invariant> MakeLostWrite(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<Unread>(facts, sink, Until::kFarthestRead);
}
std::unique_ptr<Invariant> MakeUnseen(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<Unread>(facts, sink, Until::kEnd);
}

}  // namespace highwater::invariants
