#include "broker/storage/leader_epoch_cache.h"

#include <algorithm>

namespace highwater::broker::storage {

LeaderEpochCache::LeaderEpochCache(absl::Span<const EpochEntry> entries) {
  for (const EpochEntry& entry : entries) Assign(entry.epoch, entry.start_offset);
}

bool LeaderEpochCache::Assign(LeaderEpoch epoch, Offset start_offset) {
  if (epoch.value() < 0 || start_offset.value() < 0) return false;
  if (!entries_.empty() && entries_.back().epoch == epoch &&
      start_offset >= entries_.back().start_offset) {
    return false;
  }
  while (!entries_.empty() &&
         (entries_.back().epoch >= epoch || entries_.back().start_offset >= start_offset)) {
    entries_.pop_back();
  }
  entries_.push_back({epoch, start_offset});
  return true;
}

bool LeaderEpochCache::TruncateFromEnd(Offset end_offset) {
  const size_t before = entries_.size();
  while (!entries_.empty() && entries_.back().start_offset >= end_offset) entries_.pop_back();
  return entries_.size() != before;
}

bool LeaderEpochCache::TruncateFromStart(Offset start_offset) {
  const auto first_kept = std::find_if(entries_.begin(), entries_.end(), [&](const EpochEntry& e) {
    return e.start_offset > start_offset;
  });
  if (first_kept == entries_.begin()) return false;
  // The last entry that starts at or below the new start is still the epoch of the record there.
  const auto last_dropped = first_kept - 1;
  if (last_dropped == entries_.begin() && last_dropped->start_offset == start_offset) return false;
  last_dropped->start_offset = start_offset;
  entries_.erase(entries_.begin(), last_dropped);
  return true;
}

bool LeaderEpochCache::Clear() {
  const bool changed = !entries_.empty();
  entries_.clear();
  return changed;
}

std::optional<EpochEndOffset> LeaderEpochCache::EndOffsetFor(LeaderEpoch epoch,
                                                             Offset log_end_offset) const {
  if (epoch.value() < 0 || entries_.empty()) return std::nullopt;
  if (epoch == entries_.back().epoch) return EpochEndOffset{epoch, log_end_offset};
  if (epoch > entries_.back().epoch) return std::nullopt;  // the asker is ahead of us
  if (epoch < entries_.front().epoch) return EpochEndOffset{epoch, entries_.front().start_offset};
  const auto next =
      std::upper_bound(entries_.begin(), entries_.end(), epoch,
                       [](LeaderEpoch e, const EpochEntry& entry) { return e < entry.epoch; });
  return EpochEndOffset{(next - 1)->epoch, next->start_offset};
}

std::optional<LeaderEpoch> LeaderEpochCache::latest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back().epoch;
}

std::optional<LeaderEpoch> LeaderEpochCache::EpochOf(Offset offset) const {
  const auto next =
      std::upper_bound(entries_.begin(), entries_.end(), offset,
                       [](Offset o, const EpochEntry& entry) { return o < entry.start_offset; });
  if (next == entries_.begin()) return std::nullopt;
  return (next - 1)->epoch;
}

}  // namespace highwater::broker::storage
