#pragma once

// Violation: a broken guarantee as a value. Which rule, what a client would say of it, and the
// witnesses; the chain of events that led to it is told by who watched the world.

#include <absl/time/time.h>

#include <optional>
#include <string>
#include <vector>

#include "broker/types.h"

namespace highwater::invariants {

struct Violation {
  std::string invariant;               // `acked-durable`
  std::string sentence;                // in the client's words
  std::vector<std::string> witnesses;  // a line each, readable alone
  absl::Duration at;                   // simulated time
  // What to look at: the records lost or found.
  std::optional<broker::TopicPartition> partition;
  broker::Offset offset = broker::kNoOffset;
  std::optional<int16_t> acks;  // with which the lost records were acknowledged
};

// Where checkers put what they find.
class ViolationSink {
 public:
  virtual ~ViolationSink() = default;
  virtual void Report(Violation violation) = 0;
  // A partition cannot be used, and that is as it should be: `why` proves it.
  virtual void Excuse(const broker::TopicPartition& /*partition*/, std::string /*why*/) {}
};

}  // namespace highwater::invariants
