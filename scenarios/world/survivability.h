#pragma once

// Survivability: whether a run is still within what its configuration guarantees, partition by
// partition. The oracle's view: it is taken from faults and from what disks really lost, never from
// what the brokers believe, so that a bug that wrongly shrinks an ISR cannot excuse its own loss.
//
// A replica is *damaged* from the moment on at which its host lost data that was not synced, until
// it is seen to store everything committed again: it has fetched past the commit point, or its log
// was opened whole after all. A replica whose disk corrupts data stays damaged. A run is within the
// guarantee of a partition while fewer replicas are damaged than min.insync.replicas; it never
// comes back once it has left.
//
// Not responsible for: acks=1, which promises nothing across leaders (Excuses knows), what a
// violation is.

#include <map>
#include <set>

#include "broker/types.h"
#include "invariants/invariant.h"
#include "invariants/replica_logs.h"
#include "invariants/violation.h"

namespace highwater::scenarios {

class Survivability {
 public:
  // Both outlive it.
  Survivability(const invariants::ReplicaLogs& logs,
                std::function<invariants::TopicPromise(std::string_view)> promise)
      : logs_(logs), promise_(std::move(promise)) {}

  // The broker's host went off and its disk lost something that was not synced.
  void LostData(broker::BrokerId broker);
  // The broker has an empty disk in the place of its own.
  void DiskReplaced(broker::BrokerId broker) {
    corrupted_.erase(broker);
    LostData(broker);
  }
  // The broker's disk corrupts data, now or later.
  void Corrupted(broker::BrokerId broker);
  // A ZooKeeper server lost what it had synced: nothing is guaranteed any more.
  void CoordinationLost() { everything_ = true; }

  // It is no replica any more: what it lacks concerns nobody.
  void OnLogDeleted(broker::BrokerId broker, const broker::TopicPartition& partition);
  // What comes under that name later begins anew.
  void OnTopicDeleted(std::string_view topic);
  // As the broker reports it; `logs` has seen the event already.
  void OnLogLoaded(broker::BrokerId broker, const broker::TopicPartition& partition);
  void OnFollowerFetched(broker::BrokerId follower, const broker::TopicPartition& partition,
                         broker::Offset fetch_offset);

  // Whether the configuration permits this violation: a loss in a partition that is beyond its
  // guarantee, or of a record that was only written to one of several replicas (acks=1).
  [[nodiscard]] bool Excuses(const invariants::Violation& violation) const;

 private:
  void Damage(broker::BrokerId broker, const broker::TopicPartition& partition);
  void Judge(const broker::TopicPartition& partition);

  const invariants::ReplicaLogs& logs_;
  std::function<invariants::TopicPromise(std::string_view)> promise_;
  // Whether its log has been opened since: a fetch before that was sent by the process that died.
  enum class Log : uint8_t { kClosed, kOpened };
  std::map<broker::TopicPartition, std::map<broker::BrokerId, Log>> damaged_;
  std::set<broker::BrokerId> corrupted_;
  std::set<broker::TopicPartition> beyond_;
  bool everything_ = false;
};

}  // namespace highwater::scenarios
