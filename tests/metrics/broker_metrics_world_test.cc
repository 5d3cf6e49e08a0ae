// A simulated broker and what a scraper reads of it over simulated HTTP.

#include "broker/metrics/broker_metrics.h"
#include "broker/metrics/metrics_server.h"
#include "broker/observer_list.h"
#include "broker/protocol/create_topics.h"
#include "broker/protocol/delete_topics.h"
#include "broker/protocol/describe_configs.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/find_coordinator.h"
#include "broker/protocol/leader_and_isr.h"
#include "broker/protocol/list_offsets.h"
#include "broker/protocol/metadata.h"
#include "broker/protocol/offset_for_leader_epoch.h"
#include "broker/protocol/stop_replica.h"
#include "broker/server/handlers/answer_errors.h"
#include "tests/broker/broker_world.h"
#include "tests/metrics/exposition_parser.h"

namespace highwater::tests {
namespace {

using namespace broker::protocol;  // the messages
using broker::metrics::BrokerMetrics;
using broker::metrics::MetricsServer;
using broker::metrics::OwnController;

constexpr uint16_t kMetricsPort = 9404;

// As programs/highwater_broker.cc puts them together.
void RunWithMetrics(BrokerWorld& w) {
  w.host.SetMain([&w](core::Environment& env) {
    auto config = broker::BrokerConfig::FromMap({{"broker.id", "1"},
                                                 {"listeners", "PLAINTEXT://broker:9092"},
                                                 {"min.insync.replicas", "2"},
                                                 {"log.dirs", "data"}});
    HW_CHECK(config.ok(), "{}", config.status().ToString());
    BrokerMetrics metrics(OwnController::kYes);
    MetricsServer server(env, [&] { return metrics.Render(); });
    w.last_status = server.Start({"broker", kMetricsPort});
    HW_CHECK(w.last_status.ok());
    broker::ObserverList observers({&w.events, &metrics});
    broker::Broker server_broker(env, *std::move(config), observers);
    w.last_status = server_broker.Start();
    if (w.last_status.ok()) w.last_status = server_broker.Run();
    server.Stop();
  });
}

std::string Http(core::Environment& env, std::vector<std::string_view> pieces) {
  auto connection = env.network.Dial({"broker", kMetricsPort}, env.clock.Now() + kPatience);
  EXPECT_TRUE(connection.ok()) << connection.status();
  if (!connection.ok()) return "";
  for (const std::string_view piece : pieces) {
    EXPECT_TRUE((*connection)->Write(core::Bytes::Copy(piece), env.clock.Now() + kPatience).ok());
    env.fibers.SleepFor(absl::Milliseconds(5));
  }
  std::string answer;
  for (;;) {
    const auto bytes = (*connection)->Read(1 << 16, env.clock.Now() + kPatience);
    if (!bytes.ok() || bytes->empty()) return answer;
    for (const core::Bytes& slice : bytes->slices()) answer += slice.view();
  }
}

Series Scrape(core::Environment& env) {
  const std::string answer = Http(env, {"GET /metrics HTTP/1.1\r\nHost: broker\r\n\r\n"});
  const size_t end = answer.find("\r\n\r\n");
  EXPECT_NE(end, answer.npos) << answer;
  if (end == answer.npos) return {};
  const auto series = ParseExposition(std::string_view(answer).substr(end + 4));
  EXPECT_TRUE(series.ok()) << series.status();
  return series.ok() ? *series : Series();
}

TEST(BrokerMetricsWorldTest, ValuesMoveAsClientsWriteReadAndErr) {
  BrokerWorld w;
  RunWithMetrics(w);
  w.Run([](core::Environment& env) {
    RawClient client(env);
    Series before = Scrape(env);
    EXPECT_EQ(before["kafka_server_replicamanager_partitioncount"], "0");
    EXPECT_EQ(before["kafka_controller_kafkacontroller_activecontrollercount"], "1");

    CreateTopic(client, "a", 3);
    const core::ByteChain batch = BatchOf({"x", "y"});
    ASSERT_EQ(ErrorOf(client.Call(ProduceOf("a", batch, 1), 9)), ErrorCode::NONE);
    ASSERT_EQ(ErrorOf(client.Call(ProduceOf("a", batch, -1), 9)), ErrorCode::NOT_ENOUGH_REPLICAS);
    ASSERT_EQ(ErrorOf(client.Call(ProduceOf("no", batch, 1), 9)),
              ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    FetchRequest fetch{.replica_id = -1, .min_bytes = 1, .max_bytes = 1 << 20};
    fetch.topics.push_back({.topic = "a", .partitions = {{.partition_max_bytes = 1 << 20}}});
    ASSERT_TRUE(client.Call(fetch, 12).ok());

    Series after = Scrape(env);
    const std::string size = fmt::format("{}", batch.size());
    EXPECT_EQ(after["kafka_server_replicamanager_partitioncount"], "3");
    EXPECT_EQ(after["kafka_server_replicamanager_leadercount"], "3");
    EXPECT_EQ(after["kafka_server_replicamanager_underminisrpartitioncount"], "3");
    EXPECT_EQ(after["kafka_server_replicamanager_underreplicatedpartitions"], "0");
    EXPECT_EQ(after["kafka_server_brokertopicmetrics_messagesin_total{topic=\"a\"}"], "2");
    EXPECT_EQ(after["kafka_server_brokertopicmetrics_bytesin_total{topic=\"a\"}"], size);
    EXPECT_EQ(after["kafka_server_brokertopicmetrics_bytesout_total{topic=\"a\"}"], size);
    const std::string requests = "kafka_network_requestmetrics_requests_total";
    EXPECT_EQ(after[requests + "{request=\"Produce\",version=\"9\"}"], "3");
    EXPECT_EQ(after[requests + "{request=\"FetchConsumer\",version=\"12\"}"], "1");
    const std::string errors = "kafka_network_requestmetrics_errors_total";
    EXPECT_EQ(after[errors + "{request=\"Produce\",error=\"NOT_ENOUGH_REPLICAS\"}"], "1");
    EXPECT_EQ(after[errors + "{request=\"Produce\",error=\"UNKNOWN_TOPIC_OR_PARTITION\"}"], "1");
    EXPECT_EQ(after["kafka_network_requestmetrics_totaltimems_count{request=\"Produce\"}"], "3");
  });
}

TEST(BrokerMetricsWorldTest, ARequestMayComeInPieces) {
  BrokerWorld w;
  RunWithMetrics(w);
  w.Run([](core::Environment& env) {
    RawClient client(env);
    EXPECT_THAT(Http(env, {"GET /met", "rics HTTP/1.1\r\nHost: b\r", "\n\r\n"}),
                ::testing::StartsWith("HTTP/1.1 200 OK\r\n"));
  });
}

TEST(BrokerMetricsWorldTest, AConnectionWithoutAWholeRequestIsClosedInTime) {
  BrokerWorld w;
  RunWithMetrics(w);
  w.Run([](core::Environment& env) {
    RawClient client(env);
    const core::MonotonicTime begin = env.clock.Now();
    EXPECT_EQ(Http(env, {"GET /metrics"}), "");
    EXPECT_LT(env.clock.Now() - begin, absl::Seconds(12));
    EXPECT_EQ(Http(env, {std::string(20'000, 'x')}), "");
  });
}

TEST(BrokerMetricsWorldTest, ABrokerThatStopsClosesWhoStillAsks) {
  BrokerWorld w;
  RunWithMetrics(w);
  w.Run([&](core::Environment& env) {
    RawClient client(env);
    auto connection = env.network.Dial({"broker", kMetricsPort}, env.clock.Now() + kPatience);
    ASSERT_TRUE(connection.ok());
    w.host.RequestStop();
    const auto bytes = (*connection)->Read(1, env.clock.Now() + kPatience);
    EXPECT_TRUE((bytes.ok() && bytes->empty()) || absl::IsAborted(bytes.status()));
  });
  w.world.Run(w.world.Elapsed() + absl::Seconds(30));
  EXPECT_FALSE(w.host.running()) << w.world.DescribeFibers();
  EXPECT_TRUE(w.last_status.ok()) << w.last_status;
}

// ---- Errors, wherever an answer carries them.

template <typename Response>
size_t ErrorsIn(const Response& response) {
  broker::AnswerErrors errors;
  broker::CollectErrors(response, errors);
  size_t sum = 0;
  for (const auto& count : errors.counts()) sum += count.count;
  return sum;
}

TEST(AnswerErrorsTest, AreFoundInTheAnswersOfAllApisThatCarryThemInLists) {
  constexpr ErrorCode kError = ErrorCode::NOT_LEADER_OR_FOLLOWER;
  ProduceResponse produce;
  produce.responses.push_back({.partition_responses = {{.error_code = kError}}});
  EXPECT_EQ(ErrorsIn(produce), 1u);
  FetchResponse fetch{.error_code = kError};
  fetch.responses.push_back({.partitions = {{.error_code = kError}}});
  EXPECT_EQ(ErrorsIn(fetch), 2u);
  ListOffsetsResponse list_offsets;
  list_offsets.topics.push_back({.partitions = {{.error_code = kError}}});
  EXPECT_EQ(ErrorsIn(list_offsets), 1u);
  MetadataResponse metadata;
  metadata.topics.push_back({.error_code = kError, .partitions = {{.error_code = kError}}});
  EXPECT_EQ(ErrorsIn(metadata), 2u);
  LeaderAndIsrResponse leader_and_isr{.error_code = kError};
  leader_and_isr.partition_errors.push_back({.error_code = kError});
  leader_and_isr.topics.push_back({.partition_errors = {{.error_code = kError}}});
  EXPECT_EQ(ErrorsIn(leader_and_isr), 3u);
  StopReplicaResponse stop_replica;
  stop_replica.partition_errors.push_back({.error_code = kError});
  EXPECT_EQ(ErrorsIn(stop_replica), 1u);
  CreateTopicsResponse create_topics;
  create_topics.topics.push_back({.error_code = kError});
  EXPECT_EQ(ErrorsIn(create_topics), 1u);
  DeleteTopicsResponse delete_topics;
  delete_topics.responses.push_back({.error_code = kError});
  EXPECT_EQ(ErrorsIn(delete_topics), 1u);
  OffsetForLeaderEpochResponse epochs;
  epochs.topics.push_back({.partitions = {{.error_code = kError}}});
  EXPECT_EQ(ErrorsIn(epochs), 1u);
  FindCoordinatorResponse coordinators;
  coordinators.coordinators.push_back({.error_code = kError});
  EXPECT_EQ(ErrorsIn(coordinators), 1u);
  DescribeConfigsResponse configs;
  configs.results.push_back({.error_code = kError});
  EXPECT_EQ(ErrorsIn(configs), 1u);
}

TEST(AnswerErrorsTest, OfOneCodeAreCountedTogetherAndNoneIsNone) {
  broker::AnswerErrors errors;
  errors.Add(ErrorCode::NONE);
  EXPECT_TRUE(errors.counts().empty());
  errors.Add(ErrorCode::NOT_LEADER_OR_FOLLOWER);
  errors.Add(ErrorCode::REQUEST_TIMED_OUT);
  errors.Add(ErrorCode::NOT_LEADER_OR_FOLLOWER);
  ASSERT_EQ(errors.counts().size(), 2u);
  EXPECT_EQ(errors.counts()[0].count, 2u);
}

}  // namespace
}  // namespace highwater::tests
