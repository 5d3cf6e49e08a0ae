#pragma once

// The records of ZooKeeper's client protocol: what each operation asks and answers, the two
// messages of the handshake, the headers.
//
// Follows ZooKeeper facts 1.2, 1.3, 1.5. Field names are the protocol's. A request names its
// operation (kOp) and the body of its answer (Response). Not responsible for: multi (wire/multi.h),
// frames (wire/frame.h).

#include <optional>
#include <string>
#include <vector>

#include "broker/zookeeper/types.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

// The body of an answer that has none.
struct Empty {
  template <typename Self, typename Visitor>
  static void Visit(Self&, Visitor&) {}
  friend bool operator==(const Empty&, const Empty&) = default;
};

// ---- The handshake [1.2]. `readOnly` follows each of the two as a byte of its own, which old
// clients leave out; wire/frame.h handles it.

struct ConnectRequest {
  int32_t protocol_version = 0;
  Zxid last_zxid_seen;
  int32_t timeout_ms = 0;
  SessionId session_id;
  std::optional<core::Bytes> password;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.protocol_version);
    visitor(self.last_zxid_seen);
    visitor(self.timeout_ms);
    visitor(self.session_id);
    visitor(self.password);
  }
  friend bool operator==(const ConnectRequest&, const ConnectRequest&) = default;
};

// A time-out of 0 says that the session is over.
struct ConnectResponse {
  int32_t protocol_version = 0;
  int32_t timeout_ms = 0;
  SessionId session_id;
  core::Bytes password;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.protocol_version);
    visitor(self.timeout_ms);
    visitor(self.session_id);
    visitor(self.password);
  }
  friend bool operator==(const ConnectResponse&, const ConnectResponse&) = default;
};

// ---- Headers [1.3].

struct RequestHeader {
  Xid xid;
  OpCode type = OpCode::kNotification;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.xid);
    visitor(self.type);
  }
  friend bool operator==(const RequestHeader&, const RequestHeader&) = default;
};

struct ReplyHeader {
  Xid xid;
  Zxid zxid;
  ErrorCode error = ErrorCode::kOk;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.xid);
    visitor(self.zxid);
    visitor(self.error);
  }
  friend bool operator==(const ReplyHeader&, const ReplyHeader&) = default;
};

struct WatcherEvent {
  WatchEventType type = WatchEventType::kNone;
  KeeperState state = KeeperState::kSyncConnected;
  std::string path;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.type);
    visitor(self.state);
    visitor(self.path);
  }
  friend bool operator==(const WatcherEvent&, const WatcherEvent&) = default;
};

// ---- Answers.

struct PathResponse {
  std::string path;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
  }
  friend bool operator==(const PathResponse&, const PathResponse&) = default;
};

struct PathAndStatResponse {
  std::string path;
  Stat stat;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.stat);
  }
  friend bool operator==(const PathAndStatResponse&, const PathAndStatResponse&) = default;
};

struct StatResponse {
  Stat stat;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.stat);
  }
  friend bool operator==(const StatResponse&, const StatResponse&) = default;
};

struct GetDataResponse {
  std::optional<core::Bytes> data;
  Stat stat;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.data);
    visitor(self.stat);
  }
  friend bool operator==(const GetDataResponse&, const GetDataResponse&) = default;
};

struct GetAclResponse {
  std::vector<Acl> acl;
  Stat stat;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.acl);
    visitor(self.stat);
  }
  friend bool operator==(const GetAclResponse&, const GetAclResponse&) = default;
};

struct GetChildrenResponse {
  std::vector<std::string> children;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.children);
  }
  friend bool operator==(const GetChildrenResponse&, const GetChildrenResponse&) = default;
};

struct GetChildren2Response {
  std::vector<std::string> children;
  Stat stat;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.children);
    visitor(self.stat);
  }
  friend bool operator==(const GetChildren2Response&, const GetChildren2Response&) = default;
};

struct IntResponse {
  int32_t value = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.value);
  }
  friend bool operator==(const IntResponse&, const IntResponse&) = default;
};

struct WhoAmIResponse {
  std::vector<Id> client_info;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.client_info);
  }
  friend bool operator==(const WhoAmIResponse&, const WhoAmIResponse&) = default;
};

struct SaslResponse {
  std::optional<core::Bytes> token;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.token);
  }
  friend bool operator==(const SaslResponse&, const SaslResponse&) = default;
};

// ---- Requests. Several operations share a form.

template <OpCode kCode, typename Answer>
struct CreateRecord {
  static constexpr OpCode kOp = kCode;
  using Response = Answer;
  std::string path;
  std::optional<core::Bytes> data;
  std::vector<Acl> acl;
  CreateMode mode = CreateMode::kPersistent;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.data);
    visitor(self.acl);
    visitor(self.mode);
  }
  friend bool operator==(const CreateRecord&, const CreateRecord&) = default;
};
using CreateRequest = CreateRecord<OpCode::kCreate, PathResponse>;
using Create2Request = CreateRecord<OpCode::kCreate2, PathAndStatResponse>;
using CreateContainerRequest = CreateRecord<OpCode::kCreateContainer, PathAndStatResponse>;

struct CreateTtlRequest {
  static constexpr OpCode kOp = OpCode::kCreateTtl;
  using Response = PathAndStatResponse;
  std::string path;
  std::optional<core::Bytes> data;
  std::vector<Acl> acl;
  CreateMode mode = CreateMode::kPersistentWithTtl;
  int64_t ttl_ms = 0;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.data);
    visitor(self.acl);
    visitor(self.mode);
    visitor(self.ttl_ms);
  }
  friend bool operator==(const CreateTtlRequest&, const CreateTtlRequest&) = default;
};

template <OpCode kCode>
struct PathAndVersion {
  static constexpr OpCode kOp = kCode;
  using Response = Empty;
  std::string path;
  int32_t version = kAnyVersion;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.version);
  }
  friend bool operator==(const PathAndVersion&, const PathAndVersion&) = default;
};
using DeleteRequest = PathAndVersion<OpCode::kDelete>;
// Only inside a multi: a server refuses it outside of one [1.6].
using CheckRequest = PathAndVersion<OpCode::kCheck>;

template <OpCode kCode, typename Answer>
struct PathAndWatch {
  static constexpr OpCode kOp = kCode;
  using Response = Answer;
  std::string path;
  bool watch = false;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.watch);
  }
  friend bool operator==(const PathAndWatch&, const PathAndWatch&) = default;
};
using ExistsRequest = PathAndWatch<OpCode::kExists, StatResponse>;
using GetDataRequest = PathAndWatch<OpCode::kGetData, GetDataResponse>;
using GetChildrenRequest = PathAndWatch<OpCode::kGetChildren, GetChildrenResponse>;
using GetChildren2Request = PathAndWatch<OpCode::kGetChildren2, GetChildren2Response>;

template <OpCode kCode, typename Answer>
struct PathRecord {
  static constexpr OpCode kOp = kCode;
  using Response = Answer;
  std::string path;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
  }
  friend bool operator==(const PathRecord&, const PathRecord&) = default;
};
using GetAclRequest = PathRecord<OpCode::kGetAcl, GetAclResponse>;
using SyncRequest = PathRecord<OpCode::kSync, PathResponse>;
using GetEphemeralsRequest = PathRecord<OpCode::kGetEphemerals, GetChildrenResponse>;
using GetAllChildrenNumberRequest = PathRecord<OpCode::kGetAllChildrenNumber, IntResponse>;

struct SetDataRequest {
  static constexpr OpCode kOp = OpCode::kSetData;
  using Response = StatResponse;
  std::string path;
  std::optional<core::Bytes> data;
  int32_t version = kAnyVersion;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.data);
    visitor(self.version);
  }
  friend bool operator==(const SetDataRequest&, const SetDataRequest&) = default;
};

struct SetAclRequest {
  static constexpr OpCode kOp = OpCode::kSetAcl;
  using Response = StatResponse;
  std::string path;
  std::vector<Acl> acl;
  int32_t version = kAnyVersion;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.acl);
    visitor(self.version);
  }
  friend bool operator==(const SetAclRequest&, const SetAclRequest&) = default;
};

struct AuthPacket {
  static constexpr OpCode kOp = OpCode::kAuth;
  using Response = Empty;
  int32_t type = 0;
  std::string scheme;
  std::optional<core::Bytes> auth;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.type);
    visitor(self.scheme);
    visitor(self.auth);
  }
  friend bool operator==(const AuthPacket&, const AuthPacket&) = default;
};

struct SetWatchesRequest {
  static constexpr OpCode kOp = OpCode::kSetWatches;
  using Response = Empty;
  Zxid relative_zxid;
  std::vector<std::string> data_watches;
  std::vector<std::string> exist_watches;
  std::vector<std::string> child_watches;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.relative_zxid);
    visitor(self.data_watches);
    visitor(self.exist_watches);
    visitor(self.child_watches);
  }
  friend bool operator==(const SetWatchesRequest&, const SetWatchesRequest&) = default;
};

struct SetWatches2Request {
  static constexpr OpCode kOp = OpCode::kSetWatches2;
  using Response = Empty;
  Zxid relative_zxid;
  std::vector<std::string> data_watches;
  std::vector<std::string> exist_watches;
  std::vector<std::string> child_watches;
  std::vector<std::string> persistent_watches;
  std::vector<std::string> persistent_recursive_watches;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.relative_zxid);
    visitor(self.data_watches);
    visitor(self.exist_watches);
    visitor(self.child_watches);
    visitor(self.persistent_watches);
    visitor(self.persistent_recursive_watches);
  }
  friend bool operator==(const SetWatches2Request&, const SetWatches2Request&) = default;
};

enum class AddWatchMode : int32_t { kPersistent = 0, kPersistentRecursive = 1 };

struct AddWatchRequest {
  static constexpr OpCode kOp = OpCode::kAddWatch;
  using Response = IntResponse;  // an error code, 0
  std::string path;
  AddWatchMode mode = AddWatchMode::kPersistent;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.mode);
  }
  friend bool operator==(const AddWatchRequest&, const AddWatchRequest&) = default;
};

enum class WatcherType : int32_t { kChildren = 1, kData = 2, kAny = 3 };

template <OpCode kCode>
struct WatcherRecord {
  static constexpr OpCode kOp = kCode;
  using Response = Empty;
  std::string path;
  WatcherType type = WatcherType::kAny;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.type);
  }
  friend bool operator==(const WatcherRecord&, const WatcherRecord&) = default;
};
using CheckWatchesRequest = WatcherRecord<OpCode::kCheckWatches>;
using RemoveWatchesRequest = WatcherRecord<OpCode::kRemoveWatches>;

struct SaslRequest {
  static constexpr OpCode kOp = OpCode::kSasl;
  using Response = SaslResponse;
  std::optional<core::Bytes> token;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.token);
  }
  friend bool operator==(const SaslRequest&, const SaslRequest&) = default;
};

template <OpCode kCode, typename Answer>
struct BareRequest {
  static constexpr OpCode kOp = kCode;
  using Response = Answer;

  template <typename Self, typename Visitor>
  static void Visit(Self&, Visitor&) {}
  friend bool operator==(const BareRequest&, const BareRequest&) = default;
};
using PingRequest = BareRequest<OpCode::kPing, Empty>;
using CloseSessionRequest = BareRequest<OpCode::kCloseSession, Empty>;
using WhoAmIRequest = BareRequest<OpCode::kWhoAmI, WhoAmIResponse>;

}  // namespace highwater::broker::zookeeper
