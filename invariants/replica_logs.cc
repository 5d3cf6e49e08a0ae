#include "invariants/replica_logs.h"

#include <algorithm>

namespace highwater::invariants {

using broker::BrokerId;
using broker::Offset;
using broker::TopicPartition;

namespace {

void CutEnd(ReplicaLog& log, Offset end) {
  while (!log.batches.empty() && log.batches.back().last >= end) log.batches.pop_back();
  log.end = end;
}

}  // namespace

std::deque<StoredBatch>::const_iterator ReplicaLog::At(Offset offset) const {
  return std::lower_bound(batches.begin(), batches.end(), offset,
                          [](const StoredBatch& batch, Offset o) { return batch.last < o; });
}

void ReplicaLogs::OnLogLoaded(BrokerId broker, const broker::LogLoadedEvent& event) {
  ReplicaLog& log = partitions_[event.partition].logs[broker];
  if (event.log_end_offset < log.end) log.lost_until = std::max(log.lost_until, log.end);
  CutEnd(log, event.log_end_offset);
  log.deleted = false;
  log.start = event.log_start_offset;
}

void ReplicaLogs::OnAppended(BrokerId broker, const broker::AppendedEvent& event) {
  ReplicaLog& log = partitions_[event.partition].logs[broker];
  log.batches.push_back({.base = event.base_offset,
                         .last = event.last_offset,
                         .epoch = event.leader_epoch,
                         .digest = event.digest});
  log.end = event.last_offset + 1;
  if (log.end >= log.lost_until) log.lost_until = Offset(0);
}

void ReplicaLogs::OnTruncated(BrokerId broker, const TopicPartition& partition, Offset log_end) {
  ReplicaLog& log = partitions_[partition].logs[broker];
  CutEnd(log, log_end);
  log.lost_until = Offset(0);
}

void ReplicaLogs::OnLogStartMoved(BrokerId broker, const TopicPartition& partition,
                                  Offset log_start) {
  ReplicaLog& log = partitions_[partition].logs[broker];
  log.start = log_start;
  while (!log.batches.empty() && log.batches.front().last < log_start) log.batches.pop_front();
}

void ReplicaLogs::OnHighWatermarkMoved(BrokerId leader, const TopicPartition& partition,
                                       Offset high_watermark) {
  Replicas& replicas = partitions_[partition];
  if (high_watermark <= replicas.commit_point) return;
  const ReplicaLog& log = replicas.logs[leader];
  for (auto batch = log.At(replicas.commit_point);
       batch != log.batches.end() && batch->base < high_watermark; ++batch) {
    if (replicas.committed.empty() || replicas.committed.back().last < batch->base) {
      replicas.committed.push_back(*batch);
    }
  }
  replicas.commit_point = high_watermark;
}

void ReplicaLogs::OnLogDeleted(BrokerId broker, const TopicPartition& partition) {
  const auto replicas = partitions_.find(partition);
  if (replicas == partitions_.end()) return;
  ReplicaLog& log = replicas->second.logs[broker];
  log.lost_until = std::max(log.lost_until, log.end);
  CutEnd(log, Offset(0));
  log.start = Offset(0);
  log.deleted = true;
}

void ReplicaLogs::OnTopicDeleted(std::string_view topic) {
  std::erase_if(partitions_, [&](const auto& entry) { return entry.first.topic == topic; });
}

const ReplicaLog* ReplicaLogs::Find(BrokerId broker, const TopicPartition& partition) const {
  const auto replicas = partitions_.find(partition);
  if (replicas == partitions_.end()) return nullptr;
  const auto log = replicas->second.logs.find(broker);
  return log == replicas->second.logs.end() ? nullptr : &log->second;
}

std::vector<TopicPartition> ReplicaLogs::PartitionsOf(BrokerId broker) const {
  std::vector<TopicPartition> found;
  for (const auto& [partition, replicas] : partitions_) {
    const auto log = replicas.logs.find(broker);
    if (log != replicas.logs.end() && !log->second.deleted) found.push_back(partition);
  }
  return found;
}

Offset ReplicaLogs::CommitPoint(const TopicPartition& partition) const {
  const auto replicas = partitions_.find(partition);
  return replicas == partitions_.end() ? Offset(0) : replicas->second.commit_point;
}

broker::Offset ReplicaLogs::LogStart(const broker::TopicPartition& partition) const {
  broker::Offset start{0};
  const auto replicas = partitions_.find(partition);
  if (replicas == partitions_.end()) return start;
  for (const auto& [broker, log] : replicas->second.logs) start = std::max(start, log.start);
  return start;
}

std::optional<Difference> ReplicaLogs::FindDifference(BrokerId broker,
                                                      const TopicPartition& partition) const {
  const auto replicas = partitions_.find(partition);
  if (replicas == partitions_.end()) return std::nullopt;
  const ReplicaLog* log = Find(broker, partition);
  static const ReplicaLog kEmpty;
  if (log == nullptr) log = &kEmpty;
  for (const StoredBatch& committed : replicas->second.committed) {
    if (committed.last < log->start) continue;  // retention took it
    const auto found = log->At(committed.base);
    const bool unseen = found != log->batches.end() && found == log->batches.begin() &&
                        committed.last < found->base && committed.last < log->end;
    if (unseen) continue;  // in front of what was seen of this log
    if (found == log->batches.end()) {
      if (committed.last < log->end && log->batches.empty()) continue;
      return Difference{committed, std::nullopt};
    }
    if (*found != committed) return Difference{committed, *found};
  }
  return std::nullopt;
}

int32_t ReplicaLogs::HoldersUpTo(const TopicPartition& partition, Offset offset) const {
  const auto replicas = partitions_.find(partition);
  if (replicas == partitions_.end()) return 0;
  int32_t holders = 0;
  for (const auto& [broker, log] : replicas->second.logs) {
    holders += !log.deleted && log.Stored(offset) ? 1 : 0;
  }
  return holders;
}

}  // namespace highwater::invariants
