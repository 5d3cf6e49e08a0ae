#pragma once

// Consumer::Impl: positions and their states, and the fibers that fetch, reset and validate them.
//
// A partition is in one phase: kReset (its position must be asked for), kValidate (the leader
// changed: is the log still the one that was read? [N31]), kFetch, or kFailed (the application must
// decide). For each broker at most one request of each kind is under way, on a fiber of its own;
// what it brings is taken in only if the partition's serial is still the one it was sent for [N33]:
// every jump of the position draws a new serial.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/client/consumer.h"
#include "broker/client/fetched_partition.h"
#include "broker/client/network_client.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/list_offsets.h"
#include "broker/protocol/offset_for_leader_epoch.h"
#include "core/wait_queue.h"

namespace highwater::broker::client {

class Consumer::Impl : public std::enable_shared_from_this<Consumer::Impl> {
 public:
  Impl(core::Environment& env, ConsumerConfig config);
  ~Impl();

  void Assign(std::vector<TopicPartition> partitions);
  PollResult Poll(core::MonotonicTime deadline);
  void Seek(const TopicPartition& id, Offset offset, LeaderEpoch leader_epoch);
  void SeekByTime(const TopicPartition& id, int64_t timestamp);
  void SetPaused(const TopicPartition& id, bool paused);
  [[nodiscard]] std::optional<Offset> Position(const TopicPartition& id) const;
  [[nodiscard]] std::optional<Offset> EndOffset(const TopicPartition& id) const;
  int32_t PartitionsFor(std::string_view topic, core::MonotonicTime deadline);
  void Close();

 private:
  enum class Phase : uint8_t { kReset, kValidate, kFetch, kFailed };
  enum class RequestKind : uint8_t { kFetch, kListOffsets, kOffsetForLeaderEpoch };

  struct Partition {
    Phase phase = Phase::kReset;
    bool paused = false;
    bool under_way = false;  // a request of the phase is
    uint64_t serial = 0;
    Offset position = kNoOffset;                // kNoOffset until the first reset or seek
    LeaderEpoch offset_epoch = kNoLeaderEpoch;  // of the record before the position
    LeaderEpoch leader_epoch = kNoLeaderEpoch;  // in which the position is good
    std::optional<int64_t> reset_timestamp;     // none: by auto.offset.reset
    ResetReason reset_reason = ResetReason::kNoPosition;
    core::MonotonicTime retry_at;
    std::optional<Offset> end_offset;
    std::optional<FetchedPartition> fetched;
  };
  // A partition as a request was sent for it.
  struct Target {
    TopicPartition id;
    uint64_t serial;
    Offset position;
    LeaderEpoch leader_epoch;
    LeaderEpoch offset_epoch;
    int64_t timestamp;
    protocol::Uuid topic_id;
  };
  using Targets = std::vector<Target>;
  using BrokerRequest = std::pair<BrokerId, RequestKind>;

  // Moves what was fetched into `result`.
  void Collect(PollResult& result);
  void FailPartition(const TopicPartition& id, Partition& partition, protocol::ErrorCode code,
                     std::string message);

  // Starts every request that is due; the instant at which another one becomes due.
  core::MonotonicTime StartRequests();
  [[nodiscard]] Target TargetOf(const TopicPartition& id, const Partition& partition,
                                const PartitionMetadata& metadata) const;
  void NoticeNewLeader(Partition& partition, const PartitionMetadata& metadata);
  [[nodiscard]] int64_t ResetTimestamp(const Partition& partition) const;
  void RunRequest(BrokerRequest request, const Targets& targets);
  // False: the connection failed, or the answer cannot be.
  bool Fetch(BrokerConnection& connection, const Targets& targets);
  bool ListOffsets(BrokerConnection& connection, const Targets& targets);
  bool AskEndOffsets(BrokerConnection& connection, const Targets& targets);
  // The partition as it was when the request was sent; nullptr if it has moved on.
  Partition* StillWanted(const Target& target);

  void OnFetched(const Target& target, protocol::FetchResponse::PartitionData& data);
  void OnFetchError(const Target& target, Partition& partition, protocol::ErrorCode error);
  void OnListed(const Target& target,
                const protocol::ListOffsetsResponse::ListOffsetsPartitionResponse& data);
  void OnEndOffset(const Target& target,
                   const protocol::OffsetForLeaderEpochResponse::EpochEndOffset& data);
  // Tries again after the back-off.
  void Postpone(Partition& partition, bool refresh);
  void RequestReset(const TopicPartition& id, Partition& partition, ResetReason reason);
  void Jump(const TopicPartition& id, Partition& partition, Offset to, LeaderEpoch epoch,
            ResetReason reason);
  void NewSerial(Partition& partition);
  Partition& Assigned(const TopicPartition& id);

  core::Environment& env_;
  const ConsumerConfig config_;
  std::shared_ptr<NetworkClient> network_;
  std::map<TopicPartition, Partition> partitions_;
  std::deque<TopicPartition> arrived_;  // with something fetched, in the order of arrival
  std::set<BrokerRequest> under_way_;
  std::vector<PositionReset> resets_;
  std::vector<ConsumerError> errors_;
  uint64_t next_serial_ = 1;
  bool closed_ = false;
  core::WaitQueue news_;
};

}  // namespace highwater::broker::client
