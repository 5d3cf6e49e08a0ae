#pragma once

// EventKind: what happened, as the state-hash chain and the ring of last events name it. Values are
// part of every recorded hash: append only.

#include <cstdint>
#include <string_view>

#include "core/strong_int.h"

namespace highwater::sim {

// A host's number in its world, from 0 in the order of AddHost. kNoHost: the world itself.
using HostId = core::StrongInt<struct HostIdTag, uint32_t>;
inline constexpr HostId kNoHost{0xffffffffu};

enum class EventKind : uint8_t {
  kFiber,       // a fiber ran; digest: its path and wake count
  kTimer,       // a timer of a process that is no fiber's deadline
  kDeliver,     // bytes reached a host; digest: of the content
  kConnect,     // a connection was asked for, made or refused
  kEnd,         // an end of stream or a reset reached a host
  kRetransmit,  // silence: a segment was sent again
  kProcessStart,
  kProcessEnd,  // digest: how
  kFault,       // the world was changed from outside; digest: the fault
  kDiskRead,    // the six below are folded by sim/disk
  kDiskWrite,
  kDiskSync,
  kDiskName,  // created, renamed, removed, a directory synced
  kDiskWriteBack,
  kDiskLoss,  // what a power loss dropped or tore
  kCustom,    // folded by a test or by the layers above
};
inline constexpr int kEventKinds = 16;

[[nodiscard]] std::string_view EventKindName(EventKind kind);

}  // namespace highwater::sim
