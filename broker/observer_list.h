#pragma once

// ObserverList: tells several observers the same events, each one in the order of the list.
//
//   ObserverList observers({&log, &metrics});
//   Broker broker(env, config, observers);
//
// Invariant: every event of observer.h is passed on (tests/broker/observer_list_test.py compares
// the two files).

#include <utility>
#include <vector>

#include "broker/observer.h"

namespace highwater::broker {

class ObserverList final : public Observer {
 public:
  // They outlive the list.
  explicit ObserverList(std::vector<Observer*> observers) : observers_(std::move(observers)) {}

  void OnBrokerStarted(BrokerId a) override {
    for (Observer* o : observers_) o->OnBrokerStarted(a);
  }
  void OnBrokerStopped(BrokerId a) override {
    for (Observer* o : observers_) o->OnBrokerStopped(a);
  }
  void OnLogLoaded(BrokerId a, const LogLoadedEvent& b) override {
    for (Observer* o : observers_) o->OnLogLoaded(a, b);
  }
  void OnBecameLeader(BrokerId a, const TopicPartition& b, LeaderEpoch c, Offset d) override {
    for (Observer* o : observers_) o->OnBecameLeader(a, b, c, d);
  }
  void OnBecameFollower(BrokerId a, const TopicPartition& b, LeaderEpoch c, BrokerId d,
                        Offset e) override {
    for (Observer* o : observers_) o->OnBecameFollower(a, b, c, d, e);
  }
  void OnAssignment(BrokerId a, const TopicPartition& b, absl::Span<const BrokerId> c,
                    int64_t d) override {
    for (Observer* o : observers_) o->OnAssignment(a, b, c, d);
  }
  void OnStoppedLeading(BrokerId a, const TopicPartition& b, LeaderEpoch c) override {
    for (Observer* o : observers_) o->OnStoppedLeading(a, b, c);
  }
  void OnReplicaDeleted(BrokerId a, const TopicPartition& b) override {
    for (Observer* o : observers_) o->OnReplicaDeleted(a, b);
  }
  void OnLogDeleted(BrokerId a, const TopicPartition& b) override {
    for (Observer* o : observers_) o->OnLogDeleted(a, b);
  }
  void OnIsrChanged(BrokerId a, const TopicPartition& b, LeaderEpoch c, PartitionEpoch d,
                    absl::Span<const BrokerId> e) override {
    for (Observer* o : observers_) o->OnIsrChanged(a, b, c, d, e);
  }
  void OnFollowerFetched(BrokerId a, const TopicPartition& b, LeaderEpoch c, BrokerId d,
                         Offset e) override {
    for (Observer* o : observers_) o->OnFollowerFetched(a, b, c, d, e);
  }
  void OnAppended(BrokerId a, const AppendedEvent& b) override {
    for (Observer* o : observers_) o->OnAppended(a, b);
  }
  void OnRecordsFetched(BrokerId a, const TopicPartition& b, BrokerId c, uint64_t d) override {
    for (Observer* o : observers_) o->OnRecordsFetched(a, b, c, d);
  }
  void OnFlushed(BrokerId a, const TopicPartition& b, Offset c) override {
    for (Observer* o : observers_) o->OnFlushed(a, b, c);
  }
  void OnTruncated(BrokerId a, const TopicPartition& b, Offset c) override {
    for (Observer* o : observers_) o->OnTruncated(a, b, c);
  }
  void OnLogStartMoved(BrokerId a, const TopicPartition& b, Offset c) override {
    for (Observer* o : observers_) o->OnLogStartMoved(a, b, c);
  }
  void OnHighWatermarkMoved(BrokerId a, const TopicPartition& b, LeaderEpoch c, Offset d) override {
    for (Observer* o : observers_) o->OnHighWatermarkMoved(a, b, c, d);
  }
  void OnFollowerHighWatermarkMoved(BrokerId a, const TopicPartition& b, LeaderEpoch c,
                                    Offset d) override {
    for (Observer* o : observers_) o->OnFollowerHighWatermarkMoved(a, b, c, d);
  }
  void OnAcknowledged(BrokerId a, const TopicPartition& b, LeaderEpoch c, Offset d, Offset e,
                      int16_t f) override {
    for (Observer* o : observers_) o->OnAcknowledged(a, b, c, d, e, f);
  }
  void OnBecameController(BrokerId a, ControllerEpoch b) override {
    for (Observer* o : observers_) o->OnBecameController(a, b);
  }
  void OnResignedAsController(BrokerId a) override {
    for (Observer* o : observers_) o->OnResignedAsController(a);
  }
  void OnTopicCreated(BrokerId a, std::string_view b, int32_t c) override {
    for (Observer* o : observers_) o->OnTopicCreated(a, b, c);
  }
  void OnTopicDeleted(BrokerId a, std::string_view b) override {
    for (Observer* o : observers_) o->OnTopicDeleted(a, b);
  }
  void OnLogDirectoryFailed(BrokerId a, std::string_view b, std::string_view c) override {
    for (Observer* o : observers_) o->OnLogDirectoryFailed(a, b, c);
  }
  void OnPartitionOffline(BrokerId a, const TopicPartition& b, bool c) override {
    for (Observer* o : observers_) o->OnPartitionOffline(a, b, c);
  }
  void OnRequestServed(BrokerId a, const RequestEvent& b) override {
    for (Observer* o : observers_) o->OnRequestServed(a, b);
  }
  void OnPartitionStateWritten(BrokerId a, const PartitionStateEvent& b) override {
    for (Observer* o : observers_) o->OnPartitionStateWritten(a, b);
  }

 private:
  std::vector<Observer*> observers_;
};

}  // namespace highwater::broker
