#pragma once

// BrokerWorld: a simulated host that runs the real broker, and one whose program is the test's.
//
//   BrokerWorld w;
//   w.Run([](core::Environment& env) {
//     RawClient client(env);
//     auto response = client.Call(MetadataRequest{...}, 12);
//   });

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/observer.h"
#include "broker/protocol/frame.h"
#include "broker/protocol/produce.h"
#include "broker/protocol/record_batch_builder.h"
#include "broker/server/broker.h"
#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"

namespace highwater::tests {

inline constexpr uint16_t kPort = 9092;
inline constexpr absl::Duration kPatience = absl::Seconds(30);

// What the broker said of itself.
struct Events final : broker::Observer {
  using TopicPartition = broker::TopicPartition;
  void OnBrokerStarted(broker::BrokerId) override { ++started; }
  void OnBrokerStopped(broker::BrokerId) override { ++stopped; }
  void OnBecameLeader(broker::BrokerId, const TopicPartition& tp, broker::LeaderEpoch epoch,
                      broker::Offset) override {
    epochs[tp].push_back(epoch.value());
  }
  void OnAcknowledged(broker::BrokerId, const TopicPartition& tp, broker::LeaderEpoch,
                      broker::Offset, broker::Offset last, int16_t) override {
    acknowledged[tp] = last.value();
  }
  void OnLogDirectoryFailed(broker::BrokerId, std::string_view path, std::string_view) override {
    failed_directories.emplace_back(path);
  }
  int started = 0;
  int stopped = 0;
  std::map<TopicPartition, std::vector<int32_t>> epochs;
  std::map<TopicPartition, int64_t> acknowledged;
  std::vector<std::string> failed_directories;
};

using Settings = std::map<std::string, std::string>;

class BrokerWorld {
 public:
  using ClientMain = std::function<void(core::Environment&)>;

  explicit BrokerWorld(Settings settings = {}, uint64_t seed = 1,
                       sim::StrategyKind strategy = sim::StrategyKind::kFifo,
                       std::vector<std::string> mounts = {});

  // Starts the broker unless it runs, runs `main` on the client host and gives up after `limit` of
  // the world's time.
  void Run(ClientMain main, absl::Duration limit = absl::Minutes(10));
  void StartBroker();
  // Settings of the next start.
  void Set(const std::string& name, const std::string& value) { settings_[name] = value; }

  sim::World world;
  sim::Host& host;
  sim::Host& client;
  Events events;
  std::vector<sim::ProcessEnd> ends;
  absl::Status last_status;  // of the last broker's Start or Run

 private:
  Settings settings_;
};

// A connection to the broker that speaks whole messages or bytes.
class RawClient {
 public:
  explicit RawClient(core::Environment& env);

  template <typename Request>
  absl::StatusOr<typename Request::Response> Call(const Request& request, int16_t version) {
    if (absl::Status status = Send(request, version); !status.ok()) return status;
    return Receive<typename Request::Response>(version);
  }
  template <typename Request>
  absl::Status Send(const Request& request, int16_t version) {
    auto frame = broker::protocol::EncodeRequest(broker::CorrelationId(++correlation_), "test",
                                                 request, version);
    if (!frame.ok()) return frame.status();
    return connection_->Write(*frame, Deadline());
  }
  template <typename Response>
  absl::StatusOr<Response> Receive(int16_t version) {
    auto frame = ReceiveFrame();
    if (!frame.ok()) return frame.status();
    return broker::protocol::DecodeResponse<Response>(*frame, version);
  }
  absl::Status SendBytes(std::string_view bytes) {
    return connection_->Write(core::Bytes::Copy(bytes), Deadline());
  }
  // The next answer without its length; OutOfRange if the broker ended the connection.
  absl::StatusOr<core::ByteChain> ReceiveFrame();
  // Whether the broker closes the connection without sending anything more.
  bool IsClosedByBroker();

  [[nodiscard]] int32_t correlation() const { return correlation_; }
  [[nodiscard]] core::Connection& connection() { return *connection_; }

 private:
  [[nodiscard]] core::MonotonicTime Deadline() const { return env_.clock.Now() + kPatience; }
  core::Environment& env_;
  std::unique_ptr<core::Connection> connection_;
  core::ByteChain buffered_;
  int32_t correlation_ = 0;
};

// One batch of these values, as a producer sends it.
core::ByteChain BatchOf(const std::vector<std::string>& values, int64_t timestamp_ms = 1000,
                        broker::protocol::RecordBatchOptions options = {});
// The values in a Fetch answer's records.
std::vector<std::string> ValuesOf(const broker::protocol::Records& records);

broker::protocol::ProduceRequest ProduceOf(const std::string& topic, core::ByteChain records,
                                           int16_t acks = -1, int32_t partition = 0);
// The error of the one partition in an answer, or -1 if there was none.
broker::protocol::ErrorCode ErrorOf(
    const absl::StatusOr<broker::protocol::ProduceResponse>& response);
// Creates a topic; fails the test if that fails.
void CreateTopic(RawClient& client, const std::string& name, int32_t partitions = 1,
                 const std::map<std::string, std::string>& configs = {});

}  // namespace highwater::tests
