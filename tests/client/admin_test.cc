// The admin's calls in a cluster of three: who is asked, and what happens when it is the wrong one.

#include "tests/client/client_world.h"

namespace highwater::tests {
namespace {

using broker::client::Admin;
using broker::client::AdminConfig;
using broker::client::ConfigChange;
using broker::client::ConfigChanges;
using broker::client::ConfigResource;
using broker::client::ElectionType;
using broker::client::NewReplicas;
using ::testing::ElementsAre;

struct AdminWorld : ClientWorld {
  AdminWorld() : ClientWorld(1, sim::StrategyKind::kFifo, 3) {}
  void RunAdmin(const std::function<void(Admin&, core::MonotonicTime)>& main) {
    Run([&](core::Environment& env) {
      Admin admin(env, ConfigOf<AdminConfig>());
      main(admin, env.clock.Now() + absl::Seconds(20));
    });
  }
};

const std::vector<TopicPartition> kTwo = {{"orders", PartitionIndex(0)},
                                          {"orders", PartitionIndex(2)}};

TEST(AdminClusterTest, TheControllerIsLookedForAgainWhenItHasMoved) {
  AdminWorld world;
  world.RunAdmin([&](Admin& admin, core::MonotonicTime deadline) {
    ASSERT_TRUE(admin.CreatePartitions({{"orders", 2}}, deadline).ok());
    world.cluster.controller = BrokerId(2);  // which our metadata does not know
    const auto created = admin.CreatePartitions({{"orders", 4}}, deadline);
    ASSERT_TRUE(created.ok()) << created.status();
    EXPECT_EQ(created->at(0).error, ErrorCode::NONE);
    EXPECT_EQ(world.cluster.topics["orders"].partitions.size(), 4u);
    const auto again = admin.CreatePartitions({{"orders", 4}}, deadline);
    EXPECT_EQ(again->at(0).error, ErrorCode::INVALID_PARTITIONS);
    const std::vector<std::string> names = {"orders"};
    world.cluster.controller = BrokerId(1);
    EXPECT_EQ(admin.DeleteTopics(names, deadline)->at(0).error, ErrorCode::NONE);
  });
}

TEST(AdminClusterTest, AControllerThatDiesIsReplacedByTheNext) {
  AdminWorld world;
  world.RunAdmin([&](Admin& admin, core::MonotonicTime deadline) {
    ASSERT_TRUE(admin.CreatePartitions({{"orders", 2}}, deadline).ok());
    world.cluster.host(0).Crash();
    world.cluster.controller = BrokerId(1);
    const auto created = admin.CreatePartitions({{"orders", 3}}, deadline);
    ASSERT_TRUE(created.ok()) << created.status();
    EXPECT_EQ(created->at(0).error, ErrorCode::NONE);
  });
}

TEST(AdminClusterTest, DescribesTheClusterWithoutTopics) {
  AdminWorld world;
  world.cluster.controller = BrokerId(1);
  world.RunAdmin([&](Admin& admin, core::MonotonicTime deadline) {
    const auto cluster = admin.DescribeCluster(deadline);
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    EXPECT_EQ(cluster->cluster_id, "fake");
    EXPECT_EQ(cluster->controller, BrokerId(1));
    ASSERT_EQ(cluster->brokers.size(), 3u);
    EXPECT_EQ(cluster->brokers[2].endpoint.host, "broker-2");
    EXPECT_EQ(cluster->brokers[2].rack, "az-a");
  });
}

TEST(AdminClusterTest, ABrokersConfigurationIsAskedOfThatBroker) {
  AdminWorld world;
  world.cluster.script = [](BrokerId, ApiKey key, int serial) -> Verdict {
    const bool lost = key == ApiKey::kDescribeConfigs && serial == 0;
    return {.fate = lost ? Fate::kClosedAfter : Fate::kServed};
  };
  world.RunAdmin([&](Admin& admin, core::MonotonicTime deadline) {
    const std::vector<ConfigResource> resources = {
        {ConfigResource::Type::kBroker, "2"},
        {ConfigResource::Type::kTopic, "orders"},
        {ConfigResource::Type::kBroker, "1"},
    };
    const auto described = admin.DescribeConfigs(resources, deadline);
    ASSERT_TRUE(described.ok()) << described.status();
    ASSERT_EQ(described->size(), 3u);
    EXPECT_EQ(described->at(0).entries[0].value, "2");
    EXPECT_EQ(described->at(1).resource, resources[1]);
    EXPECT_EQ(described->at(2).entries[0].value, "1");
    EXPECT_TRUE(described->at(2).entries[1].is_sensitive);
    EXPECT_EQ(described->at(2).entries[1].value, std::nullopt);
  });
}

TEST(AdminClusterTest, ChangesConfigurationsOneByOne) {
  AdminWorld world;
  world.RunAdmin([&](Admin& admin, core::MonotonicTime deadline) {
    const std::vector<ConfigChanges> changes = {
        {{ConfigResource::Type::kBroker, "1"}, {{.name = "a", .value = "x"}}},
        {{ConfigResource::Type::kBroker, "2"},
         {{.name = "b", .operation = ConfigChange::Operation::kDelete}}},
    };
    const auto altered = admin.IncrementalAlterConfigs(changes, deadline);
    ASSERT_TRUE(altered.ok()) << altered.status();
    EXPECT_EQ(altered->at(1).resource, changes[1].resource);
    EXPECT_EQ(altered->at(1).error, ErrorCode::NONE);
  });
  EXPECT_THAT(world.cluster.admin_log, ElementsAre("0 4/1 a=x at 1", "1 4/2 b=null at 2"));
}

TEST(AdminClusterTest, ElectsLeadersOfSomePartitionsOrOfAll) {
  AdminWorld world;
  world.cluster.controller = BrokerId(2);
  world.RunAdmin([&](Admin& admin, core::MonotonicTime deadline) {
    const auto elected = admin.ElectLeaders(ElectionType::kUnclean, kTwo, deadline);
    ASSERT_TRUE(elected.ok()) << elected.status();
    ASSERT_EQ(elected->size(), 2u);
    EXPECT_EQ(elected->at(1).partition, kTwo[1]);
    EXPECT_EQ(elected->at(1).error, ErrorCode::ELECTION_NOT_NEEDED);
    ASSERT_TRUE(admin.ElectLeaders(ElectionType::kPreferred, {}, deadline).ok());
  });
  EXPECT_THAT(world.cluster.admin_log,
              ElementsAre("elect 1 orders-0", "elect 1 orders-2", "elect 0 everywhere"));
}

TEST(AdminClusterTest, ReassignsAndEndsReassignmentsAndListsThem) {
  AdminWorld world;
  world.RunAdmin([&](Admin& admin, core::MonotonicTime deadline) {
    world.cluster.controller = BrokerId(1);
    const std::vector<NewReplicas> wanted = {
        {kTwo[0], std::vector<BrokerId>{BrokerId(2), BrokerId(0)}}, {kTwo[1], std::nullopt}};
    const auto altered = admin.AlterPartitionReassignments(wanted, deadline);
    ASSERT_TRUE(altered.ok()) << altered.status();
    ASSERT_EQ(altered->size(), 2u);
    EXPECT_EQ(altered->at(0).partition, kTwo[0]);
    EXPECT_EQ(altered->at(0).error, ErrorCode::NONE);

    const auto all = admin.ListPartitionReassignments({}, deadline);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(all->at(0).partition.topic, "all");
    const auto some = admin.ListPartitionReassignments(kTwo, deadline);
    ASSERT_TRUE(some.ok());
    EXPECT_EQ(some->at(0).partition, kTwo[1]);
    EXPECT_THAT(some->at(0).adding, ElementsAre(BrokerId(2)));
    EXPECT_THAT(some->at(0).removing, ElementsAre(BrokerId(0)));
  });
  EXPECT_THAT(world.cluster.admin_log, ElementsAre("move orders-0 to 2,0", "leave orders-2"));
}

}  // namespace
}  // namespace highwater::tests
