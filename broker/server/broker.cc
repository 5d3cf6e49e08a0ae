#include "broker/server/broker.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "broker/controller/producer_id_manager.h"
#include "broker/controller/standalone_controller.h"
#include "broker/controller/standalone_producer_id_source.h"
#include "broker/replication/replica_manager.h"
#include "broker/server/handlers/handler.h"
#include "broker/server/request_router.h"
#include "broker/server/socket_server.h"
#include "broker/storage/log_manager.h"
#include "core/check.h"
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
                                     const BrokerRules& rules) {
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
          .recovery_rules = rules.recovery,
          .producer_rules = rules.producers};
}

absl::Status InContext(std::string_view what, const absl::Status& status) {
  return {status.code(), fmt::format("{}: {}", what, std::string(status.message()))};
}

}  // namespace

class Broker::Impl {
 public:
  Impl(core::Environment& env, BrokerConfig config, Observer& observer, const BrokerRules& rules)
      : env_(env),
        config_(std::move(config)),
        observer_(observer),
        rules_(rules),
        replicas_(env, config_.broker_id, observer),
        controller_(env, config_, replicas_, observer),
        producer_id_blocks_(env.files, [this] { return logs_->OnlineDirectories(); }),
        producer_ids_(env, producer_id_blocks_),
        router_({env, config_, controller_, replicas_, producer_ids_, observer, long_polls_}),
        server_(env, ToLimits(config_), router_) {}

  absl::Status Start() {
    if (absl::Status status = controller_.Load(); !status.ok()) {
      return InContext("log.dirs", status);
    }
    logs_.emplace(env_, ToOptions(config_, controller_.cluster_id(), rules_), replicas_, observer_);
    if (absl::Status status = logs_->Start(); !status.ok()) return InContext("log.dirs", status);
    if (absl::Status status = controller_.Start(*logs_); !status.ok()) {
      return InContext("log.dirs", status);
    }
    if (absl::Status status = server_.Listen(config_.listener); !status.ok()) {
      // What was recovered need not be recovered again at the next start.
      static_cast<void>(logs_->Stop());
      return InContext("listeners", status);
    }
    core::Endpoint advertised = config_.advertised_listener;
    if (advertised.port == 0) advertised.port = server_.local().port;
    controller_.SetAddress({config_.broker_id, advertised, config_.rack});
    server_.Start();
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
    server_.BeginStop();
    long_polls_.EndAll();
    if (!server_.WaitForRequests(env_.fibers.Now() + kStopPatience)) {
      replicas_.ResignAll();
    }
    server_.CloseAll();
    producer_ids_.Stop();
    controller_.Stop();
    absl::Status status = logs_->Stop();
    observer_.OnBrokerStopped(config_.broker_id);
    return status;
  }

  const core::Endpoint& listening() const { return server_.local(); }

 private:
  core::Environment& env_;
  const BrokerConfig config_;
  Observer& observer_;
  const BrokerRules rules_;
  ReplicaManager replicas_;
  LongPolls long_polls_;
  StandaloneController controller_;
  std::optional<storage::LogManager> logs_;
  StandaloneProducerIdSource producer_id_blocks_;
  ProducerIdManager producer_ids_;
  RequestRouter router_;
  SocketServer server_;
  bool started_ = false;
  bool stopped_ = false;
};

Broker::Broker(core::Environment& env, BrokerConfig config, Observer& observer,
               const BrokerRules& rules)
    : impl_(std::make_unique<Impl>(env, std::move(config), observer, rules)) {}
Broker::~Broker() = default;

absl::Status Broker::Start() { return impl_->Start(); }
absl::Status Broker::Run() { return impl_->Run(); }
absl::Status Broker::Stop() { return impl_->Stop(); }
const core::Endpoint& Broker::listening() const { return impl_->listening(); }

}  // namespace highwater::broker
