#pragma once

// Who may do what: checks of a node's ACL, and what becomes of an ACL that a client sets.
//
//   if (!IsAllowed(*node->acl, kPermRead, ids)) return ErrorCode::kNoAuth;
//   std::optional<std::vector<Acl>> fixed = FixUpAcl(request.acl, ids);   // nullopt: INVALIDACL
//
// Follows ZooKeeper facts 1.9. `ids` are those of the caller's connection: its address as `ip`, and
// what it proved by auth packets.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/zookeeper/types.h"

namespace highwater::broker::zookeeper {

// Whether one of `ids` may do one of `perms`.
[[nodiscard]] bool IsAllowed(const std::vector<Acl>& acl, int32_t perms,
                             const std::vector<Id>& ids);

// Duplicates removed, `auth` expanded to the caller's ids; nullopt if nothing is left or an entry
// is malformed.
[[nodiscard]] std::optional<std::vector<Acl>> FixUpAcl(const std::vector<Acl>& acl,
                                                       const std::vector<Id>& ids);

// For those who may not ADMIN: without the hashes of passwords.
[[nodiscard]] std::vector<Acl> MaskDigests(std::vector<Acl> acl);

// "user:" and the Base64 of the SHA-1 of "user:password".
[[nodiscard]] std::string DigestId(std::string_view user_and_password);

// The name by which a client is shown: without the hash.
[[nodiscard]] std::string UserNameOf(const Id& id);

}  // namespace highwater::broker::zookeeper
