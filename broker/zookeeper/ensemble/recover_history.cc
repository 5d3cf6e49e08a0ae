#include "broker/zookeeper/ensemble/recover_history.h"

#include <fmt/format.h>

#include <algorithm>

namespace highwater::broker::zookeeper {

absl::StatusOr<ServerHistory> RecoverHistory(std::optional<ZabEpoch> accepted,
                                             std::optional<ZabEpoch> current, Zxid last_zxid) {
  const ZabEpoch of_log = ZabEpochOf(last_zxid);
  const ServerHistory history{.accepted_epoch = accepted.value_or(of_log),
                              .current_epoch = std::max(current.value_or(of_log), of_log),
                              .last_zxid = last_zxid};
  if (history.accepted_epoch < history.current_epoch) {
    return absl::FailedPreconditionError(
        fmt::format("acceptedEpoch {} is below {}, the epoch of currentEpoch or of the log's end "
                    "{:#x}: a promise was lost",
                    history.accepted_epoch, history.current_epoch, last_zxid.value()));
  }
  return history;
}

}  // namespace highwater::broker::zookeeper
