#pragma once

// ReplicaLogs: what every broker's log of every partition holds, as the brokers' own events tell
// it; and the commit point of each partition with what lies below it. Omniscient memory: it is
// never part of the world.
//
// The *commit point* is the greatest offset that any leader ever held below its high watermark.
// What lies below it was promised to consumers and to producers with acks=all.
//
// Invariants:
//   1. A log's batches are contiguous, ascending and end at its end. What lies in front of the
//   first of them was there before anybody looked.
//   2. The commit point never goes back.

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "broker/observer.h"
#include "broker/types.h"

namespace highwater::invariants {

struct StoredBatch {
  broker::Offset base;
  broker::Offset last;
  broker::LeaderEpoch epoch;
  uint64_t digest = 0;  // of its records: the same on every replica
  friend bool operator==(const StoredBatch&, const StoredBatch&) = default;
};

struct ReplicaLog {
  std::deque<StoredBatch> batches;
  broker::Offset start{0};
  broker::Offset end{0};
  // Where it ended before it was opened shorter than it was, until it reaches that again or is
  // truncated: what lies between was stored once and is lost to a fault.
  broker::Offset lost_until{0};
  // Its broker is no replica any more and has deleted it. A leader that was not told yet may still
  // count on what it had fetched.
  bool deleted = false;

  // Whether everything below `offset` is stored, or was until a fault took it.
  [[nodiscard]] bool Stored(broker::Offset offset) const {
    return end >= offset || lost_until >= offset;
  }

  // The first batch that ends at or above `offset`.
  [[nodiscard]] std::deque<StoredBatch>::const_iterator At(broker::Offset offset) const;
};

// A place where a replica's log differs from what was committed.
struct Difference {
  StoredBatch committed;
  std::optional<StoredBatch> found;  // nullopt: the log ends before it
};

class ReplicaLogs {
 public:
  void OnLogLoaded(broker::BrokerId broker, const broker::LogLoadedEvent& event);
  void OnAppended(broker::BrokerId broker, const broker::AppendedEvent& event);
  void OnTruncated(broker::BrokerId broker, const broker::TopicPartition& partition,
                   broker::Offset log_end);
  void OnLogStartMoved(broker::BrokerId broker, const broker::TopicPartition& partition,
                       broker::Offset log_start);
  // A leader shows `high_watermark`: what its log holds below is committed from now on.
  void OnHighWatermarkMoved(broker::BrokerId leader, const broker::TopicPartition& partition,
                            broker::Offset high_watermark);
  // The broker is no replica any more and has deleted its log.
  void OnLogDeleted(broker::BrokerId broker, const broker::TopicPartition& partition);
  void OnTopicDeleted(std::string_view topic);

  // Null if the broker never had one.
  [[nodiscard]] const ReplicaLog* Find(broker::BrokerId broker,
                                       const broker::TopicPartition& partition) const;
  // Of which `broker` has, or had, a log.
  [[nodiscard]] std::vector<broker::TopicPartition> PartitionsOf(broker::BrokerId broker) const;
  [[nodiscard]] broker::Offset CommitPoint(const broker::TopicPartition& partition) const;
  // The greatest log start offset of any replica: what lies below may lawfully be gone.
  [[nodiscard]] broker::Offset LogStart(const broker::TopicPartition& partition) const;
  // The first committed batch at or above the log's start that `broker` does not hold as it was
  // committed; nullopt if there is none.
  [[nodiscard]] std::optional<Difference> FindDifference(
      broker::BrokerId broker, const broker::TopicPartition& partition) const;
  // How many brokers store everything below `offset`, or did until a fault took it.
  [[nodiscard]] int32_t HoldersUpTo(const broker::TopicPartition& partition,
                                    broker::Offset offset) const;

 private:
  struct Replicas {
    std::map<broker::BrokerId, ReplicaLog> logs;
    std::vector<StoredBatch> committed;
    broker::Offset commit_point{0};
  };
  std::map<broker::TopicPartition, Replicas> partitions_;
};

}  // namespace highwater::invariants
