// Starts, stops, crashes and failing disks.

#include "broker/protocol/create_topics.h"
#include "broker/protocol/delete_topics.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/metadata.h"
#include "tests/broker/broker_world.h"

namespace highwater::tests {
namespace {

using namespace broker::protocol;  // the messages
using broker::PartitionIndex;
using broker::TopicPartition;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> Read(RawClient& client, const std::string& topic) {
  FetchRequest request{.replica_id = -1, .max_wait_ms = 0, .min_bytes = 1};
  request.topics.push_back({.topic = topic, .partitions = {{.partition_max_bytes = 1 << 20}}});
  const auto response = client.Call(request, 12);
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) return {};
  EXPECT_EQ(response->responses.at(0).partitions.at(0).error_code, ErrorCode::NONE);
  return ValuesOf(response->responses.at(0).partitions.at(0).records);
}

std::map<std::string, size_t> Topics(RawClient& client) {
  MetadataRequest all;
  all.topics = std::nullopt;
  const auto response = client.Call(all, 9);
  EXPECT_TRUE(response.ok()) << response.status();
  std::map<std::string, size_t> topics;
  if (!response.ok()) return topics;
  for (const auto& topic : response->topics) topics[*topic.name] = topic.partitions.size();
  return topics;
}

void StopAndWait(BrokerWorld& w) {
  w.host.RequestStop();
  w.world.Run(w.world.Elapsed() + absl::Seconds(30));
  ASSERT_FALSE(w.host.running()) << w.world.DescribeFibers();
}

// [K10, K11, M81, S1, S3]
TEST(LifecycleTest, StopsCleanlyAndKeepsEverything) {
  BrokerWorld w;
  w.Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    ASSERT_EQ(ErrorOf(client.Call(ProduceOf("a", BatchOf({"x"})), 9)), ErrorCode::NONE);
  });
  StopAndWait(w);
  EXPECT_TRUE(w.last_status.ok()) << w.last_status;
  EXPECT_EQ(w.events.stopped, 1);
  EXPECT_THAT(w.ends, ElementsAre(sim::ProcessEnd::kExited));
  w.host.LosePower();  // everything was made durable
  w.Run([](core::Environment& env) {
    RawClient client(env);
    EXPECT_THAT(Read(client, "a"), ElementsAre("x"));
  });
}

// [S3]
TEST(LifecycleTest, AStopEndsLongPollsAndAnswersWhatIsAtWork) {
  BrokerWorld w;
  w.Run([&](core::Environment& env) {
    RawClient consumer(env);
    CreateTopic(consumer, "a");
    FetchRequest poll{.replica_id = -1, .max_wait_ms = 60'000, .min_bytes = 1};
    poll.topics.push_back({.topic = "a", .partitions = {{.partition_max_bytes = 100}}});
    ASSERT_TRUE(consumer.Send(poll, 12).ok());
    env.fibers.SleepFor(absl::Milliseconds(100));
    const core::MonotonicTime before = env.clock.Now();
    w.host.RequestStop();
    const auto response = consumer.Receive<FetchResponse>(12);
    EXPECT_TRUE(response.ok()) << response.status();
    EXPECT_TRUE(consumer.IsClosedByBroker());
    EXPECT_LT(env.clock.Now() - before, absl::Seconds(2));
  });
}

TEST(LifecycleTest, LeaderEpochsGrowWithEachStart) {
  BrokerWorld w;
  w.Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    EXPECT_EQ(ErrorOf(client.Call(ProduceOf("a", BatchOf({"x"})), 9)), ErrorCode::NONE);
  });
  w.host.Crash();
  w.Run([](core::Environment& env) {
    RawClient client(env);
    EXPECT_EQ(ErrorOf(client.Call(ProduceOf("a", BatchOf({"y"})), 9)), ErrorCode::NONE);
  });
  StopAndWait(w);
  w.Run([](core::Environment& env) {
    RawClient client(env);
    MetadataRequest request;
    request.topics->push_back({.name = "a"});
    EXPECT_EQ(client.Call(request, 9)->topics.at(0).partitions.at(0).leader_epoch, 2);
  });
  EXPECT_THAT((w.events.epochs[TopicPartition{"a", PartitionIndex(0)}]), ElementsAre(0, 1, 2));
}

// Whatever effect on files a crash prevents, the next start has the topic whole or not at all; if
// it was answered, whole.
TEST(LifecycleTest, ACrashAtAnyPointOfACreationLeavesItWholeOrUndone) {
  for (const auto kind : {sim::CrashKind::kProcess, sim::CrashKind::kPowerLoss}) {
    bool crashed = true;
    for (uint64_t n = 1; crashed; ++n) {
      ASSERT_LT(n, 200u);
      BrokerWorld w({}, n);
      bool answered = false;
      w.Run([&](core::Environment& env) {
        RawClient client(env);
        w.host.CrashAtPoint(w.host.effects() + n, kind);
        CreateTopicsRequest request;
        request.topics.push_back({.name = "a", .num_partitions = 2, .replication_factor = 1});
        answered = client.Call(request, 7).ok();
      });
      w.host.CrashAtPoint(0, kind);  // no later than this
      crashed = !w.host.running();
      w.Run([&](core::Environment& env) {
        RawClient client(env);
        const auto topics = Topics(client);
        if (answered || !topics.empty()) {
          ASSERT_THAT(topics, ElementsAre(std::pair<const std::string, size_t>("a", 2)));
          EXPECT_EQ(ErrorOf(client.Call(ProduceOf("a", BatchOf({"x"}), -1, 1), 9)),
                    ErrorCode::NONE);
        } else {
          CreateTopic(client, "a", 2);
        }
      });
      EXPECT_TRUE(w.last_status.ok()) << w.last_status << " at point " << n;
    }
  }
}

TEST(LifecycleTest, ACrashAtAnyPointOfADeletionLeavesItWholeOrDone) {
  for (const auto kind : {sim::CrashKind::kProcess, sim::CrashKind::kPowerLoss}) {
    bool crashed = true;
    for (uint64_t n = 1; crashed; ++n) {
      ASSERT_LT(n, 200u);
      BrokerWorld w({}, n);
      bool answered = false;
      w.Run([&](core::Environment& env) {
        RawClient client(env);
        CreateTopic(client, "a", 2);
        w.host.CrashAtPoint(w.host.effects() + n, kind);
        const auto response =
            client.Call(DeleteTopicsRequest{.topic_names = {"a"}, .timeout_ms = 5000}, 5);
        answered = response.ok();
        if (answered) {
          EXPECT_EQ(response->responses.at(0).error_code, ErrorCode::NONE);
        }
      });
      w.host.CrashAtPoint(0, kind);  // no later than this
      crashed = !w.host.running();
      w.Run([&](core::Environment& env) {
        RawClient client(env);
        const auto topics = Topics(client);
        if (answered) {
          EXPECT_THAT(topics, IsEmpty()) << n;
        }
        if (topics.empty()) CreateTopic(client, "a", 2);
        // Whatever it was, it can be used and its log is empty.
        const auto response = client.Call(ProduceOf("a", BatchOf({"x"}), -1, 1), 9);
        ASSERT_TRUE(response.ok());
        EXPECT_EQ(response->responses.at(0).partition_responses.at(0).base_offset, 0);
      });
    }
  }
}

// [L7]
TEST(LifecycleTest, WithFlushMessagesOneAPowerLossTakesNothingAcknowledged) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    BrokerWorld w(Settings{{"log.flush.interval.messages", "1"}}, seed, sim::StrategyKind::kRandom);
    std::vector<std::string> acknowledged;
    w.Run([&](core::Environment& env) {
      RawClient client(env);
      CreateTopic(client, "a");
      w.world.At(w.world.Elapsed() + absl::Milliseconds(50 + 13 * seed),
                 [&] { w.host.LosePower(); });
      for (int i = 0;; ++i) {
        const std::string value = std::to_string(i);
        if (ErrorOf(client.Call(ProduceOf("a", BatchOf({value})), 9)) != ErrorCode::NONE) return;
        acknowledged.push_back(value);
      }
    });
    w.Run([&](core::Environment& env) {
      RawClient client(env);
      const auto stored = Read(client, "a");
      ASSERT_GE(stored.size(), acknowledged.size()) << seed;
      for (size_t i = 0; i < acknowledged.size(); ++i) EXPECT_EQ(stored[i], acknowledged[i]);
    });
  }
}

TEST(LifecycleTest, WithoutALogDirectoryItHalts) {
  BrokerWorld w;
  auto* disk = static_cast<sim::Disk*>(w.host.disk());
  w.Run([&](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    disk->Begin({.id = sim::kNoFault, .kind = sim::DiskFault::Kind::kWriteErrors});
    const auto response = client.Call(ProduceOf("a", BatchOf({"x"})), 9);
    EXPECT_NE(ErrorOf(response), ErrorCode::NONE);
    env.fibers.SleepFor(absl::Seconds(5));
  });
  EXPECT_THAT(w.ends, ElementsAre(sim::ProcessEnd::kHalted));
  EXPECT_THAT(w.events.failed_directories, SizeIs(1));
}

// [P3]
TEST(LifecycleTest, AFailedDirectoryTakesOnlyItsOwnPartitions) {
  BrokerWorld w(Settings{{"log.dirs", "one,two"}}, 1, sim::StrategyKind::kFifo, {"one", "two"});
  auto* disk = static_cast<sim::Disk*>(w.host.disk());
  w.Run([&](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a", 2);  // one partition in each directory
    const auto produce = [&](int32_t partition) {
      return ErrorOf(client.Call(ProduceOf("a", BatchOf({"x"}), -1, partition), 9));
    };
    EXPECT_EQ(produce(0), ErrorCode::NONE);
    EXPECT_EQ(produce(1), ErrorCode::NONE);
    disk->Begin({.id = sim::kNoFault, .kind = sim::DiskFault::Kind::kWriteErrors, .device = 2});
    const ErrorCode first = produce(0);
    const ErrorCode second = produce(1);
    EXPECT_NE(first == ErrorCode::NONE, second == ErrorCode::NONE);
    const int32_t lost = first == ErrorCode::NONE ? 1 : 0;
    EXPECT_EQ(lost == 1 ? second : first, ErrorCode::KAFKA_STORAGE_ERROR);
    EXPECT_EQ(produce(1 - lost), ErrorCode::NONE);
    MetadataRequest request;
    request.topics->push_back({.name = "a"});
    const auto metadata = client.Call(request, 9);
    const auto& partition = metadata->topics.at(0).partitions.at(lost);
    EXPECT_EQ(partition.error_code, ErrorCode::LEADER_NOT_AVAILABLE);
    EXPECT_EQ(partition.leader_id, -1);
    EXPECT_THAT(partition.offline_replicas, ElementsAre(1));
    CreateTopic(client, "b", 2);  // goes to the directory that is left
  });
  EXPECT_THAT(w.events.failed_directories, SizeIs(1));
}

// [K16]
TEST(LifecycleTest, AnotherBrokersDirectoryIsRefused) {
  BrokerWorld w;
  w.Run([&](core::Environment& env) { RawClient client(env); });
  StopAndWait(w);
  w.Set("broker.id", "2");
  w.StartBroker();
  w.world.Run(w.world.Elapsed() + absl::Seconds(5));
  EXPECT_FALSE(w.host.running());
  EXPECT_FALSE(w.last_status.ok()) << "meta.properties names another broker";
}

}  // namespace
}  // namespace highwater::tests
