#include "broker/storage/log_recovery.h"

#include <algorithm>
#include <limits>
#include <set>

#include "broker/storage/log_file_names.h"

namespace highwater::broker::storage {
namespace {

constexpr uint64_t kSmallestBatch = 61;
constexpr int8_t kMagic = 2;
constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();

constexpr std::string_view kSegmentSuffixes[] = {kLogSuffix, kOffsetIndexSuffix, kTimeIndexSuffix,
                                                 kTransactionIndexSuffix};

// The base of a segment's file with one more suffix: "00000000000000000042.log.swap" for ".swap".
std::optional<Offset> BaseOfSuffixed(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  for (const std::string_view kind : kSegmentSuffixes) {
    if (const auto base = OffsetOfFileName(name, kind)) return base;
  }
  return std::nullopt;
}

}  // namespace

RecoveryRules::RecoveryRules()
    : MayHaveHole([](bool compacted, Offset end, Offset next_base) {
        return compacted || end == next_base;
      }),
      MustVerifyChecksum([](Offset, Offset) { return true; }) {}

RecoveryRules RecoveryRules::Kafka323() {
  RecoveryRules rules;
  rules.MayHaveHole = [](bool, Offset, Offset) { return true; };
  return rules;
}

SegmentScan::SegmentScan(const RecoveryRules& rules, bool compacted, Offset recovery_point,
                         Offset segment_base, uint64_t segment_size)
    : rules_(rules),
      compacted_(compacted),
      recovery_point_(recovery_point),
      segment_base_(segment_base),
      segment_size_(segment_size),
      next_offset_(segment_base) {}

BatchFault SegmentScan::FaultOf(const ScannedBatch& batch) const {
  if (batch.length < kSmallestBatch || batch.position != valid_bytes_ ||
      batch.length > segment_size_ - valid_bytes_) {
    return BatchFault::kIncomplete;
  }
  if (batch.magic != kMagic) return BatchFault::kMagic;
  if (!batch.checksum_ok && rules_.MustVerifyChecksum(batch.base_offset, recovery_point_)) {
    return BatchFault::kChecksum;
  }
  if (batch.base_offset < next_offset_ || batch.last_offset < batch.base_offset ||
      batch.last_offset - segment_base_ > kMaxInt) {
    return BatchFault::kOffset;
  }
  if (batch.base_offset != next_offset_ &&
      !rules_.MayHaveHole(compacted_, next_offset_, batch.base_offset)) {
    return BatchFault::kHole;
  }
  return BatchFault::kNone;
}

bool SegmentScan::Accept(const ScannedBatch& batch) {
  fault_ = FaultOf(batch);
  if (fault_ != BatchFault::kNone) return false;
  valid_bytes_ += batch.length;
  next_offset_ = batch.last_offset + 1;
  return true;
}

LogRecovery::LogRecovery(const RecoveryRules& rules, bool clean, bool compacted,
                         Offset recovery_point, std::vector<Offset> bases)
    : rules_(rules), compacted_(compacted), bases_(std::move(bases)) {
  if (clean) {
    first_to_scan_ = bases_.size();  // [K11]
    return;
  }
  const auto above = std::upper_bound(bases_.begin(), bases_.end(), recovery_point);
  first_to_scan_ = above == bases_.begin() ? 0 : static_cast<size_t>(above - bases_.begin()) - 1;
}

bool LogRecovery::MustDropAfter(size_t index, const SegmentScan& scan) const {
  if (index + 1 >= bases_.size()) return false;
  if (scan.fault() != BatchFault::kNone) return true;  // [K12]
  if (scan.next_offset() > bases_[index + 1]) return true;
  return scan.next_offset() != bases_[index + 1] &&
         !rules_.MayHaveHole(compacted_, scan.next_offset(), bases_[index + 1]);
}

LoadedBounds BoundsAfterLoad(bool clean, Offset checkpointed_log_start,
                             Offset checkpointed_recovery_point, Offset first_base,
                             Offset log_end) {
  LoadedBounds bounds;
  bounds.log_start_offset = std::max(checkpointed_log_start, first_base);
  bounds.log_end_offset = log_end;
  if (log_end < bounds.log_start_offset) {
    bounds.start_over = true;
    bounds.log_end_offset = bounds.log_start_offset;
  }
  // [K11, K12] Below the recovery point everything was synced; above it, a clean stop did.
  bounds.recovery_point =
      clean ? bounds.log_end_offset : std::min(checkpointed_recovery_point, bounds.log_end_offset);
  return bounds;
}

DirectoryPlan PlanDirectory(absl::Span<const core::DirectoryEntry> entries) {
  DirectoryPlan plan;
  // Unfinished cleaning: the smallest `.cleaned` says which `.swap` belong to a pass that did not
  // end.
  std::optional<Offset> smallest_cleaned;
  for (const core::DirectoryEntry& entry : entries) {
    if (const auto base = BaseOfSuffixed(entry.name, kCleanedSuffix)) {
      if (!smallest_cleaned || *base < *smallest_cleaned) smallest_cleaned = *base;
    }
  }
  std::set<std::string> names;  // of what stays or comes to be
  for (const core::DirectoryEntry& entry : entries) {
    if (entry.kind != core::FileInfo::Kind::kFile) continue;
    const std::string& name = entry.name;
    if (name.ends_with(kDeletedSuffix) || name.ends_with(kCleanedSuffix) ||
        name.ends_with(".tmp")) {
      plan.remove.push_back(name);
      continue;
    }
    if (const auto base = BaseOfSuffixed(name, kSwapSuffix)) {
      if (smallest_cleaned && *base >= *smallest_cleaned) {
        plan.remove.push_back(name);
      } else {
        std::string to = name.substr(0, name.size() - kSwapSuffix.size());
        names.insert(to);
        plan.rename.push_back({name, std::move(to)});
      }
      continue;
    }
    names.insert(name);
  }
  for (const std::string& name : names) {
    if (const auto base = OffsetOfFileName(name, kLogSuffix)) plan.segments.push_back(*base);
    if (const auto base = OffsetOfFileName(name, kProducerSnapshotSuffix)) {
      plan.snapshots.push_back(*base);
    }
  }
  for (const std::string& name : names) {
    for (const std::string_view suffix :
         {kOffsetIndexSuffix, kTimeIndexSuffix, kTransactionIndexSuffix}) {
      const auto base = OffsetOfFileName(name, suffix);
      if (base && !names.contains(FileNameOf(*base, kLogSuffix))) plan.remove.push_back(name);
    }
  }
  return plan;
}

}  // namespace highwater::broker::storage
