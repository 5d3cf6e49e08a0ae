#pragma once

// What the tests of the consumer share: what polls gave, and what to poll.

#include <string>
#include <vector>

#include "tests/client/client_world.h"

namespace highwater::tests {

inline const TopicPartition kOrders{"orders", PartitionIndex(0)};

// Everything that polls gave, flat.
struct Polled {
  std::vector<std::string> values;
  std::vector<int64_t> offsets;
  std::vector<broker::client::PositionReset> resets;
  std::vector<broker::client::ConsumerError> errors;

  void Add(broker::client::PollResult result) {
    for (const auto& p : result.partitions) {
      for (const auto& record : p.records) {
        values.push_back(record.value->ToString());
        offsets.push_back(record.offset.value());
      }
    }
    resets.insert(resets.end(), result.resets.begin(), result.resets.end());
    errors.insert(errors.end(), result.errors.begin(), result.errors.end());
  }
};

inline void ProduceNow(core::Environment& env, int from, int to,
                       const std::string& topic = "orders") {
  broker::client::Producer producer(env, ConfigOf<ProducerConfig>({{"batch.size", "100"}}));
  for (int i = from; i < to; ++i) {
    producer.Send({.topic = topic, .value = "v" + std::to_string(i)},
                  [](const SendResult& r) { EXPECT_EQ(r.outcome, SendOutcome::kAcknowledged); });
  }
  producer.Flush(core::MonotonicTime::Never());
}

inline void PollFor(core::Environment& env, broker::client::Consumer& consumer, Polled& polled,
                    absl::Duration time) {
  const core::MonotonicTime until = env.clock.Now() + time;
  while (env.clock.Now() < until) polled.Add(consumer.Poll(until));
}

inline std::vector<std::string> Numbered(int from, int to) {
  std::vector<std::string> values;
  for (int i = from; i < to; ++i) values.push_back("v" + std::to_string(i));
  return values;
}

}  // namespace highwater::tests
