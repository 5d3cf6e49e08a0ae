#include "invariants/poll_order.h"

#include <algorithm>

namespace highwater::invariants {
namespace {

using broker::Offset;
using broker::TopicPartition;

// Two records of one poll, or of two successive ones.
enum class Within : uint8_t { kOnePoll, kTwoPolls };

// Where each consumer stands.
class Positions {
 public:
  struct Step {
    Offset before;
    bool one_poll;
  };
  // From the record before to this one; nullopt if there is none.
  std::optional<Step> Move(const ConsumedRecord& record) {
    auto consumer = consumers_.find(record.consumer);
    if (consumer == consumers_.end()) {
      consumer = consumers_.emplace(std::string(record.consumer), Places()).first;
    }
    const auto [place, fresh] =
        consumer->second.try_emplace(record.partition, Place{record.offset, record.poll});
    if (fresh) return std::nullopt;
    const Step step{place->second.offset, place->second.poll == record.poll};
    place->second = {record.offset, record.poll};
    return step;
  }
  void Forget(const PositionJump& jump) {
    const auto consumer = consumers_.find(jump.consumer);
    if (consumer != consumers_.end()) consumer->second.erase(jump.partition);
  }
  void ForgetTopic(std::string_view topic) {
    for (auto& [consumer, places] : consumers_) {
      std::erase_if(places, [&](const auto& entry) { return entry.first.topic == topic; });
    }
  }

 private:
  struct Place {
    Offset offset;
    uint64_t poll;
  };
  using Places = std::map<TopicPartition, Place>;
  std::map<std::string, Places, std::less<>> consumers_;
};

class Backwards final : public Invariant {
 public:
  Backwards(ViolationSink& sink, Within within) : sink_(sink), within_(within) {}

  std::string_view id() const override {
    return within_ == Within::kOnePoll ? "int-nonmonotonic-poll" : "nonmonotonic-poll";
  }

  void OnConsumed(const ConsumedRecord& record) override {
    const auto step = positions_.Move(record);
    if (!step.has_value() || step->one_poll != (within_ == Within::kOnePoll)) return;
    Checked();
    if (record.offset > step->before) return;
    Violation violation{.invariant = std::string(id()),
                        .sentence =
                            "a consumer that read on was handed a record again, or went "
                            "back.",
                        .at = record.at,
                        .partition = record.partition,
                        .offset = record.offset};
    violation.witnesses.push_back(fmt::format("topic {}, partition {}: {} read offset {}",
                                              record.partition.topic, record.partition.partition,
                                              record.consumer, record.offset));
    violation.witnesses.push_back(fmt::format("behind offset {}", step->before));
    sink_.Report(std::move(violation));
  }
  void OnPositionJumped(const PositionJump& jump) override { positions_.Forget(jump); }
  void OnTopicDeleted(std::string_view topic) override { positions_.ForgetTopic(topic); }

 private:
  ViolationSink& sink_;
  Within within_;
  Positions positions_;
};

class Skips final : public Invariant {
 public:
  Skips(const RunFacts& facts, ViolationSink& sink, Within within)
      : facts_(facts), sink_(sink), within_(within) {}

  std::string_view id() const override {
    return within_ == Within::kOnePoll ? "int-poll-skip" : "poll-skip";
  }

  void OnAcked(const AckedRecord& record) override {
    known_[record.partition].push_back(record.offset);
  }
  void OnConsumed(const ConsumedRecord& record) override {
    known_[record.partition].push_back(record.offset);
    const auto step = positions_.Move(record);
    if (!step.has_value() || step->one_poll != (within_ == Within::kOnePoll)) return;
    Checked();
    if (record.offset <= step->before + 1) return;
    holes_.push_back({.consumer = std::string(record.consumer),
                      .partition = record.partition,
                      .before = step->before,
                      .after = record.offset,
                      .at = record.at});
  }
  void OnPositionJumped(const PositionJump& jump) override { positions_.Forget(jump); }
  void OnTopicDeleted(std::string_view topic) override {
    positions_.ForgetTopic(topic);
    std::erase_if(known_, [&](const auto& entry) { return entry.first.topic == topic; });
    std::erase_if(holes_, [&](const Hole& hole) { return hole.partition.topic == topic; });
  }
  void AtRest(const std::vector<PartitionAtRest>&, absl::Duration) override {
    if (holes_.empty()) return;
    for (auto& [partition, offsets] : known_) std::sort(offsets.begin(), offsets.end());
    for (const Hole& hole : holes_) Judge(hole);
  }

 private:
  struct Hole {
    std::string consumer;
    TopicPartition partition;
    Offset before;
    Offset after;
    absl::Duration at;
  };

  void Judge(const Hole& hole) {
    const Offset from = std::max(hole.before + 1, facts_.logs.LogStart(hole.partition));
    const std::vector<Offset>& known = known_[hole.partition];
    const auto skipped = std::lower_bound(known.begin(), known.end(), from);
    if (skipped == known.end() || *skipped >= hole.after) return;
    Violation violation{.invariant = std::string(id()),
                        .sentence = "a consumer that read on was not handed a record.",
                        .at = hole.at,
                        .partition = hole.partition,
                        .offset = *skipped};
    violation.witnesses.push_back(fmt::format(
        "topic {}, partition {}: {} read offset {} and next offset {}", hole.partition.topic,
        hole.partition.partition, hole.consumer, hole.before, hole.after));
    violation.witnesses.push_back(fmt::format("a record stands at offset {}", *skipped));
    sink_.Report(std::move(violation));
  }

  const RunFacts facts_;
  ViolationSink& sink_;
  Within within_;
  Positions positions_;
  std::map<TopicPartition, std::vector<Offset>> known_;
  std::vector<Hole> holes_;
};

}  // namespace

std::unique_ptr<Invariant> MakePollSkip(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<Skips>(facts, sink, Within::kTwoPolls);
}
std::unique_ptr<Invariant> MakeNonmonotonicPoll(const RunFacts&, ViolationSink& sink) {
  return std::make_unique<Backwards>(sink, Within::kTwoPolls);
}
std::unique_ptr<Invariant> MakeIntPollSkip(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<Skips>(facts, sink, Within::kOnePoll);
}
std::unique_ptr<Invariant> MakeIntNonmonotonicPoll(const RunFacts&, ViolationSink& sink) {
  return std::make_unique<Backwards>(sink, Within::kOnePoll);
}

}  // namespace highwater::invariants
