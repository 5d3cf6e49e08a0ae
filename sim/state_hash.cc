#include "sim/state_hash.h"

#include <fmt/format.h>

namespace highwater::sim {

std::string_view EventKindName(EventKind kind) {
  switch (kind) {
    case EventKind::kFiber:
      return "fiber";
    case EventKind::kTimer:
      return "timer";
    case EventKind::kDeliver:
      return "deliver";
    case EventKind::kConnect:
      return "connect";
    case EventKind::kEnd:
      return "end";
    case EventKind::kRetransmit:
      return "retransmit";
    case EventKind::kProcessStart:
      return "process start";
    case EventKind::kProcessEnd:
      return "process end";
    case EventKind::kFault:
      return "fault";
    case EventKind::kDiskRead:
      return "disk read";
    case EventKind::kDiskWrite:
      return "disk write";
    case EventKind::kDiskSync:
      return "disk sync";
    case EventKind::kDiskName:
      return "disk name";
    case EventKind::kDiskWriteBack:
      return "disk write-back";
    case EventKind::kDiskLoss:
      return "disk loss";
    case EventKind::kCustom:
      return "custom";
  }
  return "unknown";
}

HashPoint StateHash::ToPoint(uint64_t index, const Kept& kept) {
  return {.index = index,
          .time = kept.time,
          .host = HostId(static_cast<uint32_t>(kept.who >> 8)),
          .kind = static_cast<EventKind>(kept.who & 0xff),
          .digest = kept.digest,
          .hash = kept.hash};
}

void StateHash::Tell(const Kept& kept) { sink_->OnPoint(ToPoint(count_ - 1, kept)); }

std::string StateHash::Describe(const HashPoint& point, std::string_view host_name) {
  return fmt::format("#{} {}.{:09} s  {:<12} {:<14} {:016x}  hash {:016x}", point.index,
                     point.time / 1'000'000'000, point.time % 1'000'000'000, host_name,
                     EventKindName(point.kind), point.digest, point.hash);
}

}  // namespace highwater::sim
