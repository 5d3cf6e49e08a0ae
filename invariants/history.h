#pragma once

// ClientHistory: what the workload's clients did and were told, in one run. Omniscient memory: it
// is never part of the world.
//
// A value names its writer: record `operation` of producer `client`. So a polled record is looked
// up, not searched.

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "broker/types.h"
#include "core/bytes.h"

namespace highwater::invariants {

enum class SendOutcome : uint8_t {
  kPending,  // no answer yet
  kAcked,    // the client was told the offset
  kFailed,   // certainly not written
  kUnknown,  // the client cannot know
};

struct Send {
  broker::TopicPartition partition;  // the partition index is -1 until the producer chose one
  uint32_t value_size = 0;
  int16_t acks = -1;
  SendOutcome outcome = SendOutcome::kPending;
  broker::Offset offset = broker::kNoOffset;
  absl::Duration invoked;
  absl::Duration completed;
};

struct RecordId {
  uint32_t client = 0;
  uint32_t operation = 0;
  friend auto operator<=>(RecordId, RecordId) = default;
};

// What a producer's settings promise it.
struct ProducerPromises {
  bool idempotent = false;  // each record is stored once
  bool ordered = false;     // records of a partition are stored as they were sent
};

class ClientHistory {
 public:
  // The id of a new producer; `name` is for people.
  uint32_t AddProducer(std::string name, ProducerPromises promises = {});
  RecordId AddSend(uint32_t client, Send send);

  // Null if no such record was ever sent.
  [[nodiscard]] const Send* Find(RecordId id) const;
  [[nodiscard]] Send& Of(RecordId id);
  [[nodiscard]] const std::string& NameOf(uint32_t client) const { return producers_[client].name; }
  [[nodiscard]] const ProducerPromises& PromisesOf(uint32_t client) const {
    return producers_[client].promises;
  }
  [[nodiscard]] size_t producers() const { return producers_.size(); }
  [[nodiscard]] const std::vector<Send>& SendsOf(uint32_t client) const {
    return producers_[client].sends;
  }

  // `producer-0/17`.
  [[nodiscard]] std::string Describe(RecordId id) const;

 private:
  struct Producer {
    std::string name;
    ProducerPromises promises;
    std::vector<Send> sends;
  };
  std::vector<Producer> producers_;
};

// The bytes of a record's value: a header that names the record, then filler that follows from it.
// At least 24 bytes.
inline constexpr uint32_t kSmallestValue = 24;
[[nodiscard]] core::Bytes MakeValue(RecordId id, uint32_t size);
// The record that wrote `value`, if every byte is as MakeValue made it; nullopt for anything else.
[[nodiscard]] std::optional<RecordId> ParseValue(const core::Bytes& value);

}  // namespace highwater::invariants
