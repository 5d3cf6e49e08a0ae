#include "broker/zookeeper/ensemble/election_connections.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace highwater::broker::zookeeper {
namespace {

using ::testing::ElementsAre;

constexpr ServerId kLow{1};
constexpr ServerId kSelf{2};
constexpr ServerId kHigh{3};

core::Bytes Text(std::string_view text) { return core::Bytes::Copy(text); }
PeerConnection Conn(int64_t id) { return PeerConnection(id); }

// Effects as words.
template <typename Step>
std::vector<std::string> Do(Step step) {
  ElectionConnections::Effects effects;
  step(effects);
  std::vector<std::string> words;
  for (const auto& effect : effects) {
    if (const auto* dial = std::get_if<ElectionConnections::Dial>(&effect)) {
      words.push_back(fmt::format("dial {}", dial->peer));
    } else if (const auto* write = std::get_if<ElectionConnections::Write>(&effect)) {
      words.push_back(fmt::format("write {} {}", write->connection, write->frame.ToString()));
    } else {
      words.push_back(
          fmt::format("close {}", std::get<ElectionConnections::Close>(effect).connection));
    }
  }
  return words;
}

TEST(ElectionConnectionsTest, TheFirstMessageDialsAndGoesOutWhenConnected) {
  ElectionConnections c(kSelf);
  EXPECT_THAT(Do([&](auto& out) { c.Send(kLow, Text("a"), out); }), ElementsAre("dial 1"));
  EXPECT_THAT(Do([&](auto& out) { c.OnDialed(kLow, Conn(7), out); }), ElementsAre("write 7 a"));
}

// [3.2]
TEST(ElectionConnectionsTest, OnlyTheNewestUnsentMessageWaits) {
  ElectionConnections c(kSelf);
  Do([&](auto& out) { c.Send(kLow, Text("a"), out); });
  EXPECT_THAT(Do([&](auto& out) { c.Send(kLow, Text("b"), out); }), ElementsAre())
      << "one dial is under way";
  EXPECT_THAT(Do([&](auto& out) { c.OnDialed(kLow, Conn(7), out); }), ElementsAre("write 7 b"));
  EXPECT_THAT(Do([&](auto& out) { c.Send(kLow, Text("c"), out); }), ElementsAre());
  Do([&](auto& out) { c.Send(kLow, Text("d"), out); });
  EXPECT_THAT(Do([&](auto& out) { c.OnWritten(Conn(7), out); }), ElementsAre("write 7 d"));
  EXPECT_THAT(Do([&](auto& out) { c.OnWritten(Conn(7), out); }), ElementsAre());
}

TEST(ElectionConnectionsTest, AConnectionToAGreaterSidIsGivenUpForItsOwn) {
  ElectionConnections c(kSelf);
  Do([&](auto& out) { c.Send(kHigh, Text("a"), out); });
  EXPECT_THAT(Do([&](auto& out) { c.OnDialed(kHigh, Conn(7), out); }), ElementsAre("close 7"));
  EXPECT_THAT(Do([&](auto& out) { c.OnAccepted(kHigh, Conn(8), out); }), ElementsAre("write 8 a"));
  EXPECT_EQ(c.ConnectionTo(kHigh), Conn(8));
}

// [3.2]
TEST(ElectionConnectionsTest, ASmallerSidThatDialsIsDialledBack) {
  ElectionConnections c(kSelf);
  EXPECT_THAT(Do([&](auto& out) { c.OnAccepted(kLow, Conn(7), out); }),
              ElementsAre("close 7", "dial 1"));
}

TEST(ElectionConnectionsTest, ItsOwnSidIsIgnored) {
  ElectionConnections c(kSelf);
  EXPECT_THAT(Do([&](auto& out) { c.OnAccepted(kSelf, Conn(7), out); }), ElementsAre("close 7"));
  EXPECT_THAT(Do([&](auto& out) { c.Send(kSelf, Text("a"), out); }), ElementsAre());
}

// [3.2]
TEST(ElectionConnectionsTest, ANewConnectionReplacesTheOldAndRepeatsWhatWasSentLast) {
  ElectionConnections c(kSelf);
  Do([&](auto& out) { c.OnAccepted(kHigh, Conn(7), out); });
  Do([&](auto& out) { c.Send(kHigh, Text("a"), out); });
  Do([&](auto& out) { c.OnWritten(Conn(7), out); });
  EXPECT_THAT(Do([&](auto& out) { c.OnAccepted(kHigh, Conn(8), out); }),
              ElementsAre("close 7", "write 8 a"));
  c.OnClosed(Conn(7));
  EXPECT_EQ(c.ConnectionTo(kHigh), Conn(8)) << "the end of the old one does not touch the new";
}

TEST(ElectionConnectionsTest, AfterALossTheNextMessageDialsAgain) {
  ElectionConnections c(kSelf);
  Do([&](auto& out) { c.Send(kLow, Text("a"), out); });
  c.OnDialFailed(kLow);
  EXPECT_THAT(Do([&](auto& out) { c.Send(kLow, Text("b"), out); }), ElementsAre("dial 1"));
  Do([&](auto& out) { c.OnDialed(kLow, Conn(7), out); });
  c.OnClosed(Conn(7));
  EXPECT_THAT(Do([&](auto& out) { c.Send(kLow, Text("c"), out); }), ElementsAre("dial 1"));
}

// Both dial at once: whatever the order in which it becomes known, one connection is left, the one
// that the greater sid dialled.
TEST(ElectionConnectionsTest, TwoThatDialEachOtherEndWithOneConnection) {
  for (const bool low_first : {false, true}) {
    ElectionConnections low(kLow);
    ElectionConnections high(kHigh);
    Do([&](auto& out) { low.Send(kHigh, Text("l"), out); });
    Do([&](auto& out) { high.Send(kLow, Text("h"), out); });
    const auto of_low = [&] {
      Do([&](auto& out) { low.OnDialed(kHigh, Conn(1), out); });
      // The greater one may hear of it, and dials back unless it is dialling already.
      Do([&](auto& out) { high.OnAccepted(kLow, Conn(1), out); });
    };
    const auto of_high = [&](int64_t id) {
      Do([&](auto& out) { high.OnDialed(kLow, Conn(id), out); });
      Do([&](auto& out) { low.OnAccepted(kHigh, Conn(id), out); });
    };
    if (low_first) of_low();
    of_high(2);
    if (!low_first) {
      of_low();
      low.OnClosed(Conn(2));
      of_high(3);
    }
    EXPECT_EQ(low.ConnectionTo(kHigh), high.ConnectionTo(kLow));
    EXPECT_TRUE(low.ConnectionTo(kHigh).has_value());
  }
}

}  // namespace
}  // namespace highwater::broker::zookeeper
