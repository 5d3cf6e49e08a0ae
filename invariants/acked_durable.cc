#include "invariants/acked_durable.h"

#include <absl/container/btree_map.h>

namespace highwater::invariants {
namespace {

using broker::Offset;
using broker::TopicPartition;

class AckedDurable final : public Invariant {
 public:
  AckedDurable(const RunFacts& facts, ViolationSink& sink)
      : facts_(facts), history_(facts.history), sink_(sink) {}

  std::string_view id() const override { return "acked-durable"; }

  void OnAcked(const AckedRecord& record) override {
    if (history_.Find(record.id)->acks == 0) return;
    auto& acked = acked_[record.partition];
    const auto [place, fresh] = acked.emplace(record.offset, Acked{record.id, record.at});
    if (!fresh && place->second.id != record.id) {
      Report(record.partition, record.offset, place->second, record.at, 1,
             {fmt::format("then        offset {} was acknowledged again, for {}", record.offset,
                          history_.Describe(record.id))});
      place->second = {record.id, record.at};
    }
  }

  // A leader's log is what the partition is from now on: what lies at or past its end is gone.
  void OnBecameLeader(const Leadership& leadership) override {
    if (!leadership.newest) return;
    LoseFrom(leadership.partition, leadership.log_end, leadership.at, [&] {
      return fmt::format(
          "absent      on broker-{}, which leads in leader epoch {} with a log that "
          "ends at {}",
          leadership.broker, leadership.epoch, leadership.log_end);
    });
  }

  // With one replica the opened log is all there is: what lies at or past its end is gone.
  void OnLogLoaded(broker::BrokerId broker, const broker::LogLoadedEvent& event,
                   absl::Duration at) override {
    if (facts_.promise(event.partition.topic).replicas > 1) return;
    LoseFrom(event.partition, event.log_end_offset, at, [&] {
      return fmt::format(
          "absent      on broker-{}, the only replica, whose log ends at {} after {}", broker,
          event.log_end_offset,
          event.clean ? "a clean stop"
                      : fmt::format("recovery cut {} bytes", event.truncated_bytes));
    });
  }

  void OnTopicDeleted(std::string_view topic) override {
    absl::erase_if(acked_, [&](const auto& entry) { return entry.first.topic == topic; });
  }

  void AtRest(const std::vector<PartitionAtRest>& partitions, absl::Duration at) override {
    for (const PartitionAtRest& rest : partitions) {
      const auto acked = acked_.find(rest.partition);
      if (acked == acked_.end() || !rest.readable) continue;
      JudgeAtRest(rest, acked->second, at);
    }
  }

 private:
  struct Acked {
    RecordId id;
    absl::Duration at;
  };

  using AckedRecords = absl::btree_map<Offset, Acked>;

  // Records that are gone, those of one kind of acks: what was promised of them differs.
  struct Lost {
    const std::pair<const Offset, Acked>* first = nullptr;
    size_t count = 0;
    std::string where;
  };
  using LostByAcks = std::map<int16_t, Lost>;

  Lost& Count(LostByAcks& lost, const std::pair<const Offset, Acked>& entry) const {
    Lost& kind = lost[history_.Find(entry.second.id)->acks];
    if (kind.count++ == 0) kind.first = &entry;
    return kind;
  }

  template <typename Where>
  void LoseFrom(const TopicPartition& partition, Offset end, absl::Duration at, Where where) {
    const auto acked = acked_.find(partition);
    if (acked == acked_.end()) return;
    Checked();
    const auto first_lost = acked->second.lower_bound(end);
    if (first_lost == acked->second.end()) return;
    LostByAcks lost;
    for (auto entry = first_lost; entry != acked->second.end(); ++entry) Count(lost, *entry);
    for (const auto& [acks, kind] : lost) {
      Report(partition, kind.first->first, kind.first->second, at, kind.count, {where()});
    }
    acked->second.erase(first_lost, acked->second.end());
  }

  void JudgeAtRest(const PartitionAtRest& rest, const AckedRecords& acked, absl::Duration at) {
    LostByAcks lost;
    auto found = rest.records.begin();
    for (const auto& entry : acked) {
      if (entry.first < rest.log_start) continue;  // retention took it
      if (entry.second.at > rest.as_of) continue;  // the reader did not look so far
      Checked();
      while (found != rest.records.end() && found->first < entry.first) ++found;
      const bool there = found != rest.records.end() && found->first == entry.first;
      if (there && found->second == entry.second.id) continue;
      Lost& kind = Count(lost, entry);
      if (kind.count > 1) continue;
      kind.where = there ? fmt::format("that offset holds {}", history_.Describe(found->second))
                         : "no valid record is at that offset";
    }
    for (const auto& [acks, kind] : lost) {
      Report(rest.partition, kind.first->first, kind.first->second, at, kind.count,
             {fmt::format("absent      at rest: {}; the log is [{}, {})", kind.where,
                          rest.log_start, rest.log_end)});
    }
  }

  void Report(const TopicPartition& partition, Offset offset, const Acked& acked, absl::Duration at,
              size_t lost, std::vector<std::string> where) {
    const Send& send = *history_.Find(acked.id);
    Violation violation{
        .invariant = "acked-durable",
        .sentence = fmt::format("a record acknowledged with acks={} is gone.",
                                send.acks == -1 ? "all" : fmt::format("{}", send.acks)),
        .at = at,
        .partition = partition,
        .offset = offset,
        .acks = send.acks};
    violation.witnesses.push_back(
        fmt::format("topic {}, partition {}, offset {}, record {}{}", partition.topic,
                    partition.partition, offset, history_.Describe(acked.id),
                    lost > 1 ? fmt::format(", and {} more behind it", lost - 1) : ""));
    violation.witnesses.push_back(fmt::format(
        "acknowledged to {} at {}", history_.NameOf(acked.id.client), FormatTime(acked.at)));
    for (std::string& line : where) violation.witnesses.push_back(std::move(line));
    sink_.Report(std::move(violation));
  }

  // 00:03.118
  static std::string FormatTime(absl::Duration at) {
    const int64_t ms = absl::ToInt64Milliseconds(at);
    return fmt::format("{:02}:{:02}.{:03}", ms / 60000, ms / 1000 % 60, ms % 1000);
  }

  RunFacts facts_;
  const ClientHistory& history_;
  ViolationSink& sink_;
  absl::btree_map<TopicPartition, AckedRecords> acked_;
};

}  // namespace

std::unique_ptr<Invariant> MakeAckedDurable(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<AckedDurable>(facts, sink);
}

}  // namespace highwater::invariants
