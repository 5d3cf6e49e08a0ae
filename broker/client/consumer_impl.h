#pragma once

// Consumer::Impl: the fibers that fetch, reset and validate positions, between the partitions'
// states (topic_partition_state.h) and the brokers.
//
// For each broker at most one request of each kind is under way, on a fiber of its own; requests to
// several brokers run side by side. What an answer brings is taken in only under the version of the
// partition's state for which it was asked [N33].
//
// Invariant: a partition waits for at most one answer under its present version; a new version sets
// it free at once, so that a dead leader's silence does not hold up what its successor can give.

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/client/consumer.h"
#include "broker/client/fetch_session_handler.h"
#include "broker/client/fetched_partition.h"
#include "broker/client/network_client.h"
#include "broker/client/topic_partition_state.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/list_offsets.h"
#include "broker/protocol/offset_for_leader_epoch.h"
#include "core/wait_queue.h"

namespace highwater::broker::client {

class Consumer::Impl : public std::enable_shared_from_this<Consumer::Impl> {
 public:
  Impl(core::Environment& env, ConsumerConfig config, const ClientRules& rules);
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
  using State = TopicPartitionState::State;
  enum class RequestKind : uint8_t { kFetch, kListOffsets, kOffsetForLeaderEpoch };

  struct Partition {
    explicit Partition(TopicPartitionState s) : state(std::move(s)) {}

    TopicPartitionState state;
    uint64_t assignment = 0;  // grows when the partition is assigned anew
    bool paused = false;
    std::optional<uint64_t> asked_version;  // of the request that is under way
    BrokerId asked;
    core::MonotonicTime retry_at;
    uint64_t turn = 0;  // fetched in the order of their last answers, so that none starves
    std::optional<Offset> end_offset;
    std::optional<FetchedPartition> fetched;
    uint64_t fetched_version = 0;
  };
  // A partition as a request was sent for it.
  struct Target {
    TopicPartition id;
    uint64_t assignment;
    uint64_t version;
    uint64_t turn;
    FetchPosition position;
    LeaderAndEpoch leader;  // as metadata has it
    int64_t timestamp;
    protocol::Uuid topic_id;
  };
  using Targets = std::vector<Target>;  // by id
  using BrokerRequest = std::pair<BrokerId, RequestKind>;

  // Moves what was fetched into `result`.
  void Collect(PollResult& result);
  // False: there is more of this partition than `left`.
  bool CollectOne(const TopicPartition& id, Partition& partition, size_t& left, PollResult& result);
  void CarryOut(const TopicPartition& id, Partition& partition, PositionEffects effects);

  // Starts every request that is due; the instant at which another one becomes due.
  core::MonotonicTime StartRequests();
  // Takes in who leads. False: nobody, as far as is known.
  bool NoticeLeader(Partition& partition, const PartitionMetadata* metadata);
  [[nodiscard]] static bool IsUnderWay(const Partition& partition) {
    return partition.asked_version == partition.state.version();
  }
  // [N32], [P19]
  [[nodiscard]] BrokerId ReadReplica(Partition& partition, const PartitionMetadata& metadata);
  [[nodiscard]] Target TargetOf(const TopicPartition& id, const Partition& partition,
                                const PartitionMetadata& metadata) const;
  [[nodiscard]] LeaderAndEpoch LeaderOf(const TopicPartition& id);

  void RunRequest(BrokerRequest request, const Targets& targets);
  // False: the connection failed, or the answer cannot be.
  bool Fetch(BrokerId broker, BrokerConnection& connection, const Targets& targets);
  bool ListOffsets(BrokerConnection& connection, const Targets& targets);
  bool AskEndOffsets(BrokerConnection& connection, const Targets& targets);
  // The partition if it still waits for this answer; nullptr if it has moved on.
  Partition* StillWanted(const Target& target);
  void Unanswered(const Targets& targets, PositionEffects effects);

  void OnFetched(const Target& target, BrokerId broker,
                 protocol::FetchResponse::PartitionData& data);
  void OnListed(const Target& target,
                const protocol::ListOffsetsResponse::ListOffsetsPartitionResponse& data);
  void OnEndOffset(const Target& target,
                   const protocol::OffsetForLeaderEpochResponse::EpochEndOffset& data);
  Partition& Assigned(const TopicPartition& id);

  core::Environment& env_;
  const ConsumerConfig config_;
  const ClientRules rules_;
  std::shared_ptr<NetworkClient> network_;
  std::map<TopicPartition, Partition> partitions_;
  std::map<BrokerId, FetchSessionHandler> sessions_;
  std::deque<TopicPartition> arrived_;  // with something fetched, in the order of arrival
  std::set<BrokerRequest> under_way_;
  std::vector<PositionReset> resets_;
  std::vector<ConsumerError> errors_;
  uint64_t next_assignment_ = 1;
  uint64_t next_turn_ = 1;
  bool closed_ = false;
  core::WaitQueue news_;
};

}  // namespace highwater::broker::client
