#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "broker/zookeeper/server/session_id.h"
#include "broker/zookeeper/server/session_tracker.h"
#include "broker/zookeeper/tree/znode.h"

namespace highwater::broker::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr SessionId kOne{1};
constexpr SessionId kTwo{2};

std::string Hex(const core::Bytes& bytes) {
  std::string hex;
  for (size_t i = 0; i < bytes.size(); ++i) hex += fmt::format("{:02x}", bytes[i]);
  return hex;
}

// What an Apache 3.8.0 server gave for these ids.
// [1.2]
TEST(SessionIdTest, PasswordsAreApaches) {
  EXPECT_EQ(Hex(PasswordOf(SessionId(0x010000f5fdad000c))), "2ee7fe8d22c4fd724e98370aa76870a2");
  EXPECT_EQ(Hex(PasswordOf(SessionId(0x010000f5fdad000d))), "4108f98dc20fddb743db9e357af1846f");
}

TEST(SessionIdTest, IdsCarryTheServerTheClockAndACount) {
  SessionIds ids(ServerId(3), 0x1234567890, kNoSession);
  EXPECT_EQ(ids.Next(), SessionId(0x0312345678900000));
  EXPECT_EQ(ids.Next(), SessionId(0x0312345678900001));
}

TEST(SessionIdTest, AClockThatWentBackDoesNotGiveAnIdTwice) {
  SessionIds ids(ServerId(3), 5, SessionId(0x0312345678900007));
  EXPECT_EQ(ids.Next(), SessionId(0x0312345678900008));
  SessionIds others(ServerId(3), 5, SessionId(0x0412345678900007));
  EXPECT_EQ(others.Next(), SessionId(0x0300000000050000));
}

TEST(SessionIdTest, NoIdIsZeroOrTheContainersMarker) {
  SessionIds zero(ServerId(0), 0, kNoSession);
  EXPECT_EQ(zero.Next(), SessionId(1));
  SessionIds marker(ServerId(0x80), 0, kNoSession);
  EXPECT_EQ(marker.Next(), SessionId(kContainerOwner.value() + 1));
}

struct Tracked {
  ZooKeeperRules rules;
  SessionTracker sessions{1000, rules};
};

// [2.1]
TEST(SessionTrackerTest, DeadlinesAreRoundedUpToATickStrictlyLater) {
  Tracked t;
  t.sessions.Add(kOne, 3000, 1000);
  EXPECT_EQ(t.sessions.NextDeadline(), 5000);
  t.sessions.Add(kTwo, 3000, 1999);
  EXPECT_EQ(t.sessions.NextDeadline(), 5000);
  EXPECT_THAT(t.sessions.TakeExpired(4999), IsEmpty());
  EXPECT_THAT(t.sessions.TakeExpired(5000), ElementsAre(kOne, kTwo));
  EXPECT_EQ(t.sessions.NextDeadline(), INT64_MAX);
}

TEST(SessionTrackerTest, ATouchGivesAWholeTimeOut) {
  Tracked t;
  t.sessions.Add(kOne, 3000, 0);
  EXPECT_TRUE(t.sessions.Touch(kOne, 3000, 3500));
  EXPECT_THAT(t.sessions.TakeExpired(6999), IsEmpty());
  EXPECT_THAT(t.sessions.TakeExpired(7000), ElementsAre(kOne));
}

TEST(SessionTrackerTest, AnExpiredSessionIsClosingAndTakenOnce) {
  Tracked t;
  t.sessions.Add(kOne, 3000, 0);
  EXPECT_THAT(t.sessions.TakeExpired(60'000), ElementsAre(kOne));
  EXPECT_THAT(t.sessions.TakeExpired(60'000), IsEmpty());
  EXPECT_FALSE(t.sessions.Touch(kOne, 3000, 60'000));
  EXPECT_EQ(t.sessions.CheckSession(kOne, ServerId(1)), ErrorCode::kSessionExpired);
}

TEST(SessionTrackerTest, AClosingSessionDoesNotExpireAsWell) {
  Tracked t;
  t.sessions.Add(kOne, 3000, 0);
  t.sessions.SetClosing(kOne);
  EXPECT_THAT(t.sessions.TakeExpired(60'000), IsEmpty());
  t.sessions.Remove(kOne);
  EXPECT_FALSE(t.sessions.IsKnown(kOne));
}

TEST(SessionTrackerTest, AnUnknownSessionIsExpired) {
  Tracked t;
  EXPECT_FALSE(t.sessions.Touch(kOne, 3000, 0));
  EXPECT_EQ(t.sessions.CheckSession(kOne, ServerId(1)), ErrorCode::kSessionExpired);
}

// [2.3]
TEST(SessionTrackerTest, OnlyItsOwnerWritesForASession) {
  Tracked t;
  t.sessions.Add(kOne, 3000, 0);
  EXPECT_EQ(t.sessions.CheckSession(kOne, ServerId(1)), ErrorCode::kOk);
  EXPECT_EQ(t.sessions.CheckSession(kOne, ServerId(2)), ErrorCode::kSessionMoved);
  t.sessions.SetOwner(kOne, ServerId(2));
  EXPECT_EQ(t.sessions.CheckSession(kOne, ServerId(2)), ErrorCode::kOk);
  EXPECT_EQ(t.sessions.CheckSession(kOne, ServerId(1)), ErrorCode::kSessionMoved);
}

// [2.1]
RC_GTEST_PROP(SessionTrackerTest, NoSessionExpiresEarlyAndNoneIsForgotten, ()) {
  Tracked t;
  std::map<SessionId, int64_t> last_touch;
  const int64_t timeout = *rc::gen::inRange(1000, 5000);
  int64_t now = 0;
  for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 2000))) {
    now += step;
    const SessionId session(step % 4);
    if (last_touch.contains(session)) {
      t.sessions.Touch(session, static_cast<int32_t>(timeout), now);
    } else {
      t.sessions.Add(session, static_cast<int32_t>(timeout), now);
    }
    last_touch[session] = now;
    for (const SessionId expired : t.sessions.TakeExpired(now)) {
      RC_ASSERT(now - last_touch.at(expired) > timeout);
      last_touch.erase(expired);
      t.sessions.Remove(expired);
    }
    // One tick at most behind its time-out.
    for (const auto& [id, at] : last_touch) RC_ASSERT(now - at <= timeout + 1000);
  }
}

}  // namespace
}  // namespace highwater::broker::zookeeper
