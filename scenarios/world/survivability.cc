#include "scenarios/world/survivability.h"

#include <algorithm>
#include <iterator>

namespace highwater::scenarios {

using broker::BrokerId;
using broker::Offset;
using broker::TopicPartition;

void Survivability::Damage(BrokerId broker, const TopicPartition& partition) {
  damaged_[partition][broker] = Log::kClosed;
  Judge(partition);
}

void Survivability::LostData(BrokerId broker) {
  for (const TopicPartition& partition : logs_.PartitionsOf(broker)) Damage(broker, partition);
}

void Survivability::Corrupted(BrokerId broker) {
  corrupted_.insert(broker);
  LostData(broker);
}

void Survivability::Judge(const TopicPartition& partition) {
  const auto damaged = static_cast<int32_t>(damaged_[partition].size());
  if (damaged >= promise_(partition.topic).min_insync_replicas) beyond_.insert(partition);
}

void Survivability::OnLogDeleted(BrokerId broker, const TopicPartition& partition) {
  const auto damaged = damaged_.find(partition);
  if (damaged != damaged_.end()) damaged->second.erase(broker);
}

void Survivability::OnTopicDeleted(std::string_view topic) {
  std::erase_if(damaged_, [&](const auto& entry) { return entry.first.topic == topic; });
  std::erase_if(beyond_, [&](const TopicPartition& id) { return id.topic == topic; });
}

void Survivability::OnLogLoaded(BrokerId broker, const TopicPartition& partition) {
  if (corrupted_.contains(broker)) return Damage(broker, partition);
  const invariants::ReplicaLog* log = logs_.Find(broker, partition);
  const bool whole = log != nullptr && log->end >= logs_.CommitPoint(partition) &&
                     !logs_.FindDifference(broker, partition).has_value();
  const auto damaged = damaged_.find(partition);
  if (damaged == damaged_.end()) return;
  if (whole) {
    damaged->second.erase(broker);
  } else if (const auto replica = damaged->second.find(broker); replica != damaged->second.end()) {
    replica->second = Log::kOpened;
  }
}

void Survivability::OnFollowerFetched(BrokerId follower, const TopicPartition& partition,
                                      Offset fetch_offset) {
  if (damaged_.empty() || corrupted_.contains(follower)) return;
  const auto damaged = damaged_.find(partition);
  if (damaged == damaged_.end() || fetch_offset < logs_.CommitPoint(partition)) return;
  const auto replica = damaged->second.find(follower);
  if (replica != damaged->second.end() && replica->second == Log::kOpened) {
    damaged->second.erase(replica);
  }
}

namespace {

// What a client may see once a committed record is lost: besides the loss itself, another record at
// its offset, and consumers that are sent back.
constexpr std::string_view kOfLoss[] = {
    "acked-durable",         "committed-kept", "inconsistent-offsets",
    "int-nonmonotonic-poll", "int-poll-skip",  "lost-write",
    "nonmonotonic-poll",     "poll-skip",      "realtime-inversion",
    "spurious-reset",        "unseen"};

}  // namespace

bool Survivability::Excuses(const invariants::Violation& violation) const {
  const bool of_loss =
      std::find(std::begin(kOfLoss), std::end(kOfLoss), violation.invariant) != std::end(kOfLoss);
  if (!of_loss || !violation.partition.has_value()) return false;
  if (everything_ || beyond_.contains(*violation.partition)) return true;
  return violation.acks == 1 && promise_(violation.partition->topic).replicas > 1;
}

}  // namespace highwater::scenarios
