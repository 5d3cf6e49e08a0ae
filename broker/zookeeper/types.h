#pragma once

// ZooKeeper's own vocabulary: ids, codes, Stat, ACL.
//
// Follows ZooKeeper facts 1.2 (session ids), 1.4 (operation codes), 1.5 (Stat, ACL), 1.7 (error
// codes), 1.8 (watch events), 3.1 (zxid).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/strong_int.h"

namespace highwater::broker::zookeeper {

// A transaction's place in the one order of all writes: epoch in the high 32 bits, counter in the
// low ones.
using Zxid = core::StrongInt<struct ZxidTag, int64_t>;
using SessionId = core::StrongInt<struct SessionIdTag, int64_t>;
// Numbers the requests of one connection.
using Xid = core::StrongInt<struct XidTag, int32_t>;
// A server of an ensemble: its `myid`.
using ServerId = core::StrongInt<struct ServerIdTag, int64_t>;

inline constexpr SessionId kNoSession{0};
inline constexpr int32_t kAnyVersion = -1;

[[nodiscard]] constexpr int32_t EpochOf(Zxid zxid) {
  return static_cast<int32_t>(zxid.value() >> 32);
}
[[nodiscard]] constexpr Zxid FirstZxidOf(int32_t epoch) {
  return Zxid(static_cast<int64_t>(epoch) << 32);
}

// Xids with a meaning of their own [1.3].
inline constexpr Xid kNotificationXid{-1};
inline constexpr Xid kPingXid{-2};
inline constexpr Xid kAuthXid{-4};
inline constexpr Xid kSetWatchesXid{-8};

// [1.4]
enum class OpCode : int32_t {
  kNotification = 0,
  kCreate = 1,
  kDelete = 2,
  kExists = 3,
  kGetData = 4,
  kSetData = 5,
  kGetAcl = 6,
  kSetAcl = 7,
  kGetChildren = 8,
  kSync = 9,
  kPing = 11,
  kGetChildren2 = 12,
  kCheck = 13,
  kMulti = 14,
  kCreate2 = 15,
  kReconfig = 16,
  kCheckWatches = 17,
  kRemoveWatches = 18,
  kCreateContainer = 19,
  kDeleteContainer = 20,
  kCreateTtl = 21,
  kMultiRead = 22,
  kAuth = 100,
  kSetWatches = 101,
  kSasl = 102,
  kGetEphemerals = 103,
  kGetAllChildrenNumber = 104,
  kSetWatches2 = 105,
  kAddWatch = 106,
  kWhoAmI = 107,
  kError = -1,
  kCreateSession = -10,
  kCloseSession = -11,
};
// "getData"; "op 99" for an unknown one.
[[nodiscard]] std::string OpCodeName(OpCode op);

// [1.7]
enum class ErrorCode : int32_t {
  kOk = 0,
  kSystemError = -1,
  kRuntimeInconsistency = -2,
  kDataInconsistency = -3,
  kConnectionLoss = -4,  // made by the client
  kMarshallingError = -5,
  kUnimplemented = -6,
  kOperationTimeout = -7,  // made by the client
  kBadArguments = -8,
  kUnknownSession = -12,
  kNewConfigNoQuorum = -13,
  kReconfigInProgress = -14,
  kNoNode = -101,
  kNoAuth = -102,
  kBadVersion = -103,
  kNoChildrenForEphemerals = -108,
  kNodeExists = -110,
  kNotEmpty = -111,
  kSessionExpired = -112,
  kInvalidCallback = -113,
  kInvalidAcl = -114,
  kAuthFailed = -115,
  kSessionMoved = -118,
  kNotReadOnly = -119,
  kEphemeralOnLocalSession = -120,
  kNoWatcher = -121,
  kRequestTimeout = -122,
  kReconfigDisabled = -123,
  kSessionClosedRequireSaslAuth = -124,
  kQuotaExceeded = -125,
  kThrottledOp = -127,
};
// "NONODE", as ZooKeeper spells it; "error 7" for an unknown one.
[[nodiscard]] std::string ErrorCodeName(ErrorCode error);

// The `flags` of a create [1.5].
enum class CreateMode : int32_t {
  kPersistent = 0,
  kEphemeral = 1,
  kPersistentSequential = 2,
  kEphemeralSequential = 3,
  kContainer = 4,
  kPersistentWithTtl = 5,
  kPersistentSequentialWithTtl = 6,
};
[[nodiscard]] constexpr bool IsEphemeral(CreateMode mode) {
  return mode == CreateMode::kEphemeral || mode == CreateMode::kEphemeralSequential;
}
[[nodiscard]] constexpr bool IsSequential(CreateMode mode) {
  return mode == CreateMode::kPersistentSequential || mode == CreateMode::kEphemeralSequential ||
         mode == CreateMode::kPersistentSequentialWithTtl;
}

// [1.8]
enum class WatchEventType : int32_t {
  kNone = -1,  // made by the client: the connection's state changed
  kNodeCreated = 1,
  kNodeDeleted = 2,
  kNodeDataChanged = 3,
  kNodeChildrenChanged = 4,
  kDataWatchRemoved = 5,
  kChildWatchRemoved = 6,
  kPersistentWatchRemoved = 7,
};
enum class KeeperState : int32_t {
  kDisconnected = 0,
  kSyncConnected = 3,
  kAuthFailed = 4,
  kConnectedReadOnly = 5,
  kSaslAuthenticated = 6,
  kClosed = 7,
  kExpired = -112,
};
[[nodiscard]] std::string_view WatchEventTypeName(WatchEventType type);
[[nodiscard]] std::string_view KeeperStateName(KeeperState state);

// What a client is shown of a znode [1.5, 4.1].
struct Stat {
  Zxid czxid;
  Zxid mzxid;
  int64_t ctime = 0;  // milliseconds since 1970
  int64_t mtime = 0;
  int32_t version = 0;
  int32_t cversion = 0;
  int32_t aversion = 0;
  SessionId ephemeral_owner;  // kNoSession unless ephemeral
  int32_t data_length = 0;
  int32_t num_children = 0;
  Zxid pzxid;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.czxid);
    visitor(self.mzxid);
    visitor(self.ctime);
    visitor(self.mtime);
    visitor(self.version);
    visitor(self.cversion);
    visitor(self.aversion);
    visitor(self.ephemeral_owner);
    visitor(self.data_length);
    visitor(self.num_children);
    visitor(self.pzxid);
  }
  friend bool operator==(const Stat&, const Stat&) = default;
};

// Bits of an ACL entry.
inline constexpr int32_t kPermRead = 1;
inline constexpr int32_t kPermWrite = 2;
inline constexpr int32_t kPermCreate = 4;
inline constexpr int32_t kPermDelete = 8;
inline constexpr int32_t kPermAdmin = 16;
inline constexpr int32_t kPermAll = 31;

// Who somebody is, or who may do something [1.9].
struct Id {
  std::string scheme;
  std::string id;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.scheme);
    visitor(self.id);
  }
  friend bool operator==(const Id&, const Id&) = default;
  friend auto operator<=>(const Id&, const Id&) = default;
};

struct Acl {
  int32_t perms = 0;
  Id id;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.perms);
    visitor(self.id);
  }
  friend bool operator==(const Acl&, const Acl&) = default;
  friend auto operator<=>(const Acl&, const Acl&) = default;
};

// world:anyone may do everything.
[[nodiscard]] std::vector<Acl> OpenAcl();

}  // namespace highwater::broker::zookeeper
