#include "broker/metrics/broker_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/metrics/exposition_parser.h"

namespace highwater::broker::metrics {
namespace {

using tests::ParseExposition;
using tests::Series;

const TopicPartition kOrders0{"orders", PartitionIndex(0)};
const TopicPartition kOrders1{"orders", PartitionIndex(1)};
const TopicPartition kBills0{"bills", PartitionIndex(0)};
constexpr BrokerId kSelf(1);

std::vector<BrokerId> Ids(std::initializer_list<int32_t> ids) {
  std::vector<BrokerId> result;
  for (const int32_t id : ids) result.emplace_back(id);
  return result;
}

class BrokerMetricsTest : public ::testing::Test {
 protected:
  void Lead(const TopicPartition& partition, std::initializer_list<int32_t> isr,
            int64_t min_insync = 2) {
    metrics_.OnAssignment(kSelf, partition, Ids({1, 2, 3}), min_insync);
    metrics_.OnBecameLeader(kSelf, partition, LeaderEpoch(1), Offset(0));
    SetIsr(partition, isr);
  }
  void SetIsr(const TopicPartition& partition, std::initializer_list<int32_t> isr) {
    metrics_.OnIsrChanged(kSelf, partition, LeaderEpoch(1), PartitionEpoch(0), Ids(isr));
  }
  void Append(const TopicPartition& partition, int64_t base, int64_t last, uint64_t bytes) {
    metrics_.OnAppended(kSelf, {.partition = partition,
                                .leader_epoch = LeaderEpoch(1),
                                .base_offset = Offset(base),
                                .last_offset = Offset(last),
                                .digest = 0,
                                .bytes = bytes});
  }
  // "" if there is no such series. What is rendered is legal each time.
  std::string Value(std::string_view series) const {
    const absl::StatusOr<Series> parsed = ParseExposition(metrics_.Render());
    EXPECT_TRUE(parsed.ok()) << parsed.status() << "\n" << metrics_.Render();
    if (!parsed.ok()) return "";
    const auto found = parsed->find(series);
    return found == parsed->end() ? "" : found->second;
  }
  std::string Replicas(std::string_view name) const {
    return Value("kafka_server_replicamanager_" + std::string(name));
  }

  BrokerMetrics metrics_{OwnController::kNo};
};

TEST_F(BrokerMetricsTest, CountsWhatItLeadsAndHolds) {
  Lead(kOrders0, {1, 2, 3});
  metrics_.OnBecameFollower(kSelf, kOrders1, LeaderEpoch(0), BrokerId(2), Offset(0));
  EXPECT_EQ(Replicas("leadercount"), "1");
  EXPECT_EQ(Replicas("partitioncount"), "2");
  metrics_.OnStoppedLeading(kSelf, kOrders0, LeaderEpoch(1));
  EXPECT_EQ(Replicas("leadercount"), "0");
  EXPECT_EQ(Replicas("partitioncount"), "2");
  metrics_.OnReplicaDeleted(kSelf, kOrders0);
  EXPECT_EQ(Replicas("partitioncount"), "1");
}

TEST_F(BrokerMetricsTest, APartitionIsUnderReplicatedUnderAndAtItsMinIsrAsItsIsrShrinks) {
  Lead(kOrders0, {1, 2, 3});
  const auto under = [&] {
    return Replicas("underreplicatedpartitions") + Replicas("underminisrpartitioncount") +
           Replicas("atminisrpartitioncount");
  };
  EXPECT_EQ(under(), "000");
  SetIsr(kOrders0, {1, 2});
  EXPECT_EQ(under(), "101");
  SetIsr(kOrders0, {1});
  EXPECT_EQ(under(), "110");
  // What it does not lead any more is its new leader's to tell.
  metrics_.OnBecameFollower(kSelf, kOrders0, LeaderEpoch(2), BrokerId(2), Offset(0));
  EXPECT_EQ(under(), "000");
}

TEST_F(BrokerMetricsTest, AChangedMinInsyncReplicasCountsAtOnce) {
  Lead(kOrders0, {1, 2});
  EXPECT_EQ(Replicas("underminisrpartitioncount"), "0");
  metrics_.OnAssignment(kSelf, kOrders0, Ids({1, 2, 3}), 3);
  EXPECT_EQ(Replicas("underminisrpartitioncount"), "1");
}

TEST_F(BrokerMetricsTest, ShrinksAndExpandsAreChangesAndNotWhatALeaderBeginsWith) {
  const auto changes = [&] {
    return Replicas("isrshrinks_total") + "/" + Replicas("isrexpands_total");
  };
  Lead(kOrders0, {1, 2, 3});
  SetIsr(kOrders0, {1, 2});
  SetIsr(kOrders0, {1, 2});
  EXPECT_EQ(changes(), "1/0");
  SetIsr(kOrders0, {1, 2, 3});
  EXPECT_EQ(changes(), "1/1");
  SetIsr(kOrders0, {1, 4});  // both at once
  EXPECT_EQ(changes(), "2/2");
  Lead(kOrders0, {1, 2, 3});  // begins anew
  EXPECT_EQ(changes(), "2/2");
}

TEST_F(BrokerMetricsTest, BytesAndRecordsOfProducersAreTheLeadersAndOthersAreReplication) {
  Lead(kOrders0, {1});
  metrics_.OnBecameFollower(kSelf, kOrders1, LeaderEpoch(0), BrokerId(2), Offset(0));
  Append(kOrders0, 0, 9, 500);
  Append(kOrders0, 10, 10, 100);
  Append(kOrders1, 0, 0, 70);
  metrics_.OnRecordsFetched(kSelf, kOrders0, kNoBroker, 300);
  metrics_.OnRecordsFetched(kSelf, kOrders0, BrokerId(2), 40);
  const std::string prefix = "kafka_server_brokertopicmetrics_";
  EXPECT_EQ(Value(prefix + "messagesin_total{topic=\"orders\"}"), "11");
  EXPECT_EQ(Value(prefix + "bytesin_total{topic=\"orders\"}"), "600");
  EXPECT_EQ(Value(prefix + "bytesout_total{topic=\"orders\"}"), "300");
  EXPECT_EQ(Value(prefix + "replicationbytesin_total"), "70");
  EXPECT_EQ(Value(prefix + "replicationbytesout_total"), "40");
}

TEST_F(BrokerMetricsTest, ATopicIsForgottenWithItsLastReplica) {
  Lead(kOrders0, {1});
  Lead(kOrders1, {1});
  Append(kOrders0, 0, 0, 500);
  const std::string series = "kafka_server_brokertopicmetrics_bytesin_total{topic=\"orders\"}";
  metrics_.OnReplicaDeleted(kSelf, kOrders0);
  EXPECT_EQ(Value(series), "500");
  metrics_.OnReplicaDeleted(kSelf, kOrders1);
  EXPECT_EQ(Value(series), "");
}

TEST_F(BrokerMetricsTest, OnlyTheActiveControllerKnowsOfOfflinePartitions) {
  const auto controller = [&] {
    return Value("kafka_controller_kafkacontroller_activecontrollercount") + "/" +
           Value("kafka_controller_kafkacontroller_offlinepartitionscount");
  };
  metrics_.OnBrokerStarted(kSelf);
  EXPECT_EQ(controller(), "0/0");
  metrics_.OnBecameController(kSelf, ControllerEpoch(1));
  metrics_.OnPartitionOffline(kSelf, kOrders0, true);
  metrics_.OnPartitionOffline(kSelf, kBills0, true);
  EXPECT_EQ(controller(), "1/2");
  metrics_.OnPartitionOffline(kSelf, kBills0, false);
  EXPECT_EQ(controller(), "1/1");
  metrics_.OnResignedAsController(kSelf);
  EXPECT_EQ(controller(), "0/0");
}

TEST(BrokerMetricsAloneTest, ABrokerThatIsItsOwnControllerMissesWhatItHoldsAndDoesNotLead) {
  BrokerMetrics metrics(OwnController::kYes);
  metrics.OnBrokerStarted(kSelf);
  metrics.OnBecameLeader(kSelf, kOrders0, LeaderEpoch(1), Offset(0));
  metrics.OnBecameLeader(kSelf, kOrders1, LeaderEpoch(1), Offset(0));
  metrics.OnStoppedLeading(kSelf, kOrders1, LeaderEpoch(1));
  metrics.OnLogDirectoryFailed(kSelf, "/d", "EIO");
  metrics.OnLogDirectoryFailed(kSelf, "/d", "EIO");
  const auto parsed = ParseExposition(metrics.Render());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->at("kafka_controller_kafkacontroller_activecontrollercount"), "1");
  EXPECT_EQ(parsed->at("kafka_controller_kafkacontroller_offlinepartitionscount"), "1");
  EXPECT_EQ(parsed->at("kafka_log_logmanager_offlinelogdirectorycount"), "1");
}

TEST_F(BrokerMetricsTest, RequestsAreCountedByApiVersionTimeAndError) {
  const auto serve = [&](int16_t api, absl::Duration time, bool follower,
                         std::vector<RequestEvent::Errors> errors) {
    metrics_.OnRequestServed(kSelf, {.api_key = api,
                                     .api_version = 9,
                                     .from_follower = follower,
                                     .time = time,
                                     .request_bytes = 1,
                                     .response_bytes = 1,
                                     .errors = errors});
  };
  serve(0, absl::Milliseconds(2), false, {{6, 3}});
  serve(0, absl::Microseconds(2001), false, {{6, 1}, {7, 1}});
  serve(0, absl::Minutes(1), false, {});
  serve(1, absl::Milliseconds(1), false, {});
  serve(1, absl::Milliseconds(1), true, {});
  const auto value = [&](std::string_view name, std::string_view labels) {
    return Value(fmt::format("kafka_network_requestmetrics_{}{{{}}}", name, labels));
  };
  EXPECT_EQ(value("requests_total", "request=\"Produce\",version=\"9\""), "3");
  EXPECT_EQ(value("requests_total", "request=\"FetchConsumer\",version=\"9\""), "1");
  EXPECT_EQ(value("requests_total", "request=\"FetchFollower\",version=\"9\""), "1");
  EXPECT_EQ(value("errors_total", "request=\"Produce\",error=\"NOT_LEADER_OR_FOLLOWER\""), "4");
  EXPECT_EQ(value("errors_total", "request=\"Produce\",error=\"REQUEST_TIMED_OUT\""), "1");
  EXPECT_EQ(value("totaltimems_bucket", "request=\"Produce\",le=\"1\""), "0");
  EXPECT_EQ(value("totaltimems_bucket", "request=\"Produce\",le=\"2\""), "1");
  EXPECT_EQ(value("totaltimems_bucket", "request=\"Produce\",le=\"5\""), "2");
  EXPECT_EQ(value("totaltimems_bucket", "request=\"Produce\",le=\"30000\""), "2");
  EXPECT_EQ(value("totaltimems_bucket", "request=\"Produce\",le=\"+Inf\""), "3");
  EXPECT_EQ(value("totaltimems_sum", "request=\"Produce\""), "60004.001");
  EXPECT_EQ(value("totaltimems_count", "request=\"Produce\""), "3");
}

TEST(ExpositionParserTest, RefusesWhatALenientScraperWouldTake) {
  const std::string family = "# HELP a b\n# TYPE a gauge\n";
  EXPECT_TRUE(ParseExposition(family + "a{x=\"1\"} 2\n").ok());
  for (const std::string_view bad :
       {"a 1", "a{x=\"1\",x=\"2\"} 1\n", "b 1\n", "a{x=1} 1\n", "a  1\n", "a 1\na 1\n", "a -\n",
        "# TYPE a gauge\n", "# HELP a b\n", "a{x=\"\"\"} 1\n"}) {
    EXPECT_FALSE(ParseExposition(family + std::string(bad)).ok()) << bad;
  }
  EXPECT_FALSE(ParseExposition("# HELP a b\n# TYPE a counter\na 1\n").ok());
  const std::string histogram = "# HELP h b\n# TYPE h histogram\n";
  const std::string end = "h_sum 1\nh_count 2\n";
  EXPECT_TRUE(
      ParseExposition(histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n" + end).ok());
  for (const std::string_view bad :
       {"h_bucket{le=\"1\"} 1\n", "h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\n",
        "h_bucket{le=\"2\"} 1\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n",
        "h_bucket{le=\"+Inf\"} 3\n"}) {
    EXPECT_FALSE(ParseExposition(histogram + std::string(bad) + end).ok()) << bad;
  }
}

}  // namespace
}  // namespace highwater::broker::metrics
