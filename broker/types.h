#pragma once

// The ids of Kafka's own vocabulary, one type each. Values that Kafka gives a meaning are named
// here.

#include <cstdint>
#include <string>
#include <tuple>

#include "core/plain_formatter.h"
#include "core/strong_int.h"

namespace highwater::broker {

// A record's place in a partition's log.
using Offset = core::StrongInt<struct OffsetTag, int64_t>;
using LeaderEpoch = core::StrongInt<struct LeaderEpochTag, int32_t>;
using ControllerEpoch = core::StrongInt<struct ControllerEpochTag, int32_t>;
using BrokerId = core::StrongInt<struct BrokerIdTag, int32_t>;
using PartitionIndex = core::StrongInt<struct PartitionIndexTag, int32_t>;
using ProducerId = core::StrongInt<struct ProducerIdTag, int64_t>;
using CorrelationId = core::StrongInt<struct CorrelationIdTag, int32_t>;
// The data version of a partition's state znode ("zkVersion").
using PartitionEpoch = core::StrongInt<struct PartitionEpochTag, int32_t>;
// The czxid of a broker's registration znode.
using BrokerEpoch = core::StrongInt<struct BrokerEpochTag, int64_t>;

inline constexpr LeaderEpoch kNoLeaderEpoch{-1};
inline constexpr BrokerId kNoBroker{-1};
inline constexpr ProducerId kNoProducerId{-1};
inline constexpr Offset kNoOffset{-1};
inline constexpr BrokerEpoch kNoBrokerEpoch{-1};

struct TopicPartition {
  std::string topic;
  PartitionIndex partition;

  friend auto operator<=>(const TopicPartition& a, const TopicPartition& b) {
    return std::tie(a.topic, a.partition) <=> std::tie(b.topic, b.partition);
  }
  friend bool operator==(const TopicPartition&, const TopicPartition&) = default;
};

}  // namespace highwater::broker

template <>
struct fmt::formatter<highwater::broker::TopicPartition> : highwater::core::PlainFormatter {
  template <typename Context>
  auto format(const highwater::broker::TopicPartition& tp, Context& context) const {
    return fmt::format_to(context.out(), "{}-{}", tp.topic, tp.partition);
  }
};
