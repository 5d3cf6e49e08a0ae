#pragma once

// Producer: appends records to topics, with the reference client's semantics: batches, retries, at
// most max.in.flight requests a connection, a delivery timeout that counts from the batch's
// creation.
//
//   Producer producer(env, config);
//   producer.Send({.topic = "orders", .key = "k", .value = "v"}, [](const SendResult& result) { ...
//   }); producer.Flush(deadline);
//
// What a callback says is what a history may rely on. Invariants:
//   1. kAcknowledged: a broker answered without error, under the configured acks, and the record
//   has this offset.
//   2. kFailed: the record is not in the log and never will be: it was never written to a
//   connection, or every attempt was refused
//      before an append.
//   3. kUnknown: anything else. A request with the record was at least partly written, and the
//   outcome of that attempt is not
//      known (connection lost, time-out, an error that a broker may also give after an append;
//      acks=0). It may be in the log, also several times.
//   4. Each callback runs once, in the order of records within a batch, not necessarily on a fiber;
//   it must not wait. Send may be
//      called from it only with a topic that is known and room in the buffer, else the record fails
//      at once.
//   5. A producer that is destroyed drops its callbacks uncalled and does not wait; Close waits for
//   them.
//
//   6. With enable.idempotence, which is the default, a record stands in the log at most once, and
//   a partition's records stand in the order in which they were sent, as long as the brokers keep
//   what they know of the producer. An acknowledged record may have no offset: a broker that knows
//   only that it has the batch does not say where [N5].
//
// Follows [N1]-[N7], [N20]-[N22], [D60]. Not responsible for: transactions ([N8], [N9]).

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "broker/client/client_config.h"
#include "broker/client/producer_rules.h"
#include "broker/protocol/error_code.h"
#include "broker/types.h"
#include "core/environment.h"

namespace highwater::broker::client {

struct RecordHeader {
  std::string_view key;
  std::optional<std::string_view> value;
};

// A record to send. The views must stay valid until Send returns.
struct ProducerRecord {
  std::string_view topic;
  std::optional<PartitionIndex>
      partition;  // none: by the key's murmur2 hash, or sticky without a key
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  absl::Span<const RecordHeader> headers;
  std::optional<absl::Time> timestamp;  // none: the node's wall clock
};

enum class SendOutcome : uint8_t { kAcknowledged, kFailed, kUnknown };

// REQUIRES of users: `topic` is read during the callback only.
struct SendResult {
  SendOutcome outcome;
  std::string_view topic;
  PartitionIndex partition;  // -1 if the record failed before it had one
  Offset offset;             // kNoOffset unless acknowledged (and with acks=0, and see 6)
  absl::Time timestamp;  // the log append time where the topic stamps at append, else the record's
  protocol::ErrorCode error;  // NONE if acknowledged; REQUEST_TIMED_OUT at the delivery timeout
};

using SendCallback = absl::AnyInvocable<void(const SendResult&)>;

class Producer {
 public:
  // REQUIRES: `env` outlives the producer and its fibers.
  Producer(core::Environment& env, ProducerConfig config, const ProducerRules& rules = {});
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Copies the record into a batch. Waits up to max.block.ms where the topic is not known yet or
  // buffer.memory is used up, then fails the record. `callback` may be empty. A failure before the
  // record is in a batch calls back before Send returns.
  void Send(const ProducerRecord& record, SendCallback callback);

  // Sends without lingering what was accepted so far and waits until its callbacks have run.
  // kSignaled when they have.
  core::Wake Flush(core::MonotonicTime deadline);
  // Accepts nothing more, flushes, and at the deadline gives up on the rest: what was never sent
  // fails, the others are unknown.
  void Close(core::MonotonicTime deadline);

  // The topic's partitions once they are known; waits for metadata. 0 at the deadline.
  [[nodiscard]] int32_t PartitionsFor(std::string_view topic, core::MonotonicTime deadline);

  struct Statistics {
    uint64_t records_appended = 0;
    uint64_t batches_sent = 0;  // attempts
    uint64_t requests_sent = 0;
    uint64_t batches_retried = 0;
    uint64_t batches_split = 0;
  };
  [[nodiscard]] Statistics statistics() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;  // shared with its fibers
};

}  // namespace highwater::broker::client
