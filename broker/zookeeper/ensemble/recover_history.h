#pragma once

// RecoverHistory: what a server starts from, out of its epoch files and the end of its log.
//
// Follows ZooKeeper facts 3.1. Not responsible for: reading files (log/).

#include <absl/status/statusor.h>

#include <optional>

#include "broker/zookeeper/ensemble/ids.h"

namespace highwater::broker::zookeeper {

// Missing files are taken from the last zxid's epoch. A last zxid of a later epoch than
// currentEpoch is what a crash leaves between sync data and the epoch file: the log is a prefix of
// that epoch's history by then, so the epoch is taken from it. FailedPrecondition: the accepted
// epoch is below the current one, so a promise was forgotten; the server must not start.
[[nodiscard]] absl::StatusOr<ServerHistory> RecoverHistory(std::optional<ZabEpoch> accepted,
                                                           std::optional<ZabEpoch> current,
                                                           Zxid last_zxid);

}  // namespace highwater::broker::zookeeper
