#include "tests/replication/replicated_world.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/protocol/api_versions.h"
#include "broker/protocol/fetch.h"
#include "tests/broker/broker_world.h"

namespace highwater::tests {

using namespace broker::protocol;  // the messages

namespace {

constexpr int32_t kController = 100;
constexpr Uuid kTopicId{0x1111, 0x2222};

std::string RackOf(int32_t id) { return fmt::format("rack-{}", id); }
std::string NameOf(int32_t broker) { return fmt::format("b{}", broker); }

}  // namespace

void Witness::OnHighWatermarkMoved(broker::BrokerId id, const broker::TopicPartition& tp,
                                   broker::LeaderEpoch, broker::Offset offset) {
  Replica& replica = Of(id, tp);
  EXPECT_GT(offset.value(), replica.high_watermark) << "within an epoch it only rises";
  replica.high_watermark = offset.value();
  // The commit point never goes back and nothing below it changes.
  for (size_t i = 0; i < replica.log.size() && replica.log[i].last < offset.value(); ++i) {
    if (i == committed.size()) committed.push_back(replica.log[i]);
    EXPECT_EQ(committed[i], replica.log[i]) << "a committed batch changed at " << committed[i].base;
  }
}

// Answers what brokers ask of the controller.
class ReplicatedWorld::Dispatcher final : public broker::RequestDispatcher {
 public:
  explicit Dispatcher(ReplicatedWorld& w) : w_(w) {}
  absl::StatusOr<Answer> Dispatch(const core::ByteChain& bytes,
                                  const broker::ClientCall&) override {
    Decoder decoder(bytes);
    auto header = ReadRequestHeader(decoder);
    if (!header.ok()) return header.status();
    if (header->api_key == ApiKey::kApiVersions) {
      ApiVersionsResponse response;
      response.api_keys.push_back({.api_key = 18, .min_version = 0, .max_version = 3});
      response.api_keys.push_back({.api_key = 56, .min_version = 0, .max_version = 1});
      return Encode(*header, response);
    }
    if (!w_.answers_alter_partition) return absl::AbortedError("no answer");
    const auto request = AlterPartitionRequest::Decode(decoder, header->api_version);
    return Encode(*header, w_.Alter(request));
  }

 private:
  template <typename Response>
  static absl::StatusOr<Answer> Encode(const RequestHeaderFields& header,
                                       const Response& response) {
    auto frame = EncodeResponse(header.correlation_id, response, header.api_version);
    if (!frame.ok()) return frame.status();
    return Answer{.frame = *std::move(frame)};
  }
  ReplicatedWorld& w_;
};

ReplicatedWorld::ReplicatedWorld(Options options)
    : world({.seed = options.seed, .strategy = options.strategy}), options_(std::move(options)) {
  const sim::ZoneId zone = world.network().AddZone("az-a");
  for (int32_t id = 1; id <= options_.brokers; ++id) {
    sim::Host& host = world.AddHost({.name = NameOf(id),
                                     .zone = zone,
                                     .disk = sim::MakeDiskFactory({.mounts = options_.mounts})});
    hosts_[id] = &host;
    host.SetMain([this, id](core::Environment& env) {
      Settings settings = options_.settings;
      settings["broker.rack"] = RackOf(id);
      settings["broker.id"] = fmt::format("{}", id);
      settings["listeners"] = fmt::format("PLAINTEXT://{}:9092", NameOf(id));
      settings.try_emplace("log.dirs", "data");
      settings.try_emplace("replica.fetch.backoff.ms", "50");
      settings.try_emplace("replica.lag.time.max.ms", "2000");
      auto config = broker::BrokerConfig::FromMap(settings);
      HW_CHECK(config.ok(), "{}", config.status().ToString());
      broker::Broker server(
          env, *std::move(config),
          options_.quiet ? nobody : static_cast<broker::Observer&>(witness),
          {.clustered = true, .cluster_id = "vPeOCWypqUOSepEvx0cbog", .rules = options_.rules});
      if (server.Start().ok()) server.Run().IgnoreError();
    });
  }
  controller_ = &world.AddHost({.name = "controller", .zone = zone});
  client_config_.request_timeout = absl::Seconds(15);
  client_config_.reconnect_backoff = absl::Milliseconds(10);
  client_config_.reconnect_backoff_max = absl::Milliseconds(50);
  client_config_.connection_setup_timeout = absl::Milliseconds(500);
  client_config_.connection_setup_timeout_max = absl::Milliseconds(500);
}

void ReplicatedWorld::Run(std::function<void()> script, absl::Duration limit) {
  for (auto& [id, host] : hosts_) host->Start();
  bool done = false;
  controller_->SetMain([&](core::Environment& env) {
    env_ = &env;
    Dispatcher dispatcher(*this);
    broker::SocketServer server(env, {}, dispatcher);
    HW_CHECK(server.Listen({"controller", 9090}).ok());
    server.Start();
    script();
    done = true;
    server.BeginStop();
    server.CloseAll();
    // Whoever still sends ends with this process.
    env.process.Halt("the script has ended");
  });
  controller_->Start();
  while (!done && world.Elapsed() < limit) world.Run(world.Elapsed() + absl::Milliseconds(50));
  EXPECT_TRUE(done) << world.DescribeFibers();
  connections_.clear();
  clients_.clear();
}

std::shared_ptr<broker::client::BrokerConnection> ReplicatedWorld::Dial(int32_t broker) {
  return std::make_shared<broker::client::BrokerConnection>(
      env(), client_config_, core::Endpoint{NameOf(broker), 9092}, 100);
}

std::shared_ptr<broker::client::BrokerConnection> ReplicatedWorld::ConnectionTo(int32_t broker) {
  auto& connection = connections_[broker];
  if (connection == nullptr) connection = Dial(broker);
  return connection;
}

std::shared_ptr<broker::client::BrokerConnection> ReplicatedWorld::FreeClientOf(int32_t broker) {
  auto& clients = clients_[broker];
  for (const auto& client : clients) {
    if (client.use_count() == 1 && client->in_flight() == 0) return client;
  }
  return clients.emplace_back(Dial(broker));
}

LeaderAndIsrRequest ReplicatedWorld::LeaderAndIsr() const {
  LeaderAndIsrRequest request{.controller_id = kController, .controller_epoch = controller_epoch};
  LeaderAndIsrRequest::LeaderAndIsrPartitionState state{.controller_epoch = controller_epoch,
                                                        .leader = leader,
                                                        .leader_epoch = leader_epoch,
                                                        .isr = isr,
                                                        .zk_version = partition_epoch,
                                                        .is_new = true};
  for (const auto& [id, host] : hosts_) state.replicas.push_back(id);
  request.topic_states.push_back(
      {.topic_name = "t", .topic_id = kTopicId, .partition_states = {state}});
  return request;
}

UpdateMetadataRequest ReplicatedWorld::UpdateMetadata() const {
  UpdateMetadataRequest request{.controller_id = kController, .controller_epoch = controller_epoch};
  for (const auto& [id, host] : hosts_) {
    request.live_brokers.push_back(
        {.id = id,
         .endpoints = {{.port = 9092, .host = NameOf(id), .listener = "PLAINTEXT"}},
         .rack = RackOf(id)});
  }
  request.live_brokers.push_back(
      {.id = kController,
       .endpoints = {{.port = 9090, .host = "controller", .listener = "PLAINTEXT"}}});
  if (leader_epoch >= 0) {
    UpdateMetadataRequest::UpdateMetadataPartitionState state{
        .leader = leader, .leader_epoch = leader_epoch, .isr = isr, .zk_version = partition_epoch};
    for (const auto& [id, host] : hosts_) state.replicas.push_back(id);
    request.topic_states.push_back(
        {.topic_name = "t", .topic_id = kTopicId, .partition_states = {state}});
  }
  return request;
}

void ReplicatedWorld::Decide(int32_t new_leader, std::vector<int32_t> new_isr) {
  leader = new_leader;
  isr = std::move(new_isr);
  ++leader_epoch;
  ++partition_epoch;
  ++version_;
  for (const auto& [id, host] : hosts_) Deliver(id);
}

void ReplicatedWorld::Lead(int32_t new_leader, std::vector<int32_t> new_isr) {
  Decide(new_leader, std::move(new_isr));
  AwaitDelivered();
}

void ReplicatedWorld::Deliver(int32_t broker) {
  if (withheld_.contains(broker) && leader_epoch >= 0) return;
  if (std::exchange(sending_[broker], true)) return;
  env().fibers.Spawn("to broker", [this, broker] { SendLoop(broker); });
}

// Sends the newest decision until the broker has it [C61]; brokers first learn of each other.
void ReplicatedWorld::SendLoop(int32_t broker) {
  while (sent_[broker] < version_ && host(broker).running() && !withheld_.contains(broker)) {
    const uint64_t version = version_;
    const uint64_t run = host(broker).run_id();
    UpdateMetadataRequest first = UpdateMetadata();
    first.topic_states.clear();
    if (Call(broker, first).ok() && Call(broker, LeaderAndIsr()).ok() &&
        Call(broker, UpdateMetadata()).ok() && run == host(broker).run_id()) {
      sent_[broker] = version;
    } else {
      Sleep(absl::Milliseconds(20));
    }
  }
  sending_[broker] = false;
}

void ReplicatedWorld::AwaitDelivered() {
  Await("everybody to have the decision", [&] {
    for (const auto& [id, host] : hosts_) {
      if (host->running() && !host->frozen() && !withheld_.contains(id) && sent_[id] < version_) {
        return false;
      }
    }
    const bool leads = leader < 1 || withheld_.contains(leader) || !host(leader).running() ||
                       host(leader).frozen() || options_.quiet ||
                       witness.leader_of.contains(leader_epoch);
    return leads;
  });
}

void ReplicatedWorld::Crash(int32_t broker) { End(broker, sim::CrashKind::kProcess); }

void ReplicatedWorld::LosePower(int32_t broker) { End(broker, sim::CrashKind::kPowerLoss); }

void ReplicatedWorld::End(int32_t broker, sim::CrashKind kind) {
  host(broker).End(kind, sim::kNoFault);
  sent_[broker] = 0;
  if (const auto connection = std::exchange(connections_[broker], nullptr)) connection->Close();
  for (const auto& client : std::exchange(clients_[broker], {})) client->Close();
}

void ReplicatedWorld::Start(int32_t broker) {
  host(broker).Start();
  sent_[broker] = 0;
  Deliver(broker);
}

AlterPartitionResponse ReplicatedWorld::Alter(const AlterPartitionRequest& request) {
  ++alter_partitions;
  AlterPartitionResponse response;
  for (const auto& topic : request.topics) {
    auto& answered = response.topics.emplace_back();
    answered.name = topic.name;
    for (const auto& asked : topic.partitions) {
      auto& result = answered.partitions.emplace_back();
      result.partition_index = asked.partition_index;
      if (asked.leader_epoch < leader_epoch) {
        result.error_code = ErrorCode::FENCED_LEADER_EPOCH;
        continue;
      }
      if (asked.partition_epoch != partition_epoch) {
        result.error_code = ErrorCode::INVALID_UPDATE_VERSION;
        continue;
      }
      // [W3] Repaired: a dead broker is not taken in.
      const bool all_alive = std::all_of(asked.new_isr.begin(), asked.new_isr.end(),
                                         [&](int32_t id) { return host(id).running(); });
      if (!all_alive) {
        result.error_code = ErrorCode::OPERATION_NOT_ATTEMPTED;
        continue;
      }
      isr = asked.new_isr;
      ++partition_epoch;
      result.leader_id = leader;
      result.leader_epoch = leader_epoch;
      result.isr = isr;
      result.partition_epoch = partition_epoch;
    }
  }
  return response;
}

ErrorCode ReplicatedWorld::Produce(int32_t broker, const std::string& value, int16_t acks,
                                   int32_t timeout_ms) {
  ProduceRequest request = ProduceOf("t", BatchOf({value}), acks);
  request.timeout_ms = timeout_ms;
  const auto client = FreeClientOf(broker);
  return ErrorOf(client->Call(
      request, env().fibers.Now() + absl::Milliseconds(timeout_ms) + absl::Seconds(1)));
}

FetchResponse::PartitionData ReplicatedWorld::Fetch(int32_t broker, int64_t offset,
                                                    int32_t max_wait_ms, std::string rack) {
  FetchRequest request{.replica_id = -1, .max_wait_ms = max_wait_ms, .min_bytes = 1};
  request.topics.push_back(
      {.topic = "t",
       .topic_id = kTopicId,
       .partitions = {{.fetch_offset = offset, .partition_max_bytes = 1 << 20}}});
  request.rack_id = std::move(rack);
  const auto client = FreeClientOf(broker);
  const auto response = client->Call(
      request, env().fibers.Now() + absl::Seconds(5) + absl::Milliseconds(max_wait_ms));
  if (!response.ok() || response->responses.empty()) {
    ADD_FAILURE() << "broker " << broker << " gave no answer: " << response.status();
    return {.error_code = ErrorCode::UNKNOWN_SERVER_ERROR};
  }
  return response->responses[0].partitions.at(0);
}

std::vector<std::string> ReplicatedWorld::Read(int32_t broker) {
  std::vector<std::string> values;
  while (true) {
    const auto data = Fetch(broker, static_cast<int64_t>(values.size()));
    if (data.error_code != ErrorCode::NONE) {
      return {fmt::format("error {}", static_cast<int>(data.error_code))};
    }
    const auto some = ValuesOf(data.records);
    if (some.empty()) return values;
    values.insert(values.end(), some.begin(), some.end());
  }
}

void ReplicatedWorld::Await(std::string_view what, const std::function<bool()>& holds,
                            absl::Duration limit) {
  const core::MonotonicTime until = env().fibers.Now() + limit;
  while (!holds()) {
    if (env().fibers.Now() >= until) {
      ADD_FAILURE() << "waited in vain for " << what;
      return;
    }
    Sleep(absl::Milliseconds(10));
  }
}

void ReplicatedWorld::AwaitIsr(size_t members) {
  Await(fmt::format("{} in the ISR", members), [&] { return isr.size() == members; });
}

void ReplicatedWorld::AwaitEqualLogs(const std::vector<int32_t>& brokers) {
  const auto equal = [&] {
    const Witness::Replica& of_leader = witness.replicas[leader];
    if (witness.committed.size() < of_leader.log.size()) return false;
    return std::all_of(brokers.begin(), brokers.end(),
                       [&](int32_t id) { return witness.replicas[id].log == of_leader.log; });
  };
  Await("equal logs", equal);
}

sim::FaultId ReplicatedWorld::Cut(int32_t a, int32_t b) {
  const sim::FaultId id = world.ledger().Request("cut");
  world.network().Apply({.id = id,
                         .from = {host(a).id()},
                         .to = {host(b).id()},
                         .effect = sim::LinkEffect::kSilence});
  return id;
}

}  // namespace highwater::tests
