// What a member of a cluster does for admins: topics, growth, settings; and its table of APIs.

#include "broker/controller/cluster_controller.h"

#include "broker/server/handlers/cluster_handlers.h"
#include "broker/server/metadata_controller.h"
#include "core/wait_group.h"
#include "tests/controller/controller_world.h"

namespace highwater::tests {
namespace {

namespace zk = broker::zk;
namespace protocol = broker::protocol;
using broker::CreateMode;
using broker::controller::ClusterController;

broker::BrokerConfig Config(const std::map<std::string, std::string>& given) {
  auto config = broker::BrokerConfig::FromMap(given);
  HW_CHECK(config.ok(), "{}", config.status().ToString());
  return *std::move(config);
}

// What serves admins at one broker.
struct Member {
  explicit Member(FakeBrokerProcess& process, std::map<std::string, std::string> given = {})
      : process(process),
        config(Config(given)),
        view(process.cache, "cluster", config.topic_defaults),
        configs(process.env, process.zk, [](auto, const auto&, const auto&) {}),
        controller(process.env, config, view, process.zk, configs, process.controller) {
    HW_CHECK(configs.Start().ok());
  }
  [[nodiscard]] core::MonotonicTime Soon() const {
    return process.env.fibers.Now() + absl::Seconds(10);
  }
  broker::TopicResult Create(broker::NewTopic topic, CreateMode mode = CreateMode::kCreate) {
    return controller.CreateTopics({std::move(topic)}, mode, Soon()).at(0);
  }
  broker::TopicResult Delete(const std::string& name) {
    return controller.DeleteTopics({name}, Soon()).at(0);
  }
  ErrorCode Grow(protocol::CreatePartitionsRequest::CreatePartitionsTopic topic) {
    protocol::CreatePartitionsRequest request;
    request.topics.push_back(std::move(topic));
    return controller.CreatePartitions(request, Soon()).results.at(0).error_code;
  }
  ErrorCode Alter(const std::string& name, const std::optional<std::string>& value,
                  int8_t resource_type = 2) {
    protocol::AlterConfigsRequest request;
    request.resources.push_back({.resource_type = resource_type,
                                 .resource_name = "orders",
                                 .configs = {{.name = name, .value = value}}});
    return controller.AlterConfigs(request).responses.at(0).error_code;
  }
  ErrorCode Step(int8_t operation, const std::string& name,
                 const std::optional<std::string>& value) {
    protocol::IncrementalAlterConfigsRequest request;
    request.resources.push_back(
        {.resource_type = 2,
         .resource_name = "orders",
         .configs = {{.name = name, .config_operation = operation, .value = value}}});
    return controller.IncrementalAlterConfigs(request).responses.at(0).error_code;
  }
  // The topic's own settings, once this broker has heard of the last change.
  broker::TopicOverrides Overrides() {
    process.env.fibers.SleepFor(absl::Seconds(1));
    const auto* topic = controller.FindTopic("orders");
    return topic == nullptr ? broker::TopicOverrides() : topic->overrides;
  }

  FakeBrokerProcess& process;
  broker::BrokerConfig config;
  broker::MetadataController view;
  broker::controller::ConfigChangeListener configs;
  ClusterController controller;
};

// Three brokers; 0 is the controller.
struct Cluster : ControllerWorld {
  Cluster() : ControllerWorld(3) {
    for (int32_t i = 0; i < 3; ++i) {
      Start(i);
      Run(absl::Milliseconds(200));
    }
    Run(absl::Seconds(1));
  }
  // Notes the paths that are written from now on.
  void NoteWrites() {
    zookeeper.on_write = [this, inner = zookeeper.on_write](const std::string& path,
                                                            const FakeZooKeeper::Node* node) {
      writes.push_back(path);
      inner(path, node);
    };
  }
  [[nodiscard]] size_t PlaceOf(const std::string& path) const {
    return static_cast<size_t>(std::find(writes.begin(), writes.end(), path) - writes.begin());
  }
  std::vector<std::string> writes;
};

// [C100, Z26]
TEST(ClusterControllerTest, ATopicsConfigIsWrittenBeforeTheTopicAndItsLeadersAreAwaited) {
  Cluster w;
  w.NoteWrites();
  w.On(0, [&](FakeBrokerProcess& process) {
    Member member(process);
    const auto made = member.Create({.name = "orders",
                                     .partitions = 3,
                                     .replication_factor = 3,
                                     .configs = {{"min.insync.replicas", "2"}}});
    EXPECT_EQ(made.error, ErrorCode::NONE) << made.message;
    const auto described = member.controller.Describe("orders");
    ASSERT_TRUE(described.has_value());
    EXPECT_EQ(described->id, made.id);
    ASSERT_EQ(described->partitions.size(), 3u);
    for (const auto& partition : described->partitions) {
      EXPECT_NE(partition.leader, broker::kNoBroker);
      EXPECT_EQ(partition.isr.size(), 3u);
    }
    EXPECT_EQ(member.Overrides(), (broker::TopicOverrides{{"min.insync.replicas", "2"}}));
    EXPECT_EQ(member.Create({.name = "orders"}).error, ErrorCode::TOPIC_ALREADY_EXISTS);
  });
  EXPECT_LT(w.PlaceOf("/config/topics/orders"), w.PlaceOf("/brokers/topics/orders"));
  EXPECT_LT(w.PlaceOf("/brokers/topics/orders"), w.writes.size());
}

TEST(ClusterControllerTest, ChangesOfDifferentSettingsAtTheSameTimeAreBothKept) {
  Cluster w;
  w.On(0, [&](FakeBrokerProcess& process) {
    Member member(process);
    ASSERT_EQ(member.Create({.name = "orders", .partitions = 1}).error, ErrorCode::NONE);
    core::WaitGroup others(process.env.fibers);
    const std::pair<std::string, std::string> changes[] = {
        {"retention.ms", "5000"}, {"segment.bytes", "20000"}, {"min.insync.replicas", "1"}};
    for (const auto& [name, value] : changes) {
      others.Add();
      process.env.fibers.Spawn("admin", [&member, &others, name, value] {
        EXPECT_EQ(member.Step(0, name, value), ErrorCode::NONE);
        others.Done();
      });
    }
    others.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
    EXPECT_EQ(member.Overrides(), (broker::TopicOverrides{{"min.insync.replicas", "1"},
                                                          {"retention.ms", "5000"},
                                                          {"segment.bytes", "20000"}}));
  });
}

TEST(ClusterControllerTest, ValidatingWritesNothing) {
  Cluster w;
  w.NoteWrites();
  w.On(0, [&](FakeBrokerProcess& process) {
    Member member(process);
    const auto fine = member.Create({.name = "orders", .partitions = 1, .replication_factor = 2},
                                    CreateMode::kValidateOnly);
    EXPECT_EQ(fine.error, ErrorCode::NONE);
    const auto wide = member.Create({.name = "orders", .partitions = 1, .replication_factor = 4},
                                    CreateMode::kValidateOnly);
    EXPECT_EQ(wide.error, ErrorCode::INVALID_REPLICATION_FACTOR);
  });
  EXPECT_TRUE(w.writes.empty());
}

// [C114]
TEST(ClusterControllerTest, OnlyTheControllerChangesTopicsAndAnybodySettings) {
  Cluster w;
  w.CreateTopic("orders", {Ids({0, 1, 2})});
  w.On(1, [&](FakeBrokerProcess& process) {
    Member member(process);
    EXPECT_EQ(member.controller.controller_id(), BrokerId(0)) << "whom clients are sent to";
    EXPECT_EQ(member.Create({.name = "more"}).error, ErrorCode::NOT_CONTROLLER);
    EXPECT_EQ(member.Delete("orders").error, ErrorCode::NOT_CONTROLLER);
    EXPECT_EQ(member.Grow({.name = "orders", .count = 2, .assignments = std::nullopt}),
              ErrorCode::NOT_CONTROLLER);
    EXPECT_EQ(member.Alter("retention.ms", "1000"), ErrorCode::NONE);
    EXPECT_EQ(member.Overrides(), (broker::TopicOverrides{{"retention.ms", "1000"}}));
  });
  w.On(2, [&](FakeBrokerProcess& process) {
    EXPECT_EQ(Member(process).Overrides(), (broker::TopicOverrides{{"retention.ms", "1000"}}));
  });
}

// [C102]
TEST(ClusterControllerTest, ADeletionIsAnsweredWhenTheTopicIsGone) {
  Cluster w;
  w.CreateTopic("orders", {Ids({0, 1, 2})});
  w.On(0, [&](FakeBrokerProcess& process) {
    Member forbids(process, {{"delete.topic.enable", "false"}});
    EXPECT_EQ(forbids.Delete("orders").error, ErrorCode::TOPIC_DELETION_DISABLED);
    Member member(process);
    EXPECT_EQ(member.Delete("none").error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    EXPECT_EQ(member.Delete("orders").error, ErrorCode::NONE);
    EXPECT_FALSE(member.controller.Describe("orders").has_value());
  });
  w.Run(absl::Seconds(2));  // the znodes follow
  w.CreateTopic("orders", {Ids({0, 1, 2})});
  w.Crash(2);
  w.Run(absl::Seconds(1));
  w.On(0, [&](FakeBrokerProcess& process) {
    // Its znodes wait for the replica that is away; what this broker knows of it goes at once.
    static_cast<void>(Member(process).Delete("orders"));
  });
  EXPECT_TRUE(w.zookeeper.nodes().contains("/admin/delete_topics/orders"));
}

// [C101]
TEST(ClusterControllerTest, GrowthGivesNewPartitionsTheOldNumberOfReplicas) {
  Cluster w;
  w.CreateTopic("orders", {Ids({0, 1})});
  w.On(0, [&](FakeBrokerProcess& process) {
    Member member(process);
    using Replicas = protocol::CreatePartitionsRequest::CreatePartitionsAssignment;
    const auto with = [](std::vector<std::vector<int32_t>> lists) {
      std::vector<Replicas> assignments;
      for (auto& list : lists) assignments.push_back({.broker_ids = std::move(list)});
      return assignments;
    };
    EXPECT_EQ(member.Grow({.name = "orders", .count = 1, .assignments = std::nullopt}),
              ErrorCode::INVALID_PARTITIONS);
    EXPECT_EQ(member.Grow({.name = "none", .count = 2, .assignments = std::nullopt}),
              ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    for (const auto& bad : {with({}), with({{1}}), with({{1, 1}}), with({{1, 7}})}) {
      EXPECT_EQ(member.Grow({.name = "orders", .count = 2, .assignments = bad}),
                ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    }
    EXPECT_EQ(member.Grow({.name = "orders", .count = 2, .assignments = with({{2, 0}})}),
              ErrorCode::NONE);
    EXPECT_EQ(member.Grow({.name = "orders", .count = 4, .assignments = std::nullopt}),
              ErrorCode::NONE);
    const auto described = member.controller.Describe("orders");
    ASSERT_EQ(described->partitions.size(), 4u);
    EXPECT_EQ(described->partitions[1].replicas, Ids({2, 0}));
    for (const auto& partition : described->partitions) {
      EXPECT_EQ(partition.replicas.size(), 2u);
      EXPECT_NE(partition.leader, broker::kNoBroker);
    }
  });
}

TEST(ClusterControllerTest, GrowthDoesNotCrossAReassignment) {
  Cluster w;
  w.CreateTopic("orders", {Ids({0, 1})});
  w.deaf.insert(BrokerId(2));  // the replica that is added never comes
  w.On(0, [&](FakeBrokerProcess& process) {
    Member member(process);
    protocol::AlterPartitionReassignmentsRequest request;
    request.topics.push_back(
        {.name = "orders",
         .partitions = {{.partition_index = 0, .replicas = std::vector<int32_t>{0, 2}}}});
    const auto moved = process.controller.AlterReassignments(request, member.Soon());
    ASSERT_TRUE(moved.has_value());
    EXPECT_EQ(member.Grow({.name = "orders", .count = 2, .assignments = std::nullopt}),
              ErrorCode::REASSIGNMENT_IN_PROGRESS);
  });
}

// [Z13]
TEST(ClusterControllerTest, SettingsAreReplacedAsAWholeOrOneByOne) {
  Cluster w;
  w.CreateTopic("orders", {Ids({0, 1, 2})});
  w.On(0, [&](FakeBrokerProcess& process) {
    Member member(process);
    using Overrides = broker::TopicOverrides;
    EXPECT_EQ(member.Alter("retention.ms", "1000"), ErrorCode::NONE);
    EXPECT_EQ(member.Alter("segment.bytes", "2000000"), ErrorCode::NONE);
    EXPECT_EQ(member.Overrides(), (Overrides{{"segment.bytes", "2000000"}}));
    constexpr int8_t kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3;
    EXPECT_EQ(member.Step(kSet, "retention.ms", "5000"), ErrorCode::NONE);
    EXPECT_EQ(member.Step(kDelete, "segment.bytes", std::nullopt), ErrorCode::NONE);
    EXPECT_EQ(member.Step(kAppend, "cleanup.policy", "delete"), ErrorCode::NONE);
    const Overrides expected = {{"cleanup.policy", "delete"}, {"retention.ms", "5000"}};
    EXPECT_EQ(member.Overrides(), expected) << "appended to the default, which has it";
    // What is refused changes nothing.
    EXPECT_EQ(member.Step(kAppend, "cleanup.policy", "compact"), ErrorCode::INVALID_CONFIG);
    EXPECT_EQ(member.Step(kSubtract, "cleanup.policy", "delete"), ErrorCode::INVALID_CONFIG);
    EXPECT_EQ(member.Step(kAppend, "retention.ms", "1"), ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(member.Step(7, "retention.ms", "1"), ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(member.Step(kSet, "retention.ms", std::nullopt), ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(member.Step(kSet, "retention.ms", "soon"), ErrorCode::INVALID_CONFIG);
    EXPECT_EQ(member.Alter("retention.ms", std::nullopt), ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(member.Alter("retention.ms", "1", /*resource_type=*/4), ErrorCode::INVALID_REQUEST);
    EXPECT_EQ(member.Overrides(), expected);
  });
}

// ---- The APIs that only a member serves [Wire 3].

core::ByteChain BytesOf(const core::Payload& payload) {
  core::ByteChain bytes;
  for (const auto& piece : payload.pieces()) bytes.Append(std::get<core::Bytes>(piece));
  return bytes;
}

// What this API answers in this version.
template <typename Request>
absl::StatusOr<typename Request::Response> Serve(Member& member, const Request& request,
                                                 int16_t version) {
  const auto apis = broker::ClusterApis();
  const auto api = std::find_if(apis.begin(), apis.end(), [](const broker::ClusterApi& one) {
    return one.key == Request::kApiKey;
  });
  if (api == apis.end()) return absl::NotFoundError("no such API");
  protocol::Encoder encoder;
  request.Encode(encoder, version);
  if (!encoder.status().ok()) return encoder.status();
  const core::ByteChain bytes = BytesOf(std::move(encoder).Finish());
  core::Environment& env = member.process.env;
  broker::RequestGate gate(env.fibers, 1, 1 << 20);
  broker::RequestGate::Ticket ticket = gate.Enter(0);
  const core::Endpoint peer;
  const broker::ClientCall client{peer, ticket};
  const protocol::RequestHeaderFields header{.api_key = Request::kApiKey, .api_version = version};
  protocol::Decoder decoder(bytes);
  auto answer = api->handle(env, member.controller, {header, decoder, client});
  if (!answer.ok()) return answer.status();
  core::ByteChain buffered = BytesOf(*answer->frame);
  auto frame = protocol::TakeFrame(buffered, protocol::kDefaultMaxRequestBytes);
  return protocol::DecodeResponse<typename Request::Response>(**frame, version);
}

template <typename... Requests>
void ExpectServed(Member& member) {
  const auto served = [&]<typename Request>(const Request& request) {
    for (int16_t v = Request::kLowestVersion; v <= Request::kHighestVersion; ++v) {
      const auto response = Serve(member, request, v);
      EXPECT_TRUE(response.ok()) << Request::kName << " v" << v << ": " << response.status();
    }
  };
  (served(Requests()), ...);
  EXPECT_EQ(broker::ClusterApis().size(), sizeof...(Requests)) << "an API without a test";
}

TEST(ClusterApisTest, AreServedInEachVersionByMembersWhetherControllerOrNot) {
  Cluster w;
  for (const int32_t broker : {0, 1}) {
    w.On(broker, [&](FakeBrokerProcess& process) {
      Member member(process);
      ExpectServed<protocol::ControlledShutdownRequest, protocol::AlterConfigsRequest,
                   protocol::CreatePartitionsRequest, protocol::ElectLeadersRequest,
                   protocol::IncrementalAlterConfigsRequest,
                   protocol::AlterPartitionReassignmentsRequest,
                   protocol::ListPartitionReassignmentsRequest, protocol::AlterPartitionRequest,
                   protocol::AllocateProducerIdsRequest>(member);
    });
  }
}

TEST(ClusterApisTest, AreInTheOrderOfTheirKeys) {
  const auto apis = broker::ClusterApis();
  EXPECT_TRUE(std::is_sorted(apis.begin(), apis.end(),
                             [](const auto& a, const auto& b) { return a.key < b.key; }));
}

TEST(ClusterApisTest, WhoIsNotTheControllerSaysSo) {  // [C5, C70]
  Cluster w;
  w.On(1, [&](FakeBrokerProcess& process) {
    Member member(process);
    const auto error = [&](const auto& request) {
      const auto response = Serve(member, request, 0);
      return response.ok() ? response->error_code : ErrorCode::UNKNOWN_SERVER_ERROR;
    };
    EXPECT_EQ(error(protocol::AlterPartitionRequest()), ErrorCode::NOT_CONTROLLER);
    EXPECT_EQ(error(protocol::AllocateProducerIdsRequest()), ErrorCode::NOT_CONTROLLER);
    EXPECT_EQ(error(protocol::ControlledShutdownRequest()), ErrorCode::NOT_CONTROLLER);
    EXPECT_EQ(error(protocol::AlterPartitionReassignmentsRequest()), ErrorCode::NOT_CONTROLLER);
    EXPECT_EQ(error(protocol::ListPartitionReassignmentsRequest()), ErrorCode::NOT_CONTROLLER);
  });
}

TEST(ClusterApisTest, AVersionWithoutAnErrorOfItsOwnSaysItForEachPartition) {  // [Wire 5]
  Cluster w;
  w.On(1, [&](FakeBrokerProcess& process) {
    Member member(process);
    protocol::ElectLeadersRequest request;
    request.topic_partitions->push_back({.topic = "orders", .partitions = {0, 1}});
    const auto response = Serve(member, request, 0);
    ASSERT_TRUE(response.ok()) << response.status();
    const auto& results = response->replica_election_results.at(0).partition_result;
    ASSERT_EQ(results.size(), 2u);
    for (const auto& result : results) EXPECT_EQ(result.error_code, ErrorCode::NOT_CONTROLLER);
    EXPECT_EQ(Serve(member, request, 1)->error_code, ErrorCode::NOT_CONTROLLER);
  });
}

TEST(ClusterApisTest, AnIsrChangeOfAStaleRegistrationIsRefused) {  // [C70]
  Cluster w;
  w.On(0, [&](FakeBrokerProcess& process) {
    Member member(process);
    protocol::AlterPartitionRequest request;
    request.broker_id = 1;
    request.broker_epoch = w.Process(1)->registrar.epoch().value() - 1;
    EXPECT_EQ(Serve(member, request, 1)->error_code, ErrorCode::STALE_BROKER_EPOCH);
    request.broker_id = 9;
    EXPECT_EQ(Serve(member, request, 1)->error_code, ErrorCode::STALE_BROKER_EPOCH);
  });
}

}  // namespace
}  // namespace highwater::tests
