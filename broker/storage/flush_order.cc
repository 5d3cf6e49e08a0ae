#include "broker/storage/flush_order.h"

namespace highwater::broker::storage {

std::vector<FlushStep> FlushOrder(absl::Span<const FlushableSegment> segments,
                                  const FlushRequest& request) {
  std::vector<FlushStep> steps;
  const bool moves = request.target > request.recovery_point;
  if (!moves && !request.directory_changed && !request.include_empty_active) return steps;
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool is_active = i + 1 == segments.size();
    const Offset end = is_active ? request.log_end_offset : segments[i + 1].base;
    // A segment is at stake if it holds offsets in [recovery point, target).
    const bool at_stake =
        moves && end > request.recovery_point && segments[i].base < request.target;
    if (!at_stake && !(is_active && request.include_empty_active)) continue;
    steps.push_back({FlushStep::Kind::kLog, i});
    steps.push_back({FlushStep::Kind::kOffsetIndex, i});
    steps.push_back({FlushStep::Kind::kTimeIndex, i});
    if (segments[i].has_transaction_index) steps.push_back({FlushStep::Kind::kTransactionIndex, i});
  }
  if (request.directory_changed) steps.push_back({FlushStep::Kind::kDirectory, 0});
  return steps;
}

}  // namespace highwater::broker::storage
