#pragma once

// What servers say to each other on the election port: who is there, once a connection; then
// notifications, each behind an int32 length (FrameAssembler with kMaxElectionMessage).
//
//   connection.Write(EncodeInitialMessage({self, {"10.0.0.1:3888"}}));
//   connection.Write(EncodeNotificationFrame(notification));
//
// Follows ZooKeeper facts 3.2 (the tags, the initial message), 3.3 and ZOOKEEPER-3769 (a partial
// message is an error of its connection, never the end of a receiver). Byte-compatible with Apache
// 3.8; the older, shorter forms of a notification are read, not written.
//
// Invariants of the readers: total over hostile bytes; memory bounded by the limits below.

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "broker/zookeeper/ensemble/ids.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

// The greatest message on an election connection, and the greatest address list in an initial one.
inline constexpr int32_t kMaxElectionMessage = 512 * 1024;
inline constexpr int32_t kMaxElectionAddresses = 2048;

// The first thing that an initiator writes. No address in the ancient form, which is the bare sid.
struct InitialMessage {
  ServerId server;
  std::vector<std::string> addresses;  // host:port of its election address

  friend bool operator==(const InitialMessage&, const InitialMessage&) = default;
};

// One address is written under the old tag, which every version reads.
[[nodiscard]] core::Bytes EncodeInitialMessage(const InitialMessage& message);
// Takes the message off the front of `pending`; nullopt until it is whole. InvalidArgument: close
// the connection.
[[nodiscard]] absl::StatusOr<std::optional<InitialMessage>> TakeInitialMessage(
    core::ByteChain& pending);

enum class PeerState : int32_t { kLooking = 0, kFollowing = 1, kLeading = 2, kObserving = 3 };
[[nodiscard]] std::string_view PeerStateName(PeerState state);

// A server's state and its vote.
struct Notification {
  PeerState state = PeerState::kLooking;
  Vote vote;
  ElectionRound round;
  core::Bytes config;  // the configuration's text; empty from old peers

  friend bool operator==(const Notification&, const Notification&) = default;
};

// With its length in front.
[[nodiscard]] core::Bytes EncodeNotificationFrame(const Notification& notification);
// `frame` is without its length.
[[nodiscard]] absl::StatusOr<Notification> DecodeNotification(const core::Bytes& frame);

}  // namespace highwater::broker::zookeeper
