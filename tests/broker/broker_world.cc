#include "tests/broker/broker_world.h"

#include "broker/protocol/create_topics.h"

namespace highwater::tests {

using namespace broker::protocol;  // the messages

BrokerWorld::BrokerWorld(Settings settings, uint64_t seed, sim::StrategyKind strategy,
                         std::vector<std::string> mounts)
    : world({.seed = seed, .strategy = strategy}),
      host(world.AddHost({.name = "broker",
                          .zone = world.network().AddZone("az-a"),
                          .disk = sim::MakeDiskFactory({.mounts = std::move(mounts)})})),
      client(world.AddHost({.name = "client", .zone = world.network().AddZone("az-a")})),
      settings_(std::move(settings)) {
  settings_.try_emplace("broker.id", "1");
  settings_.try_emplace("listeners", "PLAINTEXT://broker:9092");
  settings_.try_emplace("log.dirs", "data");
  host.SetMain([this](core::Environment& env) {
    auto config = broker::BrokerConfig::FromMap(settings_);
    HW_CHECK(config.ok(), "{}", config.status().ToString());
    broker::Broker server(env, *std::move(config), events);
    last_status = server.Start();
    if (last_status.ok()) last_status = server.Run();
  });
  host.OnProcessEnd([this](sim::ProcessEnd end) { ends.push_back(end); });
}

void BrokerWorld::StartBroker() { host.Start(); }

void BrokerWorld::Run(ClientMain main, absl::Duration limit) {
  if (!host.running()) host.Start();
  bool done = false;
  client.SetMain([&done, &main](core::Environment& env) {
    main(env);
    done = true;
  });
  client.Start();
  const absl::Duration until = world.Elapsed() + limit;
  while (!done && world.Elapsed() < until) world.Run(world.Elapsed() + absl::Milliseconds(10));
  EXPECT_TRUE(done) << world.DescribeFibers();
  if (client.running()) client.Crash();
  world.Run(world.Elapsed() + absl::Milliseconds(10));
}

RawClient::RawClient(core::Environment& env) : env_(env) {
  while (connection_ == nullptr) {
    auto connection = env.network.Dial({"broker", kPort}, env.clock.Now() + absl::Seconds(1));
    if (connection.ok()) {
      connection_ = *std::move(connection);
    } else {
      env.fibers.SleepFor(absl::Milliseconds(5));
    }
  }
}

absl::StatusOr<core::ByteChain> RawClient::ReceiveFrame() {
  while (true) {
    auto frame = TakeFrame(buffered_, kDefaultMaxRequestBytes);
    if (!frame.ok()) return frame.status();
    if (frame->has_value()) return **frame;
    auto bytes = connection_->Read(1 << 20, Deadline());
    if (!bytes.ok()) return bytes.status();
    if (bytes->empty()) return absl::OutOfRangeError("the broker ended the connection");
    buffered_.Append(*bytes);
  }
}

bool RawClient::IsClosedByBroker() {
  const auto frame = ReceiveFrame();
  return absl::IsOutOfRange(frame.status()) || absl::IsAborted(frame.status());
}

core::ByteChain BatchOf(const std::vector<std::string>& values, int64_t timestamp_ms,
                        RecordBatchOptions options) {
  RecordBatchBuilder builder(options);
  for (const std::string& value : values) builder.Append(timestamp_ms++, std::nullopt, value);
  auto batch = std::move(builder).Build();
  HW_CHECK(batch.ok(), "{}", batch.status().ToString());
  return batch->bytes();
}

std::vector<std::string> ValuesOf(const Records& records) {
  std::vector<std::string> values;
  core::ByteChain bytes = records.bytes();
  while (!bytes.empty()) {
    const auto batch = RecordBatch::Parse(bytes);
    if (!batch.ok()) break;  // a batch that was cut off
    auto reader = RecordReader::Open(*batch);
    HW_CHECK(reader.ok(), "{}", reader.status().ToString());
    while (const RecordView* record = reader->Next()) {
      values.emplace_back(record->value.value_or(""));
    }
    bytes.RemovePrefix(batch->size());
  }
  return values;
}

ProduceRequest ProduceOf(const std::string& topic, core::ByteChain records, int16_t acks,
                         int32_t partition) {
  ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = 5000;
  request.topic_data.push_back(
      {.name = topic, .partition_data = {{.index = partition, .records = std::move(records)}}});
  return request;
}

ErrorCode ErrorOf(const absl::StatusOr<ProduceResponse>& response) {
  if (!response.ok()) return ErrorCode::UNKNOWN_SERVER_ERROR;
  return response->responses.at(0).partition_responses.at(0).error_code;
}

void CreateTopic(RawClient& client, const std::string& name, int32_t partitions,
                 const std::map<std::string, std::string>& configs) {
  CreateTopicsRequest request;
  request.topics.push_back({.name = name, .num_partitions = partitions, .replication_factor = 1});
  for (const auto& [key, value] : configs) {
    request.topics[0].configs.push_back({.name = key, .value = value});
  }
  const auto response = client.Call(request, 7);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->topics.at(0).error_code, ErrorCode::NONE);
}

}  // namespace highwater::tests
