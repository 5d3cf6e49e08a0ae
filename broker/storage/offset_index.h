#pragma once

// OffsetIndex and TimeIndex: the sparse indexes of one segment [L9]. Pure: they hold entries and
// know their bytes; LogSegment reads and writes the files.
//
// An offset index entry is 8 bytes: int32 (last offset of a batch - base), int32 position of that
// batch. A time index entry is 12: int64 timestamp, int32 (offset - base): no record at or below
// that offset is younger than the timestamp. Big endian.
//
// Invariants: entries of an offset index strictly increase in both fields; of a time index in the
// timestamp, offsets not decreasing.

#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/types.h"
#include "core/bytes.h"

namespace highwater::broker::storage {

class OffsetIndex {
 public:
  static constexpr size_t kEntrySize = 8;
  struct Entry {
    int32_t relative_offset;
    int32_t position;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  // Appends unless the entry does not lie above the last.
  void MaybeAppend(int32_t relative_offset, uint64_t position);
  // The position to search from for the batch that holds `relative_offset`: 0 if there is no entry
  // at or below it.
  [[nodiscard]] uint64_t Lookup(int64_t relative_offset) const;
  // Drops entries at or above `relative_offset`.
  void TruncateTo(int64_t relative_offset);
  void Clear() { entries_.clear(); }
  [[nodiscard]] absl::Span<const Entry> entries() const { return entries_; }
  [[nodiscard]] bool IsFull(int64_t max_bytes) const {
    return static_cast<int64_t>((entries_.size() + 1) * kEntrySize) > max_bytes;
  }

  // The bytes of entries [from, end).
  [[nodiscard]] core::Bytes Encode(size_t from) const;
  // The index of a file of these bytes; zeros at the end (a preallocated file that was not trimmed)
  // are no entries [M87]. nullopt if it is no index of a segment of `segment_size` bytes.
  [[nodiscard]] static std::optional<OffsetIndex> Decode(const core::Bytes& content,
                                                         uint64_t segment_size);

 private:
  std::vector<Entry> entries_;
};

class TimeIndex {
 public:
  static constexpr size_t kEntrySize = 12;
  struct Entry {
    int64_t timestamp;
    int32_t relative_offset;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  // Appends if the timestamp lies above the last entry's.
  void MaybeAppend(int64_t timestamp, int64_t relative_offset);
  // The relative offset to search from for the first record with a timestamp >= `timestamp`: that
  // of the last entry below it; 0 if none.
  [[nodiscard]] int64_t Lookup(int64_t timestamp) const;
  void TruncateTo(int64_t relative_offset);
  void Clear() { entries_.clear(); }
  [[nodiscard]] absl::Span<const Entry> entries() const { return entries_; }
  [[nodiscard]] bool IsFull(int64_t max_bytes) const {
    return static_cast<int64_t>((entries_.size() + 1) * kEntrySize) > max_bytes;
  }

  [[nodiscard]] core::Bytes Encode(size_t from) const;
  [[nodiscard]] static std::optional<TimeIndex> Decode(const core::Bytes& content);

 private:
  std::vector<Entry> entries_;
};

}  // namespace highwater::broker::storage
