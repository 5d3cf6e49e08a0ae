#pragma once

// QuorumPacket: what a leader and its learners say to each other, and the payloads inside.
//
//   connection.Write(EncodePacket({.type = PacketType::kAck, .zxid = zxid}));
//
//   PacketAssembler assembler(max_buffer);
//   assembler.Add(*chunk);
//   while (auto packet = assembler.Next()) follower.Receive(*packet, now, effects);
//   if (!assembler.status().ok()) ... close the connection
//
// Follows ZooKeeper facts 3.4: byte-compatible with Apache 3.8. A packet has no length in front, so
// one that does not parse ends the connection. Not responsible for: the snapshot's body behind a
// SNAP (log/ knows where it ends; TakeRaw and GiveBack hand its bytes over).
//
// Invariants of the readers (the bytes may be hostile):
//   1. Total: any bytes give a packet, a wish for more, or an error that stays.
//   2. No more than max_buffer bytes of one packet are waited for.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <optional>
#include <string_view>
#include <vector>

#include "broker/zookeeper/ensemble/ids.h"
#include "broker/zookeeper/jute/jute.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

enum class PacketType : int32_t {
  kRequest = 1,
  kProposal = 2,
  kAck = 3,
  kCommit = 4,
  kPing = 5,
  kRevalidate = 6,
  kSync = 7,
  kInform = 8,
  kCommitAndActivate = 9,
  kNewLeader = 10,
  kFollowerInfo = 11,
  kUpToDate = 12,
  kDiff = 13,
  kTrunc = 14,
  kSnap = 15,
  kObserverInfo = 16,
  kLeaderInfo = 17,
  kAckEpoch = 18,
  kInformAndActivate = 19,
};
// "NEWLEADER", as ZooKeeper spells it; "packet 99" for an unknown one.
[[nodiscard]] std::string PacketTypeName(PacketType type);

struct QuorumPacket {
  PacketType type = PacketType::kPing;
  Zxid zxid;
  std::optional<core::Bytes> data;
  std::vector<Id> authinfo;  // of a REQUEST: who the client is

  friend bool operator==(const QuorumPacket&, const QuorumPacket&) = default;
};

// An absent authinfo is written as null, as Apache does, except in a REQUEST, where Apache iterates
// over it.
[[nodiscard]] core::Bytes EncodePacket(const QuorumPacket& packet);

// Collects a connection's bytes into packets.
class PacketAssembler {
 public:
  explicit PacketAssembler(size_t max_buffer) : max_buffer_(max_buffer) {}

  void Add(const core::ByteChain& bytes) { pending_.Append(bytes); }
  // The next whole packet; nullopt until there is one.
  [[nodiscard]] std::optional<QuorumPacket> Next();
  // Everything that is not a packet yet: behind a SNAP comes a snapshot's body. What was not part
  // of it comes back by GiveBack.
  [[nodiscard]] core::ByteChain TakeRaw();
  void GiveBack(core::ByteChain rest);
  // InvalidArgument once a packet does not parse.
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  // The size of the first packet; nullopt if more bytes are needed to know, or on error.
  [[nodiscard]] std::optional<size_t> Measure();
  [[nodiscard]] std::optional<int32_t> IntAt(size_t at) const;
  // The end of a buffer or string whose length stands at `at`.
  [[nodiscard]] std::optional<size_t> EndOfBuffer(size_t at, std::string_view what);
  void Fail(std::string_view what, int64_t value);

  size_t max_buffer_;
  core::ByteChain pending_;
  absl::Status status_;
};

// ---- Payloads. Each decoder gives InvalidArgument for bytes that do not parse.

// What a learner and a leader speak since 3.4: epochs are agreed on. Nothing older is spoken here.
inline constexpr int32_t kZabProtocolVersion = 0x10000;
// Behind a snapshot's body.
inline constexpr std::string_view kSnapshotSignature = "BenWasHere";

// Of FOLLOWERINFO and OBSERVERINFO. Older peers leave fields out at the end.
struct LearnerInfo {
  ServerId server;
  int32_t protocol_version = kZabProtocolVersion;
  int64_t config_version = 0;

  friend bool operator==(const LearnerInfo&, const LearnerInfo&) = default;
};
[[nodiscard]] core::Bytes EncodeLearnerInfo(const LearnerInfo& info);
[[nodiscard]] absl::StatusOr<LearnerInfo> DecodeLearnerInfo(const QuorumPacket& packet);

// Of LEADERINFO (a protocol version) and of ACKEPOCH (an epoch, -1 for none).
[[nodiscard]] core::Bytes EncodeInt(int32_t value);
[[nodiscard]] absl::StatusOr<int32_t> DecodeInt(const QuorumPacket& packet);

// A client was heard from: one item of what a follower answers a PING with [2.1].
struct SessionTouch {
  SessionId session;
  int32_t timeout_ms = 0;

  friend bool operator==(const SessionTouch&, const SessionTouch&) = default;
};
[[nodiscard]] core::Bytes EncodeTouches(absl::Span<const SessionTouch> touches);
[[nodiscard]] absl::StatusOr<std::vector<SessionTouch>> DecodeTouches(const QuorumPacket& packet);

// Of REVALIDATE: the question is a SessionTouch, the answer this.
[[nodiscard]] core::Bytes EncodeRevalidate(const SessionTouch& question);
[[nodiscard]] absl::StatusOr<SessionTouch> DecodeRevalidate(const QuorumPacket& packet);
struct Revalidated {
  SessionId session;
  bool valid = false;

  friend bool operator==(const Revalidated&, const Revalidated&) = default;
};
[[nodiscard]] core::Bytes EncodeRevalidated(const Revalidated& answer);
[[nodiscard]] absl::StatusOr<Revalidated> DecodeRevalidated(const QuorumPacket& packet);

// Of REQUEST: a client's write, createSession, closeSession or sync on its way to the leader.
struct ForwardedRequest {
  SessionId session;
  Xid cxid;
  OpCode type = OpCode::kError;
  core::Bytes record;  // the request's own bytes

  friend bool operator==(const ForwardedRequest&, const ForwardedRequest&) = default;
};
[[nodiscard]] core::Bytes EncodeForwardedRequest(const ForwardedRequest& request);
[[nodiscard]] absl::StatusOr<ForwardedRequest> DecodeForwardedRequest(const QuorumPacket& packet);

}  // namespace highwater::broker::zookeeper
