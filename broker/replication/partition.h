#pragma once

// Partition: one partition that this broker leads: its log, the machine that decides
// (PartitionLeader) and what carries out the machine's effects.
//
//   auto appended = partition->Append(records, acks, waiter);   // never waits; the waiter is told
//   when it counts auto read = partition->Read({.from = offset, ...});         // waits for the
//   disk only where it must
//
// Follows replication facts P2, P7, P8, P13, P17. Not responsible for: followers and truncation,
// which belong to a cluster; authorization; the form of answers.

#include <absl/status/status.h>

#include <memory>
#include <optional>
#include <string>

#include "broker/observer.h"
#include "broker/protocol/error_code.h"
#include "broker/protocol/uuid.h"
#include "broker/replication/partition_leader.h"
#include "broker/server/topic_config.h"
#include "broker/storage/log.h"
#include "broker/types.h"
#include "core/bytes.h"
#include "core/environment.h"

namespace highwater::broker {

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

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  // `env` and `observer` outlive it.
  Partition(core::Environment& env, BrokerId self, const protocol::Uuid& topic_id,
            const TopicConfig& config, std::shared_ptr<storage::Log> log, Observer& observer);

  // Leads under an epoch greater than any in the log, entered there durably first, so that epochs
  // grow with every start. REQUIRES: on a fiber; not leading.
  [[nodiscard]] absl::Status LeadAlone();
  // Everybody who waits is told `why`; so is every later request.
  void Resign(protocol::ErrorCode why);

  // Checks the records of one produce request for this partition and gives them offsets. Without an
  // error `waiter` is told once they count: acks 0 and 1 when they are written, -1 when they are
  // committed [P4]. A batch that was appended before gets its old offsets; a waiter that then does
  // not wait is done. Never waits.
  [[nodiscard]] AppendOutcome Append(const core::ByteChain& records, int16_t acks,
                                     OffsetWaiter& waiter);

  // [P6-P9, P13] What a consumer may see. REQUIRES: on a fiber.
  [[nodiscard]] ReadOutcome Read(const ReadSpec& spec);
  // Bytes between `from` and the high watermark as far as that can be told without waiting; at
  // least 1 if there is anything.
  [[nodiscard]] uint64_t BytesBelowHighWatermark(Offset from) const;
  // `waiter` is told when the high watermark is past `above`, or when the partition is lost.
  // REQUIRES: leads.
  void AwaitHighWatermark(OffsetWaiter& waiter, Offset above) {
    leader_.AwaitHighWatermark(waiter, above);
  }

  // [P17] ListOffsets: -1 latest, -2 earliest, -3 greatest timestamp, else the first record at or
  // after. REQUIRES: on a fiber.
  [[nodiscard]] OffsetOutcome FindOffset(int64_t timestamp, LeaderEpoch claimed);
  // [P16, K5]
  [[nodiscard]] OffsetOutcome EndOffsetForEpoch(LeaderEpoch epoch, LeaderEpoch claimed) const;

  void UpdateConfig(const TopicConfig& config);

  [[nodiscard]] const TopicPartition& id() const { return log_->partition(); }
  [[nodiscard]] const protocol::Uuid& topic_id() const { return topic_id_; }
  [[nodiscard]] const PartitionLeader& leader() const { return leader_; }
  [[nodiscard]] storage::Log& log() const { return *log_; }

 private:
  [[nodiscard]] protocol::ErrorCode Check(LeaderEpoch claimed) const;
  [[nodiscard]] std::optional<ReadOutcome> CheckDivergence(const ReadSpec& spec) const;
  [[nodiscard]] AppendOutcome AnswerDuplicate(const storage::ProducerBatchMetadata& batch,
                                              int16_t acks, OffsetWaiter& waiter);
  void OnWritten(LeaderEpoch epoch, Offset last_offset, const absl::Status& status);
  template <typename Step>
  void Do(Step step);

  core::Environment& env_;
  BrokerId self_;
  protocol::Uuid topic_id_;
  std::shared_ptr<storage::Log> log_;
  Observer& observer_;
  PartitionLeader leader_;
};

}  // namespace highwater::broker
