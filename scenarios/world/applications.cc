#include "scenarios/world/applications.h"

#include "broker/zookeeper/zookeeper_node.h"

namespace highwater::scenarios {
namespace {

namespace zookeeper = broker::zookeeper;

class BrokerApplication final : public sim::Application {
 public:
  BrokerApplication(core::Environment& env, const RunHooks& hooks, broker::BrokerConfig config,
                    broker::Observer& observer)
      : mutant_files_(hooks.decorate_files ? hooks.decorate_files(env.files, env.process.RunId())
                                           : nullptr),
        env_{.process = env.process,
             .clock = env.clock,
             .fibers = env.fibers,
             .network = env.network,
             .files = mutant_files_ != nullptr ? *mutant_files_ : env.files,
             .random = env.random,
             .buggify = env.buggify},
        broker_(env_, std::move(config), observer, hooks.broker_options) {}

  void Run(core::Environment& env) override {
    if (const absl::Status status = broker_.Start(); !status.ok()) {
      env.process.Halt(fmt::format("cannot start: {}", std::string(status.message())));
    }
    if (const absl::Status status = broker_.Run(); !status.ok()) {
      env.process.Halt(fmt::format("cannot go on: {}", std::string(status.message())));
    }
  }

 private:
  std::unique_ptr<core::FileSystem> mutant_files_;
  core::Environment env_;
  broker::Broker broker_;
};

class ZooKeeperApplication final : public sim::Application {
 public:
  ZooKeeperApplication(core::Environment& env, zookeeper::ZooKeeperNodeOptions options,
                       broker::ZooKeeperObserver& observer)
      : node_(env, std::move(options), words_, observer) {}

  void Run(core::Environment& env) override {
    if (const absl::Status status = node_.Start(); !status.ok()) {
      env.process.Halt(fmt::format("cannot start: {}", std::string(status.message())));
    }
    if (const absl::Status status = node_.Run(); !status.ok()) {
      env.process.Halt(fmt::format("cannot go on: {}", std::string(status.message())));
    }
  }

 private:
  zookeeper::NoFourLetterWords words_;
  zookeeper::ZooKeeperNode node_;
};

// A tick that lets brokers have the session time-out that they ask for, which is at least two ticks
// [1.2].
int32_t TickTimeOf(const broker::BrokerConfig& config) {
  constexpr int64_t kLongestMs = 2000;
  constexpr int64_t kShortestMs = 50;
  const int64_t session = absl::ToInt64Milliseconds(config.zookeeper_session_timeout);
  return static_cast<int32_t>(std::clamp(session / 4, kShortestMs, kLongestMs));
}

// So few that servers of an ensemble are brought up to date in all ways: by the transactions in
// memory, by the log, by a snapshot.
constexpr int64_t kSnapCount = 500;
constexpr int32_t kRetainSnapshots = 3;

zookeeper::QuorumConfig QuorumOf(const Scenario& scenario, int32_t tick_ms, const RunHooks& hooks) {
  zookeeper::QuorumConfig quorum;
  for (int32_t i = 0; i < scenario.cluster.zookeeper; ++i) {
    const std::string host = ZooKeeperHostName(i);
    quorum.servers[zookeeper::ServerId(i + 1)] = {
        .peer = {.host = host, .port = kZooKeeperPeerPort},
        .election = {.host = host, .port = kZooKeeperElectionPort}};
  }
  quorum.timing = {.tick = absl::Milliseconds(tick_ms), .init_limit = 5, .sync_limit = 5};
  // [3.3] Apache's bound, a minute, would keep a server that was cut off for long from coming back
  // within a run (zookeeper.fastleader.maxNotificationInterval).
  quorum.election.max_resend = absl::Seconds(1);
  quorum.rules = hooks.zab_rules;
  return quorum;
}

}  // namespace

RunHooks HooksOf(const Scenario& scenario) {
  RunHooks hooks;
  if (scenario.compatibility == Compatibility::kKafka323) {
    hooks.broker_options = broker::BrokerOptions::Kafka323();
  }
  return hooks;
}

std::string BrokerHostName(int32_t id) { return fmt::format("broker-{}", id); }
std::string ZooKeeperHostName(int32_t id) { return fmt::format("zookeeper-{}", id); }

broker::BrokerConfig BrokerConfigOf(const Scenario& scenario, int32_t id, const std::string& zone) {
  std::map<std::string, std::string> properties;
  for (const Setting& setting : scenario.cluster.settings) properties[setting.name] = setting.value;
  properties["broker.id"] = fmt::format("{}", id);
  properties["broker.rack"] = zone;
  properties.emplace("log.dirs", "/data");
  // A scenario's topics have the partitions that it says, not those of whoever asked first.
  properties.emplace("auto.create.topics.enable", "false");
  properties["listeners"] = fmt::format("PLAINTEXT://{}:{}", BrokerHostName(id), kBrokerPort);
  if (scenario.cluster.vip.has_value()) {
    properties["advertised.listeners"] = fmt::format("PLAINTEXT://{}:{}", kVipName, VipPortOf(id));
  }
  std::string servers;
  for (int32_t i = 0; i < scenario.cluster.zookeeper; ++i) {
    servers += fmt::format("{}{}:{}", i == 0 ? "" : ",", ZooKeeperHostName(i), kZooKeeperPort);
  }
  if (!servers.empty()) properties["zookeeper.connect"] = servers;
  absl::StatusOr<broker::BrokerConfig> config = broker::BrokerConfig::FromMap(properties);
  HW_CHECK(config.ok(), "broker settings: {}", std::string(config.status().message()));
  return *std::move(config);
}

std::unique_ptr<sim::Application> MakeBrokerApplication(core::Environment& env,
                                                        const RunHooks& hooks,
                                                        broker::BrokerConfig config,
                                                        broker::Observer& observer) {
  return std::make_unique<BrokerApplication>(env, hooks, std::move(config), observer);
}

std::unique_ptr<sim::Application> MakeZooKeeperApplication(core::Environment& env,
                                                           const Scenario& scenario,
                                                           const RunHooks& hooks, int32_t id,
                                                           broker::ZooKeeperObserver& observer) {
  zookeeper::ZooKeeperNodeOptions options{.data_dir = "/zookeeper"};
  options.server.client_address = {.host = ZooKeeperHostName(id), .port = kZooKeeperPort};
  options.server.tick_time_ms = TickTimeOf(BrokerConfigOf(scenario, 0, ""));
  options.server.max_client_cnxns = 0;
  options.server.server_id = zookeeper::ServerId(id + 1);
  if (scenario.cluster.zookeeper > 1) {
    options.quorum = QuorumOf(scenario, options.server.tick_time_ms, hooks);
    options.log.limits.transactions = kSnapCount;
    options.log.retain_snapshots = kRetainSnapshots;
  }
  return std::make_unique<ZooKeeperApplication>(env, std::move(options), observer);
}

}  // namespace highwater::scenarios
