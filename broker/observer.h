#pragma once

// Observer: what a broker reports of itself as it happens. Production turns these events into
// metrics and logs, simulation into checks. An observer has no effect on behaviour: it never waits,
// never calls back.
//
// An event is reported in the same step as the change that it names, before anybody else can see
// the change.

#include <absl/time/time.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "broker/types.h"

namespace highwater::broker {

// Batches [base, last] of a partition. `digest` is core::Mix folded over the record-data digests of
// its batches: it survives replication, since offsets and epochs stand in the batch header and not
// in the digest.
struct AppendedEvent {
  const TopicPartition& partition;
  LeaderEpoch leader_epoch;
  Offset base_offset;
  Offset last_offset;
  uint64_t digest;
  uint64_t bytes = 0;  // as they stand in the log
};

struct LogLoadedEvent {
  const TopicPartition& partition;
  bool clean;  // the clean-shutdown marker was there
  Offset log_start_offset;
  Offset log_end_offset;     // after recovery
  uint64_t truncated_bytes;  // cut from torn or unreadable tails
};

// The controller wrote a partition's state znode: who leads, who is in sync.
struct PartitionStateEvent {
  const TopicPartition& partition;
  ControllerEpoch controller_epoch;
  BrokerId leader;  // kNoBroker: none
  LeaderEpoch leader_epoch;
  const std::vector<BrokerId>& isr;
  PartitionEpoch partition_epoch;
  bool unclean;                       // an unclean election: records may be lost
  const std::vector<BrokerId>& live;  // as the controller knows; without those that shut down
  // [W1] Who may be elected from outside of the ISR; who of both came back unclean.
  const std::vector<BrokerId>& eligible;
  const std::vector<BrokerId>& unclean_replicas;
};

// A request that was answered, or whose answer nobody was owed (acks=0) or could take.
struct RequestEvent {
  struct Errors {
    int16_t code;  // never NONE
    uint32_t count;
  };
  int16_t api_key;
  int16_t api_version;
  bool from_follower;   // a Fetch of a replica
  absl::Duration time;  // from when all of it had come to when the answer had left
  uint64_t request_bytes;
  uint64_t response_bytes;
  absl::Span<const Errors> errors;  // of the answer, wherever they stood in it
};

class Observer {
 public:
  virtual ~Observer() = default;

  // The broker serves requests from now on.
  virtual void OnBrokerStarted(BrokerId) {}
  virtual void OnBrokerStopped(BrokerId) {}
  // The log is open; nothing else was reported of this partition in this incarnation.
  virtual void OnLogLoaded(BrokerId, const LogLoadedEvent&) {}
  virtual void OnBecameLeader(BrokerId, const TopicPartition&, LeaderEpoch,
                              Offset /*log_end_offset*/) {}
  // It fetches from `leader` from now on, from where its log ends or is cut to.
  virtual void OnBecameFollower(BrokerId, const TopicPartition&, LeaderEpoch, BrokerId /*leader*/,
                                Offset /*log_end_offset*/) {}
  // What a leader measures its ISR by: before it leads, and again when it changes.
  virtual void OnAssignment(BrokerId, const TopicPartition&,
                            absl::Span<const BrokerId> /*replicas*/,
                            int64_t /*min_insync_replicas*/) {}
  // It led and refuses requests from now on: it was given another role or epoch, told to stop, has
  // lost its disk, or its broker stops.
  virtual void OnStoppedLeading(BrokerId, const TopicPartition&, LeaderEpoch) {}
  // It holds no replica of this partition any more.
  virtual void OnReplicaDeleted(BrokerId, const TopicPartition&) {}
  // What the leader knows to be the committed ISR: as its epoch began, or as the controller
  // confirmed it.
  virtual void OnIsrChanged(BrokerId, const TopicPartition&, LeaderEpoch, PartitionEpoch,
                            absl::Span<const BrokerId>) {}
  // A follower asked its leader for what follows `fetch_offset`: it stores everything below.
  virtual void OnFollowerFetched(BrokerId /*leader*/, const TopicPartition&, LeaderEpoch,
                                 BrokerId /*follower*/, Offset /*fetch_offset*/) {}
  // The write completed: the log end offset is last_offset + 1.
  virtual void OnAppended(BrokerId, const AppendedEvent&) {}
  // Records of a partition leave in an answer to a Fetch of `follower`; kNoBroker: of a consumer.
  virtual void OnRecordsFetched(BrokerId, const TopicPartition&, BrokerId /*follower*/,
                                uint64_t /*bytes*/) {}
  virtual void OnFlushed(BrokerId, const TopicPartition&, Offset /*recovery_point*/) {}
  // Its log is gone: it is no replica any more, or the topic is deleted.
  virtual void OnLogDeleted(BrokerId, const TopicPartition&) {}
  virtual void OnTruncated(BrokerId, const TopicPartition&, Offset /*log_end_offset*/) {}
  virtual void OnLogStartMoved(BrokerId, const TopicPartition&, Offset /*log_start_offset*/) {}
  // Of a leader.
  virtual void OnHighWatermarkMoved(BrokerId, const TopicPartition&, LeaderEpoch, Offset) {}
  // Of a follower; it may go down [H5].
  virtual void OnFollowerHighWatermarkMoved(BrokerId, const TopicPartition&, LeaderEpoch, Offset) {}
  // A Produce answer without error leaves the broker: everything up to `last_offset` counts as
  // acknowledged with `acks`.
  virtual void OnAcknowledged(BrokerId, const TopicPartition&, LeaderEpoch, Offset /*base_offset*/,
                              Offset /*last_offset*/, int16_t /*acks*/) {}
  // It won the election for the controller; all that it writes from now on is fenced by the epoch.
  virtual void OnBecameController(BrokerId, ControllerEpoch) {}
  virtual void OnResignedAsController(BrokerId) {}
  virtual void OnTopicCreated(BrokerId, std::string_view /*topic*/, int32_t /*partitions*/) {}
  virtual void OnTopicDeleted(BrokerId, std::string_view /*topic*/) {}
  virtual void OnLogDirectoryFailed(BrokerId, std::string_view /*path*/,
                                    std::string_view /*error*/) {}
  // The controller knows no leader for the partition that is alive, or knows one again. Nothing is
  // known when it becomes the controller.
  virtual void OnPartitionOffline(BrokerId /*controller*/, const TopicPartition&,
                                  bool /*offline*/) {}
  virtual void OnRequestServed(BrokerId, const RequestEvent&) {}
  // The controller wrote a partition's state.
  virtual void OnPartitionStateWritten(BrokerId /*controller*/, const PartitionStateEvent&) {}
};

}  // namespace highwater::broker
