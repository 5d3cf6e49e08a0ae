#pragma once

// What ZabLeader and ZabFollower want done. A step appends effects; the driver carries them out in
// this order and reports back what takes time:
//   - packets, closings and snapshots of one connection leave in order;
//   - disk effects (Store*, TruncateLog, InstallSnapshot, Append, SyncLog) go through one queue in
//     order, and each but Append is reported when it is durable;
//   - Apply, StartServing and what concerns clients happen at once.
//
// The driver never yields between a step and queueing its effects: a snapshot that is sent, the
// proposals behind it and the tree that it shows belong together.

#include <string>
#include <variant>
#include <vector>

#include "broker/zookeeper/ensemble/ids.h"
#include "broker/zookeeper/ensemble/quorum_packet.h"

namespace highwater::broker::zookeeper {

namespace zab {

// ---- To other servers.

struct Send {
  PeerConnection to;
  QuorumPacket packet;
};
// A SNAP packet with `zxid`, the tree as it is now, the signature.
struct SendSnapshot {
  PeerConnection to;
  Zxid zxid;
};
struct Close {
  PeerConnection connection;
  std::string why;
};

// ---- To the disk.

struct StoreAcceptedEpoch {  // done: OnAcceptedEpochStored
  ZabEpoch epoch;
};
struct StoreCurrentEpoch {  // done: OnCurrentEpochStored
  ZabEpoch epoch;
};
// Drops everything above `zxid` from the log, every snapshot above it, and loads the tree again
// [3.6, ZOOKEEPER-4837]. Done: OnBaseInstalled; OnCutFailed, with nothing changed, if the server
// has no snapshot at or below `zxid` to cut back to.
struct TruncateLog {
  Zxid zxid;
};
// The snapshot that was received becomes the tree; it and nothing else is on the disk afterwards:
// no older record above or below it survives [#31, #33]. Done: OnBaseInstalled.
struct InstallSnapshot {
  Zxid zxid;
};
struct Append {
  LoggedTxn txn;
};
// Done: OnLogSynced(through), in order. Several may be made good by one fsync.
struct SyncLog {
  Zxid through;
};
// Reads the transactions behind `from` that are committed and durable. Done: OnLogRead; with
// nothing if the log does not hold `from` itself (zxid 0 is held by a log that begins with the
// first transaction), or if a snapshot would be smaller.
struct ReadLog {
  PeerConnection learner;
  Zxid from;
};

// ---- To the server.

// The next committed transaction: to the tree and to whoever waits for it. The committed log has it
// already.
struct Apply {
  LoggedTxn txn;
};
// Clients may come. `last` is what their answers carry until the first transaction.
struct StartServing {
  ZabEpoch epoch;
  Zxid last;
};
// The term is over: close the clients and all connections, let the disk queue run dry, roll the
// tree forward through the whole log [#41], and look for a leader.
struct GiveUp {
  std::string why;
};

// A learner's client wants a write or a sync.
struct HandleRequest {
  PeerConnection from;
  ForwardedRequest request;
  std::vector<Id> authinfo;
};
struct TouchSession {
  SessionTouch touch;
};
// Answer with ZabLeader::AnswerRevalidate.
struct RevalidateSession {
  PeerConnection from;
  SessionTouch question;
};
struct SessionRevalidated {
  Revalidated answer;
};
// The oldest sync that this server asked for is due.
struct CompleteSync {};

}  // namespace zab

using ZabEffect =
    std::variant<zab::Send, zab::SendSnapshot, zab::Close, zab::StoreAcceptedEpoch,
                 zab::StoreCurrentEpoch, zab::TruncateLog, zab::InstallSnapshot, zab::Append,
                 zab::SyncLog, zab::ReadLog, zab::Apply, zab::StartServing, zab::GiveUp,
                 zab::HandleRequest, zab::TouchSession, zab::RevalidateSession,
                 zab::SessionRevalidated, zab::CompleteSync>;
using ZabEffects = std::vector<ZabEffect>;

}  // namespace highwater::broker::zookeeper
