#pragma once

// Recorder: where everything that is observed in one world comes together: client histories, the
// brokers' own events, checks, metrics, and the narrator who puts them into words. It is outside of
// the world: nothing in it has an effect on what happens.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/observer.h"
#include "invariants/history.h"
#include "invariants/invariant.h"
#include "scenarios/scenario.h"
#include "scenarios/seed_result.h"
#include "scenarios/world/availability.h"
#include "scenarios/world/cluster_roles.h"
#include "scenarios/world/follower_lag.h"
#include "scenarios/world/narrator.h"
#include "scenarios/world/partition_news.h"
#include "scenarios/world/survivability.h"
#include "scenarios/world/write_watch.h"
#include "scenarios/world/zookeeper_recorder.h"

namespace highwater::scenarios {

class Recorder final : public broker::Observer, public invariants::ViolationSink {
 public:
  // `now`: time since the world began. `on_violation` is called at the event, after it was
  // recorded. Where the scenario judges only within the guarantee, a violation that the
  // configuration permits is told but not judged.
  Recorder(const Scenario& scenario, Narrator& narrator, std::function<absl::Duration()> now,
           std::function<void(const invariants::Violation&)> on_violation);

  // What clients did and were told.
  uint32_t AddProducer(std::string name, invariants::ProducerPromises promises) {
    return history_.AddProducer(std::move(name), promises);
  }
  invariants::RecordId Sent(uint32_t producer, const broker::TopicPartition& partition,
                            uint32_t size, int16_t acks);
  void Completed(invariants::RecordId id, invariants::SendOutcome outcome,
                 broker::PartitionIndex partition, broker::Offset offset);
  // `poll`: which of the consumer's polls handed it out, from 1.
  void Consumed(std::string_view consumer, const broker::TopicPartition& partition,
                broker::Offset offset, const core::Bytes& value, uint64_t poll);
  void PositionJumped(std::string_view consumer, const broker::TopicPartition& partition,
                      broker::Offset from, invariants::JumpReason reason);
  // What the readers of the heal phase found; judges what is judged at rest.
  void AtRest(std::vector<invariants::PartitionAtRest> partitions);

  // What operators do to topics. A topic that is about to be deleted promises nothing more, until
  // the controller has created one of that name anew; nor does one that is still to be created.
  void TopicGone(std::string_view topic);
  // From now on records may be acknowledged under this setting.
  void TopicSettingChanged(const std::string& topic, std::string_view name, std::string_view value);

  // What happened to a broker from outside: `text` for people, empty where a fault says it.
  void ProcessEnded(int32_t broker, std::string text);
  // It stays away while the cluster heals.
  void LeftOut(int32_t broker) { left_out_.insert(broker::BrokerId(broker)); }
  // Whether it runs, unfrozen, and can be reached.
  void SetReachable(int32_t broker, bool reachable);
  void Fault(std::string text, std::string place);
  void Tell(std::string actor, std::string text);
  // Of the run as a whole.
  void TellNews(std::string text);

  // broker::Observer
  void OnBrokerStarted(broker::BrokerId id) override;
  void OnBrokerStopped(broker::BrokerId id) override;
  void OnLogLoaded(broker::BrokerId id, const broker::LogLoadedEvent& event) override;
  void OnBecameLeader(broker::BrokerId id, const broker::TopicPartition& partition,
                      broker::LeaderEpoch epoch, broker::Offset log_end) override;
  void OnBecameFollower(broker::BrokerId id, const broker::TopicPartition& partition,
                        broker::LeaderEpoch epoch, broker::BrokerId leader,
                        broker::Offset log_end) override;
  void OnStoppedLeading(broker::BrokerId id, const broker::TopicPartition& partition,
                        broker::LeaderEpoch epoch) override;
  void OnReplicaDeleted(broker::BrokerId id, const broker::TopicPartition& partition) override;
  void OnIsrChanged(broker::BrokerId id, const broker::TopicPartition& partition,
                    broker::LeaderEpoch epoch, broker::PartitionEpoch partition_epoch,
                    absl::Span<const broker::BrokerId> isr) override;
  void OnFollowerFetched(broker::BrokerId leader, const broker::TopicPartition& partition,
                         broker::LeaderEpoch epoch, broker::BrokerId follower,
                         broker::Offset fetch_offset) override;
  void OnFollowerHighWatermarkMoved(broker::BrokerId id, const broker::TopicPartition& partition,
                                    broker::LeaderEpoch epoch,
                                    broker::Offset high_watermark) override;
  void OnPartitionStateWritten(broker::BrokerId controller,
                               const broker::PartitionStateEvent& event) override;
  void OnHighWatermarkMoved(broker::BrokerId id, const broker::TopicPartition& partition,
                            broker::LeaderEpoch epoch, broker::Offset high_watermark) override;
  void OnBecameController(broker::BrokerId id, broker::ControllerEpoch epoch) override;
  void OnResignedAsController(broker::BrokerId id) override;
  void OnLogDeleted(broker::BrokerId id, const broker::TopicPartition& partition) override;
  void OnAppended(broker::BrokerId id, const broker::AppendedEvent& event) override;
  void OnFlushed(broker::BrokerId id, const broker::TopicPartition& partition,
                 broker::Offset recovery_point) override;
  void OnTruncated(broker::BrokerId id, const broker::TopicPartition& partition,
                   broker::Offset log_end) override;
  void OnLogStartMoved(broker::BrokerId id, const broker::TopicPartition& partition,
                       broker::Offset log_start) override;
  void OnAcknowledged(broker::BrokerId id, const broker::TopicPartition& partition,
                      broker::LeaderEpoch epoch, broker::Offset base, broker::Offset last,
                      int16_t acks) override;
  void OnTopicCreated(broker::BrokerId id, std::string_view topic, int32_t partitions) override;
  void OnTopicDeleted(broker::BrokerId id, std::string_view topic) override;
  void OnLogDirectoryFailed(broker::BrokerId id, std::string_view path,
                            std::string_view error) override;

  // invariants::ViolationSink
  void Report(invariants::Violation violation) override;
  void Excuse(const broker::TopicPartition& partition, std::string why) override;

  // The first violation of each rule with its chain, and the figures that do not come from the
  // world itself.
  [[nodiscard]] std::vector<Violation> Violations() const;
  [[nodiscard]] uint64_t acked() const { return acked_; }
  // Partitions that were proved to wait lawfully.
  [[nodiscard]] uint64_t excused() const { return excused_; }
  [[nodiscard]] SeedMetrics Metrics() const;
  // How often each chosen invariant was checked.
  [[nodiscard]] std::vector<MarkCount> Checks() const;
  // The clients' operations as text, a line each.
  [[nodiscard]] std::string HistoryText() const;
  [[nodiscard]] const invariants::ClientHistory& history() const { return history_; }
  [[nodiscard]] const ClusterRoles& roles() const { return roles_; }
  // What the servers of a ZooKeeper ensemble report.
  [[nodiscard]] broker::ZooKeeperObserver& zookeeper() { return zookeeper_; }
  [[nodiscard]] const Availability& availability() const { return availability_; }
  // For whoever sees which clients are cut off.
  [[nodiscard]] WriteWatch& writes() { return writes_; }
  // For whoever sees what disks lose.
  [[nodiscard]] Survivability& survivability() { return survivability_; }

 private:
  [[nodiscard]] invariants::TopicPromise PromiseOf(std::string_view topic) const;
  // Whether anything is promised of it now.
  [[nodiscard]] bool Judges(const broker::TopicPartition& partition) const {
    return gone_.empty() || !gone_.contains(partition.topic);
  }
  // Whether the record was sent before its topic was created anew: it may be, or have been, in the
  // topic of that name before.
  [[nodiscard]] bool IsOfFormerTopic(std::string_view topic,
                                     const std::optional<invariants::RecordId>& id) const;
  void NoticeCreation(const broker::PartitionStateEvent& event);
  // Everything that was known of the topic is of one that is no more.
  void Forget(std::string_view topic);

  const Scenario& scenario_;
  Narrator& narrator_;
  std::function<absl::Duration()> now_;
  std::function<void(const invariants::Violation&)> on_violation_;
  bool judges_all_;
  invariants::ClientHistory history_;
  invariants::ReplicaLogs logs_;
  std::map<broker::TopicPartition, broker::LeaderEpoch> newest_epochs_;
  ClusterRoles roles_;
  std::set<std::string, std::less<>> gone_;  // topics of which nothing is judged
  // Since when a topic is what it is: what was sent before may have gone to the one before.
  std::map<std::string, absl::Duration, std::less<>> created_at_;
  // The least min.insync.replicas that ever was in force, where an operator has changed it.
  std::map<std::string, int32_t, std::less<>> least_min_insync_;
  Survivability survivability_;
  std::vector<std::unique_ptr<invariants::Invariant>> invariants_;
  ZooKeeperRecorder zookeeper_;
  std::vector<invariants::Violation> violations_;
  uint64_t acked_ = 0;
  uint64_t excused_ = 0;
  uint64_t sent_ = 0;
  uint64_t consumed_ = 0;
  Availability availability_;
  WriteWatch writes_;
  std::set<broker::BrokerId> down_;  // brokers whose process has ended
  std::set<broker::BrokerId> left_out_;
  FollowerLag lag_;
  PartitionNews news_;
};

}  // namespace highwater::scenarios
