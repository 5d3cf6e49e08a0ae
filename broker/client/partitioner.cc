#include "broker/client/partitioner.h"

#include "core/check.h"

namespace highwater::broker::client {

uint32_t Murmur2(std::string_view data) {
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(data[i])); };
  uint32_t hash = 0x9747b28cu ^ static_cast<uint32_t>(data.size());
  size_t i = 0;
  for (; i + 4 <= data.size(); i += 4) {
    uint32_t word = byte(i) | byte(i + 1) << 8 | byte(i + 2) << 16 | byte(i + 3) << 24;
    word *= kMultiplier;
    word ^= word >> 24;
    hash = hash * kMultiplier ^ word * kMultiplier;
  }
  const size_t left = data.size() - i;
  if (left >= 3) hash ^= byte(i + 2) << 16;
  if (left >= 2) hash ^= byte(i + 1) << 8;
  if (left >= 1) hash = (hash ^ byte(i)) * kMultiplier;
  hash ^= hash >> 13;
  hash *= kMultiplier;
  return hash ^ hash >> 15;
}

PartitionIndex PartitionOfKey(std::string_view key, int32_t partitions) {
  HW_CHECK(partitions > 0);
  const uint32_t positive = Murmur2(key) & 0x7fffffffu;
  return PartitionIndex(static_cast<int32_t>(positive % static_cast<uint32_t>(partitions)));
}

PartitionIndex StickyPartition::Current(absl::Span<const PartitionIndex> available,
                                        int32_t partitions, core::Random& random) {
  if (current_.value() < 0 || current_.value() >= partitions) Next(available, partitions, random);
  return current_;
}

void StickyPartition::Next(absl::Span<const PartitionIndex> available, int32_t partitions,
                           core::Random& random) {
  HW_CHECK(partitions > 0);
  if (available.empty()) {
    current_ =
        PartitionIndex(static_cast<int32_t>(random.Below(static_cast<uint64_t>(partitions))));
    return;
  }
  if (available.size() == 1) {
    current_ = available[0];
    return;
  }
  // Any but the present one: a draw among the others, so that one draw is enough.
  size_t others = available.size();
  for (const PartitionIndex p : available) others -= p == current_ ? 1 : 0;
  size_t pick = random.Below(others);
  for (const PartitionIndex p : available) {
    if (p == current_) continue;
    if (pick-- == 0) {
      current_ = p;
      return;
    }
  }
}

}  // namespace highwater::broker::client
