#pragma once

// BrokerMetrics: one broker's metrics, collected from what it reports of itself.
//
//   BrokerMetrics metrics(OwnController::kNo);
//   Broker broker(env, config, metrics);    // metrics is its observer
//   std::string text = metrics.Render();    // at any time: Prometheus's text format
//
// Names are those that Kafka's JMX metrics get from Prometheus's exporter with its example rules
// for Kafka 2.0 and later, so that dashboards made for Kafka show a Highwater broker too.
// docs/metrics.md lists them and what differs.
//
// Invariants:
//   1. Counters never go down while the process lives, but those of a topic that this broker holds
//      no replica of any more are forgotten with it.
//   2. It has no effect on the broker.

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "broker/observer.h"
#include "broker/types.h"

namespace highwater::broker::metrics {

class Exposition;

// Whether the broker is its own controller: no ZooKeeper is named.
enum class OwnController : bool { kNo, kYes };

class BrokerMetrics final : public Observer {
 public:
  explicit BrokerMetrics(OwnController own_controller) : own_controller_(own_controller) {}

  [[nodiscard]] std::string Render() const;

  // Observer
  void OnBrokerStarted(BrokerId) override;
  void OnAssignment(BrokerId, const TopicPartition& partition, absl::Span<const BrokerId> replicas,
                    int64_t min_insync_replicas) override;
  void OnBecameLeader(BrokerId, const TopicPartition& partition, LeaderEpoch, Offset) override;
  void OnBecameFollower(BrokerId, const TopicPartition& partition, LeaderEpoch, BrokerId,
                        Offset) override;
  void OnStoppedLeading(BrokerId, const TopicPartition& partition, LeaderEpoch) override;
  void OnReplicaDeleted(BrokerId, const TopicPartition& partition) override;
  void OnIsrChanged(BrokerId, const TopicPartition& partition, LeaderEpoch, PartitionEpoch,
                    absl::Span<const BrokerId> isr) override;
  void OnAppended(BrokerId, const AppendedEvent& event) override;
  void OnRecordsFetched(BrokerId, const TopicPartition& partition, BrokerId follower,
                        uint64_t bytes) override;
  void OnBecameController(BrokerId, ControllerEpoch) override;
  void OnResignedAsController(BrokerId) override;
  void OnPartitionOffline(BrokerId, const TopicPartition& partition, bool offline) override;
  void OnLogDirectoryFailed(BrokerId, std::string_view path, std::string_view error) override;
  void OnRequestServed(BrokerId, const RequestEvent& event) override;

 private:
  struct Partition {
    bool leads = false;
    // Of a leader:
    size_t replicas = 0;
    size_t min_insync_replicas = 0;
    std::set<BrokerId> isr;
    bool knows_isr = false;  // since it has begun to lead
  };
  struct Topic {
    uint64_t messages_in = 0;
    uint64_t bytes_in = 0;
    uint64_t bytes_out = 0;
    uint64_t partitions = 0;
  };
  // The upper bounds of a request's time in milliseconds, as they are printed and as they are.
  struct Bound {
    std::string_view text;
    absl::Duration time;
  };
  static const std::array<Bound, 15> kBounds;
  struct Request {
    std::map<int16_t, uint64_t> by_version;
    std::map<int16_t, uint64_t> errors;
    std::array<uint64_t, 15> within{};  // by bound, not summed up
    uint64_t count = 0;
    absl::Duration time;
  };
  // Key and whether a follower asked: Kafka tells its fetches from those of consumers.
  using RequestKey = std::pair<int16_t, bool>;

  Partition& PartitionOf(const TopicPartition& id);
  [[nodiscard]] static std::string NameOf(const RequestKey& key);
  void RenderPartitions(Exposition& out) const;
  void RenderController(Exposition& out) const;
  void RenderTopics(Exposition& out) const;
  void RenderRequests(Exposition& out) const;
  void RenderTimes(Exposition& out) const;

  OwnController own_controller_;
  bool active_controller_ = false;
  std::map<TopicPartition, Partition> partitions_;  // hosted
  std::map<std::string, Topic, std::less<>> topics_;
  std::set<TopicPartition> offline_;
  std::set<std::string, std::less<>> failed_directories_;
  std::map<RequestKey, Request> requests_;
  uint64_t isr_shrinks_ = 0;
  uint64_t isr_expands_ = 0;
  uint64_t replication_bytes_in_ = 0;
  uint64_t replication_bytes_out_ = 0;
};

}  // namespace highwater::broker::metrics
