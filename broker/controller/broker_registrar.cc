#include "broker/controller/broker_registrar.h"

#include "broker/zk/across_sessions.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

namespace {

constexpr absl::Duration kBetweenTries = absl::Seconds(1);

}  // namespace

absl::StatusOr<BrokerEpoch> BrokerRegistrar::RegisterAtStart(core::MonotonicTime deadline) {
  for (;;) {
    auto epoch = zk::AcrossSessions(env_, [&] { return RegisterAgain(); });
    if (!absl::IsAlreadyExists(epoch.status())) return epoch;
    if (env_.fibers.Now() + kBetweenTries > deadline) return epoch;
    HW_MARK("registration_waits_for_former_session");
    if (env_.fibers.SleepFor(kBetweenTries) == core::Wake::kCancelled) return epoch;
  }
}

absl::StatusOr<BrokerEpoch> BrokerRegistrar::RegisterAgain() {
  broker_.timestamp_ms = absl::ToUnixMillis(env_.clock.WallNow());
  HW_ASSIGN_OR_RETURN(epoch_, zk_.RegisterBroker(broker_));
  if (on_epoch_) on_epoch_(epoch_);
  return epoch_;
}

void BrokerRegistrar::ControllerSpoke(BrokerEpoch epoch) {
  if (!broker_.unclean_start || epoch != epoch_) return;
  broker_.unclean_start = false;
  // Else the next controller would take it from all ISRs once more. If the session ends first, the
  // next registration says it.
  env_.fibers.Spawn("registration", [this] { static_cast<void>(zk_.UpdateRegistration(broker_)); });
}

}  // namespace highwater::broker::controller
