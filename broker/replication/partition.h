#pragma once

// Partition: a replica of one partition that this broker hosts: its log, the machines that decide
// (PartitionLeader, PartitionFollower) and what carries out their effects. It leads, follows, or
// does neither.
//
//   partition->BecomeLeader(leadership);                        // takes effect once it is on disk
//   auto appended = partition->Append(records, acks, waiter);   // the waiter is told when it
//   counts auto read = partition->Read({.from = offset, ...});         // waits for the disk only
//   where it
//                                                               // must
//
// Follows replication facts 3.1 (R16-R23), 3.3 (P2, P6-P10, P13, P16, P17) and 3.4 (F6, F7, F22).
// Invariants:
//   1. It leads only under an epoch that stands in the epoch cache on disk [R18].
//   2. What completes for a former role changes nothing: each change of role has a number.
//   3. Between a step of a machine and its effects nothing waits.
//
// Not responsible for: which role it has (ReplicaManager), requests between brokers
// (ReplicaFetcher, AlterPartitionManager), authorization, the form of answers.

#include <absl/status/status.h>

#include <memory>
#include <optional>
#include <string>

#include "broker/observer.h"
#include "broker/protocol/error_code.h"
#include "broker/protocol/uuid.h"
#include "broker/replication/partition_follower.h"
#include "broker/replication/partition_leader.h"
#include "broker/server/topic_config.h"
#include "broker/storage/log.h"
#include "broker/types.h"
#include "core/bytes.h"
#include "core/environment.h"
#include "core/wait_queue.h"

namespace highwater::broker {

class Partition;

struct AppendOutcome {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  std::string message;  // for the client; "" if there is nothing to say
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  Offset base_offset = kNoOffset;
  Offset last_offset = kNoOffset;
  Offset log_start_offset = kNoOffset;
  int64_t log_append_time_ms = -1;
};

struct ReadSpec {
  Offset from{0};
  uint64_t max_bytes = 0;
  bool at_least_one_batch = false;  // [P13]
  LeaderEpoch current_leader_epoch = kNoLeaderEpoch;
  LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;  // [P9]
  BrokerId replica = kNoBroker;  // the follower that asks; kNoBroker: a consumer [P7]
  Offset replica_log_start = kNoOffset;
  bool tells_progress = true;        // [P11] not the second read of one fetch
  bool follower_may_answer = false;  // [P6] a consumer of version 11 or newer
};

struct ReadOutcome {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  // [P8] Captured before the records were read.
  Offset high_watermark = kNoOffset;
  Offset log_start_offset = kNoOffset;
  std::optional<storage::EpochEndOffset> diverging;
  core::FileRange records;  // empty if there is nothing to read
};

struct OffsetOutcome {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  int64_t timestamp = -1;
  Offset offset = kNoOffset;
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
};

// What a partition asks of the broker around it. None may wait.
class PartitionHost {
 public:
  virtual ~PartitionHost() = default;
  // [H20] Asks the controller; the answer comes back by OnIsrAnswer. False: a change of this
  // partition is still queued [H21b].
  virtual bool ProposeIsr(const std::shared_ptr<Partition>& partition,
                          const IsrProposal& proposal) = 0;
};

// Who fetches for a following partition. Must not wait.
class FollowerListener {
 public:
  virtual ~FollowerListener() = default;
  // What was under way for this partition has ended: look at its follower() again.
  virtual void OnFollowerStep(Partition& partition) = 0;
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  enum class Role : uint8_t { kNone, kLeader, kFollower };
  struct Options {
    ReplicationRules rules;
    absl::Duration lag_max = absl::Seconds(30);
  };

  // `env`, `host` and `observer` outlive it. The high watermark is the checkpointed one.
  Partition(core::Environment& env, BrokerId self, const protocol::Uuid& topic_id,
            const TopicConfig& config, std::shared_ptr<storage::Log> log, Offset high_watermark,
            const Options& options, PartitionHost& host, Observer& observer);

  // ---- Roles. None waits. REQUIRES: a greater epoch than any before.

  // [R16-R21] Leads once the epoch stands in the cache on disk and everything admitted before has
  // been written; until then requests are refused.
  void BecomeLeader(Leadership leadership);
  // [R22] Follows once everything admitted before has been written.
  void BecomeFollower(LeaderEpoch epoch, PartitionEpoch partition_epoch, BrokerId leader);
  // [W4] Leads no more, without following anybody: a later request with any newer epoch gives the
  // next role. No effect on a follower.
  void StopLeading();
  // [R9] Fetches no more; otherwise everything stays.
  void StopFetching();
  // Everybody who waits is told `why`; so is every later request.
  void Resign(protocol::ErrorCode why);
  // Waits until a role that was given has taken effect; the log's error if it cannot. REQUIRES: on
  // a fiber.
  [[nodiscard]] absl::Status AwaitRole();

  // ---- Leading.

  // Checks the records of one produce request for this partition and gives them offsets. Without an
  // error `waiter` is told once they count: acks 0 and 1 when they are written, -1 when they are
  // committed [P4]. A batch that was appended before gets its old offsets; a waiter that then does
  // not wait is done. Never waits.
  [[nodiscard]] AppendOutcome Append(const core::ByteChain& records, int16_t acks,
                                     OffsetWaiter& waiter);
  // [P6-P10, P13] REQUIRES: on a fiber.
  [[nodiscard]] ReadOutcome Read(const ReadSpec& spec);
  // Bytes between `from` and where a reader's view ends (high watermark, or log end for a
  // follower), as far as that can be told without waiting; at least 1 if there is anything.
  [[nodiscard]] uint64_t BytesReadable(Offset from, BrokerId replica) const;
  // [P6, P19] Whether this replica can answer: its leader anybody, a follower consumers.
  [[nodiscard]] bool Serves(BrokerId replica) const {
    return leader_.leads() || (replica == kNoBroker && role_ == Role::kFollower && settled_);
  }
  // `waiter` is told when there may be more to read at `from`, or when the partition is lost.
  // REQUIRES: Serves(replica), and nothing is readable there.
  void AwaitReadable(OffsetWaiter& waiter, Offset from, BrokerId replica);
  void OnFollowerStillThere(BrokerId follower, core::MonotonicTime at) {
    leader_.OnFollowerStillThere(follower, at);
  }
  // `waiter` is told when the high watermark is past `above`. REQUIRES: leads; it is not.
  void AwaitHighWatermark(OffsetWaiter& waiter, Offset above) {
    leader_.AwaitHighWatermark(waiter, above);
  }
  // [P17] ListOffsets: -1 latest, -2 earliest, -3 greatest timestamp, else the first record at or
  // after. REQUIRES: on a fiber.
  [[nodiscard]] OffsetOutcome FindOffset(int64_t timestamp, LeaderEpoch claimed,
                                         BrokerId replica = kNoBroker);
  // [W1] Where the log ends and under which epoch, whoever leads.
  [[nodiscard]] OffsetOutcome EndOfLog() const;
  // [P16, K5]
  [[nodiscard]] OffsetOutcome EndOffsetForEpoch(LeaderEpoch epoch, LeaderEpoch claimed) const;
  // [H11]
  void CheckIsr();
  void OnIsrAnswer(const IsrAnswer& answer);

  // ---- Following (partition_fetching.cc).

  // Who is told of steps; nullptr: nobody.
  void SetFollowerListener(FollowerListener* listener) { listener_ = listener; }
  [[nodiscard]] const PartitionFollower& follower() const { return follower_; }
  // `answer.first_base_offset` is found here.
  void OnFetched(PartitionFollower::Fetched answer, const core::ByteChain& records);
  void OnLeaderLatestOffset(LeaderEpoch asked, Offset offset);
  void OnLeaderEarliestOffset(LeaderEpoch asked, Offset offset);
  void OnFetchFailed(LeaderEpoch asked);
  void OnDelayOver();

  // ---- State.

  void UpdateConfig(const TopicConfig& config);
  [[nodiscard]] const TopicPartition& id() const { return log_->partition(); }
  [[nodiscard]] const protocol::Uuid& topic_id() const { return topic_id_; }
  void set_topic_id(const protocol::Uuid& topic_id) { topic_id_ = topic_id; }
  [[nodiscard]] Role role() const { return role_; }
  // [R6] Of the last role; -1 before the first.
  [[nodiscard]] LeaderEpoch leader_epoch() const { return epoch_; }
  [[nodiscard]] const PartitionLeader& leader() const { return leader_; }
  [[nodiscard]] Offset high_watermark() const { return high_watermark_; }
  [[nodiscard]] storage::Log& log() const { return *log_; }

 private:
  [[nodiscard]] protocol::ErrorCode Check(LeaderEpoch claimed) const;
  // Whether the claimed epoch is the one that this broker follows; NONE where it does not follow.
  [[nodiscard]] protocol::ErrorCode CheckFollowedEpoch(LeaderEpoch claimed) const;
  [[nodiscard]] protocol::ErrorCode CheckReader(const ReadSpec& spec) const;
  [[nodiscard]] std::optional<ReadOutcome> CheckDivergence(const ReadSpec& spec) const;
  [[nodiscard]] FollowerLog View() const;
  void BeginRole(Role role, LeaderEpoch epoch);
  void OnEpochOnDisk(uint64_t serial, const Leadership& leadership, const absl::Status& status);
  [[nodiscard]] AppendOutcome AnswerDuplicate(const storage::ProducerBatchMetadata& batch,
                                              int16_t acks, OffsetWaiter& waiter);
  void OnWritten(LeaderEpoch epoch, Offset last_offset, const absl::Status& status);
  void Settle(const absl::Status& status);
  template <typename Step>
  void Do(Step step);

  void EndReaders(protocol::ErrorCode why);

  template <typename Step>
  void DoFollow(Step step);
  void Carry(const PartitionFollower::Action& action, const core::ByteChain* records);
  void FollowLogStart();
  void AppendFetched(const core::ByteChain& records);
  void OnCut(uint64_t serial, const absl::Status& status);
  void OnFetchedWritten(uint64_t serial, const absl::Status& status);

  core::Environment& env_;
  BrokerId self_;
  protocol::Uuid topic_id_;
  std::shared_ptr<storage::Log> log_;
  PartitionHost& host_;
  Observer& observer_;
  PartitionLeader leader_;
  PartitionFollower follower_;
  FollowerListener* listener_ = nullptr;

  Role role_ = Role::kNone;
  LeaderEpoch epoch_ = kNoLeaderEpoch;
  Offset high_watermark_;
  // What the leader's ISR is measured by: for observers.
  std::vector<BrokerId> replicas_;
  int64_t min_insync_replicas_;
  uint64_t serial_ = 0;  // of the last change of role
  bool settled_ = true;  // it has taken effect
  absl::Status role_error_;
  core::WaitQueue role_changed_;
  WaiterList readers_;  // consumers, while it follows
};

}  // namespace highwater::broker
