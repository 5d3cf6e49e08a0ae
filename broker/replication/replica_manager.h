#pragma once

// ReplicaManager: the partitions that this broker hosts, and how a directory's failure or a topic's
// end reaches them.
//
// Not responsible for: which partitions there should be (Controller), files (storage::LogManager).

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "broker/observer.h"
#include "broker/replication/partition.h"
#include "broker/storage/log_manager.h"
#include "core/environment.h"

namespace highwater::broker {

class ReplicaManager final : public storage::LogManagerListener {
 public:
  // All outlive it.
  ReplicaManager(core::Environment& env, BrokerId self, Observer& observer)
      : env_(env), self_(self), observer_(observer) {}
  ReplicaManager(const ReplicaManager&) = delete;
  ReplicaManager& operator=(const ReplicaManager&) = delete;

  // Opens or makes the partition's log and leads it, in an epoch not below `at_least`. After an
  // error the partition is known as offline. REQUIRES: on a fiber; not hosted yet.
  [[nodiscard]] absl::Status StartLeading(storage::LogManager& logs, const TopicPartition& id,
                                          const protocol::Uuid& topic_id, const TopicConfig& config,
                                          storage::IsNew is_new, LeaderEpoch at_least);
  // Tells everybody who waits, forgets the partition and deletes its log. OK if there is none.
  // REQUIRES: on a fiber.
  [[nodiscard]] absl::Status Delete(storage::LogManager& logs, const TopicPartition& id);
  // Tells everybody who waits that the broker stops.
  void ResignAll();

  // nullptr: not hosted here.
  [[nodiscard]] std::shared_ptr<Partition> Find(std::string_view topic, PartitionIndex index) const;
  // What to tell a client of a partition that Find does not know.
  [[nodiscard]] protocol::ErrorCode WhyNotHosted(std::string_view topic,
                                                 PartitionIndex index) const;

  // storage::LogManagerListener
  std::optional<Offset> HighWatermarkOf(const TopicPartition& id) override;
  storage::LogConfig ConfigOf(std::string_view topic, const storage::LogConfig& defaults) override;
  void OnDirectoryOffline(std::string_view directory,
                          const std::vector<TopicPartition>& partitions) override;

  // Settings for logs that are found at start, before their partitions are led.
  void ExpectConfig(std::string topic, const storage::LogConfig& config) {
    expected_configs_.insert_or_assign(std::move(topic), config);
  }

 private:
  core::Environment& env_;
  BrokerId self_;
  Observer& observer_;
  std::map<std::string, std::map<PartitionIndex, std::shared_ptr<Partition>>, std::less<>> topics_;
  std::set<TopicPartition> offline_;
  std::map<std::string, storage::LogConfig, std::less<>> expected_configs_;
};

}  // namespace highwater::broker
