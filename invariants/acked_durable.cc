#include "invariants/acked_durable.h"

#include <absl/container/btree_map.h>

namespace highwater::invariants {
namespace {

using broker::Offset;
using broker::TopicPartition;

class AckedDurable final : public Invariant {
 public:
  AckedDurable(const ClientHistory& history, ViolationSink& sink)
      : history_(history), sink_(sink) {}

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

  // With one replica the opened log is all there is: what lies at or past its end is gone.
  void OnLogLoaded(broker::BrokerId broker, const broker::LogLoadedEvent& event,
                   absl::Duration at) override {
    const auto acked = acked_.find(event.partition);
    if (acked == acked_.end()) return;
    const auto first_lost = acked->second.lower_bound(event.log_end_offset);
    if (first_lost == acked->second.end()) return;
    const auto lost = static_cast<size_t>(std::distance(first_lost, acked->second.end()));
    std::vector<std::string> where{
        fmt::format("absent      on broker-{}, the only replica, whose log ends at {} after {}",
                    broker, event.log_end_offset,
                    event.clean ? "a clean stop"
                                : fmt::format("recovery cut {} bytes", event.truncated_bytes))};
    Report(event.partition, first_lost->first, first_lost->second, at, lost, std::move(where));
    acked->second.erase(first_lost, acked->second.end());
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

  void JudgeAtRest(const PartitionAtRest& rest, const absl::btree_map<Offset, Acked>& acked,
                   absl::Duration at) {
    size_t lost = 0;
    const std::pair<const Offset, Acked>* first = nullptr;
    std::string instead;
    auto found = rest.records.begin();
    for (const auto& entry : acked) {
      if (entry.first < rest.log_start) continue;  // retention took it
      if (entry.second.at > rest.as_of) continue;  // the reader did not look so far
      while (found != rest.records.end() && found->first < entry.first) ++found;
      const bool there = found != rest.records.end() && found->first == entry.first;
      if (there && found->second == entry.second.id) continue;
      if (lost++ == 0) {
        first = &entry;
        instead = there ? fmt::format("that offset holds {}", history_.Describe(found->second))
                        : "no valid record is at that offset";
      }
    }
    if (first == nullptr) return;
    Report(rest.partition, first->first, first->second, at, lost,
           {fmt::format("absent      at rest: {}; the log is [{}, {})", instead, rest.log_start,
                        rest.log_end)});
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
        .offset = offset};
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

  const ClientHistory& history_;
  ViolationSink& sink_;
  absl::btree_map<TopicPartition, absl::btree_map<Offset, Acked>> acked_;
};

}  // namespace

std::unique_ptr<Invariant> MakeAckedDurable(const ClientHistory& history, ViolationSink& sink,
                                            Scope) {
  return std::make_unique<AckedDurable>(history, sink);
}

}  // namespace highwater::invariants
