#pragma once

// A znode as it is kept: data, ACL, the persisted part of its Stat, the names of its children.
//
//   ZnodeRecord record = ...;                       // one node of a snapshot
//   if (EphemeralTypeOf(record.stat.ephemeral_owner) == EphemeralType::kTtl) ...
//
// Follows ZooKeeper facts 4.1 (the fields), 4.3 (containers and TTL), 3.11 (a node in a snapshot).
// What a node is — ordinary, ephemeral, a container, with a TTL — is coded in its ephemeral owner
// as Apache does: a session id, the container's marker, or 0xff in the high byte and the TTL below.
// So a server's id is at most 254 (its sessions carry it in that byte) [1.2].

#include <absl/container/btree_set.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/zookeeper/types.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

using AclPtr = std::shared_ptr<const std::vector<Acl>>;

enum class EphemeralType : uint8_t { kVoid, kNormal, kContainer, kTtl };

inline constexpr SessionId kContainerOwner{INT64_MIN};
inline constexpr int64_t kMaxTtlMs = (int64_t{1} << 40) - 1;
inline constexpr int64_t kMaxServerId = 254;

[[nodiscard]] constexpr EphemeralType EphemeralTypeOf(SessionId owner) {
  if (owner == kNoSession) return EphemeralType::kVoid;
  if (owner == kContainerOwner) return EphemeralType::kContainer;
  if (static_cast<uint64_t>(owner.value()) >> 56 == 0xff) return EphemeralType::kTtl;
  return EphemeralType::kNormal;
}
[[nodiscard]] constexpr SessionId TtlOwner(int64_t ttl_ms) {
  return SessionId(static_cast<int64_t>(uint64_t{0xff} << 56 | static_cast<uint64_t>(ttl_ms)));
}
// REQUIRES: EphemeralTypeOf(owner) == kTtl.
[[nodiscard]] constexpr int64_t TtlOf(SessionId owner) { return owner.value() & kMaxTtlMs; }

// What is kept of a Stat: the rest follows from data and children.
struct StatPersisted {
  Zxid czxid;
  Zxid mzxid;
  int64_t ctime = 0;
  int64_t mtime = 0;
  int32_t version = 0;
  int32_t cversion = 0;  // creates of children only [4.1]
  int32_t aversion = 0;
  SessionId ephemeral_owner;
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
    visitor(self.pzxid);
  }
  friend bool operator==(const StatPersisted&, const StatPersisted&) = default;
};

struct Znode {
  std::optional<core::Bytes> data;
  AclPtr acl;
  StatPersisted stat;
  absl::btree_set<std::string> children;  // names

  // [4.1] What a client is shown: cversion counts creates and deletes, the owner only sessions.
  [[nodiscard]] Stat ShownStat() const;
};

// A node of a snapshot: everything but the names of its children.
struct ZnodeRecord {
  std::string path;
  std::optional<core::Bytes> data;
  std::vector<Acl> acl;
  StatPersisted stat;

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.path);
    visitor(self.data);
    visitor(self.acl);
    visitor(self.stat);
  }
  friend bool operator==(const ZnodeRecord&, const ZnodeRecord&) = default;
};

}  // namespace highwater::broker::zookeeper
