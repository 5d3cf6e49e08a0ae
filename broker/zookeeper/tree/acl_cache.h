#pragma once

// AclCache: lets nodes with equal ACLs share them, since few trees have more than a handful.

#include <map>
#include <vector>

#include "broker/zookeeper/tree/znode.h"

namespace highwater::broker::zookeeper {

class AclCache {
 public:
  [[nodiscard]] AclPtr Intern(const std::vector<Acl>& acl) {
    const auto found = acls_.find(acl);
    if (found != acls_.end()) return found->second;
    return acls_.emplace(acl, std::make_shared<const std::vector<Acl>>(acl)).first->second;
  }
  // Gives a node's ACL back; the last one takes it out of the cache.
  void Release(AclPtr acl) {
    const auto found = acls_.find(*acl);
    acl.reset();
    if (found != acls_.end() && found->second.use_count() == 1) acls_.erase(found);
  }
  [[nodiscard]] size_t size() const { return acls_.size(); }

 private:
  std::map<std::vector<Acl>, AclPtr> acls_;
};

}  // namespace highwater::broker::zookeeper
