#include "broker/storage/offset_index.h"

#include <algorithm>
#include <limits>

#include "core/big_endian.h"

namespace highwater::broker::storage {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();

// The content without entries of zeros at its end; nullopt if it is not a whole number of entries.
// A lawful entry is never all zeros behind another one, and the first never points to the start of
// the segment.
std::optional<size_t> CountEntries(const core::Bytes& content, size_t entry_size) {
  if (content.size() % entry_size != 0) return std::nullopt;
  size_t end = content.size();
  while (end > 0 && content[end - 1] == 0) --end;
  return (end + entry_size - 1) / entry_size;
}

}  // namespace

void OffsetIndex::MaybeAppend(int32_t relative_offset, uint64_t position) {
  if (position > static_cast<uint64_t>(kMaxInt) || relative_offset < 0) return;
  if (!entries_.empty() && (entries_.back().relative_offset >= relative_offset ||
                            static_cast<uint64_t>(entries_.back().position) >= position)) {
    return;
  }
  entries_.push_back({relative_offset, static_cast<int32_t>(position)});
}

uint64_t OffsetIndex::Lookup(int64_t relative_offset) const {
  const auto above =
      std::upper_bound(entries_.begin(), entries_.end(), relative_offset,
                       [](int64_t o, const Entry& entry) { return o < entry.relative_offset; });
  return above == entries_.begin() ? 0 : static_cast<uint64_t>((above - 1)->position);
}

void OffsetIndex::TruncateTo(int64_t relative_offset) {
  while (!entries_.empty() && entries_.back().relative_offset >= relative_offset)
    entries_.pop_back();
}

core::Bytes OffsetIndex::Encode(size_t from) const {
  core::BytesBuilder builder((entries_.size() - from) * kEntrySize);
  for (size_t i = from; i < entries_.size(); ++i) {
    uint8_t* to = builder.Grow(kEntrySize);
    core::StoreBigEndian(to, static_cast<uint32_t>(entries_[i].relative_offset));
    core::StoreBigEndian(to + 4, static_cast<uint32_t>(entries_[i].position));
  }
  return std::move(builder).Freeze();
}

std::optional<OffsetIndex> OffsetIndex::Decode(const core::Bytes& content, uint64_t segment_size) {
  const std::optional<size_t> count = CountEntries(content, kEntrySize);
  if (!count) return std::nullopt;
  OffsetIndex index;
  index.entries_.reserve(*count);
  for (size_t i = 0; i < *count; ++i) {
    const uint8_t* from = content.data() + i * kEntrySize;
    const auto offset = static_cast<int32_t>(core::LoadBigEndian<uint32_t>(from));
    const auto position = static_cast<int32_t>(core::LoadBigEndian<uint32_t>(from + 4));
    if (position < 0 || static_cast<uint64_t>(position) >= segment_size) return std::nullopt;
    index.MaybeAppend(offset, static_cast<uint64_t>(position));
    if (index.entries_.size() != i + 1) return std::nullopt;  // not increasing
  }
  return index;
}

void TimeIndex::MaybeAppend(int64_t timestamp, int64_t relative_offset) {
  if (relative_offset < 0 || relative_offset > kMaxInt || timestamp < 0) return;
  if (!entries_.empty() && (entries_.back().timestamp >= timestamp ||
                            entries_.back().relative_offset > relative_offset)) {
    return;
  }
  entries_.push_back({timestamp, static_cast<int32_t>(relative_offset)});
}

int64_t TimeIndex::Lookup(int64_t timestamp) const {
  const auto at_or_above =
      std::lower_bound(entries_.begin(), entries_.end(), timestamp,
                       [](const Entry& entry, int64_t t) { return entry.timestamp < t; });
  return at_or_above == entries_.begin() ? 0 : (at_or_above - 1)->relative_offset;
}

void TimeIndex::TruncateTo(int64_t relative_offset) {
  while (!entries_.empty() && entries_.back().relative_offset >= relative_offset)
    entries_.pop_back();
}

core::Bytes TimeIndex::Encode(size_t from) const {
  core::BytesBuilder builder((entries_.size() - from) * kEntrySize);
  for (size_t i = from; i < entries_.size(); ++i) {
    uint8_t* to = builder.Grow(kEntrySize);
    core::StoreBigEndian(to, static_cast<uint64_t>(entries_[i].timestamp));
    core::StoreBigEndian(to + 8, static_cast<uint32_t>(entries_[i].relative_offset));
  }
  return std::move(builder).Freeze();
}

std::optional<TimeIndex> TimeIndex::Decode(const core::Bytes& content) {
  const std::optional<size_t> count = CountEntries(content, kEntrySize);
  if (!count) return std::nullopt;
  TimeIndex index;
  index.entries_.reserve(*count);
  for (size_t i = 0; i < *count; ++i) {
    const uint8_t* from = content.data() + i * kEntrySize;
    const auto timestamp = static_cast<int64_t>(core::LoadBigEndian<uint64_t>(from));
    const auto offset = static_cast<int32_t>(core::LoadBigEndian<uint32_t>(from + 8));
    index.MaybeAppend(timestamp, offset);
    if (index.entries_.size() != i + 1) return std::nullopt;
  }
  return index;
}

}  // namespace highwater::broker::storage
