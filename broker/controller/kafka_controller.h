#pragma once

// KafkaController: a broker's part in electing the controller, and the controller itself while this
// broker is it: one fiber that takes events one by one, asks the rules, writes to ZooKeeper, tells
// the brokers.
//
//   KafkaController controller(env, zk, registrar, config, ControllerRules::Safe(), observer);
//   controller.Startup();                     // watches, elects
//   auto answer = controller.AlterPartition(request, deadline);
//   controller.Shutdown();
//
// Follows [C1]-[C6] (events), [C10]-[C13] (failover), [C50]-[C54] (brokers), [C65] (answers),
// [C70]-[C75] (AlterPartition), [C80]-[C83] (controlled shutdown), [C90]-[C95] (reassignment),
// [C100]-[C104] (topics), [C110]-[C113], [Z44], [Z50]-[Z55]; W1 with broker/zk/leader_and_isr.h.
//
// Invariants:
//   1. Every write goes through the fence of this controller's epoch [Z20]; a failed fence ends the
//      role.
//   2. ZooKeeper is written before anybody is told.
//   3. ZooKeeper calls hold the event loop; sends never do [C1].
//   4. [W1] Nothing is sent to a registration that says it started unclean before its broker has
//      left the ISRs, or is marked in them.
//
// Not responsible for: what brokers do with the requests; admin writes (cluster_controller.h).

#include <absl/container/inlined_vector.h>
#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/controller/broker_registrar.h"
#include "broker/controller/controller_event_manager.h"
#include "broker/controller/controller_parts.h"
#include "broker/controller/log_comparisons.h"
#include "broker/controller/partition_state_machine.h"
#include "broker/controller/replica_state_machine.h"
#include "broker/controller/topic_deletion_manager.h"
#include "broker/protocol/allocate_producer_ids.h"
#include "broker/protocol/alter_partition.h"
#include "broker/protocol/alter_partition_reassignments.h"
#include "broker/protocol/controlled_shutdown.h"
#include "broker/protocol/elect_leaders.h"
#include "broker/protocol/list_partition_reassignments.h"
#include "broker/zookeeper/client/zookeeper_client.h"

namespace highwater::broker::controller {

class KafkaController final : private zookeeper::SessionStateHandler {
 public:
  // All outlive it. One of them for the life of a ZooKeeperClient.
  KafkaController(core::Environment& env, zk::KafkaZkClient& zk, BrokerRegistrar& registrar,
                  ControllerConfig config, const ControllerRules& rules, Observer& observer);
  ~KafkaController() override;
  KafkaController(const KafkaController&) = delete;
  KafkaController& operator=(const KafkaController&) = delete;

  // REQUIRES: the broker is registered.
  void Startup();
  // Ends the role without a word to anybody; closing the session tells [S3]. REQUIRES: on a fiber.
  void Shutdown();

  [[nodiscard]] bool IsActive() const { return active_controller_ == config_.broker_id; }
  // As this broker knows it; kNoBroker.
  [[nodiscard]] BrokerId active_controller() const { return active_controller_; }
  [[nodiscard]] ControllerEpoch epoch() const { return parts_.context.epoch; }
  // For tests and operators; what it says changes with each event.
  [[nodiscard]] const ControllerContext& context() const { return parts_.context; }

  // ---- Requests. Each waits for its turn in the queue. nullopt: no answer until `deadline`, or
  // none at all [C3]; the request may still be carried out. REQUIRES: on a fiber.
  [[nodiscard]] std::optional<protocol::AlterPartitionResponse> AlterPartition(
      protocol::AlterPartitionRequest request, core::MonotonicTime deadline);
  [[nodiscard]] std::optional<protocol::ControlledShutdownResponse> ControlledShutdown(
      protocol::ControlledShutdownRequest request, core::MonotonicTime deadline);
  [[nodiscard]] std::optional<protocol::AllocateProducerIdsResponse> AllocateProducerIds(
      protocol::AllocateProducerIdsRequest request, core::MonotonicTime deadline);
  [[nodiscard]] std::optional<protocol::ElectLeadersResponse> ElectLeaders(
      protocol::ElectLeadersRequest request, core::MonotonicTime deadline);
  [[nodiscard]] std::optional<protocol::AlterPartitionReassignmentsResponse> AlterReassignments(
      protocol::AlterPartitionReassignmentsRequest request, core::MonotonicTime deadline);
  [[nodiscard]] std::optional<protocol::ListPartitionReassignmentsResponse> ListReassignments(
      protocol::ListPartitionReassignmentsRequest request, core::MonotonicTime deadline);

  // Runs `work` in the loop, behind what waits there, if this broker is the controller; Aborted if
  // it is not, or no more. For writes that must not cross those of the controller itself. nullopt
  // as above.
  [[nodiscard]] std::optional<absl::Status> RunActive(const char* name,
                                                      core::MonotonicTime deadline,
                                                      absl::AnyInvocable<absl::Status()> work);

  // [C112] The config of a topic has changed ("" is the brokers' defaults). Never waits.
  void TopicConfigChanged(std::string topic);

 private:
  class PathHandler;
  class ChildHandler;
  using Work = absl::Status (KafkaController::*)();

  // ---- The loop (kafka_controller.cc).
  void BeforeInitializingSession() override;
  void AfterInitializingSession() override;
  // Queues a step that needs the role, and one that does not.
  void PutIfActive(const char* name, Work work);
  void PutIfActive(const char* name, absl::AnyInvocable<absl::Status()> work);
  void Handle(const absl::Status& status);
  absl::Status ProcessStartup();
  absl::Status ProcessReelect();
  absl::Status ProcessRegisterAndReelect();
  absl::Status MaybeResign();
  absl::Status Elect();
  absl::Status OnFailover();
  absl::Status InitializeContext();
  void OnResignation();
  absl::Status TriggerMove();
  void RegisterHandlers();
  void UnregisterHandlers();
  void WatchData(std::string path, Work on_data_changed);
  void Unwatch(const std::string& path);
  void StartRebalanceTimer();

  // ---- Brokers (kafka_controller_brokers.cc).
  absl::Status ProcessBrokerChange();
  absl::Status ProcessBrokerModifications();
  absl::Status OnBrokerStartup(const std::set<BrokerId>& ids);
  absl::Status OnBrokerFailure(const std::set<BrokerId>& ids);
  absl::Status OnReplicasOffline(const std::vector<PartitionReplica>& replicas);
  void SendMetadata(const std::vector<BrokerId>& brokers,
                    const std::vector<TopicPartition>& partitions);
  void OnResponse(const Outgoing& request, const ControllerResponse& response);
  absl::Status OnLeaderAndIsrResponse(BrokerId broker,
                                      const protocol::LeaderAndIsrResponse& response);
  absl::Status OnStopReplicaResponse(BrokerId broker, const protocol::StopReplicaRequest& request,
                                     const protocol::StopReplicaResponse& response);
  absl::Status ProcessLogDirEvents();
  absl::Status ProcessIsrChanges();

  // ---- The last replica standing (kafka_controller_comparison.cc).
  absl::Status HandleUncleanStarts(const std::map<BrokerId, zk::BrokerRegistration>& brokers);
  absl::Status TakeFromIsrs(BrokerId broker, std::vector<TopicPartition> partitions);
  absl::Status CompareLogs();
  [[nodiscard]] std::vector<BrokerId> Compared(const TopicPartition& id) const;
  absl::Status OnLogEnds(BrokerId broker, BrokerEpoch epoch,
                         const protocol::OffsetForLeaderEpochResponse& response);
  absl::Status ElectCompared(const std::vector<TopicPartition>& partitions);
  void CompareLogsLater();

  // ---- Topics (kafka_controller_topics.cc).
  absl::Status LoadTopics(const std::vector<std::string>& names);
  absl::Status LoadStates(const std::vector<TopicPartition>& partitions);
  absl::Status LoadConfig(const std::string& topic);
  absl::Status ProcessTopicChange();
  absl::Status ProcessPartitionModifications(const std::string& topic);
  absl::Status OnNewPartitions(const std::vector<TopicPartition>& partitions);
  absl::Status ProcessTopicDeletion();
  absl::Status ProcessConfigChange(const std::string& topic);
  absl::Status DropStaleEligible(const std::vector<std::string>& topics);
  void ForgetTopic(const std::string& topic);
  void WatchTopic(const std::string& topic);

  // ---- Requests (kafka_controller_requests.cc).
  template <typename Response>
  std::optional<Response> Ask(const char* name, core::MonotonicTime deadline,
                              absl::AnyInvocable<Response()> work,
                              std::optional<Response> preempted);
  protocol::AlterPartitionResponse ProcessAlterPartition(
      const protocol::AlterPartitionRequest& request);
  struct IsrChange;
  absl::Status WriteIsrChanges(std::vector<IsrChange>& changes);
  absl::StatusOr<protocol::ControlledShutdownResponse> ProcessControlledShutdown(
      const protocol::ControlledShutdownRequest& request);
  absl::StatusOr<protocol::AllocateProducerIdsResponse> ProcessAllocateProducerIds(
      const protocol::AllocateProducerIdsRequest& request);

  // ---- Elections that somebody asks for (kafka_controller_elections.cc).
  absl::StatusOr<protocol::ElectLeadersResponse> ProcessElectLeaders(
      const protocol::ElectLeadersRequest& request);
  absl::StatusOr<PartitionStateMachine::Results> ElectAsked(
      const std::vector<TopicPartition>& partitions, ElectionKind kind);
  absl::Status ProcessPreferredElectionZnode();
  absl::Status ProcessAutoRebalance();

  // ---- Reassignment (kafka_controller_reassignment.cc).
  absl::StatusOr<protocol::AlterPartitionReassignmentsResponse> ProcessAlterReassignments(
      const protocol::AlterPartitionReassignmentsRequest& request);
  protocol::ListPartitionReassignmentsResponse ProcessListReassignments(
      const protocol::ListPartitionReassignmentsRequest& request);
  absl::Status ProcessReassignmentZnode();
  absl::Status ResumeReassignments(
      absl::AnyInvocable<bool(const TopicPartition&, const ReplicaAssignment&)> which);
  struct ReassignResult {
    protocol::ErrorCode error = protocol::ErrorCode::NONE;
    std::string message;
  };
  absl::StatusOr<ReassignResult> TryReassign(const TopicPartition& id,
                                             const std::optional<std::vector<BrokerId>>& target);
  absl::Status Reassign(const TopicPartition& id, const ReplicaAssignment& to);
  absl::Status UpdateReassignment(const TopicPartition& id, const ReplicaAssignment& to);
  absl::Status FinishReassignment(const TopicPartition& id, const ReplicaAssignment& from);
  absl::Status MoveLeaderIfRequired(const TopicPartition& id, const ReplicaAssignment& to);
  absl::Status BumpEpochAndSend(const TopicPartition& id, const std::vector<BrokerId>& to);
  absl::Status StopRemoved(const TopicPartition& id, const std::vector<BrokerId>& removed);
  absl::Status WriteAssignment(const TopicPartition& id, const ReplicaAssignment& assignment);
  absl::StatusOr<bool> IsComplete(const TopicPartition& id, const ReplicaAssignment& assignment);
  absl::Status ProcessReassignmentIsrChange(const TopicPartition& id);
  absl::Status RemoveFromReassignmentZnode(const TopicPartition& id);

  core::Environment& env_;
  zk::KafkaZkClient& zk_;
  BrokerRegistrar& registrar_;
  const ControllerConfig config_;
  const ControllerRules rules_;
  ControllerParts parts_;
  PartitionStateMachine partitions_;
  ReplicaStateMachine replicas_;
  TopicDeletionManager deletions_;

  BrokerId active_controller_ = kNoBroker;
  bool session_handler_registered_ = false;
  // Handlers of the role; the one of /controller stays.
  std::unique_ptr<PathHandler> controller_handler_;
  std::map<std::string, std::unique_ptr<PathHandler>> path_handlers_;
  std::map<std::string, std::unique_ptr<ChildHandler>> child_handlers_;
  LogComparisons comparisons_;
  bool comparison_planned_ = false;
  core::FiberHandle comparison_timer_;
  core::FiberHandle rebalance_timer_;
  // Last: its events use all above.
  ControllerEventManager events_;
};

}  // namespace highwater::broker::controller
