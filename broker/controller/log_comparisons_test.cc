#include "broker/controller/log_comparisons.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const TopicPartition kOrders{"orders", PartitionIndex(0)};
const std::vector<BrokerId> kBoth = {BrokerId(1), BrokerId(2)};

LogComparisons::Brokers Registered(int64_t first, int64_t second) {
  LogComparisons::Brokers brokers;
  brokers[BrokerId(1)].epoch = BrokerEpoch(first);
  brokers[BrokerId(2)].epoch = BrokerEpoch(second);
  return brokers;
}

LogEnd End(int32_t epoch, int64_t end) { return {LeaderEpoch(epoch), Offset(end)}; }

TEST(LogComparisonsTest, EachIsAskedOnceInARegistration) {
  LogComparisons comparisons;
  EXPECT_THAT(comparisons.Ask(kOrders, kBoth, Registered(10, 20)),
              ElementsAre(BrokerId(1), BrokerId(2)));
  EXPECT_THAT(comparisons.Ask(kOrders, kBoth, Registered(10, 20)), IsEmpty());
  EXPECT_THAT(comparisons.Ask(kOrders, kBoth, Registered(10, 21)), ElementsAre(BrokerId(2)));
}

TEST(LogComparisonsTest, TheEndsAreKnownOnceAllHaveAnswered) {
  LogComparisons comparisons;
  (void)comparisons.Ask(kOrders, kBoth, Registered(10, 20));
  comparisons.Answered(kOrders, BrokerId(1), BrokerEpoch(10), End(3, 7));
  EXPECT_EQ(comparisons.EndsOf(kOrders, kBoth, Registered(10, 20)), std::nullopt);
  comparisons.Answered(kOrders, BrokerId(2), BrokerEpoch(20), End(3, 9));
  const auto ends = comparisons.EndsOf(kOrders, kBoth, Registered(10, 20));
  ASSERT_TRUE(ends.has_value());
  EXPECT_EQ(ends->at(BrokerId(2)), End(3, 9));
}

TEST(LogComparisonsTest, TheAnswerOfABrokerThatWasAwaySinceDoesNotCount) {
  LogComparisons comparisons;
  (void)comparisons.Ask(kOrders, kBoth, Registered(10, 20));
  comparisons.Answered(kOrders, BrokerId(1), BrokerEpoch(10), End(3, 7));
  comparisons.Answered(kOrders, BrokerId(2), BrokerEpoch(20), End(3, 9));
  EXPECT_EQ(comparisons.EndsOf(kOrders, kBoth, Registered(10, 21)), std::nullopt);
  // Nor does one that comes late, to a question of the registration before.
  EXPECT_THAT(comparisons.Ask(kOrders, kBoth, Registered(10, 21)), ElementsAre(BrokerId(2)));
  comparisons.Answered(kOrders, BrokerId(2), BrokerEpoch(20), End(3, 9));
  EXPECT_EQ(comparisons.EndsOf(kOrders, kBoth, Registered(10, 21)), std::nullopt);
}

TEST(LogComparisonsTest, WhoRefusedIsAskedAgain) {
  LogComparisons comparisons;
  (void)comparisons.Ask(kOrders, kBoth, Registered(10, 20));
  comparisons.Refused(kOrders, BrokerId(2));
  EXPECT_EQ(comparisons.EndsOf(kOrders, kBoth, Registered(10, 20)), std::nullopt);
  EXPECT_THAT(comparisons.Ask(kOrders, kBoth, Registered(10, 20)), ElementsAre(BrokerId(2)));
}

TEST(LogComparisonsTest, WhatIsForgottenIsAskedAnew) {
  LogComparisons comparisons;
  (void)comparisons.Ask(kOrders, kBoth, Registered(10, 20));
  comparisons.Answered(kOrders, BrokerId(1), BrokerEpoch(10), End(3, 7));
  comparisons.Forget(kOrders);
  EXPECT_THAT(comparisons.Partitions(), IsEmpty());
  comparisons.Answered(kOrders, BrokerId(1), BrokerEpoch(10), End(3, 7));
  EXPECT_THAT(comparisons.Partitions(), IsEmpty());
  EXPECT_THAT(comparisons.Ask(kOrders, kBoth, Registered(10, 20)),
              ElementsAre(BrokerId(1), BrokerId(2)));
}

}  // namespace
}  // namespace highwater::broker::controller
