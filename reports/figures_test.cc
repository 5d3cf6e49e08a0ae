#include "reports/figures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::reports {
namespace {

using testing::HasSubstr;

TEST(FiguresTest, BytesAreRoundedToTheUnitThatFits) {
  EXPECT_EQ(RoughBytes(0), "0 B");
  EXPECT_EQ(RoughBytes(999), "999 B");
  EXPECT_EQ(RoughBytes(1000), "1.0 kB");
  EXPECT_EQ(RoughBytes(12'345'678), "12 MB");
  EXPECT_EQ(RoughBytes(999'999'999), "1.0 GB");
}

TEST(FiguresTest, SaysHowLongClientsWaitedAndPartitionsHadNoLeader) {
  scenarios::SeedMetrics metrics{.produced = 3, .acked = 2};
  metrics.produce_latency.Record(absl::Milliseconds(20));
  metrics.produce_latency.Record(absl::Seconds(3));
  metrics.time_to_leader.Record(absl::Seconds(5));
  metrics.unavailable = absl::Milliseconds(7250);
  metrics.greatest_lag_records = 1234;
  metrics.traffic = {{"az-a", "az-a", 3'000'000}, {"az-a", "az-b", 1'000'000}};
  EXPECT_EQ(FigureLines(metrics),
            "             produce p50 20 ms, p99 3.0 s, p99.9 3.0 s · time to leader p50 5.0 s, "
            "p99 5.0 s, max 5.0 s (1 lost)\n"
            "             7.2 partition-s unavailable · greatest follower lag 1 234 records · "
            "1.0 MB of 4.0 MB between zones\n");
}

TEST(FiguresTest, SaysThatNothingWasAcknowledgedOrLost) {
  const std::string lines = FigureLines({.produced = 3});
  EXPECT_THAT(lines, HasSubstr("nothing acknowledged · no leader lost"));
  EXPECT_EQ(FigureLines({}), "");
}

TEST(FiguresTest, TheTrafficOfAllScenariosIsATableOfZones) {
  scenarios::CampaignResult campaign;
  for (int i = 0; i < 2; ++i) {
    auto& scenario = campaign.scenarios.emplace_back();
    scenario.totals.traffic = {{"az-a", "az-a", 1000},
                               {"az-a", "az-b", 2000},
                               {"az-b", "az-a", 3000},
                               {"az-b", "az-b", 0}};
  }
  EXPECT_EQ(TrafficTable(campaign, "Traffic", 9),
            "  Traffic  from \\ to       az-a      az-b\n"
            "           az-a          2.0 kB    4.0 kB\n"
            "           az-b          6.0 kB       0 B\n");
  EXPECT_EQ(TrafficTable({}, "Traffic", 9), "");
}

}  // namespace
}  // namespace highwater::reports
