#pragma once

// StandaloneController: the controller of a broker that has no cluster. Its topics are its log
// directories, with what the directories cannot say (settings, ids, half-done deletions) in a
// TopicStore file.
//
//   StandaloneController controller(env, config, replicas, observer);
//   HW_RETURN_IF_ERROR(controller.Load());             // before the logs are loaded: settings and
//   cluster id HW_RETURN_IF_ERROR(logs.Start()); HW_RETURN_IF_ERROR(controller.Start(logs)); //
//   finishes what a crash left half done, leads every partition
//
// Invariants:
//   1. A topic is announced only when it stands durably in the file, its logs exist and are led.
//   2. A deletion that was answered is never undone; one that a crash cut short is completed at the
//   next start.
//   3. Changes happen one at a time, in the order of their requests.
//
// Not responsible for: more than one broker.

#include <absl/status/status.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/controller/controller.h"
#include "broker/controller/topic_rules.h"
#include "broker/controller/topic_store.h"
#include "broker/observer.h"
#include "broker/replication/replica_manager.h"
#include "broker/server/broker_config.h"
#include "broker/storage/log_manager.h"
#include "core/environment.h"
#include "core/mutex.h"
#include "core/wait_group.h"

namespace highwater::broker {

class StandaloneController final : public Controller {
 public:
  // All outlive it.
  StandaloneController(core::Environment& env, const BrokerConfig& config, ReplicaManager& replicas,
                       Observer& observer);

  // Reads the file, tells the replica manager the settings to expect, settles the cluster id.
  // REQUIRES: on a fiber, before the LogManager starts.
  [[nodiscard]] absl::Status Load();
  // REQUIRES: on a fiber, once `logs` has started. `logs` outlives it.
  [[nodiscard]] absl::Status Start(storage::LogManager& logs);
  // Waits for the changes at work.
  void Stop();
  // The real address, once it is known.
  void SetAddress(BrokerAddress address) { address_ = std::move(address); }

  [[nodiscard]] const std::string& cluster_id() const override { return cluster_id_; }
  [[nodiscard]] BrokerId controller_id() const override { return config_.broker_id; }
  [[nodiscard]] std::vector<BrokerAddress> Brokers() const override { return {address_}; }
  [[nodiscard]] std::vector<std::string> TopicNames() const override;
  [[nodiscard]] std::optional<TopicDescription> Describe(std::string_view topic) const override;
  [[nodiscard]] const TopicSettings* FindTopic(std::string_view topic) const override;
  [[nodiscard]] std::string NameOf(const protocol::Uuid& id) const override;
  [[nodiscard]] std::vector<TopicResult> CreateTopics(std::vector<NewTopic> topics, CreateMode mode,
                                                      core::MonotonicTime deadline) override;
  [[nodiscard]] std::vector<TopicResult> DeleteTopics(std::vector<std::string> names,
                                                      core::MonotonicTime deadline) override;

 private:
  using Work = absl::AnyInvocable<std::vector<TopicResult>()>;

  // Runs `work` alone on a fiber of its own; at the deadline answers REQUEST_TIMED_OUT for `names`
  // while it goes on.
  std::vector<TopicResult> RunChange(std::vector<std::string> names, core::MonotonicTime deadline,
                                     Work work);
  TopicResult CreateTopic(const NewTopic& topic);
  TopicResult DeleteTopic(const std::string& name);
  absl::Status CreateLogs(const std::string& name, const TopicSettings& settings,
                          storage::IsNew is_new);
  absl::Status FinishDeletion(const std::string& name);
  absl::Status AdoptStrayLogs();
  absl::Status LeadTopic(const std::string& name, const StoredTopic& topic);
  absl::Status Save();
  [[nodiscard]] ClusterFacts Facts() const;
  [[nodiscard]] protocol::Uuid DrawId();

  core::Environment& env_;
  const BrokerConfig& config_;
  ReplicaManager& replicas_;
  Observer& observer_;
  storage::LogManager* logs_ = nullptr;

  StoredTopics stored_;
  std::string cluster_id_;
  BrokerAddress address_;
  std::map<std::string, TopicSettings, std::less<>> announced_;
  std::map<protocol::Uuid, std::string> names_by_id_;
  core::Mutex changing_;
  core::WaitGroup changes_;
};

}  // namespace highwater::broker
