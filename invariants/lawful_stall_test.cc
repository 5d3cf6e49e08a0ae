#include "invariants/lawful_stall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::invariants {
namespace {

using broker::BrokerId;
using ::testing::HasSubstr;
using ::testing::Optional;

const BrokerId kZero(0);
const BrokerId kOne(1);
const BrokerId kTwo(2);

TEST(LawfulStallTest, APartitionWithALeaderHasNoExcuse) {
  EXPECT_EQ(WhyStalled({.leader = kZero, .isr = {kZero}}, {kTwo}), std::nullopt);
}

TEST(LawfulStallTest, WhoIsCleanAndThereShouldLead) {
  EXPECT_EQ(WhyStalled({.isr = {kTwo}, .eligible = {kOne}}, {kTwo}), std::nullopt);
}

TEST(LawfulStallTest, TheLastMemberIsWaitedForWhereTheOthersCameBackUnclean) {
  EXPECT_THAT(WhyStalled({.isr = {kTwo}, .eligible = {kOne}, .unclean = {kOne}}, {kTwo}),
              Optional(HasSubstr("broker [2]")));
}

TEST(LawfulStallTest, AsInKafkaTheLastMemberIsWaitedFor) {
  EXPECT_THAT(WhyStalled({.isr = {kTwo}}, {kTwo}), Optional(HasSubstr("broker [2]")));
}

TEST(LawfulStallTest, WhereNobodyIsMissingTheLogsHaveToBeCompared) {
  EXPECT_EQ(WhyStalled({.isr = {kOne}, .eligible = {kZero}, .unclean = {kZero, kOne}}, {kTwo}),
            std::nullopt);
}

}  // namespace
}  // namespace highwater::invariants
