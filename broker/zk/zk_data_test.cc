#include "broker/zk/zk_data.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::zk {
namespace {

std::vector<BrokerId> Ids(std::initializer_list<int32_t> ids) {
  std::vector<BrokerId> brokers;
  for (const int32_t id : ids) brokers.emplace_back(id);
  return brokers;
}

TEST(ZkDataTest, WritesTheControllerAsZ1) {
  const std::string text = R"({"version":1,"brokerid":2,"timestamp":"1700000000000"})";
  const ControllerZnode controller{BrokerId(2), 1700000000000};
  EXPECT_EQ(EncodeControllerZnode(controller), text);
  EXPECT_EQ(*DecodeControllerZnode(text), controller);
}

TEST(ZkDataTest, WritesTheControllerEpochAsPlainTextAsZ2) {
  EXPECT_EQ(EncodeControllerEpoch(ControllerEpoch(12)), "12");
  EXPECT_EQ(*DecodeControllerEpoch("12"), ControllerEpoch(12));
  EXPECT_FALSE(DecodeControllerEpoch("").ok());
  EXPECT_FALSE(DecodeControllerEpoch("12\n").ok());
}

TEST(ZkDataTest, WritesTopicsAsZ4) {
  TopicZnode topic{.id = *protocol::Uuid::Parse("vPeOCWypqUOSepEvx0cbog")};
  topic.partitions[PartitionIndex(0)] = {.replicas = Ids({1, 2, 3})};
  topic.partitions[PartitionIndex(10)] = {
      .replicas = Ids({2, 3, 4}), .adding = Ids({4}), .removing = Ids({2})};
  const std::string text =
      R"({"version":3,"partitions":{"0":[1,2,3],"10":[2,3,4]},"adding_replicas":{"10":[4]},)"
      R"("removing_replicas":{"10":[2]},"topic_id":"vPeOCWypqUOSepEvx0cbog"})";
  EXPECT_EQ(EncodeTopicZnode(topic), text);
  EXPECT_EQ(*DecodeTopicZnode(text), topic);
}

// [Z4]
TEST(ZkDataTest, ReadsTopicsOfOldVersionsInAnyOrder) {
  const auto topic = DecodeTopicZnode(R"({"partitions":{"1":[3],"0":[1]},"version":1})");
  ASSERT_TRUE(topic.ok());
  EXPECT_TRUE(topic->id.is_zero());
  EXPECT_EQ(topic->partitions.at(PartitionIndex(1)).replicas, Ids({3}));
}

// [Z24]
TEST(ZkDataTest, WritesStateAsZ7) {
  LeaderIsrAndControllerEpoch state{
      .leader_and_isr = {.leader = BrokerId(1), .leader_epoch = LeaderEpoch(4), .isr = Ids({1, 2})},
      .controller_epoch = ControllerEpoch(7)};
  EXPECT_EQ(EncodeState(state),
            R"({"controller_epoch":7,"leader":1,"version":1,"leader_epoch":4,"isr":[1,2]})");
  state.leader_and_isr.recovery = LeaderRecoveryState::kRecovering;
  EXPECT_EQ(EncodeState(state),
            R"({"controller_epoch":7,"leader":1,"version":1,"leader_epoch":4,"isr":[1,2],)"
            R"("leader_recovery_state":1})");
}

// [Z7]
RC_GTEST_PROP(ZkDataTest, AnyStateSurvivesItsText, ()) {
  const auto brokers = [] {
    std::vector<BrokerId> ids;
    for (const int32_t id : *rc::gen::container<std::vector<int32_t>>(rc::gen::inRange(0, 99))) {
      ids.emplace_back(id);
    }
    return ids;
  };
  LeaderIsrAndControllerEpoch state;
  state.controller_epoch = ControllerEpoch(*rc::gen::arbitrary<int32_t>());
  state.leader_and_isr.leader = BrokerId(*rc::gen::inRange(-2, 9));
  state.leader_and_isr.leader_epoch = LeaderEpoch(*rc::gen::arbitrary<int32_t>());
  state.leader_and_isr.isr = brokers();
  state.leader_and_isr.eligible = brokers();
  state.leader_and_isr.unclean = brokers();
  state.leader_and_isr.recovery =
      *rc::gen::element(LeaderRecoveryState::kRecovered, LeaderRecoveryState::kRecovering);
  state.leader_and_isr.partition_epoch = PartitionEpoch(*rc::gen::arbitrary<int32_t>());
  const auto read = DecodeState(EncodeState(state), state.leader_and_isr.partition_epoch);
  RC_ASSERT(read.ok());
  RC_ASSERT(*read == state);
}

TEST(ZkDataTest, WritesABrokerAsZ30) {
  BrokerRegistration broker{.id = BrokerId(3),
                            .epoch = BrokerEpoch(99),
                            .endpoints = {{.host = "b3", .port = 9092}},
                            .timestamp_ms = 1700000000000};
  const std::string text =
      R"({"version":5,"host":"b3","port":9092,"endpoints":["PLAINTEXT://b3:9092"],"jmx_port":-1,)"
      R"("timestamp":"1700000000000","listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},)"
      R"("features":{}})";
  EXPECT_EQ(EncodeBrokerRegistration(broker), text);
  EXPECT_EQ(*DecodeBrokerRegistration(BrokerId(3), BrokerEpoch(99), text), broker);
  broker.rack = "az-a";
  broker.unclean_start = true;
  const std::string more = EncodeBrokerRegistration(broker);
  EXPECT_NE(more.find(R"("rack":"az-a","features":{},"unclean_start":true})"), std::string::npos);
  EXPECT_EQ(*DecodeBrokerRegistration(BrokerId(3), BrokerEpoch(99), more), broker);
}

// [Z30]
TEST(ZkDataTest, ABrokerWithoutAPlaintextEndpointHasNoHost) {
  const BrokerRegistration broker{
      .endpoints = {
          {.listener = "OUT", .protocol = SecurityProtocol::kSaslSsl, .host = "::1", .port = 9}}};
  const std::string text = EncodeBrokerRegistration(broker);
  EXPECT_NE(text.find(R"("host":null,"port":-1,"endpoints":["OUT://[::1]:9"])"), std::string::npos);
  EXPECT_EQ(*DecodeBrokerRegistration(BrokerId(0), BrokerEpoch(0), text), broker);
}

// [Z30]
TEST(ZkDataTest, ReadsABrokerThatAnApacheBrokerWrote) {
  // The order of keys and the extras are Apache Kafka's.
  const auto broker = DecodeBrokerRegistration(
      BrokerId(1), BrokerEpoch(5),
      R"({"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},)"
      R"("endpoints":["PLAINTEXT://h:9092"],"jmx_port":-1,"port":9092,"host":"h","version":5,)"
      R"("tags":{},"timestamp":"1700000000000"})");
  ASSERT_TRUE(broker.ok()) << broker.status();
  EXPECT_EQ(broker->endpoints.front().host, "h");
  EXPECT_FALSE(broker->unclean_start);
}

// [Z8, Z9, Z10, Z11]
TEST(ZkDataTest, WritesNotificationsAndAdminRequestsAsZ8ToZ12) {
  const std::vector<TopicPartition> partitions{{"a", PartitionIndex(1)}, {"b", PartitionIndex(0)}};
  const std::string list =
      R"({"version":1,"partitions":[{"topic":"a","partition":1},{"topic":"b","partition":0}]})";
  EXPECT_EQ(EncodePartitions(partitions), list);
  EXPECT_EQ(*DecodePartitions(list), partitions);
  EXPECT_EQ(EncodeLogDirEvent(BrokerId(4)), R"({"version":1,"broker":4,"event":1})");
  EXPECT_EQ(*DecodeLogDirEvent(R"({"version":1,"broker":4,"event":1})"), BrokerId(4));
  const Reassignments moves{{{"a", PartitionIndex(1)}, Ids({2, 3})}};
  const std::string text =
      R"({"version":1,"partitions":[{"topic":"a","partition":1,"replicas":[2,3]}]})";
  EXPECT_EQ(EncodeReassignments(moves), text);
  EXPECT_EQ(*DecodeReassignments(text), moves);
}

// [Z13]
TEST(ZkDataTest, WritesConfigsAsZ13AndTheirChangesAsZ14) {
  const ConfigEntries entries{{"k", "v"}};
  EXPECT_EQ(EncodeConfig(entries), R"({"version":1,"config":{"k":"v"}})");
  EXPECT_EQ(*DecodeConfig(EncodeConfig(entries)), entries);
  EXPECT_EQ(EncodeConfigChange("topics/T"), R"({"version":2,"entity_path":"topics/T"})");
  EXPECT_EQ(*DecodeConfigChange(R"({"version":2,"entity_path":"topics/T"})"), "topics/T");
}

// [Z24]
TEST(ZkDataTest, WritesProducerIdBlocksAsZ15) {
  const ProducerIdBlock block{BrokerId(1), 0, 999};
  const std::string text = R"({"version":1,"broker":1,"block_start":"0","block_end":"999"})";
  EXPECT_EQ(EncodeProducerIdBlock(block), text);
  EXPECT_EQ(*DecodeProducerIdBlock(text), block);
}

// [Z16]
TEST(ZkDataTest, WritesFeaturesAndTheClusterIdAsZ16AndZ17) {
  EXPECT_EQ(EncodeFeature(), R"({"version":1,"status":1,"features":{}})");
  EXPECT_EQ(EncodeClusterId("vPeOCWypqUOSepEvx0cbog"),
            R"({"version":"1","id":"vPeOCWypqUOSepEvx0cbog"})");
  EXPECT_EQ(*DecodeClusterId(R"({"version":"1","id":"vPeOCWypqUOSepEvx0cbog"})"),
            "vPeOCWypqUOSepEvx0cbog");
}

RC_GTEST_PROP(ZkDataTest, NoTextBreaksAReader, ()) {
  std::string text =
      EncodeTopicZnode({.partitions = {{PartitionIndex(0), {.replicas = Ids({1})}}}});
  const auto at = *rc::gen::inRange<size_t>(0, text.size());
  text[at] = *rc::gen::arbitrary<char>();
  static_cast<void>(DecodeTopicZnode(text));
  static_cast<void>(DecodeState(text, PartitionEpoch(0)));
  static_cast<void>(DecodeBrokerRegistration(BrokerId(0), BrokerEpoch(0), text));
  static_cast<void>(DecodeReassignments(text));
  static_cast<void>(DecodePartitions(text));
  static_cast<void>(DecodeConfig(text));
}

TEST(ZkDataTest, SaysWhatIsWrong) {
  EXPECT_EQ(DecodeState(R"({"leader":1})", PartitionEpoch(0)).status().message(),
            "state znode: controller_epoch is missing");
  EXPECT_EQ(DecodeState("[]", PartitionEpoch(0)).status().message(),
            "state znode: expected a JSON object");
  EXPECT_FALSE(DecodeTopicZnode(R"({"partitions":{"0":[1]},"adding_replicas":{"1":[1]}})").ok());
}

}  // namespace
}  // namespace highwater::broker::zk
