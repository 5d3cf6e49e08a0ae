#include "invariants/log_matching.h"

#include <algorithm>

namespace highwater::invariants {
namespace {

using broker::BrokerId;
using broker::Offset;
using broker::TopicPartition;

class LogMatching final : public Invariant {
 public:
  LogMatching(const RunFacts& facts, ViolationSink& sink) : facts_(facts), sink_(sink) {}

  std::string_view id() const override { return "log-matching"; }

  void OnBecameLeader(const Leadership& leadership) override {
    if (!leadership.newest) return;
    Partition& partition = partitions_[leadership.partition];
    partition.leader = leadership.broker;
    partition.epoch = leadership.epoch;
  }

  void OnLogLoaded(BrokerId broker, const broker::LogLoadedEvent& event, absl::Duration) override {
    Offset& compared = partitions_[event.partition].compared[broker];
    compared = std::min(compared, event.log_end_offset);
  }

  void OnFollowerHighWatermarkMoved(const FollowerState& state, Offset high_watermark) override {
    Partition& partition = partitions_[state.partition];
    Offset& compared = partition.compared[state.follower];
    compared = std::min(compared, high_watermark);
    // A leader of an older epoch may have truncated since.
    if (partition.epoch != state.epoch) return;
    const ReplicaLog* mine = facts_.logs.Find(state.follower, state.partition);
    const ReplicaLog* theirs = facts_.logs.Find(partition.leader, state.partition);
    if (mine == nullptr || theirs == nullptr) return;
    Checked();
    for (auto batch = mine->At(compared);
         batch != mine->batches.end() && batch->base < high_watermark; ++batch) {
      if (Holds(*theirs, *batch)) continue;
      Report(state, high_watermark, partition.leader, *batch);
      break;
    }
    compared = high_watermark;
  }

  void OnTopicDeleted(std::string_view topic) override {
    std::erase_if(partitions_, [&](const auto& entry) { return entry.first.topic == topic; });
  }

 private:
  struct Partition {
    BrokerId leader = broker::kNoBroker;
    broker::LeaderEpoch epoch = broker::kNoLeaderEpoch;
    std::map<BrokerId, Offset> compared;  // up to where a follower's log was found to match
  };

  // Whether the leader's log holds the batch, as far as was seen of it.
  static bool Holds(const ReplicaLog& log, const StoredBatch& batch) {
    if (batch.last < log.start || batch.last < log.lost_until) return true;
    const auto found = log.At(batch.base);
    if (found == log.batches.end()) return log.batches.empty() && batch.last < log.end;
    const bool unseen = found == log.batches.begin() && batch.last < found->base;
    return unseen || *found == batch;
  }

  void Report(const FollowerState& state, Offset high_watermark, BrokerId leader,
              const StoredBatch& batch) {
    Violation violation{
        .invariant = "log-matching",
        .sentence = "a replica holds records to be committed that its leader does not have.",
        .at = state.at,
        .partition = state.partition,
        .offset = batch.base};
    violation.witnesses.push_back(
        fmt::format("{}: broker-{} moves its high watermark to {} (leader epoch {})",
                    state.partition, state.follower, high_watermark, state.epoch));
    violation.witnesses.push_back(
        fmt::format("it holds {}..{} of leader epoch {} there; broker-{}, its leader, does not",
                    batch.base, batch.last, batch.epoch, leader));
    sink_.Report(std::move(violation));
  }

  RunFacts facts_;
  ViolationSink& sink_;
  std::map<TopicPartition, Partition> partitions_;
};

}  // namespace

std::unique_ptr<Invariant> MakeLogMatching(const RunFacts& facts, ViolationSink& sink) {
  return std::make_unique<LogMatching>(facts, sink);
}

}  // namespace highwater::invariants
