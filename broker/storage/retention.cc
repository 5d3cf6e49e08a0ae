#include "broker/storage/retention.h"

namespace highwater::broker::storage {
namespace {

// Whether `now - timestamp > limit` without overflow.
bool OlderThan(int64_t now_ms, int64_t timestamp, int64_t limit_ms) {
  int64_t age = 0;
  if (__builtin_sub_overflow(now_ms, timestamp, &age)) return timestamp < 0;
  return age > limit_ms;
}

}  // namespace

RetentionVerdict ApplyRetentionRules(absl::Span<const RetentionSegment> segments,
                                     const RetentionState& state, const LogConfig& config) {
  uint64_t excess = 0;  // bytes above retention.bytes
  if (config.cleanup_delete && config.retention_bytes >= 0) {
    uint64_t total = 0;
    for (const RetentionSegment& segment : segments) total += segment.size;
    const auto kept = static_cast<uint64_t>(config.retention_bytes);
    excess = total > kept ? total - kept : 0;
  }
  bool by_time = config.cleanup_delete && config.retention_ms >= 0;
  bool by_size = config.cleanup_delete && config.retention_bytes >= 0;
  RetentionVerdict verdict;
  // Kafka goes over the log once per reason, each time from the oldest that is left: the first
  // segment that a reason keeps ends it.
  for (size_t i = 0; i < segments.size(); ++i) {
    const RetentionSegment& segment = segments[i];
    const bool is_active = i + 1 == segments.size();
    const Offset next_base = is_active ? state.log_end_offset : segments[i + 1].base;
    if (next_base > state.high_watermark) break;
    if (is_active && segment.size == 0) break;  // nothing would be gained
    by_time = by_time && OlderThan(state.now_ms, segment.largest_timestamp, config.retention_ms);
    by_size = by_size && excess >= segment.size && excess > 0;
    const bool by_start = !is_active && next_base <= state.log_start_offset;
    if (!by_time && !by_size && !by_start) break;
    excess -= std::min(excess, segment.size);
    ++verdict.segments;
  }
  verdict.roll_first = verdict.segments == segments.size() && verdict.segments > 0;
  return verdict;
}

}  // namespace highwater::broker::storage
