#pragma once

// AcrossSessions: a call of a broker that starts, made again where the session with ZooKeeper ended
// under it.
//
//   HW_RETURN_IF_ERROR(AcrossSessions(env, [&] { return zk.MakeBasePaths(); }));
//
// The client opens the next session by itself [Z40]. A broker that runs hears of it and registers
// anew; one that is still on its way up has nothing to give up yet, and had better not end: nobody
// may be there to start it again. Only for calls that may be made twice.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "core/environment.h"
#include "core/mark.h"

namespace highwater::broker::zk {

namespace internal {
inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}
}  // namespace internal

// REQUIRES: on a fiber. The last result where it is cancelled.
template <typename Call>
auto AcrossSessions(core::Environment& env, Call call) -> decltype(call()) {
  constexpr absl::Duration kBetweenTries = absl::Seconds(1);
  for (;;) {
    auto result = call();
    if (!absl::IsUnavailable(internal::StatusOf(result))) return result;
    HW_MARK("session_lost_at_start");
    if (env.fibers.SleepFor(kBetweenTries) == core::Wake::kCancelled) return result;
  }
}

}  // namespace highwater::broker::zk
