#pragma once

// ReplicatedWorld: simulated brokers of one cluster without ZooKeeper, and a controller that does
// what the test says: it sends LeaderAndIsr, UpdateMetadata and StopReplica requests with epochs of
// the test's choice, and answers AlterPartition by a conditional write on its own state.
//
//   ReplicatedWorld w;
//   w.Run([&] {
//     w.Lead(1, {1, 2, 3});
//     EXPECT_EQ(w.Produce(1, "x"), ErrorCode::NONE);
//     w.Crash(1);
//     w.Lead(2, {2, 3});
//   });
//
// One topic "t" with one partition, replicas 1, 2, 3, in the racks "rack-1" to "rack-3". The test's
// function runs on a host of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/client/broker_connection.h"
#include "broker/observer.h"
#include "broker/protocol/alter_partition.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/leader_and_isr.h"
#include "broker/protocol/stop_replica.h"
#include "broker/protocol/update_metadata.h"
#include "broker/server/broker.h"
#include "broker/server/socket_server.h"
#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"

namespace highwater::tests {

using broker::protocol::ErrorCode;

// What the brokers said, and the logs that follow from it.
class Witness final : public broker::Observer {
 public:
  struct Batch {
    int64_t base;
    int64_t last;
    int32_t epoch;
    uint64_t digest;
    bool operator==(const Batch&) const = default;
  };
  struct Replica {
    std::vector<Batch> log;
    int64_t high_watermark = 0;  // of its present leadership
    int truncations = 0;
  };

  void OnLogLoaded(broker::BrokerId id, const broker::LogLoadedEvent& event) override {
    Cut(Of(id, event.partition), event.log_end_offset.value());
  }
  void OnBecameLeader(broker::BrokerId id, const broker::TopicPartition& tp,
                      broker::LeaderEpoch epoch, broker::Offset) override {
    leaders.emplace_back(id.value(), epoch.value());
    const auto [leader, is_new] = leader_of.emplace(epoch.value(), id.value());
    EXPECT_TRUE(is_new || leader->second == id.value()) << "two leaders of one epoch";
    Of(id, tp).high_watermark = 0;
  }
  void OnIsrChanged(broker::BrokerId, const broker::TopicPartition&, broker::LeaderEpoch,
                    broker::PartitionEpoch, absl::Span<const broker::BrokerId> members) override {
    isr.assign(members.begin(), members.end());
  }
  void OnAppended(broker::BrokerId id, const broker::AppendedEvent& event) override {
    Of(id, event.partition)
        .log.push_back({event.base_offset.value(), event.last_offset.value(),
                        event.leader_epoch.value(), event.digest});
  }
  void OnTruncated(broker::BrokerId id, const broker::TopicPartition& tp,
                   broker::Offset end) override {
    Replica& replica = Of(id, tp);
    ++replica.truncations;
    Cut(replica, end.value());
  }
  void OnHighWatermarkMoved(broker::BrokerId id, const broker::TopicPartition& tp,
                            broker::LeaderEpoch, broker::Offset offset) override;
  void OnLogDirectoryFailed(broker::BrokerId id, std::string_view, std::string_view) override {
    failed_directories.insert(id.value());
  }

  Replica& Of(broker::BrokerId id, const broker::TopicPartition& tp) {
    return tp.topic == "t" ? replicas[id.value()] : others;
  }
  static void Cut(Replica& replica, int64_t end) {
    while (!replica.log.empty() && replica.log.back().last >= end) replica.log.pop_back();
  }

  std::map<int32_t, Replica> replicas;  // by broker
  Replica others;
  std::vector<std::pair<int32_t, int32_t>> leaders;  // broker, epoch
  std::map<int32_t, int32_t> leader_of;              // by epoch
  std::vector<broker::BrokerId> isr;                 // as the last leader said
  std::vector<Batch> committed;                      // below any leader's high watermark
  std::set<int32_t> failed_directories;
};

class ReplicatedWorld {
 public:
  using Settings = std::map<std::string, std::string>;
  struct Options {
    uint64_t seed = 1;
    sim::StrategyKind strategy = sim::StrategyKind::kFifo;
    Settings settings;
    int brokers = 3;
    std::vector<std::string> mounts;
    broker::ReplicationRules rules;
    bool quiet = false;  // without the witness: for benchmarks
  };

  ReplicatedWorld() : ReplicatedWorld(Options()) {}
  explicit ReplicatedWorld(Options options);

  // Starts all brokers and runs `script` on the controller's host; gives up after `limit`.
  void Run(std::function<void()> script, absl::Duration limit = absl::Minutes(10));

  // ---- From the script.

  // The controller's decision: the next epoch, sent to everybody that runs and is not withheld.
  // Waits until they have it.
  void Lead(int32_t leader, std::vector<int32_t> isr);
  // As Lead without waiting.
  void Decide(int32_t leader, std::vector<int32_t> isr);
  void AwaitDelivered();
  // Nothing reaches this broker from the controller.
  void Withhold(int32_t broker) { withheld_.insert(broker); }
  // It hears again.
  void Admit(int32_t broker) {
    withheld_.erase(broker);
    Deliver(broker);
  }
  void Deliver(int32_t broker);
  void Crash(int32_t broker);
  void LosePower(int32_t broker);
  void Start(int32_t broker);
  // Sends one request to one broker; an error in the answer is the answer.
  template <typename Request>
  absl::StatusOr<typename Request::Response> Call(int32_t broker, const Request& request,
                                                  absl::Duration patience = absl::Seconds(5)) {
    return ConnectionTo(broker)->Call(request, env().fibers.Now() + patience);
  }
  // The error of one record sent to this broker. UNKNOWN_SERVER_ERROR: no answer.
  ErrorCode Produce(int32_t broker, const std::string& value, int16_t acks = -1,
                    int32_t timeout_ms = 3000);
  // A consumer's fetch of the one partition, outside of any session, and its answer.
  broker::protocol::FetchResponse::PartitionData Fetch(int32_t broker, int64_t offset,
                                                       int32_t max_wait_ms = 0,
                                                       std::string rack = "");
  // All values that a consumer sees at this broker.
  std::vector<std::string> Read(int32_t broker);
  broker::protocol::LeaderAndIsrRequest LeaderAndIsr() const;
  broker::protocol::UpdateMetadataRequest UpdateMetadata() const;
  // Waits until `holds`; fails the test if that takes longer than `limit`.
  void Await(std::string_view what, const std::function<bool()>& holds,
             absl::Duration limit = absl::Seconds(60));
  void AwaitIsr(size_t members);
  // Every replica has the same log, all of it committed.
  void AwaitEqualLogs(const std::vector<int32_t>& brokers);
  void Sleep(absl::Duration time) { env().fibers.SleepFor(time); }
  // Nothing passes between the two any more.
  sim::FaultId Cut(int32_t a, int32_t b);

  [[nodiscard]] core::Environment& env() { return *env_; }
  [[nodiscard]] sim::Host& host(int32_t broker) { return *hosts_.at(broker); }

  sim::World world;
  Witness witness;
  broker::Observer nobody;
  // The state znode.
  int32_t controller_epoch = 1;
  int32_t leader = -1;
  int32_t leader_epoch = -1;
  int32_t partition_epoch = 0;
  std::vector<int32_t> isr;
  bool answers_alter_partition = true;
  int alter_partitions = 0;

 private:
  class Dispatcher;

  std::shared_ptr<broker::client::BrokerConnection> ConnectionTo(int32_t broker);
  std::shared_ptr<broker::client::BrokerConnection> FreeClientOf(int32_t broker);
  std::shared_ptr<broker::client::BrokerConnection> Dial(int32_t broker);
  void SendLoop(int32_t broker);
  void End(int32_t broker, sim::CrashKind kind);
  broker::protocol::AlterPartitionResponse Alter(
      const broker::protocol::AlterPartitionRequest& request);

  Options options_;
  std::map<int32_t, sim::Host*> hosts_;
  sim::Host* controller_ = nullptr;
  core::Environment* env_ = nullptr;
  // The controller's own, and the clients': a broker serves one request of a connection at a time.
  std::map<int32_t, std::shared_ptr<broker::client::BrokerConnection>> connections_;
  std::map<int32_t, std::vector<std::shared_ptr<broker::client::BrokerConnection>>> clients_;
  broker::client::ClientConfig client_config_;
  std::set<int32_t> withheld_;
  uint64_t version_ = 0;              // of the decision
  std::map<int32_t, uint64_t> sent_;  // which version a broker has
  std::map<int32_t, bool> sending_;
};

}  // namespace highwater::tests
