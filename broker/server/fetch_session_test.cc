#include "broker/server/fetch_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/replication/fetch_session_handler.h"

namespace highwater::broker {
namespace {

using protocol::ErrorCode;
using protocol::FetchRequest;

// A cache of two slots, and a clock.
struct Cache {
  FetchSessionCache::Opened Open(int32_t id, int32_t epoch, int32_t replica = -1,
                                 int32_t partitions = 1) {
    FetchRequest request{.replica_id = replica};
    request.session_id = id;
    request.session_epoch = epoch;
    auto& topic = request.topics.emplace_back();
    topic.topic = "t";
    for (int32_t i = 0; i < partitions; ++i) topic.partitions.push_back({.partition = i});
    auto opened = cache.Open(request, false, now);
    if (opened.session != nullptr) {
      opened.session->Apply(request, now, [](const protocol::Uuid&) { return ""; });
    }
    return opened;
  }
  // The id of a new session; 0 if it got none.
  int32_t New(int32_t replica = -1, int32_t partitions = 1) {
    return Open(0, 0, replica, partitions).session->id();
  }
  bool Has(int32_t id) { return Open(id, 1).error == ErrorCode::NONE; }

  core::KeyedRandom random{1};
  core::MonotonicTime now = core::MonotonicTime::FromNanos(1);
  FetchSessionCache cache{random, 2};
};

TEST(FetchSessionTest, P14EpochsFollowEachOtherAndWrapToOne) {
  Cache c;
  const int32_t id = c.New();
  EXPECT_EQ(c.Open(id, 2).error, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
  EXPECT_EQ(c.Open(id, 1).error, ErrorCode::NONE);
  EXPECT_EQ(c.Open(id, 2).error, ErrorCode::NONE);
  EXPECT_EQ(FetchSessionHandler::Next(2147483647), 1);
}

TEST(FetchSessionTest, P14ASessionIsClosedByAFullRequestThatNamesIt) {
  Cache c;
  const int32_t id = c.New();
  EXPECT_EQ(c.Open(id, -1).session->id(), 0);
  EXPECT_EQ(c.Open(id, 1).error, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

TEST(FetchSessionTest, P14AFullCacheKeepsWhoIsInUse) {
  Cache c;
  const int32_t one = c.New();
  const int32_t two = c.New();
  EXPECT_EQ(c.New(), 0);
  EXPECT_TRUE(c.Has(one));
  EXPECT_TRUE(c.Has(two));
}

TEST(FetchSessionTest, P14AnIdleSessionMakesRoom) {
  Cache c;
  const int32_t idle = c.New();
  c.now = c.now + absl::Minutes(1);
  const int32_t used = c.New();
  c.now = c.now + absl::Minutes(1);
  EXPECT_NE(c.New(), 0);
  EXPECT_FALSE(c.Has(idle));
  EXPECT_TRUE(c.Has(used));
}

TEST(FetchSessionTest, P14AFollowerTakesTheRoomOfAConsumerButNotTheOtherWayRound) {
  Cache c;
  const int32_t consumer = c.New();
  const int32_t follower = c.New(2);
  EXPECT_NE(c.New(3), 0);
  EXPECT_FALSE(c.Has(consumer));
  EXPECT_EQ(c.New(-1, 50), 0);
  EXPECT_EQ(c.Open(follower, 1, 2).error, ErrorCode::NONE);
}

TEST(FetchSessionTest, AFetchAtATime) {
  Cache c;
  const int32_t id = c.New();
  c.Open(id, 1).session->busy = true;
  EXPECT_EQ(c.Open(id, 2).error, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
}

TEST(FetchSessionTest, WhatIsNamedIsDueAndWhatIsForgottenIsGone) {
  FetchSession session(0, kNoBroker, false);
  FetchRequest request;
  request.topics.push_back({.topic = "t", .partitions = {{.partition = 0}, {.partition = 1}}});
  const auto no_name = [](const protocol::Uuid&) { return ""; };
  session.Apply(request, core::MonotonicTime(), no_name);
  FetchRequest forgets;
  forgets.forgotten_topics_data.push_back({.topic = "t", .partitions = {0}});
  session.Apply(forgets, core::MonotonicTime(), no_name);
  const auto due = session.TakeDue();
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0]->asked.partition, 1);
  EXPECT_FALSE(session.HasDue());
  session.PutBack(*due[0]);
  session.PutBack(*due[0]);
  EXPECT_EQ(session.TakeDue().size(), 1u);
}

TEST(FetchSessionHandlerTest, AnIncrementalRequestFollowsOnlyAnAnswerOfItsSession) {
  FetchSessionHandler session;
  EXPECT_TRUE(session.full());
  EXPECT_TRUE(session.OnResponse(ErrorCode::NONE, 7));
  EXPECT_FALSE(session.full());
  EXPECT_EQ(session.id(), 7);
  EXPECT_EQ(session.epoch(), 1);
  EXPECT_TRUE(session.OnResponse(ErrorCode::NONE, 7));
  EXPECT_EQ(session.epoch(), 2);
  EXPECT_FALSE(session.OnResponse(ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0));
  EXPECT_TRUE(session.full());
  EXPECT_EQ(session.id(), 0);
}

TEST(FetchSessionHandlerTest, AfterALostAnswerTheNextRequestIsFull) {
  FetchSessionHandler session;
  static_cast<void>(session.OnResponse(ErrorCode::NONE, 7));
  session.OnFailure();
  EXPECT_TRUE(session.full());
}

TEST(FetchSessionHandlerTest, WithoutASessionEveryRequestIsFull) {
  FetchSessionHandler session;
  EXPECT_TRUE(session.OnResponse(ErrorCode::NONE, 0));
  EXPECT_TRUE(session.full());
}

}  // namespace
}  // namespace highwater::broker
