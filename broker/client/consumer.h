#pragma once

// Consumer: reads assigned partitions in the order of their offsets, with the reference client's
// semantics.
//
//   Consumer consumer(env, config);
//   consumer.Assign({{"orders", PartitionIndex(0)}});
//   PollResult polled = consumer.Poll(env.clock.Now() + absl::Seconds(1));
//   for (const PolledPartition& p : polled.partitions) for (const ConsumerRecord& r : p.records)
//   ...
//
// Invariants:
//   1. Records of a partition come in the order of their offsets, each at most once between two
//   changes of position.
//   2. The position is the next offset to return. It moves by records that were returned (and over
//   holes and control batches
//      behind them), by a seek, or by a reset, which the next Poll reports.
//   3. A response to a fetch at an offset that is not the position any more is dropped.
//
//   4. While the log that was read stays what it is, every record comes; when it was cut below the
//   position, that is found before anything else is returned, and reported.
//
// Follows [N20]-[N22], [N30]-[N34], [N36], [P19]. Not responsible for: groups, commits ([N35]).

#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/client/client_config.h"
#include "broker/client/client_rules.h"
#include "broker/protocol/error_code.h"
#include "broker/types.h"
#include "core/bytes.h"
#include "core/environment.h"

namespace highwater::broker::client {

struct ConsumedHeader {
  std::string key;
  std::optional<core::Bytes> value;
};

struct ConsumerRecord {
  Offset offset;
  LeaderEpoch leader_epoch;  // of its batch; kNoLeaderEpoch if unknown
  absl::Time timestamp;
  std::optional<core::Bytes> key;  // slices of the fetched batch
  std::optional<core::Bytes> value;
  std::vector<ConsumedHeader> headers;
};

struct PolledPartition {
  TopicPartition partition;
  std::vector<ConsumerRecord> records;  // not empty
};

enum class ResetReason : uint8_t {
  kNoPosition,  // the first position of an assigned partition, or an asked-for seek to an end
  kOutOfRange,  // the position was not in the log any more
  kTruncation,  // the log was cut below the position
};

// The position jumped. Records between `from` and `to` may have been skipped or come again.
struct PositionReset {
  TopicPartition partition;
  Offset from;  // kNoOffset if there was none
  Offset to;
  ResetReason reason;
};

// What the application must decide about: nothing more comes from the partition until it seeks or
// is assigned anew.
struct ConsumerError {
  TopicPartition partition;
  protocol::ErrorCode code;  // OFFSET_OUT_OF_RANGE (with auto.offset.reset=none), CORRUPT_MESSAGE,
                             // *_AUTHORIZATION_FAILED, ...
  Offset position;
  std::string message;
};

// Of a partition it holds either records or a reset, never both: records behind a jump come with a
// later poll.
struct PollResult {
  std::vector<PolledPartition> partitions;
  std::vector<PositionReset> resets;
  std::vector<ConsumerError> errors;

  [[nodiscard]] bool empty() const {
    return partitions.empty() && resets.empty() && errors.empty();
  }
};

class Consumer {
 public:
  // REQUIRES: `env` outlives the consumer and its fibers.
  Consumer(core::Environment& env, ConsumerConfig config, const ClientRules& rules = ClientRules());
  // Does not wait.
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // Replaces the assignment. Partitions that stay keep their position; new ones begin by
  // auto.offset.reset.
  void Assign(std::vector<TopicPartition> partitions);

  // Waits until there is something to return or the deadline; empty at the deadline, when
  // cancelled, or when closed. At most max.poll.records records. Also sends the fetches: nothing is
  // fetched while nobody polls, beyond what is under way.
  [[nodiscard]] PollResult Poll(core::MonotonicTime deadline);

  // These need an assigned partition. Seeks to an end take effect with the next Poll.
  void Seek(const TopicPartition& partition, Offset offset,
            LeaderEpoch leader_epoch = kNoLeaderEpoch);
  void SeekToBeginning(const TopicPartition& partition);
  void SeekToEnd(const TopicPartition& partition);
  // To the first record with a timestamp >= `timestamp`, or to the end if there is none.
  void SeekToTimestamp(const TopicPartition& partition, absl::Time timestamp);
  void Pause(const TopicPartition& partition);
  void Resume(const TopicPartition& partition);

  // The next offset to return; nullopt while it is not known.
  [[nodiscard]] std::optional<Offset> Position(const TopicPartition& partition) const;
  // The high watermark (or last stable offset) that the last fetch saw; nullopt before the first.
  [[nodiscard]] std::optional<Offset> EndOffset(const TopicPartition& partition) const;
  // The topic's partitions once they are known; waits for metadata. 0 at the deadline.
  [[nodiscard]] int32_t PartitionsFor(std::string_view topic, core::MonotonicTime deadline);

  // Ends all fetches. Poll returns empty from now on. Never waits.
  void Close();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with its fibers
};

}  // namespace highwater::broker::client
