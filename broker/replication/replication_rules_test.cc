#include "broker/replication/replication_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker {
namespace {

using storage::EpochEndOffset;
using storage::EpochEntry;
using storage::LeaderEpochCache;

EpochEndOffset End(int32_t epoch, int64_t offset) { return {LeaderEpoch(epoch), Offset(offset)}; }

// A log of epochs 1 (from 0), 3 (from 10) and 4 (from 20) that ends at 30.
struct Log {
  LeaderEpochCache epochs{std::vector<EpochEntry>{
      {LeaderEpoch(1), Offset(0)}, {LeaderEpoch(3), Offset(10)}, {LeaderEpoch(4), Offset(20)}}};
  FollowerLog log{epochs, Offset(0), Offset(30)};
  Truncation Cut(std::optional<EpochEndOffset> theirs) const {
    return ReplicationRules().TruncationPoint(theirs, log, Offset(5));
  }
};

TEST(ReplicationRulesTest, F15WithoutAnAnswerTheHighWatermarkIsWhereToCut) {
  EXPECT_EQ(Log().Cut(std::nullopt).offset, Offset(5));
}

TEST(ReplicationRulesTest, F16WithoutAnEpochTheLeadersOffsetIsWhereToCut) {
  EXPECT_EQ(Log().Cut(End(-1, 12)).offset, Offset(12));
  EXPECT_EQ(Log().Cut(End(-1, 40)).offset, Offset(30));
}

TEST(ReplicationRulesTest, F17TheLesserEndOfACommonEpochIsWhereToCut) {
  EXPECT_EQ(Log().Cut(End(3, 15)).offset, Offset(15));
  EXPECT_EQ(Log().Cut(End(3, 25)).offset, Offset(20)) << "ours ended at 20";
  EXPECT_EQ(Log().Cut(End(4, 50)).offset, Offset(30));
  EXPECT_TRUE(Log().Cut(End(3, 15)).done);
}

TEST(ReplicationRulesTest, F17AnEpochThatWeLackMeansToAskAgainFromOurLastOneBelow) {
  const Truncation cut = Log().Cut(End(2, 18));
  EXPECT_EQ(cut.offset, Offset(10)) << "our epoch 1 ended there";
  EXPECT_FALSE(cut.done) << "the logs may have parted earlier (KIP-279)";
}

// [W9]
TEST(ReplicationRulesTest, R8AStopOfTheSameEpochIsObeyedButNotByKafka) {
  const ReplicationRules safe;
  const ReplicationRules kafka = ReplicationRules::Kafka323();
  const auto obeys = [](const ReplicationRules& rules, int32_t epoch) {
    return rules.MustObeyStop(LeaderEpoch(epoch), LeaderEpoch(4));
  };
  EXPECT_TRUE(obeys(safe, 4)) << "[W9]";
  EXPECT_FALSE(obeys(kafka, 4));
  for (const ReplicationRules& rules : {safe, kafka}) {
    EXPECT_TRUE(obeys(rules, -1));
    EXPECT_TRUE(obeys(rules, -2));
    EXPECT_TRUE(obeys(rules, 5));
    EXPECT_FALSE(obeys(rules, 3));
  }
}

TEST(ReplicationRulesTest, R5OnlyAGreaterEpochIsNews) {
  const ReplicationRules rules;
  EXPECT_TRUE(rules.MayChangeRole(LeaderEpoch(0), kNoLeaderEpoch));
  EXPECT_FALSE(rules.MayChangeRole(LeaderEpoch(4), LeaderEpoch(4)));
  EXPECT_FALSE(rules.MayChangeRole(LeaderEpoch(3), LeaderEpoch(4)));
}

TEST(ReplicationRulesTest, H5AFollowersHighWatermarkIsItsLeadersWithinItsOwnLog) {
  const Log log;
  const ReplicationRules rules;
  EXPECT_EQ(rules.FollowerHighWatermark(Offset(12), log.log), Offset(12));
  EXPECT_EQ(rules.FollowerHighWatermark(Offset(40), log.log), Offset(30));
  const FollowerLog begins_at_ten{log.epochs, Offset(10), Offset(30)};
  EXPECT_EQ(rules.FollowerHighWatermark(Offset(2), begins_at_ten), Offset(10));
}

}  // namespace
}  // namespace highwater::broker
