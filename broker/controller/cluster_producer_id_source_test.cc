#include "broker/controller/cluster_producer_id_source.h"

#include <gtest/gtest.h>

#include <optional>

namespace highwater::broker {
namespace {

using protocol::ErrorCode;

// Answers AllocateProducerIds as a test says; without an answer it is closed.
class ScriptedChannel final : public ControllerChannel {
 public:
  absl::StatusOr<protocol::AlterPartitionResponse> AlterPartition(
      const protocol::AlterPartitionRequest&) override {
    return absl::UnimplementedError("not asked here");
  }
  absl::StatusOr<protocol::AllocateProducerIdsResponse> AllocateProducerIds(
      const protocol::AllocateProducerIdsRequest& request) override {
    asked = request;
    if (!answer.has_value()) return absl::CancelledError("closed");
    return *answer;
  }

  protocol::AllocateProducerIdsRequest asked;
  std::optional<protocol::AllocateProducerIdsResponse> answer;
};

class ClusterProducerIdSourceTest : public ::testing::Test {
 protected:
  ProducerIdBlockSource::Result Allocate() {
    return source_.Allocate(core::MonotonicTime::Never());
  }

  ScriptedChannel channel_;
  BrokerEpoch epoch_{41};
  ClusterProducerIdSource source_{BrokerId(2), channel_, [this] { return epoch_; }};
};

// [X45]
TEST_F(ClusterProducerIdSourceTest, TheBlockIsTheControllersAnswer) {
  channel_.answer.emplace();
  channel_.answer->producer_id_start = 3000;
  channel_.answer->producer_id_len = 1000;
  const auto result = Allocate();
  EXPECT_EQ(result.error, ErrorCode::NONE);
  EXPECT_EQ(result.block, (ProducerIdBlock{.first = ProducerId(3000), .size = 1000}));
}

// A broker that was given its epoch at the start would be refused for ever after it has registered
// anew.
TEST_F(ClusterProducerIdSourceTest, AsksWithTheEpochOfTheLastRegistration) {
  static_cast<void>(Allocate());
  EXPECT_EQ(channel_.asked.broker_id, 2);
  EXPECT_EQ(channel_.asked.broker_epoch, 41);
  epoch_ = BrokerEpoch(57);
  static_cast<void>(Allocate());
  EXPECT_EQ(channel_.asked.broker_epoch, 57);
}

TEST_F(ClusterProducerIdSourceTest, ARefusalIsPassedOnForTheManagerToJudge) {
  channel_.answer.emplace();
  channel_.answer->error_code = ErrorCode::STALE_BROKER_EPOCH;
  EXPECT_EQ(Allocate().error, ErrorCode::STALE_BROKER_EPOCH);
}

TEST_F(ClusterProducerIdSourceTest, AClosedChannelGivesNoBlock) {
  EXPECT_EQ(Allocate().error, ErrorCode::COORDINATOR_NOT_AVAILABLE);
}

}  // namespace
}  // namespace highwater::broker
