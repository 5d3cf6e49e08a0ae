// One test for each rule of a session [ZooKeeper facts 1.2, 1.3, 2.4], read as a transcript.

#include "broker/zookeeper/client/zookeeper_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "broker/zookeeper/client/testing/session_transcript.h"

namespace highwater::broker::zookeeper {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SessionTranscript;
using ::testing::StartsWith;

constexpr absl::Duration kSecond = absl::Seconds(1);

Request GetData(std::string path, bool watch = false) {
  return GetDataRequest{.path = std::move(path), .watch = watch};
}
Request Exists(std::string path, bool watch = false) {
  return ExistsRequest{.path = std::move(path), .watch = watch};
}
Request GetChildren(std::string path, bool watch = false) {
  return GetChildren2Request{.path = std::move(path), .watch = watch};
}

TEST(ZooKeeperSessionTest, OpensANewSession) {
  SessionTranscript s;
  EXPECT_EQ(s.Start(), "dial #1 server 0");
  EXPECT_EQ(s.Connected(), "send connect session 0 zxid 0 time-out 18000");
  EXPECT_EQ(s.Greeted(7, 6000), "state SyncConnected");
  EXPECT_EQ(s.session.session_id(), SessionId(7));
  EXPECT_EQ(s.session.session_timeout(), absl::Seconds(6));
}

TEST(ZooKeeperSessionTest, TriesEveryServerInAnOrderThatItDrawsOnce) {
  std::set<std::string> orders;
  for (uint64_t key = 0; key < 50; ++key) {
    SessionTranscript s({.servers = 3, .key = key});
    std::string first = s.Start().substr(8);
    for (int i = 0; i < 2; ++i) {
      const std::string next = s.Lost();
      first += next.substr(next.rfind('#') + 2);
    }
    std::string again = s.Lost();
    again += s.Pass(kSecond);
    EXPECT_THAT(first, StartsWith(again.substr(again.rfind('#') + 3)));
    orders.insert(first);
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(ZooKeeperSessionTest, AServerHasItsShareOfTheTimeOutToBeConnected) {
  SessionTranscript s({.servers = 3, .session_timeout = absl::Seconds(9)});
  s.Start();
  EXPECT_EQ(s.Pass(absl::Seconds(3) - absl::Nanoseconds(1)), "");
  EXPECT_THAT(s.Pass(absl::Nanoseconds(1)), StartsWith("hang up #1; dial #2"));
}

TEST(ZooKeeperSessionTest, AServerHasItsShareOfTheTimeOutToAnswerTheHandshake) {
  SessionTranscript s({.servers = 3, .session_timeout = absl::Seconds(9)});
  s.Start();
  EXPECT_EQ(s.Pass(absl::Seconds(2)), "");
  s.Connected();
  EXPECT_EQ(s.Pass(absl::Seconds(3) - absl::Nanoseconds(1)), "");
  EXPECT_THAT(s.Pass(absl::Nanoseconds(1)), StartsWith("hang up #1; dial #2"));
}

TEST(ZooKeeperSessionTest, ARoundInVainIsFollowedByASecond) {
  SessionTranscript s({.servers = 2});
  s.Start();
  EXPECT_THAT(s.Lost(), HasSubstr("dial #2"));
  EXPECT_EQ(s.Lost(), "hang up #2");
  EXPECT_EQ(s.Pass(kSecond - absl::Nanoseconds(1)), "");
  EXPECT_THAT(s.Pass(absl::Nanoseconds(1)), StartsWith("dial #3"));
}

TEST(ZooKeeperSessionTest, WaitsADrawnPartOfASecondBeforeItReconnects) {
  std::set<absl::Duration> waits;
  for (uint64_t key = 0; key < 20; ++key) {
    SessionTranscript s({.servers = 3, .key = key});
    s.Open();
    EXPECT_EQ(s.Lost(), "hang up #1; state Disconnected");
    const absl::Duration wait = s.session.next_tick() - s.now;
    EXPECT_LE(wait, kSecond);
    waits.insert(wait);
    EXPECT_THAT(s.Pass(wait), StartsWith("dial #2"));
  }
  EXPECT_GT(waits.size(), 15u);
}

// [2.4]
TEST(ZooKeeperSessionTest, SilenceOfTwoThirdsOfTheTimeOutEndsTheConnection) {
  SessionTranscript s;
  s.Open(7, 6000);
  EXPECT_THAT(s.Pass(absl::Seconds(4) - absl::Nanoseconds(1)), Not(HasSubstr("hang up")));
  EXPECT_THAT(s.Pass(absl::Nanoseconds(1)), EndsWith("hang up #1; state Disconnected"));
  EXPECT_FALSE(s.session.over());  // only the ensemble knows
}

TEST(ZooKeeperSessionTest, AnyFrameIsASignOfLife) {
  SessionTranscript s;
  s.Open(7, 6000);
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(s.Pass(absl::Seconds(3)), Not(HasSubstr("hang up")));
    EXPECT_EQ(s.Answered(-2, 5), "");
  }
}

// [2.4]
TEST(ZooKeeperSessionTest, PingsBeforeTheServerCouldMissIt) {
  EXPECT_EQ(PingAfter(absl::Milliseconds(1000)), absl::Milliseconds(500));
  EXPECT_EQ(PingAfter(absl::Seconds(3)), kSecond);
  EXPECT_EQ(PingAfter(absl::Seconds(12)), absl::Seconds(5));
  EXPECT_EQ(PingAfter(absl::Minutes(2)), absl::Seconds(10));
  SessionTranscript s;
  s.Open(7, 18000);
  EXPECT_EQ(s.Pass(absl::Seconds(5) - absl::Nanoseconds(1)), "");
  EXPECT_EQ(s.Pass(absl::Nanoseconds(1)), "send ping xid -2");
}

TEST(ZooKeeperSessionTest, APingIsNotNeededWhileRequestsAreSent) {
  SessionTranscript s;
  s.Open(7, 18000);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(s.Pass(absl::Seconds(4)), "");
    s.Submit(i, GetData("/a"));
    s.Answered(i + 1, 1, ErrorCode::kOk, GetDataResponse{});
  }
}

TEST(ZooKeeperSessionTest, RequestsArePipelinedAndAnsweredInOrder) {
  SessionTranscript s;
  s.Open();
  EXPECT_EQ(s.Submit(10, GetData("/a")), "send getData xid 1");
  EXPECT_EQ(s.Submit(11, Exists("/b")), "send exists xid 2");
  EXPECT_EQ(s.Answered(1, 40, ErrorCode::kOk, GetDataResponse{.data = core::Bytes::Copy("x")}),
            "answer 10 OK");
  EXPECT_EQ(s.Answered(2, 41, ErrorCode::kNoNode), "answer 11 NONODE");
  EXPECT_EQ(std::get<GetDataResponse>(s.responses[0].body).data, core::Bytes::Copy("x"));
  EXPECT_EQ(s.responses[0].zxid, Zxid(40));
  EXPECT_TRUE(std::holds_alternative<Empty>(s.responses[1].body));
}

// [1.3]
TEST(ZooKeeperSessionTest, AnAnswerThatIsNotTheOldestRequestsEndsTheConnection) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, GetData("/a"));
  s.Submit(11, GetData("/b"));
  EXPECT_EQ(s.Answered(2, 40, ErrorCode::kOk, GetDataResponse{}),
            "hang up #1; answer 10 CONNECTIONLOSS; answer 11 CONNECTIONLOSS; state Disconnected");
}

TEST(ZooKeeperSessionTest, AnAnswerToNothingEndsTheConnection) {
  SessionTranscript s;
  s.Open();
  EXPECT_EQ(s.Answered(0, 40), "hang up #1; state Disconnected");
}

TEST(ZooKeeperSessionTest, WhatDoesNotParseEndsTheConnection) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, GetData("/a"));
  EXPECT_EQ(s.Answered(1, 40), "hang up #1; answer 10 CONNECTIONLOSS; state Disconnected");
  EXPECT_THAT(s.Pass(2 * kSecond), HasSubstr("dial #2"));
  s.Connected();
  EXPECT_EQ(s.Raw(core::Bytes::Copy("xyz")), "hang up #2");
}

// [2.4]
TEST(ZooKeeperSessionTest, WhatWasSentAndNotAnsweredIsLostWithItsConnection) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, CreateRequest{.path = "/a"});
  s.Submit(11, GetData("/b"));
  EXPECT_EQ(s.Lost(),
            "hang up #1; answer 10 CONNECTIONLOSS; answer 11 CONNECTIONLOSS; state Disconnected");
  EXPECT_EQ(s.session.outstanding(), 0u);
}

TEST(ZooKeeperSessionTest, WhatIsSubmittedWhileDisconnectedWaitsForTheNextConnection) {
  SessionTranscript s;
  EXPECT_EQ(s.Submit(9, GetData("/a")), "");
  s.Start();
  EXPECT_EQ(s.Submit(10, GetData("/b")), "");
  s.Connected();
  EXPECT_EQ(s.Submit(11, GetData("/c")), "");
  EXPECT_EQ(s.Greeted(),
            "state SyncConnected; send getData xid 1; send getData xid 2; send getData xid 3");
}

TEST(ZooKeeperSessionTest, WhatWaitsIsLostWhenTheAttemptFails) {
  SessionTranscript s({.servers = 2});
  s.Start();
  s.Submit(10, GetData("/a"));
  EXPECT_THAT(s.Lost(), StartsWith("hang up #1; answer 10 CONNECTIONLOSS; dial #2"));
}

TEST(ZooKeeperSessionTest, ReattachesWithItsIdPasswordAndLastZxid) {
  SessionTranscript s;
  s.Open(7, 6000);
  s.Submit(10, GetData("/a"));
  s.Answered(1, 40, ErrorCode::kOk, GetDataResponse{});
  s.Lost();
  s.Pass(2 * kSecond);
  EXPECT_EQ(s.Connected(), "send connect session 7 zxid 40 time-out 18000");
}

TEST(ZooKeeperSessionTest, TheLastZxidNeverGoesBack) {
  SessionTranscript s({.last_zxid = Zxid(35)});
  s.Open();
  EXPECT_EQ(s.session.last_zxid(), Zxid(35));
  int32_t xid = 0;
  for (const int64_t zxid : {40, 39, -1, 0}) {
    s.Submit(10, Exists("/a"));
    s.Answered(++xid, zxid, ErrorCode::kNoNode);
  }
  EXPECT_EQ(s.session.last_zxid(), Zxid(40));
}

TEST(ZooKeeperSessionTest, AnExpiredSessionIsOver) {
  SessionTranscript s;
  s.Open();
  s.Lost();
  s.Submit(10, GetData("/a"));
  s.Pass(2 * kSecond);
  s.Connected();
  EXPECT_EQ(s.Greeted(0, 0), "hang up #2; answer 10 SESSIONEXPIRED; state Expired");
  EXPECT_EQ(s.Submit(11, GetData("/a")), "answer 11 SESSIONEXPIRED");
  EXPECT_EQ(s.session.next_tick(), core::MonotonicTime::Never());
  EXPECT_EQ(s.Lost(), "");
}

TEST(ZooKeeperSessionTest, EveryConnectionIsAuthenticatedBeforeAnythingElse) {
  SessionTranscript s({.auths = {{"digest", core::Bytes::Copy("me:secret")}}});
  s.Start();
  s.Submit(10, GetData("/a", true));
  s.Connected();
  EXPECT_EQ(s.Greeted(), "state SyncConnected; send auth digest me:secret; send getData xid 1");
  EXPECT_EQ(s.Answered(-4, 0), "");
  s.Answered(1, 40, ErrorCode::kOk, GetDataResponse{});
  s.Lost();
  s.Submit(11, Exists("/b"));
  s.Pass(2 * kSecond);
  s.Connected();
  EXPECT_EQ(s.Greeted(),
            "state SyncConnected; send auth digest me:secret; "
            "send setWatches zxid 40 data [/a] exist [] child []; send exists xid 2");
}

TEST(ZooKeeperSessionTest, AFailedAuthenticationEndsTheSession) {
  SessionTranscript s({.auths = {{"odd", core::Bytes::Copy("x")}}});
  s.Open();
  s.Submit(10, GetData("/a"));
  EXPECT_EQ(s.Answered(-4, 0, ErrorCode::kAuthFailed),
            "hang up #1; answer 10 AUTHFAILED; state AuthFailed");
  EXPECT_EQ(s.Submit(11, GetData("/a")), "answer 11 AUTHFAILED");
}

// ---- Watches.

TEST(ZooKeeperSessionTest, AWatchStandsOnlyAfterASuccessfulRead) {
  const SessionRules rules;
  EXPECT_EQ(rules.WatchOf(OpCode::kExists, ErrorCode::kOk), WatchKind::kData);
  EXPECT_EQ(rules.WatchOf(OpCode::kExists, ErrorCode::kNoNode), WatchKind::kExist);
  EXPECT_EQ(rules.WatchOf(OpCode::kExists, ErrorCode::kNoAuth), WatchKind::kNone);
  EXPECT_EQ(rules.WatchOf(OpCode::kGetData, ErrorCode::kOk), WatchKind::kData);
  EXPECT_EQ(rules.WatchOf(OpCode::kGetData, ErrorCode::kNoNode), WatchKind::kNone);
  EXPECT_EQ(rules.WatchOf(OpCode::kGetChildren2, ErrorCode::kOk), WatchKind::kChild);
  EXPECT_EQ(rules.WatchOf(OpCode::kGetChildren2, ErrorCode::kNoNode), WatchKind::kNone);
  EXPECT_EQ(rules.WatchOf(OpCode::kSetData, ErrorCode::kOk), WatchKind::kNone);
  SessionTranscript s;
  s.Open();
  s.Submit(10, GetData("/a", true));
  s.Answered(1, 40, ErrorCode::kNoNode);
  EXPECT_EQ(s.Notified(WatchEventType::kNodeCreated, "/a"), "");
}

TEST(ZooKeeperSessionTest, AReadThatAsksForNoWatchLeavesNone) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, Exists("/a"));
  s.Answered(1, 40, ErrorCode::kNoNode);
  EXPECT_EQ(s.session.watches(), 0u);
}

TEST(ZooKeeperSessionTest, AnEventIsDeliveredOnceAndBeforeLaterAnswers) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, Exists("/a", true));
  s.Answered(1, 40, ErrorCode::kNoNode);
  s.Submit(11, GetData("/a"));
  EXPECT_EQ(s.Notified(WatchEventType::kNodeCreated, "/a"), "event NodeCreated /a");
  EXPECT_EQ(s.Answered(2, 41, ErrorCode::kOk, GetDataResponse{}), "answer 11 OK");
  EXPECT_EQ(s.Notified(WatchEventType::kNodeDataChanged, "/a"), "");
}

// [1.8]
TEST(ZooKeeperSessionTest, ADeletionFiresDataAndChildWatches) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, GetData("/a", true));
  s.Answered(1, 40, ErrorCode::kOk, GetDataResponse{});
  s.Submit(11, GetChildren("/a", true));
  s.Answered(2, 40, ErrorCode::kOk, GetChildren2Response{});
  EXPECT_EQ(s.session.watches(), 2u);
  EXPECT_EQ(s.Notified(WatchEventType::kNodeDeleted, "/a"), "event NodeDeleted /a");
  EXPECT_EQ(s.session.watches(), 0u);
}

TEST(ZooKeeperSessionTest, AChildEventLeavesTheDataWatch) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, GetData("/a", true));
  s.Answered(1, 40, ErrorCode::kOk, GetDataResponse{});
  EXPECT_EQ(s.Notified(WatchEventType::kNodeChildrenChanged, "/a"), "");
  EXPECT_EQ(s.session.watches(), 1u);
}

// [2.4]
TEST(ZooKeeperSessionTest, WatchesOfAllKindsAreSetAgainWithTheLastZxid) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, GetData("/data", true));
  s.Submit(11, Exists("/missing", true));
  s.Submit(12, GetChildren("/parent", true));
  s.Answered(1, 40, ErrorCode::kOk, GetDataResponse{});
  s.Answered(2, 41, ErrorCode::kNoNode);
  s.Answered(3, 42, ErrorCode::kOk, GetChildren2Response{});
  s.Lost();
  s.Submit(13, GetData("/data"));
  s.Pass(2 * kSecond);
  s.Connected();
  EXPECT_EQ(s.Greeted(),
            "state SyncConnected; "
            "send setWatches zxid 42 data [/data] exist [/missing] child [/parent]; "
            "send getData xid 4");
  // What changed meanwhile is told before the answer to setWatches, which is nobody's.
  EXPECT_EQ(s.Notified(WatchEventType::kNodeCreated, "/missing"), "event NodeCreated /missing");
  EXPECT_EQ(s.Answered(-8, 50), "");
  EXPECT_EQ(s.Answered(4, 50, ErrorCode::kOk, GetDataResponse{}), "answer 13 OK");
  EXPECT_EQ(s.session.watches(), 2u);
}

TEST(ZooKeeperSessionTest, WatchesThatCouldNotBeSetAgainEndTheConnection) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, Exists("/a", true));
  s.Answered(1, 40, ErrorCode::kNoNode);
  s.Lost();
  s.Pass(2 * kSecond);
  s.Connected();
  s.Greeted();
  EXPECT_EQ(s.Answered(-8, 50, ErrorCode::kThrottledOp), "hang up #2; state Disconnected");
  EXPECT_EQ(s.session.watches(), 1u);
}

TEST(LocalWatchesTest, ManyPathsAreSplit) {
  LocalWatches watches;
  size_t bytes = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string path = fmt::format("/{:0>1000}", i);
    bytes += path.size();
    watches.Register(i % 2 == 0 ? WatchKind::kData : WatchKind::kChild, std::move(path));
  }
  const auto requests = watches.ToSetAgain(Zxid(5), SessionRules());
  EXPECT_EQ(requests.size(), bytes / LocalWatches::kBytesPerRequest + 1);
  size_t paths = 0;
  for (const SetWatchesRequest& request : requests) {
    EXPECT_EQ(request.relative_zxid, Zxid(5));
    EXPECT_LT(ToJute(request).size(), LocalWatches::kBytesPerRequest + 2000);
    paths += request.data_watches.size() + request.child_watches.size();
  }
  EXPECT_EQ(paths, 1000u);
  EXPECT_THAT(LocalWatches().ToSetAgain(Zxid(5), SessionRules()), IsEmpty());
}

// ---- The end.

TEST(ZooKeeperSessionTest, CloseComesAfterWhatWasSubmitted) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, GetData("/a"));
  EXPECT_EQ(s.Close(), "send closeSession xid 2");
  EXPECT_EQ(s.Submit(11, GetData("/a")), "answer 11 SESSIONEXPIRED");
  EXPECT_EQ(s.Answered(1, 40, ErrorCode::kOk, GetDataResponse{}), "answer 10 OK");
  EXPECT_EQ(s.Answered(2, 41), "hang up #1; state Closed");
}

TEST(ZooKeeperSessionTest, CloseIsAskedAgainOnTheNextConnection) {
  SessionTranscript s;
  s.Open();
  s.Close();
  EXPECT_EQ(s.Lost(), "hang up #1; state Disconnected");
  s.Pass(2 * kSecond);
  s.Connected();
  EXPECT_EQ(s.Greeted(), "state SyncConnected; send closeSession xid 2");
  EXPECT_EQ(s.Answered(2, 41), "hang up #2; state Closed");
}

TEST(ZooKeeperSessionTest, AClosingSessionThatHasExpiredIsClosed) {
  SessionTranscript s;
  s.Open();
  s.Close();
  s.Lost();
  s.Pass(2 * kSecond);
  s.Connected();
  EXPECT_EQ(s.Greeted(0, 0), "hang up #2; state Closed");
}

TEST(ZooKeeperSessionTest, ClosingWithoutASessionIsImmediate) {
  SessionTranscript s;
  s.Start();
  s.Submit(10, GetData("/a"));
  EXPECT_EQ(s.Close(), "hang up #1; answer 10 SESSIONEXPIRED; state Closed");
}

TEST(ZooKeeperSessionTest, ClosingDuringTheFirstHandshakeWaitsForTheSessionToEndIt) {
  SessionTranscript s;
  s.Start();
  s.Connected();
  EXPECT_EQ(s.Close(), "");
  EXPECT_EQ(s.Greeted(), "state SyncConnected; send closeSession xid 1");
  SessionTranscript lost;
  lost.Start();
  lost.Connected();
  lost.Close();
  EXPECT_EQ(lost.Lost(), "hang up #1; state Closed");
}

TEST(ZooKeeperSessionTest, AnAbandonedSessionAnswersEverything) {
  SessionTranscript s;
  s.Open();
  s.Submit(10, GetData("/a"));
  EXPECT_EQ(s.Abandon(), "hang up #1; answer 10 SESSIONEXPIRED; state Closed");
  EXPECT_EQ(s.Abandon(), "");
}

TEST(ZooKeeperSessionTest, WhatAnEarlierConnectionSaysIsIgnored) {
  SessionTranscript s;
  s.Open();
  const Attempt first = s.attempt;
  s.Lost();
  s.Pass(2 * kSecond);
  EXPECT_EQ(s.Lost(first), "");
  EXPECT_EQ(s.Connected(first), "");
  EXPECT_EQ(s.Connected(), "send connect session 7 zxid 0 time-out 18000");
}

// ---- multi.

TEST(ZooKeeperSessionTest, AFailedMultiHasItsFirstErrorAndKeepsItsResults) {
  SessionTranscript s;
  s.Open();
  MultiRequest multi;
  multi.ops = {CheckRequest{.path = "/epoch", .version = 3}, CreateRequest{.path = "/a"}};
  s.Submit(10, multi);
  MultiResponse answer;
  answer.results = {{.error = ErrorCode::kBadVersion}, {.error = ErrorCode::kRuntimeInconsistency}};
  EXPECT_EQ(s.Answered(1, 40, ErrorCode::kOk, answer), "answer 10 BADVERSION");
  EXPECT_EQ(std::get<MultiResponse>(s.responses[0].body), answer);
}

// ---- What goes wrong without a rule.

TEST(SessionRulesTest, ASessionThatIsAssumedAliveBecomesAnotherUnnoticed) {
  SessionRules rules;
  rules.IsOver = [](const ConnectResponse&) { return false; };
  SessionTranscript s({}, rules);
  s.Open();
  s.Lost();
  s.Pass(2 * kSecond);
  s.Connected();
  EXPECT_EQ(s.Greeted(0, 0), "state SyncConnected");
  s.Lost();
  s.Pass(absl::Seconds(3));
  EXPECT_EQ(s.Connected(), "send connect session 0 zxid 0 time-out 18000");
}

TEST(SessionRulesTest, WatchesThatAreNotSetAgainStaySilent) {
  SessionRules rules;
  rules.MustSetAgain = [](WatchKind kind) { return kind != WatchKind::kExist; };
  SessionTranscript s({}, rules);
  s.Open();
  s.Submit(10, Exists("/a", true));
  s.Answered(1, 40, ErrorCode::kNoNode);
  s.Lost();
  s.Pass(2 * kSecond);
  s.Connected();
  EXPECT_EQ(s.Greeted(), "state SyncConnected");
}

}  // namespace
}  // namespace highwater::broker::zookeeper
