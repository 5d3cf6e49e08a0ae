#pragma once

// Log recovery: what of a log's directory may be trusted after a start, and what has to go
// [K11-K14]. Pure: LogLoader reads the files, feeds what it found and carries out the verdicts.
//
// The default is the safe rule: besides a damaged batch, a hole between two batches or two segments
// of a log that is not compacted cuts the log there [W20]: after a power loss a segment may end at
// a batch boundary although its last pages are gone while the next segment's have survived.
// RecoveryRules::Kafka323() is the original, which keeps the hole.
//
// A log that was compacted once and is not any more may have holes that are no damage; after an
// unclean stop this rule cuts such a log above its recovery point, and the replica fetches the rest
// again.

#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/types.h"
#include "core/file_system.h"

namespace highwater::broker::storage {

// A replaceable decision of recovery.
struct RecoveryRules {
  // [K12b, W20] Whether records may lawfully be missing between `end` (exclusive) and the next base
  // offset.
  bool (*MayHaveHole)(bool compacted, Offset end, Offset next_base);
  // [K12] Whether a batch's checksum is compared.
  bool (*MustVerifyChecksum)(Offset batch_base, Offset recovery_point);

  RecoveryRules();  // the safe rules
  [[nodiscard]] static RecoveryRules Kafka323();
};

// A batch as it was read. The fields behind `magic` are only meaningful if the header was whole.
struct ScannedBatch {
  uint64_t position = 0;  // bytes from the start of the segment
  uint64_t length = 0;  // of the whole batch, by its own length field; 0 if there is not even that
  int8_t magic = 0;
  bool checksum_ok = false;
  Offset base_offset{0};
  Offset last_offset{0};
};

enum class BatchFault : uint8_t {
  kNone,
  kIncomplete,  // the file ends inside it, or its length makes no sense
  kMagic,
  kChecksum,
  kOffset,  // outside of what the segment can hold, or not above the batch before
  kHole,
};

// The batches of one segment, in order, up to the first that cannot stay.
class SegmentScan {
 public:
  SegmentScan(const RecoveryRules& rules, bool compacted, Offset recovery_point,
              Offset segment_base, uint64_t segment_size);
  // Whether the batch stays. After a false nothing more may be fed.
  bool Accept(const ScannedBatch& batch);

  [[nodiscard]] uint64_t valid_bytes() const { return valid_bytes_; }
  [[nodiscard]] Offset next_offset() const { return next_offset_; }
  [[nodiscard]] BatchFault fault() const { return fault_; }
  [[nodiscard]] bool finished() const {
    return fault_ != BatchFault::kNone || valid_bytes_ == segment_size_;
  }

 private:
  BatchFault FaultOf(const ScannedBatch& batch) const;

  RecoveryRules rules_;
  bool compacted_;
  Offset recovery_point_;
  Offset segment_base_;
  uint64_t segment_size_;
  uint64_t valid_bytes_ = 0;
  Offset next_offset_;
  BatchFault fault_ = BatchFault::kNone;
};

// Which segments are scanned, and where the log is cut.
class LogRecovery {
 public:
  // `bases`: of all segments, ascending.
  LogRecovery(const RecoveryRules& rules, bool clean, bool compacted, Offset recovery_point,
              std::vector<Offset> bases);
  // [K12] The first segment that has to be scanned: the one that holds the recovery point; size()
  // if none has to be.
  [[nodiscard]] size_t first_to_scan() const { return first_to_scan_; }
  // Whether all segments behind the `index`th have to be deleted, after it was scanned.
  [[nodiscard]] bool MustDropAfter(size_t index, const SegmentScan& scan) const;

 private:
  RecoveryRules rules_;
  bool compacted_;
  std::vector<Offset> bases_;
  size_t first_to_scan_;
};

// [K14] What a loaded log starts and ends with.
struct LoadedBounds {
  Offset log_start_offset{0};
  Offset log_end_offset{0};
  Offset recovery_point{0};
  bool start_over = false;  // delete all segments, begin an empty one at the log start offset
};
[[nodiscard]] LoadedBounds BoundsAfterLoad(bool clean, Offset checkpointed_log_start,
                                           Offset checkpointed_recovery_point, Offset first_base,
                                           Offset log_end);

// [K13] What to do with the files of a log's directory, before any is read; in this order.
struct DirectoryPlan {
  struct Rename {
    std::string from;
    std::string to;
  };
  std::vector<std::string> remove;
  std::vector<Rename> rename;
  std::vector<Offset> segments;   // bases, ascending, after the above
  std::vector<Offset> snapshots;  // producer snapshots
};
[[nodiscard]] DirectoryPlan PlanDirectory(absl::Span<const core::DirectoryEntry> entries);

}  // namespace highwater::broker::storage
