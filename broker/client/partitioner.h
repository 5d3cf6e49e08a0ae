#pragma once

// Which partition a record without one goes to, as the Java client decides: the key's murmur2 hash;
// without a key one partition until a batch of it is full, then another one.

#include <absl/types/span.h>

#include <cstdint>
#include <string_view>

#include "broker/types.h"
#include "core/random.h"

namespace highwater::broker::client {

// The 32-bit hash that the Java client uses, with its seed.
[[nodiscard]] uint32_t Murmur2(std::string_view data);

// REQUIRES: partitions > 0.
[[nodiscard]] PartitionIndex PartitionOfKey(std::string_view key, int32_t partitions);

// The sticky choice of one topic.
class StickyPartition {
 public:
  // The present choice, made now if there is none. `available`: the partitions with a leader,
  // ascending; where there are none all `partitions` are taken. REQUIRES: partitions > 0.
  [[nodiscard]] PartitionIndex Current(absl::Span<const PartitionIndex> available,
                                       int32_t partitions, core::Random& random);
  // A batch is full: chooses another one, if there is another.
  void Next(absl::Span<const PartitionIndex> available, int32_t partitions, core::Random& random);

 private:
  PartitionIndex current_{-1};
};

}  // namespace highwater::broker::client
