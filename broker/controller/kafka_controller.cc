#include "broker/controller/kafka_controller.h"

#include <utility>

#include "broker/controller/kafka_controller_impl.h"
#include "core/mark.h"
#include "core/status_macros.h"
#include "core/wait_queue.h"

namespace highwater::broker::controller {

KafkaController::KafkaController(core::Environment& env, zk::KafkaZkClient& zk,
                                 BrokerRegistrar& registrar, ControllerConfig config,
                                 const ControllerRules& rules, Observer& observer)
    : env_(env),
      zk_(zk),
      registrar_(registrar),
      config_(std::move(config)),
      rules_(rules),
      parts_{env,
             zk,
             config_,
             rules_,
             observer,
             {},
             {},
             ControllerChannelManager(
                 env,
                 {.controller = config_.broker_id,
                  .socket_timeout = config_.socket_timeout,
                  .listener = config_.inter_broker_listener},
                 [this](const Outgoing& request, const ControllerResponse& response) {
                   OnResponse(request, response);
                 })},
      partitions_(parts_),
      replicas_(parts_),
      deletions_(parts_, partitions_, replicas_,
                 [this](const std::string& topic) { ForgetTopic(topic); }),
      events_(env) {}

KafkaController::~KafkaController() = default;

void KafkaController::Startup() {
  events_.Start();
  if (!std::exchange(session_handler_registered_, true)) {
    zk_.client().RegisterSessionStateHandler(*this);
  }
  // [Z54]
  controller_handler_ = std::make_unique<PathHandler>(std::string(zk::kControllerPath), [this] {
    events_.Put({.name = "ControllerChange", .process = [this] { Handle(ProcessReelect()); }});
  });
  zk_.client().RegisterZNodeChangeHandler(*controller_handler_);
  events_.Put({.name = "Startup", .process = [this] { Handle(ProcessStartup()); }});
}

void KafkaController::Shutdown() {
  events_.StopAndWait();
  if (IsActive()) OnResignation();
  active_controller_ = kNoBroker;
  if (controller_handler_ != nullptr) {
    zk_.client().UnregisterZNodeChangeHandler(controller_handler_->path());
    controller_handler_.reset();
  }
}

// ---- Sessions [Z44].

void KafkaController::BeforeInitializingSession() {
  struct Shared {
    bool begun = false;
    core::WaitQueue waiter;
  };
  auto shared = std::make_shared<Shared>();
  const auto begin = [shared] {
    shared->begun = true;
    shared->waiter.WakeAll();
  };
  // [C3] What waits is preempted; nobody acts on the old session once the new one is opened.
  events_.ClearAndPut({.name = "Expire",
                       .process =
                           [this, begin] {
                             begin();
                             if (IsActive()) OnResignation();
                             active_controller_ = kNoBroker;
                           },
                       .preempt = begin});
  while (!shared->begun) {
    if (shared->waiter.Wait(env_.fibers, "the controller to notice an expiry",
                            core::MonotonicTime::Never()) == core::Wake::kCancelled) {
      return;
    }
  }
}

void KafkaController::AfterInitializingSession() {
  events_.Put({.name = "RegisterBrokerAndReelect",
               .process = [this] { Handle(ProcessRegisterAndReelect()); }});
}

// ---- Events.

void KafkaController::PutIfActive(const char* name, Work work) {
  PutIfActive(name, [this, work] { return (this->*work)(); });
}

void KafkaController::PutIfActive(const char* name, absl::AnyInvocable<absl::Status()> work) {
  events_.Put({.name = name, .process = [this, work = std::move(work)]() mutable {
                 if (IsActive()) Handle(work());  // [C5]
               }});
}

// [C4] A failed fence ends the role. The end of a session is told by its own event. Anything else
// is left to the next event that reads again.
void KafkaController::Handle(const absl::Status& status) {
  if (!zk::IsControllerMoved(status)) return;
  HW_MARK("controller_moved");
  static_cast<void>(MaybeResign());
}

absl::Status KafkaController::ProcessStartup() { return ProcessReelect(); }

absl::Status KafkaController::ProcessReelect() {
  HW_RETURN_IF_ERROR(MaybeResign());
  return Elect();
}

absl::Status KafkaController::ProcessRegisterAndReelect() {
  const auto epoch = registrar_.RegisterAgain();
  if (absl::IsAlreadyExists(epoch.status())) {
    // The former session's node, seen by a server that is behind: its going wakes nobody, so try.
    HW_MARK("registration_after_expiry_retried");
    static_cast<void>(env_.fibers.SleepFor(absl::Seconds(1)));
    AfterInitializingSession();
    return absl::OkStatus();
  }
  HW_RETURN_IF_ERROR(epoch.status());
  return ProcessReelect();
}

// Looks who is the controller; gives the role up if it is somebody else.
absl::Status KafkaController::MaybeResign() {
  const bool was_active = IsActive();
  // Sets the watch also if there is none [Z54].
  HW_RETURN_IF_ERROR(zk_.Exists(zk::kControllerPath).status());
  HW_ASSIGN_OR_RETURN(const auto controller, zk_.GetControllerId());
  active_controller_ = controller.value_or(kNoBroker);
  if (was_active && !IsActive()) OnResignation();
  return absl::OkStatus();
}

// [Z50]
absl::Status KafkaController::Elect() {
  if (active_controller_ != kNoBroker) return absl::OkStatus();
  const auto won = zk_.RegisterControllerAndIncrementEpoch(
      config_.broker_id, absl::ToUnixMillis(env_.clock.WallNow()));
  if (zk::IsControllerMoved(won.status())) return MaybeResign();
  HW_RETURN_IF_ERROR(won.status());
  parts_.context.epoch = won->epoch;
  parts_.context.fence = won->fence;
  active_controller_ = config_.broker_id;
  parts_.observer.OnBecameController(config_.broker_id, won->epoch);
  const absl::Status status = OnFailover();
  if (status.ok() || zk::IsSessionOver(status)) return status;
  if (zk::IsControllerMoved(status)) return MaybeResign();
  // [C13] What cannot be begun is left to another: the election starts again.
  HW_MARK("failover_given_up");
  return TriggerMove();
}

// [Z53]
absl::Status KafkaController::TriggerMove() {
  active_controller_ = kNoBroker;
  OnResignation();
  // Not at once again: what failed may need the time.
  static_cast<void>(env_.fibers.SleepFor(absl::Milliseconds(100)));
  return zk_.DeleteController(parts_.context.fence);
}

// [C10]
absl::Status KafkaController::OnFailover() {
  HW_RETURN_IF_ERROR(zk_.MakeFeatureZnode(parts_.context.fence));
  RegisterHandlers();
  for (const std::string_view path : {zk::kPreferredElectionPath, zk::kReassignPartitionsPath}) {
    HW_RETURN_IF_ERROR(zk_.Exists(path).status());
  }
  HW_ASSIGN_OR_RETURN(const auto log_dirs, zk_.GetLogDirEvents());
  HW_RETURN_IF_ERROR(
      zk_.DeleteNotifications(zk::kLogDirEventsPath, log_dirs.names, parts_.context.fence));
  HW_ASSIGN_OR_RETURN(const auto isr_changes, zk_.GetIsrChanges());
  HW_RETURN_IF_ERROR(
      zk_.DeleteNotifications(zk::kIsrChangesPath, isr_changes.names, parts_.context.fence));
  HW_RETURN_IF_ERROR(InitializeContext());
  ControllerContext& context = parts_.context;
  HW_ASSIGN_OR_RETURN(const auto deletions, zk_.GetTopicDeletions());
  // [W1] Before anything is sent or elected.
  HW_RETURN_IF_ERROR(HandleUncleanStarts(context.brokers));
  for (const auto& [id, broker] : context.brokers) parts_.channels.AddBroker(broker);
  for (const std::string& topic : deletions) {
    if (!context.topics.contains(topic)) {
      HW_RETURN_IF_ERROR(zk_.DeleteTopicDeletions({topic}, context.fence));
      continue;
    }
    context.to_be_deleted.insert(topic);
    for (const PartitionReplica& replica : context.ReplicasOf(topic)) {
      const bool online = context.IsReplicaOnline(replica.partition, replica.broker);
      if (!online || context.Find(replica.partition)->assignment.IsBeingReassigned()) {
        context.deletion_ineligible.insert(topic);
      }
    }
  }
  // So that brokers can find the leaders that the LeaderAndIsr requests name.
  SendMetadata(context.LiveOrShuttingDownBrokers(), {});
  HW_RETURN_IF_ERROR(replicas_.Startup());
  HW_RETURN_IF_ERROR(partitions_.Startup());
  // What the controller before may not have got to.
  std::vector<std::string> topics;
  for (const auto& [name, topic] : context.topics) topics.push_back(name);
  HW_RETURN_IF_ERROR(DropStaleEligible(topics));
  HW_RETURN_IF_ERROR(ProcessReassignmentZnode());
  HW_RETURN_IF_ERROR(ResumeReassignments([](const auto&, const auto&) { return true; }));
  HW_RETURN_IF_ERROR(deletions_.ResumeAll());
  HW_RETURN_IF_ERROR(ProcessPreferredElectionZnode());
  HW_RETURN_IF_ERROR(CompareLogs());
  StartRebalanceTimer();
  return absl::OkStatus();
}

absl::Status KafkaController::InitializeContext() {
  ControllerContext& context = parts_.context;
  context.Clear();
  comparisons_.Clear();
  HW_ASSIGN_OR_RETURN(context.brokers, zk_.GetBrokers());
  for (const auto& [id, broker] : context.brokers) {
    WatchData(zk::BrokerIdPath(id), &KafkaController::ProcessBrokerModifications);
  }
  HW_ASSIGN_OR_RETURN(const auto names, zk_.GetTopicNames());
  HW_RETURN_IF_ERROR(LoadTopics(names));
  return LoadStates(context.AllPartitions());
}

// [Z55]
void KafkaController::OnResignation() {
  UnregisterHandlers();
  rebalance_timer_.Cancel();
  comparison_timer_.Cancel();
  comparison_planned_ = false;
  parts_.channels.RemoveAll();
  parts_.batch = {};
  parts_.context.Clear();
  comparisons_.Clear();
  parts_.observer.OnResignedAsController(config_.broker_id);
}

// ---- Watches [C6].

void KafkaController::RegisterHandlers() {
  const std::pair<std::string_view, Work> children[] = {
      {zk::kBrokerIdsPath, &KafkaController::ProcessBrokerChange},
      {zk::kTopicsPath, &KafkaController::ProcessTopicChange},
      {zk::kDeleteTopicsPath, &KafkaController::ProcessTopicDeletion},
      {zk::kLogDirEventsPath, &KafkaController::ProcessLogDirEvents},
      {zk::kIsrChangesPath, &KafkaController::ProcessIsrChanges},
  };
  for (const auto& [path, work] : children) {
    auto handler = std::make_unique<ChildHandler>(
        std::string(path), [this, work = work] { PutIfActive("child change", work); });
    zk_.client().RegisterZNodeChildChangeHandler(*handler);
    child_handlers_[std::string(path)] = std::move(handler);
  }
  WatchData(std::string(zk::kPreferredElectionPath),
            &KafkaController::ProcessPreferredElectionZnode);
  WatchData(std::string(zk::kReassignPartitionsPath), &KafkaController::ProcessReassignmentZnode);
}

void KafkaController::WatchData(std::string path, Work on_data_changed) {
  if (path_handlers_.contains(path)) return;
  auto handler = std::make_unique<PathHandler>(
      path, [this, on_data_changed] { PutIfActive("data change", on_data_changed); });
  zk_.client().RegisterZNodeChangeHandler(*handler);
  path_handlers_[std::move(path)] = std::move(handler);
}

void KafkaController::Unwatch(const std::string& path) {
  const auto found = path_handlers_.find(path);
  if (found == path_handlers_.end()) return;
  zk_.client().UnregisterZNodeChangeHandler(path);
  path_handlers_.erase(found);
}

void KafkaController::UnregisterHandlers() {
  for (const auto& [path, handler] : path_handlers_) {
    zk_.client().UnregisterZNodeChangeHandler(path);
  }
  path_handlers_.clear();
  for (const auto& [path, handler] : child_handlers_) {
    zk_.client().UnregisterZNodeChildChangeHandler(path);
  }
  child_handlers_.clear();
}

// [C110]
void KafkaController::StartRebalanceTimer() {
  if (!config_.auto_leader_rebalance_enable) return;
  rebalance_timer_.Cancel();
  rebalance_timer_ = env_.fibers.Spawn("leader rebalance", [this] {
    absl::Duration wait = config_.first_rebalance_delay;
    while (env_.fibers.SleepFor(wait) != core::Wake::kCancelled) {
      PutIfActive("AutoPreferredReplicaLeaderElection", &KafkaController::ProcessAutoRebalance);
      wait = config_.leader_imbalance_check_interval;
    }
  });
}

}  // namespace highwater::broker::controller
