#pragma once

// ControllerWorld: brokers that are nothing but their part in the controller: they register, elect,
// serve the controller's requests by the receivers' rules [R1]-[R9] and write down what they got.
// Together with a FakeZooKeeper, which checks each write of a partition's state as it happens.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/controller/kafka_controller.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/protocol/leader_and_isr.h"
#include "broker/protocol/stop_replica.h"
#include "broker/protocol/update_metadata.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"
#include "tests/zk/fake_zookeeper.h"

namespace highwater::tests {

using broker::BrokerEpoch;
using broker::BrokerId;
using broker::ControllerEpoch;
using broker::LeaderEpoch;
using broker::Offset;
using broker::PartitionEpoch;
using broker::PartitionIndex;
using broker::TopicPartition;
using broker::controller::BrokerRegistrar;
using broker::controller::ControllerConfig;
using broker::controller::ControllerRules;
using broker::controller::KafkaController;
using broker::controller::LogEnd;
using broker::protocol::ErrorCode;

std::vector<BrokerId> Ids(std::initializer_list<int32_t> ids);

// What a broker process knows; gone with it.
struct FakeReplica {
  LeaderEpoch leader_epoch{-1};
  BrokerId leader{-1};
  std::vector<BrokerId> isr;
  std::vector<BrokerId> replicas;
  PartitionEpoch partition_epoch{0};
  bool stopped = false;
};

struct FakeBrokerProcess {
  FakeBrokerProcess(core::Environment& env, FakeZooKeeper& server, BrokerId id, bool unclean,
                    const ControllerRules& rules, const ControllerConfig& config);
  core::Environment& env;
  BrokerId id;
  broker::Observer observer;
  FakeZooKeeperClient client;
  broker::zk::KafkaZkClient zk;
  BrokerRegistrar registrar;
  KafkaController controller;
  int32_t controller_epoch = 0;
  std::map<TopicPartition, FakeReplica> replicas;
  std::map<TopicPartition, broker::protocol::UpdateMetadataRequest::UpdateMetadataPartitionState>
      metadata;
  std::set<BrokerId> live_brokers;
  broker::MetadataCache cache;  // all of that, as a broker keeps it
};

// One request as a broker got it, in a line: "LISR orders-0 leader=1 epoch=0 isr=1,2,3".
struct Received {
  BrokerId broker;
  std::string line;
};

class ControllerWorld {
 public:
  explicit ControllerWorld(int brokers, uint64_t seed = 1,
                           ControllerRules rules = ControllerRules::Safe());
  ~ControllerWorld();

  void Start(int32_t broker, bool unclean = false);
  // Kills the process; its session ends when the time-out is over.
  void Crash(int32_t broker, bool expire = true);
  void Run(absl::Duration duration) { world.Run(world.Elapsed() + duration); }
  [[nodiscard]] bool IsRunning(int32_t broker) const {
    return hosts_[static_cast<size_t>(broker)]->running();
  }
  // Runs `work` on a fiber of this broker and waits for it.
  void On(int32_t broker, std::function<void(FakeBrokerProcess&)> work);
  // As On, without waiting.
  void Spawn(int32_t broker, std::function<void(FakeBrokerProcess&)> work);

  void CreateTopic(const std::string& name, const std::vector<std::vector<BrokerId>>& partitions,
                   const broker::zk::ConfigEntries& config = {});
  void DeleteTopic(const std::string& name);
  // nullptr: none is running.
  [[nodiscard]] FakeBrokerProcess* Process(int32_t broker) {
    const auto found = processes_.find(BrokerId(broker));
    return found == processes_.end() ? nullptr : found->second;
  }
  // kNoBroker: none, or more than one.
  [[nodiscard]] BrokerId Controller();
  [[nodiscard]] broker::zk::LeaderAndIsr StateOf(const TopicPartition& partition);
  [[nodiscard]] bool HasLeader(const TopicPartition& partition) {
    return StateOf(partition).leader != broker::kNoBroker;
  }
  // Lines of this kind that this broker got.
  [[nodiscard]] int CountReceived(int32_t broker, std::string_view prefix) const;
  // The leader proposes an ISR, through the controller.
  ErrorCode ProposeIsr(const TopicPartition& partition, std::vector<BrokerId> isr);

  FakeZooKeeper zookeeper;  // outlives the fibers that its clients run on
  ControllerRules rules;
  ControllerConfig config;
  std::vector<Received> received;
  // What each broker's disk holds.
  std::map<BrokerId, std::map<TopicPartition, LogEnd>> log_ends;
  // Replicas whose log directory has failed: requests about them are answered so.
  std::set<std::pair<BrokerId, TopicPartition>> on_failed_directory;
  // Brokers that hang up on the controller.
  std::set<BrokerId> deaf;
  // [C32] Leaders from outside the ISR and the eligible replicas.
  int unclean_elections = 0;
  // The host of the controller crashes at this many writes to ZooKeeper from now; -1: never.
  int crash_controller_at_write = -1;
  // Every write of a state znode: "orders-0 v3 leader=1 epoch=2 isr=1,2".
  std::vector<std::string> written;

 private:
  void Main(core::Environment& env, BrokerId id);
  void Serve(FakeBrokerProcess& process, core::Connection& connection);
  core::Payload Answer(FakeBrokerProcess& process, const core::ByteChain& frame);
  void OnWrite(const std::string& path, const FakeZooKeeper::Node* node);

  std::vector<sim::Host*> hosts_;
  std::map<BrokerId, FakeBrokerProcess*> processes_;
  std::map<BrokerId, bool> unclean_;
  std::map<std::string, broker::zk::LeaderIsrAndControllerEpoch> states_;
  uint64_t topics_made_ = 0;

 public:
  // Last, so that everything outlives its fibers.
  sim::World world;
};

}  // namespace highwater::tests
