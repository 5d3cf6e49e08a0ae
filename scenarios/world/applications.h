#pragma once

// The programs of a simulated region's servers: the product's own broker and ZooKeeper server, as
// a scenario configures them.

#include <functional>
#include <memory>
#include <string>

#include "broker/client/client_rules.h"
#include "broker/client/producer_rules.h"
#include "broker/observer.h"
#include "broker/server/broker.h"
#include "broker/server/broker_config.h"
#include "broker/zookeeper/ensemble/zab_rules.h"
#include "broker/zookeeper_observer.h"
#include "scenarios/scenario.h"
#include "sim/simulated_process.h"

namespace highwater::scenarios {

inline constexpr uint16_t kBrokerPort = 9092;
// The address in front of all brokers, and the port there of broker `id`.
inline constexpr std::string_view kVipName = "kafka";
[[nodiscard]] constexpr uint16_t VipPortOf(int32_t id) { return static_cast<uint16_t>(9001 + id); }
inline constexpr uint16_t kZooKeeperPort = 2181;
inline constexpr uint16_t kZooKeeperPeerPort = 2888;
inline constexpr uint16_t kZooKeeperElectionPort = 3888;

// Where a mutant may be planted: a decorator of the brokers' file system, a decision of a broker,
// of a producer, of a consumer or of a ZooKeeper ensemble.
struct RunHooks {
  std::function<std::unique_ptr<core::FileSystem>(core::FileSystem& inner, uint64_t run_id)>
      decorate_files;
  broker::BrokerOptions broker_options;
  broker::client::ProducerRules producer_rules;
  broker::client::ClientRules consumer_rules;
  broker::zookeeper::ZabRules zab_rules;
  // Faults of this kind say that they have changed the world, and do nothing; empty: none.
  std::string sham_fault;
};

// No mutant, and the decisions that the scenario's `compatibility` names.
[[nodiscard]] RunHooks HooksOf(const Scenario& scenario);

// `broker-0`, `zookeeper-0`: names of hosts.
[[nodiscard]] std::string BrokerHostName(int32_t id);
[[nodiscard]] std::string ZooKeeperHostName(int32_t id);

// The settings of broker `id`: the scenario's, and what its place demands.
[[nodiscard]] broker::BrokerConfig BrokerConfigOf(const Scenario& scenario, int32_t id,
                                                  const std::string& zone);

// A broker's process: started and run until it is asked to stop. `hooks` and `observer` outlive it.
[[nodiscard]] std::unique_ptr<sim::Application> MakeBrokerApplication(core::Environment& env,
                                                                      const RunHooks& hooks,
                                                                      broker::BrokerConfig config,
                                                                      broker::Observer& observer);
// A ZooKeeper server's: on its own, or one of an ensemble. `observer` outlives it.
[[nodiscard]] std::unique_ptr<sim::Application> MakeZooKeeperApplication(
    core::Environment& env, const Scenario& scenario, const RunHooks& hooks, int32_t id,
    broker::ZooKeeperObserver& observer);

}  // namespace highwater::scenarios
