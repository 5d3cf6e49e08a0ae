#include "invariants/realtime_inversion.h"

#include <algorithm>

namespace highwater::invariants {
namespace {

class RealtimeInversion final : public Invariant {
 public:
  RealtimeInversion(const RunFacts& facts, ViolationSink& sink)
      : history_(facts.history), sink_(sink) {}

  std::string_view id() const override { return "realtime-inversion"; }

  void OnAcked(const AckedRecord& record) override {
    const Send& send = *history_.Find(record.id);
    Marks& marks = (send.acks == -1 ? by_all_ : by_one_)[record.partition];
    // A record that only its leader stored owes no order, and is owed none.
    for (const auto* acked : {&by_all_, &by_one_}) {
      const auto others = acked->find(record.partition);
      if (others == acked->end()) continue;
      const Mark* before = FarthestBefore(others->second, send.invoked);
      if (before == nullptr) continue;
      Checked();
      if (before->offset <= record.offset) continue;
      const bool weak = acked == &by_one_ || send.acks != -1;
      Report(record, *before, weak ? int16_t{1} : int16_t{-1});
    }
    if (marks.empty() || marks.back().offset < record.offset) {
      marks.push_back({.at = record.at, .offset = record.offset, .id = record.id});
    }
  }
  void OnTopicDeleted(std::string_view topic) override {
    for (auto* acked : {&by_all_, &by_one_}) {
      std::erase_if(*acked, [&](const auto& entry) { return entry.first.topic == topic; });
    }
  }

 private:
  // The farthest acknowledged offset whenever it grew: times and offsets ascend.
  struct Mark {
    absl::Duration at;
    broker::Offset offset;
    RecordId id;
  };
  using Marks = std::vector<Mark>;

  static const Mark* FarthestBefore(const Marks& marks, absl::Duration time) {
    const auto after =
        std::lower_bound(marks.begin(), marks.end(), time,
                         [](const Mark& mark, absl::Duration t) { return mark.at < t; });
    return after == marks.begin() ? nullptr : &*std::prev(after);
  }

  void Report(const AckedRecord& record, const Mark& before, int16_t acks) {
    Violation violation{
        .invariant = "realtime-inversion",
        .sentence = "a record stands in front of one that was acknowledged before it was sent.",
        .at = record.at,
        .partition = record.partition,
        .offset = record.offset,
        .acks = acks};
    violation.witnesses.push_back(fmt::format(
        "topic {}, partition {}: {} was acknowledged at offset {}", record.partition.topic,
        record.partition.partition, history_.Describe(before.id), before.offset));
    violation.witnesses.push_back(fmt::format("{}, sent after that, was acknowledged at offset {}",
                                              history_.Describe(record.id), record.offset));
    sink_.Report(std::move(violation));
  }

  const ClientHistory& history_;
  ViolationSink& sink_;
  std::map<broker::TopicPartition, Marks> by_all_;
  std::map<broker::TopicPartition, Marks> by_one_;
};

}  // namespace

std::unique_ptr<Invariant> MakeRealtimeInversion(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<RealtimeInversion>(facts, sink);
}

}  // namespace highwater::invariants
