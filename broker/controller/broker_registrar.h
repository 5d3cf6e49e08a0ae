#pragma once

// BrokerRegistrar: a broker's own znode in /brokers/ids: at start, after each session, and whether
// its start was clean.
//
//   BrokerRegistrar registrar(env, zk, {.id = id, .endpoints = {...}, .unclean_start = !marker});
//   HW_RETURN_IF_ERROR(registrar.RegisterAtStart(deadline).status());
//   registrar.ControllerSpoke(BrokerEpoch(request.broker_epoch));     // on each UpdateMetadata
//
// Follows [Z30]-[Z34], and W1: `unclean_start` stays in the registration until a controller has
// spoken to this very registration. A controller does that only after it has taken the broker from
// the ISRs, durably; from then on a new session of this process is as good as any other.

#include <absl/status/statusor.h>

#include <functional>

#include "broker/types.h"
#include "broker/zk/broker_registration.h"
#include "broker/zk/kafka_zk_client.h"
#include "core/environment.h"

namespace highwater::broker::controller {

class BrokerRegistrar {
 public:
  // All outlive it and its fibers.
  // `on_epoch` hears of each new broker epoch before anybody else can; it must not wait.
  BrokerRegistrar(core::Environment& env, zk::KafkaZkClient& zk, zk::BrokerRegistration broker,
                  std::function<void(BrokerEpoch)> on_epoch = nullptr)
      : env_(env), zk_(zk), broker_(std::move(broker)), on_epoch_(std::move(on_epoch)) {}

  // [Z32] The ephemeral of the process before may outlive it by a session time-out: tries again
  // until `deadline`. AlreadyExists then: another broker with this id is alive.
  [[nodiscard]] absl::StatusOr<BrokerEpoch> RegisterAtStart(core::MonotonicTime deadline);
  // [Z34] After a new session: a new broker epoch.
  [[nodiscard]] absl::StatusOr<BrokerEpoch> RegisterAgain();
  // A controller addressed the registration with this epoch. Never waits.
  void ControllerSpoke(BrokerEpoch epoch);

  [[nodiscard]] BrokerId id() const { return broker_.id; }
  // Of the present registration; 0 before the first.
  [[nodiscard]] BrokerEpoch epoch() const { return epoch_; }
  [[nodiscard]] bool unclean_start() const { return broker_.unclean_start; }

 private:
  core::Environment& env_;
  zk::KafkaZkClient& zk_;
  zk::BrokerRegistration broker_;
  std::function<void(BrokerEpoch)> on_epoch_;
  BrokerEpoch epoch_{0};
};

}  // namespace highwater::broker::controller
