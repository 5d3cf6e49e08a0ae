#include "broker/zookeeper/ensemble/quorum_packet.h"

#include <fmt/format.h>

#include "core/big_endian.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr size_t kFixedSize = 12;  // type and zxid

// A reader over a packet's payload; a null one reads as empty.
JuteReader PayloadOf(const QuorumPacket& packet) {
  return JuteReader(packet.data.value_or(core::Bytes()));
}

}  // namespace

std::string PacketTypeName(PacketType type) {
  static constexpr std::string_view kNames[] = {
      "",          "REQUEST",      "PROPOSAL",   "ACK",      "COMMIT",
      "PING",      "REVALIDATE",   "SYNC",       "INFORM",   "COMMITANDACTIVATE",
      "NEWLEADER", "FOLLOWERINFO", "UPTODATE",   "DIFF",     "TRUNC",
      "SNAP",      "OBSERVERINFO", "LEADERINFO", "ACKEPOCH", "INFORMANDACTIVATE"};
  const auto code = static_cast<int32_t>(type);
  if (code < 1 || code >= static_cast<int32_t>(std::size(kNames))) {
    return fmt::format("packet {}", code);
  }
  return std::string(kNames[code]);
}

core::Bytes EncodePacket(const QuorumPacket& packet) {
  JuteWriter writer(32 + (packet.data.has_value() ? packet.data->size() : 0));
  writer(packet.type);
  writer(packet.zxid);
  writer(packet.data);
  if (packet.authinfo.empty() && packet.type != PacketType::kRequest) {
    writer(int32_t{-1});
  } else {
    writer(packet.authinfo);
  }
  return std::move(writer).Finish();
}

std::optional<QuorumPacket> PacketAssembler::Next() {
  if (!status_.ok()) return std::nullopt;
  const std::optional<size_t> size = Measure();
  if (!size.has_value() || pending_.size() < *size) return std::nullopt;
  JuteReader reader(pending_.Slice(0, *size).Flatten());
  pending_.RemovePrefix(*size);
  QuorumPacket packet;
  reader(packet.type);
  reader(packet.zxid);
  reader(packet.data);
  reader(packet.authinfo);
  if (!reader.status().ok()) {
    status_ = reader.status();
    return std::nullopt;
  }
  return packet;
}

core::ByteChain PacketAssembler::TakeRaw() { return std::exchange(pending_, core::ByteChain()); }

void PacketAssembler::GiveBack(core::ByteChain rest) {
  rest.Append(pending_);
  pending_ = std::move(rest);
}

std::optional<size_t> PacketAssembler::Measure() {
  const std::optional<int32_t> type = IntAt(0);
  if (!type.has_value()) return std::nullopt;
  if (*type < 1 || *type > static_cast<int32_t>(PacketType::kInformAndActivate)) {
    Fail("type", *type);
    return std::nullopt;
  }
  std::optional<size_t> at = EndOfBuffer(kFixedSize, "data");
  if (!at.has_value()) return std::nullopt;
  const std::optional<int32_t> ids = IntAt(*at);
  if (!ids.has_value()) return std::nullopt;
  // Each id takes eight bytes at least.
  if (*ids < -1 || *ids > static_cast<int64_t>(max_buffer_ / 8)) {
    Fail("authinfo count", *ids);
    return std::nullopt;
  }
  *at += 4;
  for (int32_t i = 0; i < *ids; ++i) {
    at = EndOfBuffer(*at, "scheme");
    if (at.has_value()) at = EndOfBuffer(*at, "id");
    if (!at.has_value()) return std::nullopt;
  }
  return at;
}

std::optional<int32_t> PacketAssembler::IntAt(size_t at) const {
  if (pending_.size() < at + 4) return std::nullopt;
  uint8_t raw[4];
  pending_.CopyTo(at, 4, raw);
  return static_cast<int32_t>(core::LoadBigEndian<uint32_t>(raw));
}

std::optional<size_t> PacketAssembler::EndOfBuffer(size_t at, std::string_view what) {
  const std::optional<int32_t> length = IntAt(at);
  if (!length.has_value()) return std::nullopt;
  const size_t end = at + 4 + (*length > 0 ? static_cast<size_t>(*length) : 0);
  if (*length < -1 || end > max_buffer_ + kFixedSize + 8) {
    Fail(what, *length);
    return std::nullopt;
  }
  return end;
}

void PacketAssembler::Fail(std::string_view what, int64_t value) {
  status_ = absl::InvalidArgumentError(fmt::format(
      "a quorum packet with {} {}; at most {} bytes are taken", what, value, max_buffer_));
}

core::Bytes EncodeLearnerInfo(const LearnerInfo& info) {
  JuteWriter writer;
  writer(info.server);
  writer(info.protocol_version);
  writer(info.config_version);
  return std::move(writer).Finish();
}

absl::StatusOr<LearnerInfo> DecodeLearnerInfo(const QuorumPacket& packet) {
  JuteReader reader = PayloadOf(packet);
  LearnerInfo info;
  reader(info.server);
  info.protocol_version = 1;  // what a peer speaks that does not say
  if (reader.remaining() >= 4) reader(info.protocol_version);
  if (reader.remaining() >= 8) reader(info.config_version);
  if (!reader.status().ok()) return reader.status();
  return info;
}

core::Bytes EncodeInt(int32_t value) {
  JuteWriter writer(4);
  writer(value);
  return std::move(writer).Finish();
}

absl::StatusOr<int32_t> DecodeInt(const QuorumPacket& packet) {
  JuteReader reader = PayloadOf(packet);
  int32_t value = 0;
  reader(value);
  if (!reader.status().ok()) return reader.status();
  return value;
}

core::Bytes EncodeTouches(absl::Span<const SessionTouch> touches) {
  JuteWriter writer(touches.size() * 12);
  for (const SessionTouch& touch : touches) {
    writer(touch.session);
    writer(touch.timeout_ms);
  }
  return std::move(writer).Finish();
}

absl::StatusOr<std::vector<SessionTouch>> DecodeTouches(const QuorumPacket& packet) {
  JuteReader reader = PayloadOf(packet);
  std::vector<SessionTouch> touches;
  while (reader.remaining() > 0) {
    SessionTouch& touch = touches.emplace_back();
    reader(touch.session);
    reader(touch.timeout_ms);
  }
  if (!reader.status().ok()) return reader.status();
  return touches;
}

core::Bytes EncodeRevalidate(const SessionTouch& question) { return EncodeTouches({&question, 1}); }

absl::StatusOr<SessionTouch> DecodeRevalidate(const QuorumPacket& packet) {
  HW_ASSIGN_OR_RETURN(const std::vector<SessionTouch> touches, DecodeTouches(packet));
  if (touches.size() != 1) return absl::InvalidArgumentError("a REVALIDATE of not one session");
  return touches[0];
}

core::Bytes EncodeRevalidated(const Revalidated& answer) {
  JuteWriter writer;
  writer(answer.session);
  writer(answer.valid);
  return std::move(writer).Finish();
}

absl::StatusOr<Revalidated> DecodeRevalidated(const QuorumPacket& packet) {
  JuteReader reader = PayloadOf(packet);
  Revalidated answer;
  reader(answer.session);
  reader(answer.valid);
  if (!reader.status().ok()) return reader.status();
  return answer;
}

core::Bytes EncodeForwardedRequest(const ForwardedRequest& request) {
  JuteWriter writer(16);
  writer(request.session);
  writer(request.cxid);
  writer(request.type);
  return core::ByteChain{std::move(writer).Finish(), request.record}.Flatten();
}

absl::StatusOr<ForwardedRequest> DecodeForwardedRequest(const QuorumPacket& packet) {
  JuteReader reader = PayloadOf(packet);
  ForwardedRequest request;
  reader(request.session);
  reader(request.cxid);
  reader(request.type);
  request.record = reader.Rest();
  if (!reader.status().ok()) return reader.status();
  return request;
}

}  // namespace highwater::broker::zookeeper
