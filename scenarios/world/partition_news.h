#pragma once

// PartitionNews: what was last told of partitions, so that the narrator can say what is new: a log
// of `orders-0: ISR 0 1 2 → 1 2` reads by itself. Used only while somebody listens.

#include <absl/types/span.h>
#include <fmt/ranges.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "broker/observer.h"

namespace highwater::scenarios {

class PartitionNews {
 public:
  // Whether the controller wrote another leadership, rather than another ISR alone.
  [[nodiscard]] bool IsElection(const broker::PartitionStateEvent& event) {
    const std::pair<broker::BrokerId, broker::LeaderEpoch> now{event.leader, event.leader_epoch};
    const auto [known, is_new] = leaderships_.try_emplace(event.partition, now);
    return is_new || std::exchange(known->second, now) != now;
  }

  [[nodiscard]] std::string DescribeIsr(const broker::TopicPartition& partition,
                                        absl::Span<const broker::BrokerId> isr) {
    std::vector<broker::BrokerId> now(isr.begin(), isr.end());
    std::string text = fmt::format("ISR {}", fmt::join(now, " "));
    const auto [known, is_new] = isrs_.try_emplace(partition, now);
    if (!is_new && known->second != now) {
      text = fmt::format("ISR {} → {}", fmt::join(known->second, " "), fmt::join(now, " "));
    }
    known->second = std::move(now);
    return text;
  }

 private:
  std::map<broker::TopicPartition, std::pair<broker::BrokerId, broker::LeaderEpoch>> leaderships_;
  std::map<broker::TopicPartition, std::vector<broker::BrokerId>> isrs_;
};

}  // namespace highwater::scenarios
