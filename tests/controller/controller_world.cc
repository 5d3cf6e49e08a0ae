#include "tests/controller/controller_world.h"

#include <absl/strings/str_join.h>
#include <fmt/format.h>

#include "broker/protocol/frame.h"
#include "broker/protocol/message.h"
#include "broker/protocol/offset_for_leader_epoch.h"

namespace highwater::tests {

namespace protocol = broker::protocol;
namespace zk = broker::zk;

namespace {

constexpr uint16_t kPort = 9092;

std::string Join(const std::vector<BrokerId>& ids) {
  std::string text;
  for (const BrokerId id : ids) text += fmt::format("{}{}", text.empty() ? "" : ",", id);
  return text;
}

std::vector<BrokerId> FromWire(const std::vector<int32_t>& numbers) {
  std::vector<BrokerId> ids;
  for (const int32_t number : numbers) ids.emplace_back(number);
  return ids;
}

template <typename Request>
Request Decode(const protocol::ParsedRequest& parsed) {
  auto request = protocol::DecodeMessage<Request>(parsed.body, parsed.header.api_version);
  HW_CHECK(request.ok(), "{}", request.status().ToString());
  return *std::move(request);
}

template <typename Response>
core::Payload Encode(const protocol::ParsedRequest& parsed, const Response& response) {
  auto frame =
      protocol::EncodeResponse(parsed.header.correlation_id, response, parsed.header.api_version);
  HW_CHECK(frame.ok(), "{}", frame.status().ToString());
  return *std::move(frame);
}

}  // namespace

std::vector<BrokerId> Ids(std::initializer_list<int32_t> ids) {
  std::vector<BrokerId> brokers;
  for (const int32_t id : ids) brokers.emplace_back(id);
  return brokers;
}

FakeBrokerProcess::FakeBrokerProcess(core::Environment& environment, FakeZooKeeper& server,
                                     BrokerId broker, bool unclean, const ControllerRules& rules,
                                     const ControllerConfig& common)
    : env(environment),
      id(broker),
      client(env, server),
      zk(client),
      registrar(env, zk,
                {.id = id,
                 .endpoints = {{.host = fmt::format("broker-{}", id), .port = kPort}},
                 .unclean_start = unclean}),
      controller(
          env, zk, registrar,
          [&] {
            ControllerConfig config = common;
            config.broker_id = id;
            return config;
          }(),
          rules, observer) {}

ControllerWorld::ControllerWorld(int brokers, uint64_t seed, ControllerRules table)
    : rules(table), world({.seed = seed}) {
  config.auto_leader_rebalance_enable = false;
  const auto zone = world.network().AddZone("az-a");
  for (int i = 0; i < brokers; ++i) {
    hosts_.push_back(&world.AddHost({.name = fmt::format("broker-{}", i), .zone = zone}));
    hosts_.back()->SetMain([this, i](core::Environment& env) { Main(env, BrokerId(i)); });
  }
  zookeeper.on_write = [this](const std::string& path, const FakeZooKeeper::Node* node) {
    OnWrite(path, node);
  };
}

ControllerWorld::~ControllerWorld() { zookeeper.on_write = nullptr; }

void ControllerWorld::Start(int32_t broker, bool unclean) {
  unclean_[BrokerId(broker)] = unclean;
  hosts_[static_cast<size_t>(broker)]->Start();
}

void ControllerWorld::Crash(int32_t broker, bool expire) {
  hosts_[static_cast<size_t>(broker)]->Crash();
  processes_.erase(BrokerId(broker));
  if (expire) zookeeper.ExpireDead();
}

void ControllerWorld::Main(core::Environment& env, BrokerId id) {
  FakeBrokerProcess process(env, zookeeper, id, unclean_[id], rules, config);
  auto listener = env.network.Listen({.host = "", .port = kPort});
  HW_CHECK(listener.ok());
  HW_CHECK(process.client.Connect().ok());
  HW_CHECK(process.zk.MakeBasePaths().ok());
  const auto epoch = process.registrar.RegisterAtStart(core::MonotonicTime::Never());
  HW_CHECK(epoch.ok(), "{}", epoch.status().ToString());
  processes_[id] = &process;
  // However this process ends, nobody finds it afterwards.
  struct Listed {
    ~Listed() {
      const auto found = world.processes_.find(process.id);
      if (found != world.processes_.end() && found->second == &process) {
        world.processes_.erase(found);
      }
    }
    ControllerWorld& world;
    FakeBrokerProcess& process;
  } const listed{*this, process};
  process.controller.Startup();
  while (true) {
    auto connection = (*listener)->Accept(core::MonotonicTime::Never());
    if (!connection.ok()) return;
    std::shared_ptr<core::Connection> shared(std::move(*connection));
    env.fibers.Spawn("serve", [this, &process, shared] { Serve(process, *shared); });
  }
}

void ControllerWorld::Serve(FakeBrokerProcess& process, core::Connection& connection) {
  core::ByteChain buffered;
  while (true) {
    auto frame = protocol::TakeFrame(buffered, protocol::kDefaultMaxRequestBytes);
    HW_CHECK(frame.ok());
    if (frame->has_value()) {
      if (deaf.contains(process.id)) return connection.Close();
      const core::Payload answer = Answer(process, **frame);
      if (!connection.Write(answer, core::MonotonicTime::Never()).ok()) return;
      continue;
    }
    const auto read = connection.Read(1 << 16, core::MonotonicTime::Never());
    if (!read.ok() || read->empty()) return;
    buffered.Append(*read);
  }
}

// By the rules of a receiver.
core::Payload ControllerWorld::Answer(FakeBrokerProcess& process, const core::ByteChain& frame) {
  const auto parsed = protocol::ParseRequest(frame);
  HW_CHECK(parsed.ok());
  const auto note = [&](std::string line) { received.push_back({process.id, std::move(line)}); };
  // [R1], [R2]
  const auto admit = [&](const auto& request) {
    if (BrokerEpoch(request.broker_epoch) < process.registrar.epoch()) {
      note("STALE_BROKER_EPOCH");
      return ErrorCode::STALE_BROKER_EPOCH;
    }
    if (request.controller_epoch < process.controller_epoch) {
      note("STALE_CONTROLLER_EPOCH");
      return ErrorCode::STALE_CONTROLLER_EPOCH;
    }
    process.controller_epoch = request.controller_epoch;
    process.registrar.ControllerSpoke(BrokerEpoch(request.broker_epoch));
    return ErrorCode::NONE;
  };
  switch (parsed->header.api_key) {
    case protocol::ApiKey::kLeaderAndIsr: {
      const auto request = Decode<protocol::LeaderAndIsrRequest>(*parsed);
      protocol::LeaderAndIsrResponse response;
      response.error_code = admit(request);
      if (response.error_code != ErrorCode::NONE) return Encode(*parsed, response);
      for (const auto& topic : request.topic_states) {
        auto& answer = response.topics.emplace_back();
        answer.topic_id = topic.topic_id;
        for (const auto& state : topic.partition_states) {
          const TopicPartition id{topic.topic_name, PartitionIndex(state.partition_index)};
          note(fmt::format("LISR {} leader={} epoch={} isr={}{}", id, state.leader,
                           state.leader_epoch, Join(FromWire(state.isr)),
                           state.is_new ? " new" : ""));
          FakeReplica& replica = process.replicas[id];
          auto& entry = answer.partition_errors.emplace_back();
          entry.partition_index = state.partition_index;
          if (on_failed_directory.contains({process.id, id})) {
            entry.error_code = ErrorCode::KAFKA_STORAGE_ERROR;
            continue;
          }
          if (LeaderEpoch(state.leader_epoch) <= replica.leader_epoch) {  // [R5]
            entry.error_code = ErrorCode::STALE_CONTROLLER_EPOCH;
            continue;
          }
          replica = {.leader_epoch = LeaderEpoch(state.leader_epoch),
                     .leader = BrokerId(state.leader),
                     .isr = FromWire(state.isr),
                     .replicas = FromWire(state.replicas),
                     .partition_epoch = PartitionEpoch(state.zk_version)};
          log_ends[process.id].try_emplace(id, LogEnd{});
        }
      }
      return Encode(*parsed, response);
    }
    case protocol::ApiKey::kUpdateMetadata: {
      const auto request = Decode<protocol::UpdateMetadataRequest>(*parsed);
      protocol::UpdateMetadataResponse response;
      response.error_code = admit(request);
      if (response.error_code != ErrorCode::NONE) return Encode(*parsed, response);
      process.cache.Update(request);
      process.live_brokers.clear();
      for (const auto& live : request.live_brokers) process.live_brokers.insert(BrokerId(live.id));
      note(fmt::format("UMR brokers={}",
                       Join({process.live_brokers.begin(), process.live_brokers.end()})));
      for (const auto& topic : request.topic_states) {
        for (const auto& state : topic.partition_states) {
          const TopicPartition id{topic.topic_name, PartitionIndex(state.partition_index)};
          process.metadata[id] = state;
          if (state.leader == zk::kLeaderDuringDelete.value()) process.metadata.erase(id);
        }
      }
      return Encode(*parsed, response);
    }
    case protocol::ApiKey::kStopReplica: {
      const auto request = Decode<protocol::StopReplicaRequest>(*parsed);
      protocol::StopReplicaResponse response;
      response.error_code = admit(request);
      for (const auto& topic : request.topic_states) {
        for (const auto& state : topic.partition_states) {
          const TopicPartition id{topic.topic_name, PartitionIndex(state.partition_index)};
          auto& entry = response.partition_errors.emplace_back();
          entry.topic_name = topic.topic_name;
          entry.partition_index = state.partition_index;
          if (response.error_code != ErrorCode::NONE) {
            entry.error_code = response.error_code;
            continue;
          }
          FakeReplica& replica = process.replicas[id];
          const LeaderEpoch epoch(state.leader_epoch);
          const bool heeded = epoch.value() < 0 || epoch > replica.leader_epoch;  // [R8]
          note(fmt::format("STOP {} epoch={}{}{}", id, epoch,
                           state.delete_partition ? " delete" : "", heeded ? "" : " ignored"));
          if (!heeded) {
            entry.error_code = ErrorCode::FENCED_LEADER_EPOCH;
            continue;
          }
          replica.stopped = true;
          if (state.delete_partition) {
            process.replicas.erase(id);
            log_ends[process.id].erase(id);
          }
        }
      }
      return Encode(*parsed, response);
    }
    case protocol::ApiKey::kOffsetForLeaderEpoch: {
      const auto request = Decode<protocol::OffsetForLeaderEpochRequest>(*parsed);
      HW_CHECK(request.replica_id == broker::controller::kAskingReplica);
      protocol::OffsetForLeaderEpochResponse response;
      for (const auto& topic : request.topics) {
        auto& answer = response.topics.emplace_back();
        answer.topic = topic.topic;
        for (const auto& asked : topic.partitions) {
          const TopicPartition id{topic.topic, PartitionIndex(asked.partition)};
          note(fmt::format("OFLE {}", id));
          auto& entry = answer.partitions.emplace_back();
          entry.partition = asked.partition;
          const auto end = log_ends[process.id].find(id);
          if (end == log_ends[process.id].end()) {
            entry.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            continue;
          }
          entry.leader_epoch = end->second.last_epoch.value();
          entry.end_offset = end->second.end.value();
        }
      }
      return Encode(*parsed, response);
    }
    default:
      HW_UNREACHABLE("a controller does not send {}", parsed->header.api_key);
  }
}

void ControllerWorld::Spawn(int32_t broker, std::function<void(FakeBrokerProcess&)> work) {
  FakeBrokerProcess* process = Process(broker);
  HW_CHECK(process != nullptr, "broker {} is not running", broker);
  process->env.fibers.Spawn("test", [process, work = std::move(work)] { work(*process); });
}

void ControllerWorld::On(int32_t broker, std::function<void(FakeBrokerProcess&)> work) {
  auto done = std::make_shared<bool>(false);
  Spawn(broker, [done, work = std::move(work)](FakeBrokerProcess& process) {
    work(process);
    *done = true;
  });
  for (int i = 0; i < 1200 && !*done && IsRunning(broker); ++i) Run(absl::Milliseconds(50));
  EXPECT_TRUE(*done || !IsRunning(broker)) << world.DescribeFibers();
}

void ControllerWorld::CreateTopic(const std::string& name,
                                  const std::vector<std::vector<BrokerId>>& partitions,
                                  const zk::ConfigEntries& entries) {
  zk::TopicZnode topic{.id = {.high = 1000 + ++topics_made_, .low = 1}};
  for (size_t i = 0; i < partitions.size(); ++i) {
    topic.partitions[PartitionIndex(static_cast<int32_t>(i))].replicas = partitions[i];
  }
  const auto create = [&](const std::string& path, const std::string& data) {
    return zookeeper.Do(
        broker::zookeeper::CreateRequest{.path = path, .data = core::Bytes::Copy(data)});
  };
  if (!entries.empty()) {
    create(zk::ConfigPath(zk::ConfigKind::kTopics, name), zk::EncodeConfig(entries));
  }
  const auto made = create(zk::TopicPath(name), zk::EncodeTopicZnode(topic));
  HW_CHECK(made.ok(), "{}", broker::zookeeper::ErrorCodeName(made.error));
  Run(absl::Seconds(2));
}

void ControllerWorld::DeleteTopic(const std::string& name) {
  const auto made =
      zookeeper.Do(broker::zookeeper::CreateRequest{.path = zk::DeleteTopicPath(name)});
  HW_CHECK(made.ok());
  Run(absl::Seconds(2));
}

BrokerId ControllerWorld::Controller() {
  BrokerId found = broker::kNoBroker;
  for (const auto& [id, process] : processes_) {
    if (!process->controller.IsActive()) continue;
    if (found != broker::kNoBroker) return broker::kNoBroker;
    found = id;
  }
  return found;
}

zk::LeaderAndIsr ControllerWorld::StateOf(const TopicPartition& partition) {
  const auto node = zookeeper.nodes().find(zk::StatePath(partition));
  if (node == zookeeper.nodes().end()) return {};
  auto state =
      zk::DecodeState(node->second.data.value_or(""), PartitionEpoch(node->second.stat.version));
  HW_CHECK(state.ok());
  return state->leader_and_isr;
}

int ControllerWorld::CountReceived(int32_t broker, std::string_view prefix) const {
  int count = 0;
  for (const Received& one : received) {
    count += one.broker == BrokerId(broker) && one.line.starts_with(prefix) ? 1 : 0;
  }
  return count;
}

ErrorCode ControllerWorld::ProposeIsr(const TopicPartition& partition, std::vector<BrokerId> isr) {
  const zk::LeaderAndIsr state = StateOf(partition);
  protocol::AlterPartitionRequest request;
  request.broker_id = state.leader.value();
  request.broker_epoch = Process(state.leader.value())->registrar.epoch().value();
  auto& topic = request.topics.emplace_back();
  topic.name = partition.topic;
  auto& entry = topic.partitions.emplace_back();
  entry.partition_index = partition.partition.value();
  entry.leader_epoch = state.leader_epoch.value();
  for (const BrokerId id : isr) entry.new_isr.push_back(id.value());
  entry.partition_epoch = state.partition_epoch.value();
  ErrorCode result = ErrorCode::REQUEST_TIMED_OUT;
  const BrokerId controller = Controller();
  if (controller == broker::kNoBroker) return ErrorCode::NOT_CONTROLLER;
  On(controller.value(), [&](FakeBrokerProcess& process) {
    const auto response =
        process.controller.AlterPartition(request, process.env.fibers.Now() + absl::Seconds(30));
    if (!response) return;
    result = response->error_code;
    if (result == ErrorCode::NONE) result = response->topics[0].partitions[0].error_code;
  });
  return result;
}

// What must hold of every write of a partition's state.
void ControllerWorld::OnWrite(const std::string& path, const FakeZooKeeper::Node* node) {
  if (crash_controller_at_write > 0 && --crash_controller_at_write == 0) {
    if (const BrokerId controller = Controller(); controller != broker::kNoBroker) {
      processes_.erase(controller);
      hosts_[static_cast<size_t>(controller.value())]->Crash();
    }
  }
  const auto partition = zk::ParseStatePath(path);
  if (!partition) return;
  if (node == nullptr) {
    states_.erase(path);
    return;
  }
  const auto state = zk::DecodeState(node->data.value_or(""), PartitionEpoch(node->stat.version));
  ASSERT_TRUE(state.ok());
  const zk::LeaderAndIsr& next = state->leader_and_isr;
  written.push_back(fmt::format("{} v{} leader={} epoch={} isr={}", *partition,
                                next.partition_epoch, next.leader, next.leader_epoch,
                                Join(next.isr)));
  EXPECT_FALSE(next.isr.empty()) << written.back();
  if (next.leader != broker::kNoBroker) {
    EXPECT_TRUE(zk::Contains(next.isr, next.leader)) << written.back();
    // [W1] Who came back unclean is at most eligible: nobody in sync is.
    for (const broker::BrokerId id : next.unclean) {
      EXPECT_TRUE(zk::Contains(next.eligible, id)) << written.back();
    }
  }
  const auto before = states_.find(path);
  if (before != states_.end()) {
    const zk::LeaderAndIsr& old = before->second.leader_and_isr;
    EXPECT_GE(state->controller_epoch, before->second.controller_epoch) << written.back();
    EXPECT_GE(next.leader_epoch, old.leader_epoch) << written.back();
    // One leader an epoch.
    if (next.leader != old.leader) {
      EXPECT_GT(next.leader_epoch, old.leader_epoch) << written.back();
    }
    EXPECT_EQ(next.partition_epoch, old.partition_epoch + 1) << written.back();
    const bool vouched = next.leader == broker::kNoBroker || zk::Contains(old.isr, next.leader) ||
                         zk::Contains(old.eligible, next.leader);
    if (!vouched) ++unclean_elections;
  }
  states_[path] = *state;
}

}  // namespace highwater::tests
