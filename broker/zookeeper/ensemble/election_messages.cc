#include "broker/zookeeper/ensemble/election_messages.h"

#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <fmt/format.h>

#include "broker/zookeeper/jute/jute.h"
#include "core/big_endian.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr int64_t kOneAddressTag = -65536;
constexpr int64_t kManyAddressesTag = -65535;
constexpr size_t kInitialHeader = 20;  // tag, sid, length
constexpr size_t kRoundForm = 28;      // state, leader, zxid, round
constexpr size_t kEpochForm = 40;      // and the peer epoch, and a version that is not looked at
constexpr int32_t kVersionWithConfig = 2;

int64_t LongAt(const uint8_t* at) {
  return static_cast<int64_t>(core::LoadBigEndian<uint64_t>(at));
}

}  // namespace

core::Bytes EncodeInitialMessage(const InitialMessage& message) {
  JuteWriter writer;
  writer(message.addresses.size() > 1 ? kManyAddressesTag : kOneAddressTag);
  writer(message.server);
  writer(absl::StrJoin(message.addresses, "|"));
  return std::move(writer).Finish();
}

absl::StatusOr<std::optional<InitialMessage>> TakeInitialMessage(core::ByteChain& pending) {
  uint8_t header[kInitialHeader];
  if (pending.size() < 8) return std::nullopt;
  pending.CopyTo(0, 8, header);
  const int64_t tag = LongAt(header);
  if (tag >= 0) {  // ancient: the sid itself
    pending.RemovePrefix(8);
    return InitialMessage{.server = ServerId(tag)};
  }
  if (tag != kOneAddressTag && tag != kManyAddressesTag) {
    return absl::InvalidArgumentError(fmt::format("an election connection with tag {}", tag));
  }
  if (pending.size() < kInitialHeader) return std::nullopt;
  pending.CopyTo(0, kInitialHeader, header);
  const auto length = static_cast<int32_t>(core::LoadBigEndian<uint32_t>(header + 16));
  if (length <= 0 || length > kMaxElectionAddresses) {
    return absl::InvalidArgumentError(fmt::format("an election address of {} bytes", length));
  }
  const size_t size = static_cast<size_t>(length);
  if (pending.size() < kInitialHeader + size) return std::nullopt;
  const std::string text = pending.Slice(kInitialHeader, size).ToString();
  pending.RemovePrefix(kInitialHeader + size);
  InitialMessage message{.server = ServerId(LongAt(header + 8))};
  if (message.server < ServerId(0)) {
    return absl::InvalidArgumentError(fmt::format("server id {}", message.server));
  }
  if (tag == kManyAddressesTag) {
    message.addresses = absl::StrSplit(text, '|');
  } else {
    message.addresses = {text};
  }
  return message;
}

std::string_view PeerStateName(PeerState state) {
  switch (state) {
    case PeerState::kLooking:
      return "LOOKING";
    case PeerState::kFollowing:
      return "FOLLOWING";
    case PeerState::kLeading:
      return "LEADING";
    case PeerState::kObserving:
      return "OBSERVING";
  }
  return "unknown state";
}

core::Bytes EncodeNotificationFrame(const Notification& notification) {
  JuteWriter writer(48 + notification.config.size());
  writer(int32_t{0});
  writer(notification.state);
  writer(notification.vote.leader);
  writer(notification.vote.zxid);
  writer(notification.round);
  writer(notification.vote.peer_epoch);
  writer(kVersionWithConfig);
  writer(notification.config);
  writer.PatchLength(0);
  return std::move(writer).Finish();
}

absl::StatusOr<Notification> DecodeNotification(const core::Bytes& frame) {
  JuteReader reader(frame);
  Notification notification;
  reader(notification.state);
  reader(notification.vote.leader);
  reader(notification.vote.zxid);
  reader(notification.round);
  if (frame.size() == kRoundForm) {
    notification.vote.peer_epoch = ZabEpochOf(notification.vote.zxid);
  } else {
    int32_t version = 1;
    reader(notification.vote.peer_epoch);
    reader(version);
    if (frame.size() > kEpochForm && version >= kVersionWithConfig) reader(notification.config);
  }
  if (!reader.status().ok()) return reader.status();
  const auto state = static_cast<int32_t>(notification.state);
  if (state < 0 || state > static_cast<int32_t>(PeerState::kObserving)) {
    return absl::InvalidArgumentError(fmt::format("a notification of state {}", state));
  }
  return notification;
}

}  // namespace highwater::broker::zookeeper
