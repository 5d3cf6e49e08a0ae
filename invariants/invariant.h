#pragma once

// Invariant: one guarantee and the events from which it is judged. One file each;
// `CatalogOfInvariants` lists them.
//
// A checker only remembers and compares: it draws nothing, changes nothing, and the world runs the
// same without it.

#include <absl/types/span.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "broker/observer.h"
#include "invariants/history.h"
#include "invariants/replica_logs.h"
#include "invariants/violation.h"
#include "invariants/zookeeper_logs.h"

namespace highwater::invariants {

// A producer was told that its record is stored.
struct AckedRecord {
  RecordId id;
  const broker::TopicPartition& partition;
  broker::Offset offset;
  absl::Duration at;
};

// A producer was told that its record is certainly not stored.
struct FailedSend {
  RecordId id;
  const broker::TopicPartition& partition;
  absl::Duration at;
};

// A consumer was handed a record.
struct ConsumedRecord {
  std::string_view consumer;
  const broker::TopicPartition& partition;
  broker::Offset offset;
  const core::Bytes& value;
  std::optional<RecordId> id;  // what `value` says: ParseValue
  uint64_t poll = 0;           // of this consumer, counted from 1: which one handed it out
  absl::Duration at;
};

// Why a consumer's position jumped.
enum class JumpReason : uint8_t {
  kAsked,       // by its own wish: a first position, a seek
  kOutOfRange,  // it was told that the log does not reach so far, or not any more
  kTruncation,  // it was told that the log was cut below its position
};

struct PositionJump {
  std::string_view consumer;
  const broker::TopicPartition& partition;
  broker::Offset from = broker::kNoOffset;  // where it was asked for: kNoOffset
  JumpReason reason = JumpReason::kAsked;
  absl::Duration at;
};

// What a reader of the whole partition found once all faults were over.
struct PartitionAtRest {
  broker::TopicPartition partition;
  bool readable = false;  // the reader reached the end in time
  std::string obstacle;   // what it last met, where it did not
  absl::Duration
      as_of;  // when it asked where the log ends: what was acknowledged later may be missing
  broker::Offset log_start;
  broker::Offset log_end;
  std::vector<std::pair<broker::Offset, RecordId>> records;  // by offset; those that parse
};

// A broker begins to lead a partition.
struct Leadership {
  broker::BrokerId broker;
  const broker::TopicPartition& partition;
  broker::LeaderEpoch epoch;
  broker::Offset log_end;
  absl::Duration at;
  // No leader of a greater epoch was seen. One that learns of its leadership only when it has been
  // succeeded can commit nothing any more: it need not have what its successor committed.
  bool newest = true;
};

// What a leader holds to be in sync, or how far it has committed.
struct LeaderState {
  broker::BrokerId leader;
  const broker::TopicPartition& partition;
  broker::LeaderEpoch epoch;
  absl::Duration at;
};

// A ZooKeeper server begins to lead its ensemble. `logs`: as before the event.
struct ZooKeeperLeadership {
  int64_t server;
  int64_t epoch;
  const ZooKeeperLogs& logs;
  absl::Duration at;
};

// A ZooKeeper server applies what is committed. `logs`: as before the event.
struct ZooKeeperCommit {
  int64_t server;
  int64_t zxid;
  uint64_t digest;
  const ZooKeeperLogs& logs;
  absl::Duration at;
};

// What a follower holds to be committed.
struct FollowerState {
  broker::BrokerId follower;
  const broker::TopicPartition& partition;
  broker::LeaderEpoch epoch;
  absl::Duration at;
};

// What the configuration promises of a topic.
struct TopicPromise {
  int32_t replicas = 1;
  int32_t min_insync_replicas = 1;
};

// Whose records are judged where not everybody was promised the guarantee.
enum class Scope : uint8_t { kPromised, kEverybody };

// What a checker may ask besides its events.
struct RunFacts {
  const ClientHistory& history;
  const ReplicaLogs& logs;  // as of the event, its effect included
  std::function<TopicPromise(std::string_view topic)> promise;
  // Whether the heal phase outlasts the brokers' own time-outs, so that what they have to notice by
  // them is over at rest.
  bool settles = true;
  // How many brokers do not serve.
  std::function<int32_t()> brokers_down = [] { return 0; };
  // Brokers that were left out when the cluster began to heal, and stay away.
  std::function<std::set<broker::BrokerId>()> left_out = [] {
    return std::set<broker::BrokerId>();
  };
  Scope scope = Scope::kPromised;
};

class Invariant {
 public:
  virtual ~Invariant() = default;
  [[nodiscard]] virtual std::string_view id() const = 0;

  virtual void OnAcked(const AckedRecord&) {}
  virtual void OnSendFailed(const FailedSend&) {}
  virtual void OnConsumed(const ConsumedRecord&) {}
  virtual void OnPositionJumped(const PositionJump&) {}
  virtual void OnLogLoaded(broker::BrokerId, const broker::LogLoadedEvent&, absl::Duration /*at*/) {
  }
  virtual void OnAppended(broker::BrokerId, const broker::AppendedEvent&, absl::Duration /*at*/) {}
  virtual void OnBecameLeader(const Leadership&) {}
  virtual void OnIsrChanged(const LeaderState&, absl::Span<const broker::BrokerId> /*isr*/) {}
  virtual void OnHighWatermarkMoved(const LeaderState&, broker::Offset /*high_watermark*/) {}
  // A follower asked for what follows `fetch_offset`.
  virtual void OnFollowerFetched(const LeaderState&, broker::BrokerId /*follower*/,
                                 broker::Offset /*fetch_offset*/) {}
  virtual void OnFollowerHighWatermarkMoved(const FollowerState&,
                                            broker::Offset /*high_watermark*/) {}
  // The controller wrote a partition's state.
  virtual void OnPartitionStateWritten(const broker::PartitionStateEvent&, absl::Duration /*at*/) {}
  // A leader answers a Produce without error.
  virtual void OnAcknowledged(const LeaderState&, broker::Offset /*last*/, int16_t /*acks*/) {}
  virtual void OnTopicDeleted(std::string_view /*topic*/) {}
  virtual void OnZooKeeperLeading(const ZooKeeperLeadership&) {}
  virtual void OnZooKeeperCommitted(const ZooKeeperCommit&) {}
  virtual void AtRest(const std::vector<PartitionAtRest>&, absl::Duration /*at*/) {}

  // How often it has compared what is with what must be. Zero: it has proved nothing.
  [[nodiscard]] uint64_t checks() const { return checks_; }

 protected:
  void Checked(uint64_t times = 1) { checks_ += times; }

 private:
  uint64_t checks_ = 0;
};

struct InvariantInfo {
  std::string_view id;
  std::string_view guarantee;  // in the client's words
  std::string_view judged;     // when and from what
  std::unique_ptr<Invariant> (*make)(const RunFacts&, ViolationSink&);
};

// Sorted by id.
[[nodiscard]] absl::Span<const InvariantInfo> CatalogOfInvariants();

}  // namespace highwater::invariants
