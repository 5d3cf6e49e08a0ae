#include "reports/replay_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::reports {
namespace {

using scenarios::RunEvent;
using scenarios::Transition;
using testing::HasSubstr;

RunEvent Event(int64_t ms, Transition transition, std::string who, std::string partition,
               std::string text) {
  return {.event = {.at = absl::Milliseconds(ms), .actor = std::move(who), .text = std::move(text)},
          .transition = transition,
          .partition = std::move(partition)};
}

RunEvent HighWatermark(int64_t ms, int64_t offset, std::string partition = "orders-0") {
  RunEvent event = Event(ms, Transition::kHighWatermark, "broker-0", std::move(partition), "");
  event.high_watermark = offset;
  return event;
}

class ReplayLogTest : public testing::Test {
 protected:
  ReplayLog Log(const ReplayLogOptions& options = {}) {
    return ReplayLog({"broker-0", "broker-1", "broker-2"}, Style(false), options);
  }
};

TEST_F(ReplayLogTest, ALineNamesTheBrokerInItsLaneAndInItsColumn) {
  ReplayLog log = Log();
  EXPECT_EQ(log.Add(Event(1000, Transition::kUp, "broker-0", "", "serves")),
            "00:01.000  ^ x x  broker-0             serves\n");
  EXPECT_EQ(log.Add(Event(1001, Transition::kUp, "broker-2", "", "serves")),
            "00:01.001  · x ^  broker-2             serves\n");
  EXPECT_EQ(log.Add(Event(1002, Transition::kLeader, "broker-2", "orders-0", "leads")),
            "00:01.002  · x L  broker-2  orders-0   leads\n");
  EXPECT_EQ(log.Add(Event(1003, Transition::kDown, "broker-2", "", "is down")),
            "00:01.003  · x x  broker-2             is down\n");
  EXPECT_EQ(log.Add(Event(1004, Transition::kFault, "", "", "the link is cut")),
            "00:01.004  · x x            FAULT      the link is cut\n");
}

TEST_F(ReplayLogTest, TheColumnsOfItsHeaderStandOverThoseOfItsLines) {
  ReplayLog log = Log();
  const std::string header = log.Header();
  const std::string names = header.substr(header.find("time"));
  const std::string line = log.Add(Event(1, Transition::kUp, "broker-0", "p", "serves"));
  EXPECT_EQ(names.find("who"), line.find("broker-0"));
  EXPECT_EQ(names.find("partition"), line.find("p  "));
  EXPECT_EQ(names.find("what"), line.find("serves"));
}

TEST_F(ReplayLogTest, ABrokerThatAFaultHasEndedIsDownWithoutALineOfItsOwn) {
  ReplayLog log = Log();
  (void)log.Add(Event(1000, Transition::kUp, "broker-0", "", "serves"));
  EXPECT_EQ(log.Add(Event(1001, Transition::kDown, "broker-0", "", "")), "");
  EXPECT_EQ(log.Add(Event(1001, Transition::kFault, "", "", "broker-0 crashes")),
            "00:01.001  x x x            FAULT      broker-0 crashes\n");
}

TEST_F(ReplayLogTest, HighWatermarksAreThinnedByTimeAndSayFromWhere) {
  ReplayLog log = Log({.high_watermarks = {.interval = absl::Seconds(1)}});
  EXPECT_THAT(log.Add(HighWatermark(1000, 3)), HasSubstr("high watermark 0 → 3"));
  EXPECT_EQ(log.Add(HighWatermark(1500, 4)), "");
  EXPECT_EQ(log.Add(HighWatermark(1999, 9)), "");
  // Another partition has a time of its own.
  EXPECT_THAT(log.Add(HighWatermark(1999, 1, "orders-1")), HasSubstr("high watermark 0 → 1"));
  EXPECT_THAT(log.Add(HighWatermark(2000, 10)), HasSubstr("high watermark 3 → 10"));
}

TEST_F(ReplayLogTest, TheFirstHighWatermarkAfterATransitionIsAlwaysShown) {
  ReplayLog log = Log({.high_watermarks = {.interval = absl::InfiniteDuration()}});
  EXPECT_NE(log.Add(HighWatermark(1000, 3)), "");
  EXPECT_EQ(log.Add(HighWatermark(1001, 4)), "");
  (void)log.Add(Event(1002, Transition::kIsr, "broker-0", "orders-0", "ISR 0 1 2 → 0 1"));
  EXPECT_THAT(log.Add(HighWatermark(1003, 5)), HasSubstr("high watermark 3 → 5"));
  EXPECT_EQ(log.Add(HighWatermark(1004, 6)), "");
}

TEST_F(ReplayLogTest, AllOrNoHighWatermarksCanBeAskedFor) {
  ReplayLog all = Log({.high_watermarks = {.interval = absl::ZeroDuration()}});
  EXPECT_NE(all.Add(HighWatermark(1000, 3)), "");
  EXPECT_NE(all.Add(HighWatermark(1000, 4)), "");
  ReplayLog none = Log({.high_watermarks = {.none = true}});
  EXPECT_EQ(none.Add(HighWatermark(1000, 3)), "");
}

TEST_F(ReplayLogTest, WhatIsNoTransitionIsShownOnRequest) {
  const RunEvent append = Event(1, Transition::kOther, "broker-0", "", "appends record 1");
  EXPECT_EQ(Log().Add(append), "");
  EXPECT_THAT(Log({.every_event = true}).Add(append), HasSubstr("appends record 1"));
}

TEST_F(ReplayLogTest, ManyBrokersHaveNoLanes) {
  std::vector<std::string> brokers;
  for (int i = 0; i < 30; ++i) brokers.push_back(fmt::format("broker-{}", i));
  ReplayLog log(brokers, Style(false), {});
  EXPECT_EQ(log.Add(Event(1000, Transition::kUp, "broker-7", "", "serves")),
            "00:01.000  broker-7              serves\n");
}

}  // namespace
}  // namespace highwater::reports
