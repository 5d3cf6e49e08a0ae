#pragma once

// The ensemble's own vocabulary: epochs, election rounds, votes, and what a server brings into a
// term.
//
// Follows ZooKeeper facts 3.1, 3.3.

#include <compare>
#include <cstdint>

#include "broker/zookeeper/types.h"
#include "core/bytes.h"
#include "core/strong_int.h"

namespace highwater::broker::zookeeper {

// The high half of a zxid: one established leader's time. 64 bits, as votes have it on the wire.
using ZabEpoch = core::StrongInt<struct ZabEpochTag, int64_t>;
// Counts the elections that a server has taken part in; an order of election messages only.
using ElectionRound = core::StrongInt<struct ElectionRoundTag, int64_t>;
// One connection between two servers, numbered by whoever drives them; never used again.
using PeerConnection = core::StrongInt<struct PeerConnectionTag, int64_t>;

[[nodiscard]] constexpr ZabEpoch ZabEpochOf(Zxid zxid) { return ZabEpoch(EpochOf(zxid)); }
[[nodiscard]] constexpr uint32_t CounterOf(Zxid zxid) {
  return static_cast<uint32_t>(zxid.value());
}
// The zxid of an epoch's NEWLEADER: it has no record in any log [3.1].
[[nodiscard]] constexpr Zxid NewLeaderZxid(ZabEpoch epoch) {
  return FirstZxidOf(static_cast<int32_t>(epoch.value()));
}

// Whether a transaction `next` may stand directly behind `last`: no gap within an epoch, and an
// epoch begins with counter 1 [3.1].
[[nodiscard]] constexpr bool Follows(Zxid next, Zxid last) {
  if (ZabEpochOf(next) == ZabEpochOf(last)) return next == last + 1;
  return ZabEpochOf(next) > ZabEpochOf(last) && CounterOf(next) == 1;
}

// Who should lead, with what that server's history was when it said so.
struct Vote {
  ServerId leader;
  Zxid zxid;
  ZabEpoch peer_epoch;

  friend bool operator==(const Vote&, const Vote&) = default;
};

// How recent a history is: the epoch of the last leader whose history was taken over, then the last
// logged zxid, committed or not.
struct StateSummary {
  ZabEpoch current_epoch;
  Zxid last_zxid;

  friend bool operator==(const StateSummary&, const StateSummary&) = default;
};

// What a server brings into a term. Everything up to last_zxid is durable and applied to the tree.
struct ServerHistory {
  ZabEpoch accepted_epoch;
  ZabEpoch current_epoch;
  Zxid last_zxid;
  // Its log could not be cut where a leader wanted: nothing but a snapshot helps.
  bool wants_snapshot = false;

  [[nodiscard]] StateSummary summary() const { return {current_epoch, last_zxid}; }
  friend bool operator==(const ServerHistory&, const ServerHistory&) = default;
};

// A transaction as it stands in the log and in a PROPOSAL: header, record, perhaps a digest.
struct LoggedTxn {
  Zxid zxid;
  core::Bytes txn;

  friend bool operator==(const LoggedTxn&, const LoggedTxn&) = default;
};

}  // namespace highwater::broker::zookeeper
