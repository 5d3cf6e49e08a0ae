#pragma once

// KafkaZkClient: what brokers and the controller do with Kafka's data in ZooKeeper, as typed
// operations over a ZooKeeperClient.
//
//   HW_ASSIGN_OR_RETURN(Election won, zk.RegisterControllerAndIncrementEpoch(id, now_ms));
//   HW_ASSIGN_OR_RETURN(auto states, zk.GetStates(partitions));
//   HW_ASSIGN_OR_RETURN(auto written, zk.UpdateStates(changes, won.fence));
//
// Follows [Z1]-[Z17] (data), [Z20]-[Z22] (the controller's fence), [Z30]-[Z33] (registration),
// [Z50]-[Z52] (election), [Z41] (what a lost reply does to each operation).
//
// Errors, as codes of absl::Status:
//   Aborted             the fence failed: another controller has been elected [Z20]
//   Unavailable         the session is over
//   NotFound, AlreadyExists, FailedPrecondition   NONODE, NODEEXISTS, BADVERSION
//   DataLoss            a znode holds something that is not Kafka's
//   Internal            any other error of ZooKeeper
// An operation on many znodes gives each its own result; Aborted and Unavailable are of the whole.
//
// Not responsible for: deciding, watching (handlers are registered with the ZooKeeperClient; reads
// of their paths set the watch [Z43]).
//
// REQUIRES: all calls on a fiber; they wait for ZooKeeper without a limit.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/zk/zk_data.h"
#include "broker/zk/zk_paths.h"
#include "broker/zookeeper/client/zookeeper_client.h"
#include "core/strong_int.h"

namespace highwater::broker::zk {

// The data version that /controller_epoch got at an election: what the winner's writes check [Z21].
using FenceVersion = core::StrongInt<struct FenceVersionTag, int32_t>;

struct Election {
  ControllerEpoch epoch;
  FenceVersion fence;
};

[[nodiscard]] inline bool IsControllerMoved(const absl::Status& status) {
  return absl::IsAborted(status);
}
[[nodiscard]] inline bool IsSessionOver(const absl::Status& status) {
  return absl::IsUnavailable(status);
}
[[nodiscard]] absl::Status ToStatus(zookeeper::ErrorCode error, std::string_view path);

class KafkaZkClient {
 public:
  // `client` outlives it.
  explicit KafkaZkClient(zookeeper::ZooKeeperClient& client) : client_(client) {}

  [[nodiscard]] zookeeper::ZooKeeperClient& client() { return client_; }

  // Whether it is there. Sets the watch for its coming and going.
  [[nodiscard]] absl::StatusOr<bool> Exists(std::string_view path);

  // ---- Start. [Z23] Tolerates what exists.
  [[nodiscard]] absl::Status MakeBasePaths();
  // [Z17] The cluster's id: `proposed` if it has none yet.
  [[nodiscard]] absl::StatusOr<std::string> GetOrCreateClusterId(std::string_view proposed);

  // ---- Brokers.
  // [Z31], [Z32] AlreadyExists: another session holds the id. A node of the session that this
  // process held just before is replaced.
  [[nodiscard]] absl::StatusOr<BrokerEpoch> RegisterBroker(const BrokerRegistration& broker);
  // [Z33] The broker epoch stays.
  [[nodiscard]] absl::Status UpdateRegistration(const BrokerRegistration& broker);
  // Sorted by id. Sets the watch on the list, and on each broker that has a handler.
  [[nodiscard]] absl::StatusOr<std::map<BrokerId, BrokerRegistration>> GetBrokers();
  [[nodiscard]] absl::StatusOr<std::optional<BrokerRegistration>> GetBroker(BrokerId id);

  // ---- The controller.
  // [Z50] Who /controller names. Sets the watch.
  [[nodiscard]] absl::StatusOr<std::optional<BrokerId>> GetControllerId();
  // [Z50]-[Z52] Aborted: another one won.
  [[nodiscard]] absl::StatusOr<Election> RegisterControllerAndIncrementEpoch(BrokerId id,
                                                                             int64_t now_ms);
  // [Z53] OK also if it is gone.
  [[nodiscard]] absl::Status DeleteController(FenceVersion fence);
  // [Z16] Created if it is missing.
  [[nodiscard]] absl::Status MakeFeatureZnode(FenceVersion fence);

  // ---- Topics.
  // Sorted. Sets the watch on the list.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> GetTopicNames();
  // Those that exist.
  [[nodiscard]] absl::StatusOr<std::map<std::string, TopicZnode>> GetTopics(
      absl::Span<const std::string> names);
  // [Z26] AlreadyExists also while the topic is being deleted.
  [[nodiscard]] absl::Status CreateTopic(std::string_view name, const TopicZnode& topic);
  // For the admin of a broker: partitions added, without a fence.
  [[nodiscard]] absl::Status SetTopicUnfenced(std::string_view name, const TopicZnode& topic);
  [[nodiscard]] absl::Status SetTopic(std::string_view name, const TopicZnode& topic,
                                      FenceVersion fence);

  // ---- States of partitions, a result for each in order.
  using States = std::vector<absl::StatusOr<LeaderIsrAndControllerEpoch>>;
  using PartitionStates = std::vector<std::pair<TopicPartition, LeaderIsrAndControllerEpoch>>;
  // NotFound: it has none.
  [[nodiscard]] absl::StatusOr<States> GetStates(absl::Span<const TopicPartition> partitions);
  // [C23] Makes the znodes above as needed. AlreadyExists as they come.
  [[nodiscard]] absl::StatusOr<std::vector<absl::Status>> CreateStates(
      const PartitionStates& states, FenceVersion fence);
  // [Z20] Conditional on each one's partition epoch; gives the new one. FailedPrecondition: another
  // version stands there.
  [[nodiscard]] absl::StatusOr<std::vector<absl::StatusOr<PartitionEpoch>>> UpdateStates(
      const PartitionStates& states, FenceVersion fence);

  // ---- Deleting topics.
  // Sorted. Sets the watch.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> GetTopicDeletions();
  [[nodiscard]] absl::Status CreateTopicDeletion(std::string_view topic);
  [[nodiscard]] absl::Status DeleteTopicDeletions(absl::Span<const std::string> topics,
                                                  FenceVersion fence);
  // [C102] The topic's config, its znode and all below, and the request, in this order: the topic
  // is there as long as something is left to be done, and the request goes last. (Kafka deletes the
  // config second, and a crash leaves it behind for the next topic of that name.)
  [[nodiscard]] absl::Status DeleteTopic(std::string_view topic, FenceVersion fence);

  // ---- Configs.
  // Empty if it has none.
  [[nodiscard]] absl::StatusOr<ConfigEntries> GetConfig(ConfigKind kind, std::string_view entity);
  [[nodiscard]] absl::StatusOr<std::map<std::string, ConfigEntries>> GetConfigs(ConfigKind kind);
  // The settings with the version of their znode; no version: there is none yet.
  struct VersionedConfig {
    ConfigEntries entries;
    std::optional<int32_t> version;
  };
  [[nodiscard]] absl::StatusOr<VersionedConfig> GetVersionedConfig(ConfigKind kind,
                                                                   std::string_view entity);
  // FailedPrecondition: somebody has changed them since that version was read.
  [[nodiscard]] absl::Status SetConfigIf(ConfigKind kind, std::string_view entity,
                                         const VersionedConfig& config);
  [[nodiscard]] absl::Status SetOrCreateConfig(ConfigKind kind, std::string_view entity,
                                               const ConfigEntries& entries);
  // [Z14] Tells all brokers.
  [[nodiscard]] absl::Status CreateConfigChange(ConfigKind kind, std::string_view entity);
  struct ConfigChange {
    std::string name;  // of the znode
    int64_t sequence = 0;
    std::string entity_path;  // "" if it is not readable
    int64_t created_ms = 0;   // by the server's clock
  };
  // Changes numbered above `after`, in order. Sets the watch.
  [[nodiscard]] absl::StatusOr<std::vector<ConfigChange>> GetConfigChanges(int64_t after);
  [[nodiscard]] absl::Status DeleteConfigChanges(absl::Span<const std::string> names);

  // ---- Notifications to the controller. Reading them sets the watch.
  struct LogDirEvents {
    std::vector<std::string> names;
    std::vector<BrokerId> brokers;  // sorted, each once
  };
  [[nodiscard]] absl::Status CreateLogDirEvent(BrokerId broker);
  [[nodiscard]] absl::StatusOr<LogDirEvents> GetLogDirEvents();
  struct IsrChanges {
    std::vector<std::string> names;
    std::vector<TopicPartition> partitions;  // sorted, each once
  };
  [[nodiscard]] absl::StatusOr<IsrChanges> GetIsrChanges();
  // Children of `parent`.
  [[nodiscard]] absl::Status DeleteNotifications(std::string_view parent,
                                                 absl::Span<const std::string> names,
                                                 FenceVersion fence);

  // ---- Requests of the old admin commands. Reading them sets the watch.
  [[nodiscard]] absl::StatusOr<Reassignments> GetReassignments();
  // Deletes the znode when nothing is left.
  [[nodiscard]] absl::Status SetOrDeleteReassignments(const Reassignments& reassignments,
                                                      FenceVersion fence);
  [[nodiscard]] absl::StatusOr<std::vector<TopicPartition>> GetPreferredElection();
  [[nodiscard]] absl::Status DeletePreferredElection(FenceVersion fence);

  // ---- Producer ids [Z15].
  struct VersionedBlock {
    std::optional<ProducerIdBlock> block;  // nullopt: none was given out yet
    int32_t version = 0;
  };
  [[nodiscard]] absl::StatusOr<VersionedBlock> GetProducerIdBlock();
  // FailedPrecondition: somebody else wrote meanwhile.
  [[nodiscard]] absl::Status SetProducerIdBlock(const ProducerIdBlock& block, int32_t version,
                                                FenceVersion fence);

 private:
  using ErrorCode = zookeeper::ErrorCode;
  using Request = zookeeper::Request;
  using Response = zookeeper::Response;
  using MultiOp = zookeeper::MultiOp;
  using MultiResult = zookeeper::MultiResult;

  [[nodiscard]] Response Call(Request request);
  // As RetryUntilConnected; Unavailable if the session ended.
  [[nodiscard]] absl::StatusOr<std::vector<Response>> CallAll(std::vector<Request> requests);
  // [Z20], [Z21] Each operation in a multi behind the check of the fence, all pipelined.
  [[nodiscard]] absl::StatusOr<std::vector<MultiResult>> RunFenced(std::vector<MultiOp> ops,
                                                                   FenceVersion fence);
  // Runs one, with its result as a status.
  [[nodiscard]] absl::Status RunOneFenced(MultiOp op, FenceVersion fence);
  // Makes the znode and those above it; OK if it exists.
  [[nodiscard]] absl::Status MakePath(std::string_view path);
  // The text of a znode and its Stat; NotFound if it is not there.
  struct Znode {
    std::string text;
    zookeeper::Stat stat;
  };
  [[nodiscard]] absl::StatusOr<Znode> Read(std::string_view path);
  [[nodiscard]] absl::StatusOr<std::vector<absl::StatusOr<Znode>>> ReadAll(
      const std::vector<std::string>& paths);
  // Sorted; empty if there is no such znode.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> Children(std::string_view path);
  // The paths at and below `path`, children first.
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> Subtree(std::string_view path);
  [[nodiscard]] absl::Status DeleteFenced(const std::vector<std::string>& paths,
                                          FenceVersion fence);
  [[nodiscard]] absl::StatusOr<std::optional<BrokerEpoch>> ResolveExistingRegistration(
      const std::string& path);
  [[nodiscard]] absl::StatusOr<std::pair<ControllerEpoch, FenceVersion>> GetOrCreateEpoch();

  zookeeper::ZooKeeperClient& client_;
  // [Z32] The session under which this process registered last.
  zookeeper::SessionId registered_session_ = zookeeper::kNoSession;
};

}  // namespace highwater::broker::zk
