#pragma once

// Broker: one whole broker on an environment. The code that serves on Linux and the code that is
// simulated.
//
//   Broker broker(env, config, observer);                 // a process's main fiber
//   HW_RETURN_IF_ERROR(broker.Start());                   // recovery done, requests are served
//   HW_RETURN_IF_ERROR(broker.Run());                     // until a stop is requested, then stops
//   cleanly
//
// Start order [S1]: configuration, the session with ZooKeeper, log directories and their recovery,
// the listener, registration and election (or, without zookeeper.connect, the broker's own
// controller), serving. Stop order [S3]: leadership is handed over, no new connections, the
// requests at work end, logs are flushed, checkpoints and the clean-shutdown marker are written;
// the registration goes last.
//
// Invariants:
//   1. The destructor never waits. A broker that was not stopped leaves its directories as a crash
//   would.
//   2. When no log directory is left, the process halts [K16].
//
// Not responsible for: metrics and logs (Observer), the command line
// (programs/highwater_broker.cc).

#include <absl/status/status.h>

#include <memory>
#include <string>

#include "broker/controller/controller_rules.h"
#include "broker/observer.h"
#include "broker/replication/replica_manager.h"
#include "broker/server/broker_config.h"
#include "broker/storage/log_recovery.h"
#include "broker/storage/producer_state_rules.h"
#include "core/environment.h"

namespace highwater::broker {

// What is not a setting.
struct BrokerOptions {
  // Part of a cluster: hosts what a controller tells it to, by LeaderAndIsr, StopReplica and
  // UpdateMetadata requests. Otherwise it is its own controller.
  bool clustered = false;
  std::string cluster_id;  // of the cluster
  // The replaceable decisions of a broker's parts; the safe ones by default.
  ReplicationRules rules;
  controller::ControllerRules controller_rules = controller::ControllerRules::Safe();
  storage::RecoveryRules recovery;
  storage::ProducerStateRules producers;

  // With the weak points that Kafka 3.2.3 is known to have, all of them together.
  [[nodiscard]] static BrokerOptions Kafka323();
};

class Broker {
 public:
  // `env` and `observer` outlive the broker.
  Broker(core::Environment& env, BrokerConfig config, Observer& observer,
         const BrokerOptions& options = {});
  // REQUIRES: its fibers have ended (Stop) or are unwound (a crash).
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  // Loads and recovers everything, then serves. REQUIRES: on a fiber, once. After an error the
  // broker is of no further use; what it says is for the operator: which setting, directory or
  // address is at fault.
  [[nodiscard]] absl::Status Start();
  // Waits until the process is asked to stop, then stops. REQUIRES: Start said OK.
  [[nodiscard]] absl::Status Run();
  // Stops cleanly: may take as long as the disk. No effect the second time. REQUIRES: on a fiber.
  [[nodiscard]] absl::Status Stop();

  // [R1] The epoch of its registration: greater each time.
  void SetBrokerEpoch(BrokerEpoch epoch);
  // The replicas that it hosts.
  [[nodiscard]] ReplicaManager& replicas();

  // Where it listens, with the real port. REQUIRES: started.
  [[nodiscard]] const core::Endpoint& listening() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace highwater::broker
