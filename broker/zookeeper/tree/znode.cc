#include "broker/zookeeper/tree/znode.h"

namespace highwater::broker::zookeeper {

Stat Znode::ShownStat() const {
  const auto num_children = static_cast<uint32_t>(children.size());
  const bool ephemeral = EphemeralTypeOf(stat.ephemeral_owner) == EphemeralType::kNormal;
  return {
      .czxid = stat.czxid,
      .mzxid = stat.mzxid,
      .ctime = stat.ctime,
      .mtime = stat.mtime,
      .version = stat.version,
      .cversion = static_cast<int32_t>(2 * static_cast<uint32_t>(stat.cversion) - num_children),
      .aversion = stat.aversion,
      .ephemeral_owner = ephemeral ? stat.ephemeral_owner : kNoSession,
      .data_length = data.has_value() ? static_cast<int32_t>(data->size()) : 0,
      .num_children = static_cast<int32_t>(num_children),
      .pzxid = stat.pzxid,
  };
}

}  // namespace highwater::broker::zookeeper
