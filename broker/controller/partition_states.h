#pragma once

// The states of a partition and of a replica in the controller's mind, and which follows which.
// Follows [C20], [C21].

#include <cstdint>
#include <string_view>

namespace highwater::broker::controller {

enum class PartitionState : uint8_t { kNonExistent, kNew, kOnline, kOffline };

enum class ReplicaState : uint8_t {
  kNonExistent,
  kNew,
  kOnline,
  kOffline,
  kDeletionStarted,
  kDeletionSuccessful,
  kDeletionIneligible,
};

// [C20]
[[nodiscard]] constexpr bool MayBecome(PartitionState from, PartitionState to) {
  using enum PartitionState;
  switch (to) {
    case kNew:
      return from == kNonExistent;
    case kOnline:
    case kOffline:
      return from == kNew || from == kOnline || from == kOffline;
    case kNonExistent:
      return from == kOffline;
  }
  return false;
}

// [C21]
[[nodiscard]] constexpr bool MayBecome(ReplicaState from, ReplicaState to) {
  using enum ReplicaState;
  switch (to) {
    case kNew:
      return from == kNonExistent;
    case kOnline:
    case kOffline:
      return from == kNew || from == kOnline || from == kOffline || from == kDeletionIneligible;
    case kDeletionStarted:
      return from == kOffline;
    case kDeletionSuccessful:
      return from == kDeletionStarted;
    case kDeletionIneligible:
      return from == kOffline || from == kDeletionStarted;
    case kNonExistent:
      return from == kDeletionSuccessful;
  }
  return false;
}

}  // namespace highwater::broker::controller
