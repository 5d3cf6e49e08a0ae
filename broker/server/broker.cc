#include "broker/server/broker.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "broker/controller/cluster_producer_id_source.h"
#include "broker/controller/producer_id_manager.h"
#include "broker/controller/standalone_controller.h"
#include "broker/controller/standalone_producer_id_source.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/replication/broker_to_controller_channel.h"
#include "broker/replication/replica_manager.h"
#include "broker/server/cluster_membership.h"
#include "broker/server/handlers/handler.h"
#include "broker/server/metadata_controller.h"
#include "broker/server/request_router.h"
#include "broker/server/socket_server.h"
#include "broker/storage/log_manager.h"
#include "core/check.h"
#include "core/mark.h"
#include "core/status_macros.h"
#include "core/wait_queue.h"

namespace highwater::broker {

namespace {

// How long a stop waits for requests at work before it answers them with an error.
constexpr absl::Duration kStopPatience = absl::Seconds(5);
constexpr uint64_t kMostHeldBytes = 256 << 20;

SocketLimits ToLimits(const BrokerConfig& config) {
  return {.max_request_bytes = static_cast<uint64_t>(config.socket_request_max_bytes),
          .max_requests = static_cast<uint64_t>(config.queued_max_requests),
          .max_held_bytes = config.queued_max_request_bytes < 0
                                ? kMostHeldBytes
                                : static_cast<uint64_t>(config.queued_max_request_bytes),
          .max_connections = static_cast<uint64_t>(config.max_connections),
          .max_connections_per_ip = static_cast<uint64_t>(config.max_connections_per_ip),
          .per_ip_overrides = config.max_connections_per_ip_overrides,
          .idle = config.connections_max_idle};
}

storage::LogManagerOptions ToOptions(const BrokerConfig& config, const std::string& cluster_id,
                                     const BrokerOptions& options) {
  return {.directories = config.log_dirs,
          .broker_id = config.broker_id,
          .cluster_id = cluster_id,
          .defaults = config.topic_defaults.log,
          .retention_check_interval = config.retention_check_interval,
          .recovery_point_checkpoint_interval = config.flush_offset_checkpoint_interval,
          .log_start_checkpoint_interval = config.flush_start_offset_checkpoint_interval,
          .high_watermark_checkpoint_interval = config.high_watermark_checkpoint_interval,
          .flush_scheduler_interval = config.flush_scheduler_interval,
          .producer_id_expiration = config.producer_id_expiration,
          .recovery_rules = options.recovery,
          .producer_rules = options.producers};
}

ReplicaManagerOptions ToReplicaOptions(const BrokerConfig& config, const ReplicationRules& rules) {
  return {.rules = rules,
          .lag_max = config.replica_lag_time_max,
          .fetchers = {.self = config.broker_id,
                       .fetchers = config.num_replica_fetchers,
                       .max_wait = config.replica_fetch_wait_max,
                       .min_bytes = config.replica_fetch_min_bytes,
                       .partition_max_bytes = config.replica_fetch_max_bytes,
                       .response_max_bytes = config.replica_fetch_response_max_bytes,
                       .backoff = config.replica_fetch_backoff,
                       .socket_timeout = config.replica_socket_timeout}};
}

absl::Status InContext(std::string_view what, const absl::Status& status) {
  return {status.code(), fmt::format("{}: {}", what, std::string(status.message()))};
}

}  // namespace

// One of three: a member of a cluster (zookeeper.connect), a broker that hosts what it is told to
// (BrokerOptions::clustered), its own controller.
class Broker::Impl final : public RequestDispatcher {
 public:
  Impl(core::Environment& env, BrokerConfig config, Observer& observer,
       const BrokerOptions& options)
      : env_(env),
        config_(std::move(config)),
        observer_(observer),
        replicas_(env, config_.broker_id, ToReplicaOptions(config_, options.rules), observer),
        options_(options),
        fetch_sessions_(env.random) {
    const bool member = !config_.zookeeper_connect.empty();
    if (member || options.clustered) {
      channel_.emplace(
          env, metadata_,
          BrokerToControllerChannel::Options{.self = config_.broker_id,
                                             .request_timeout = config_.controller_socket_timeout});
      producer_id_blocks_ = std::make_unique<ClusterProducerIdSource>(
          config_.broker_id, *channel_, [this] { return replicas_.broker_epoch(); });
    } else {
      auto standalone = std::make_unique<StandaloneController>(env, config_, replicas_, observer);
      standalone_ = standalone.get();
      controller_ = std::move(standalone);
      producer_id_blocks_ = std::make_unique<StandaloneProducerIdSource>(
          env.files, [this] { return logs_->OnlineDirectories(); });
    }
    if (member) {
      member_.emplace(env, config_, replicas_, metadata_, options.controller_rules, observer);
    }
    producer_ids_.emplace(env, *producer_id_blocks_);
    server_.emplace(env, ToLimits(config_), *this);
  }

  absl::Status Start() {
    if (standalone_ != nullptr) {
      if (absl::Status status = standalone_->Load(); !status.ok()) {
        return InContext("log.dirs", status);
      }
    }
    if (member_.has_value()) HW_RETURN_IF_ERROR(member_->Connect());
    if (channel_.has_value()) {
      controller_ = std::make_unique<MetadataController>(
          metadata_, member_.has_value() ? member_->cluster_id() : options_.cluster_id,
          config_.topic_defaults);
    }
    logs_.emplace(env_, ToOptions(config_, controller_->cluster_id(), options_), replicas_,
                  observer_);
    if (absl::Status status = logs_->Start(); !status.ok()) return InContext("log.dirs", status);
    if (standalone_ == nullptr) {
      replicas_.JoinCluster({.logs = *logs_,
                             .metadata = metadata_,
                             .channel = *channel_,
                             .defaults = config_.topic_defaults,
                             .read_config = ReadsConfig()});
    } else if (absl::Status status = standalone_->Start(*logs_); !status.ok()) {
      return InContext("log.dirs", status);
    }
    if (absl::Status status = server_->Listen(config_.listener); !status.ok()) {
      // What was recovered need not be recovered again at the next start.
      static_cast<void>(logs_->Stop(MarkerAtStop()));
      return InContext("listeners", status);
    }
    core::Endpoint advertised = config_.advertised_listener;
    if (advertised.port == 0) advertised.port = server_->local().port;
    if (standalone_ != nullptr) {
      standalone_->SetAddress({config_.broker_id, advertised, config_.rack});
    }
    if (member_.has_value()) {
      const absl::Status status = member_->Join(*controller_, advertised, logs_->started_clean());
      if (!status.ok()) {
        const storage::CleanMarker marker = MarkerAtStop();
        member_->Leave();
        static_cast<void>(logs_->Stop(marker));
        return status;
      }
    }
    router_.emplace(
        Services{.env = env_,
                 .config = config_,
                 .controller = member_.has_value() ? member_->controller() : *controller_,
                 .replicas = replicas_,
                 .producer_ids = *producer_ids_,
                 .observer = observer_,
                 .long_polls = long_polls_,
                 .fetch_sessions = fetch_sessions_,
                 .member = member_.has_value() ? &*member_ : nullptr});
    server_->Start();
    started_ = true;
    observer_.OnBrokerStarted(config_.broker_id);
    return absl::OkStatus();
  }

  absl::Status Run() {
    HW_CHECK(started_, "Run before Start");
    // The callback may come after this broker has gone with its fibers: it shares the queue.
    auto stop = std::make_shared<core::WaitQueue>();
    env_.process.OnStopRequested([stop] { stop->WakeAll(); });
    while (!env_.process.StopRequested()) {
      if (stop->Wait(env_.fibers, "a request to stop", core::MonotonicTime::Never()) ==
          core::Wake::kCancelled) {
        break;
      }
    }
    return Stop();
  }

  // [S3]
  absl::Status Stop() {
    if (!started_ || stopped_) return absl::OkStatus();
    stopped_ = true;
    if (member_.has_value()) member_->HandOver();
    server_->BeginStop();
    long_polls_.EndAll();
    if (!server_->WaitForRequests(env_.fibers.Now() + kStopPatience)) {
      replicas_.ResignAll();
    }
    server_->CloseAll();
    if (channel_.has_value()) channel_->Close();
    producer_ids_->Stop();
    replicas_.Stop();
    if (standalone_ != nullptr) standalone_->Stop();
    absl::Status status = logs_->Stop(MarkerAtStop());
    if (member_.has_value()) member_->Leave();
    observer_.OnBrokerStopped(config_.broker_id);
    return status;
  }

  // [W1] That logs may have lost something is said until a controller has heard it. A broker that
  // cannot register while the session of the process before lives on would else stop, leave the
  // marker, and be taken for a clean one the next time: elected with what little it has.
  storage::CleanMarker MarkerAtStop() const {
    const bool untold =
        member_.has_value() && !logs_->started_clean() && !member_->controller_has_spoken();
    if (untold) HW_MARK("clean_marker_withheld");
    return untold ? storage::CleanMarker::kWithheld : storage::CleanMarker::kWritten;
  }

  const core::Endpoint& listening() const { return server_->local(); }
  ReplicaManager& replicas() { return replicas_; }

 private:
  std::function<absl::Status(const std::string&)> ReadsConfig() {
    if (!member_.has_value()) return nullptr;
    return [this](const std::string& topic) { return member_->ReadTopicConfig(topic); };
  }

  absl::StatusOr<Answer> Dispatch(const core::ByteChain& request,
                                  const ClientCall& client) override {
    return router_->Dispatch(request, client);
  }

  void OnServed(const Answer& answer, const Served& served) override {
    std::vector<RequestEvent::Errors> errors;
    for (const AnswerErrors::Count& count : answer.errors.counts()) {
      errors.push_back({static_cast<int16_t>(count.error), count.count});
    }
    observer_.OnRequestServed(config_.broker_id, {.api_key = answer.api_key,
                                                  .api_version = answer.api_version,
                                                  .from_follower = answer.from_follower,
                                                  .time = served.time,
                                                  .request_bytes = served.request_bytes,
                                                  .response_bytes = served.response_bytes,
                                                  .errors = errors});
  }

  core::Environment& env_;
  const BrokerConfig config_;
  Observer& observer_;
  MetadataCache metadata_;
  std::optional<BrokerToControllerChannel> channel_;
  ReplicaManager replicas_;
  const BrokerOptions options_;
  LongPolls long_polls_;
  FetchSessionCache fetch_sessions_;
  std::unique_ptr<Controller> controller_;
  StandaloneController* standalone_ = nullptr;  // controller_, if it is one
  std::optional<ClusterMembership> member_;
  std::optional<storage::LogManager> logs_;
  std::unique_ptr<ProducerIdBlockSource> producer_id_blocks_;
  std::optional<ProducerIdManager> producer_ids_;
  std::optional<RequestRouter> router_;
  std::optional<SocketServer> server_;
  bool started_ = false;
  bool stopped_ = false;
};

BrokerOptions BrokerOptions::Kafka323() {
  return {.rules = ReplicationRules::Kafka323(),
          .controller_rules = controller::ControllerRules::Kafka323(),
          .recovery = storage::RecoveryRules::Kafka323(),
          .producers = storage::ProducerStateRules::Kafka323()};
}

Broker::Broker(core::Environment& env, BrokerConfig config, Observer& observer,
               const BrokerOptions& options)
    : impl_(std::make_unique<Impl>(env, std::move(config), observer, options)) {}
Broker::~Broker() = default;

absl::Status Broker::Start() { return impl_->Start(); }
absl::Status Broker::Run() { return impl_->Run(); }
absl::Status Broker::Stop() { return impl_->Stop(); }
void Broker::SetBrokerEpoch(BrokerEpoch epoch) { impl_->replicas().SetBrokerEpoch(epoch); }
ReplicaManager& Broker::replicas() { return impl_->replicas(); }
const core::Endpoint& Broker::listening() const { return impl_->listening(); }

}  // namespace highwater::broker
