#include "broker/server/cluster_membership.h"

#include <fmt/format.h>

#include "broker/protocol/uuid.h"
#include "broker/replication/broker_to_controller_channel.h"
#include "broker/server/topic_config.h"
#include "broker/zk/across_sessions.h"
#include "broker/zookeeper/client/session_client.h"
#include "core/status_macros.h"
#include "core/wait_queue.h"

namespace highwater::broker {

namespace {

// How long closing the session may take; its time-out ends it otherwise.
constexpr absl::Duration kClosePatience = absl::Seconds(2);

absl::Status InContext(std::string_view what, const absl::Status& status) {
  return {status.code(), fmt::format("{}: {}", what, std::string(status.message()))};
}

protocol::Uuid DrawId(core::Random& random) {
  protocol::Uuid id;
  do {
    id.high = random.Next();
    id.low = random.Next();
  } while (protocol::IsReservedUuid(id));
  return id;
}

}  // namespace

ClusterMembership::ClusterMembership(core::Environment& env, const BrokerConfig& config,
                                     ReplicaManager& replicas, const MetadataCache& metadata,
                                     const controller::ControllerRules& rules, Observer& observer)
    : env_(env),
      config_(config),
      replicas_(replicas),
      metadata_(metadata),
      rules_(rules),
      observer_(observer) {}

ClusterMembership::~ClusterMembership() = default;

absl::Status ClusterMembership::Connect() {
  HW_ASSIGN_OR_RETURN(const zookeeper::ConnectString where,
                      zookeeper::ParseConnectString(config_.zookeeper_connect));
  client_ = zookeeper::MakeZooKeeperClient(
      env_, {.servers = where.servers,
             .chroot = where.chroot,
             .session_timeout = config_.zookeeper_session_timeout,
             .connection_timeout = config_.zookeeper_connection_timeout,
             .max_in_flight = config_.zookeeper_max_in_flight_requests});
  if (absl::Status status = client_->Connect(); !status.ok()) {
    return InContext(fmt::format("zookeeper.connect: {}", config_.zookeeper_connect), status);
  }
  zk_ = std::make_unique<zk::KafkaZkClient>(*client_);
  HW_RETURN_IF_ERROR(zk::AcrossSessions(env_, [&] { return zk_->MakeBasePaths(); }));
  const std::string drawn = DrawId(env_.random).ToString();
  HW_ASSIGN_OR_RETURN(cluster_id_,
                      zk::AcrossSessions(env_, [&] { return zk_->GetOrCreateClusterId(drawn); }));
  return absl::OkStatus();
}

controller::ControllerConfig ClusterMembership::ControllerConfigOf() const {
  return {.broker_id = config_.broker_id,
          .min_insync_replicas = static_cast<int32_t>(config_.topic_defaults.min_insync_replicas),
          .unclean_leader_election_enable = config_.topic_defaults.unclean_leader_election_enable,
          .delete_topic_enable = config_.delete_topic_enable,
          .auto_leader_rebalance_enable = config_.auto_leader_rebalance_enable,
          .leader_imbalance_check_interval = config_.leader_imbalance_check_interval,
          .leader_imbalance_per_broker_percentage = config_.leader_imbalance_per_broker_percentage,
          .socket_timeout = config_.controller_socket_timeout};
}

absl::Status ClusterMembership::Register(const core::Endpoint& advertised, bool clean) {
  registrar_ = std::make_unique<controller::BrokerRegistrar>(
      env_, *zk_,
      zk::BrokerRegistration{.id = config_.broker_id,
                             .endpoints = {{.host = advertised.host, .port = advertised.port}},
                             .rack = config_.rack,
                             .unclean_start = !clean},
      [this](BrokerEpoch epoch) { replicas_.SetBrokerEpoch(epoch); });
  // The ephemeral of a former process lives on for as long as its session [Z32].
  const core::MonotonicTime deadline = env_.fibers.Now() + 2 * config_.zookeeper_session_timeout;
  const auto epoch = registrar_->RegisterAtStart(deadline);
  if (!epoch.ok()) return InContext(fmt::format("broker.id {}", config_.broker_id), epoch.status());
  return absl::OkStatus();
}

absl::Status ClusterMembership::Join(const Controller& view, const core::Endpoint& advertised,
                                     bool clean) {
  configs_ = std::make_unique<controller::ConfigChangeListener>(
      env_, *zk_,
      [this](zk::ConfigKind kind, const std::string& entity, const zk::ConfigEntries& entries) {
        OnConfigChange(kind, entity, entries);
      });
  HW_RETURN_IF_ERROR(configs_->Start());
  HW_RETURN_IF_ERROR(Register(advertised, clean));
  kafka_ = std::make_unique<controller::KafkaController>(env_, *zk_, *registrar_,
                                                         ControllerConfigOf(), rules_, observer_);
  cluster_controller_ = std::make_unique<controller::ClusterController>(env_, config_, view, *zk_,
                                                                        *configs_, *kafka_);
  kafka_->Startup();
  return absl::OkStatus();
}

void ClusterMembership::OnConfigChange(zk::ConfigKind kind, const std::string& entity,
                                       const zk::ConfigEntries& entries) {
  if (kind != zk::ConfigKind::kTopics) return;
  const auto config = TopicConfig::Resolve(config_.topic_defaults, entries);
  // Whoever wrote it has checked it; what another version wrote and we cannot read changes nothing.
  if (config.ok()) replicas_.SetTopicConfig(entity, *config);
  if (kafka_ != nullptr) kafka_->TopicConfigChanged(entity);
}

absl::Status ClusterMembership::ReadTopicConfig(const std::string& topic) {
  HW_ASSIGN_OR_RETURN(const zk::ConfigEntries entries,
                      zk_->GetConfig(zk::ConfigKind::kTopics, topic));
  OnConfigChange(zk::ConfigKind::kTopics, topic, entries);
  return absl::OkStatus();
}

void ClusterMembership::HandOver() {
  if (!config_.controlled_shutdown_enable || registrar_ == nullptr) return;
  struct Progress {
    Progress(core::Environment& env, const MetadataCache& metadata,
             BrokerToControllerChannel::Options options)
        : channel(env, metadata, std::move(options)) {}
    BrokerToControllerChannel channel;
    core::WaitQueue over;
    bool done = false;
  };
  auto progress = std::make_shared<Progress>(
      env_, metadata_,
      BrokerToControllerChannel::Options{.self = config_.broker_id,
                                         .request_timeout = config_.controller_socket_timeout});
  core::FiberHandle asking = env_.fibers.Spawn("controlled shutdown", [this, progress] {
    for (int64_t i = 0; i < config_.controlled_shutdown_max_retries; ++i) {
      const auto answer = progress->channel.ControlledShutdown(
          {.broker_id = config_.broker_id.value(), .broker_epoch = registrar_->epoch().value()});
      if (!answer.ok()) break;
      if (answer->error_code == protocol::ErrorCode::NONE && answer->remaining_partitions.empty()) {
        break;
      }
      if (env_.fibers.SleepFor(config_.controlled_shutdown_retry_backoff) ==
          core::Wake::kCancelled) {
        break;
      }
    }
    progress->done = true;
    progress->over.WakeAll();
  });
  // [C83] Without an answer it stops all the same: as far as leadership goes, a crash.
  const core::MonotonicTime deadline =
      env_.fibers.Now() + config_.controller_socket_timeout +
      config_.controlled_shutdown_max_retries * config_.controlled_shutdown_retry_backoff;
  while (!progress->done) {
    const core::Wake wake =
        progress->over.Wait(env_.fibers, "leadership to be handed over", deadline);
    if (wake != core::Wake::kSignaled) break;
  }
  progress->channel.Close();
  asking.Cancel();
}

void ClusterMembership::Leave() {
  if (configs_ != nullptr) configs_->Stop();
  if (kafka_ != nullptr) kafka_->Shutdown();
  if (client_ != nullptr) client_->Close(kClosePatience);
}

}  // namespace highwater::broker
