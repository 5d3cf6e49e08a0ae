#include "broker/zookeeper/server/request_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/zookeeper/server/testing/machine.h"

namespace highwater::broker::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Machine;

CreateRequest Create(std::string path, CreateMode mode = CreateMode::kPersistent) {
  return {.path = std::move(path), .data = core::Bytes(), .acl = OpenAcl(), .mode = mode};
}

// ---- The handshake [1.2].

TEST(HandshakeTest, ANewSessionIsAnsweredOnceItsTransactionIsCommitted) {
  Machine m;
  m.Open(1);
  m.Handshake(1, {.timeout_ms = 4000});
  EXPECT_THAT(m.Take(), IsEmpty());
  m.Commit();
  EXPECT_THAT(m.Take(), ElementsAre("1: connected for 4000 ms"));
  EXPECT_EQ(m.tree.sessions().at(m.SessionOf(1)), 4000);
}

TEST(HandshakeTest, TheReadOnlyByteIsAnsweredToThoseWhoSentIt) {
  Machine m;
  m.Open(1);
  m.Handshake(1, {.timeout_ms = 4000}, false);
  m.Commit();
  EXPECT_THAT(m.Take(), ElementsAre("1: connected for 4000 ms without the byte"));
}

TEST(HandshakeTest, TimeOutsAreHeldBetweenTwoAndTwentyTicks) {
  Machine m;
  m.Open(1);
  m.Handshake(1, {.timeout_ms = 1});
  m.Open(2);
  m.Handshake(2, {.timeout_ms = 1'000'000});
  m.CommitAll();
  EXPECT_THAT(m.Take(), ElementsAre("1: connected for 2000 ms", "2: connected for 20000 ms"));
}

TEST(HandshakeTest, WhatIsAskedBeforeTheSessionIsThereWaitsForIt) {
  Machine m;
  m.Open(1);
  m.Handshake(1, {.timeout_ms = 4000});
  m.Ask(1, ExistsRequest{.path = "/"});
  EXPECT_THAT(m.Take(), IsEmpty());
  m.Commit();
  EXPECT_THAT(m.Take(), ElementsAre("1: connected for 4000 ms", "1: reply 1 zxid 1"));
}

TEST(HandshakeTest, AClientThatSawMoreThanWeAppliedIsClosedWithoutAnAnswer) {
  Machine m;
  m.Connect(1);
  m.Open(2);
  m.Handshake(2, {.last_zxid_seen = Zxid(2), .timeout_ms = 4000});
  EXPECT_THAT(m.Take(), ElementsAre("2: closed"));
  m.Open(3);
  m.Handshake(3, {.last_zxid_seen = Zxid(1), .timeout_ms = 4000});
  m.Commit();
  EXPECT_THAT(m.Take(), ElementsAre("3: connected for 4000 ms"));
}

TEST(HandshakeTest, AReattachClosesTheOtherConnectionAndNeedsNoTransaction) {
  Machine m;
  m.Connect(1);
  m.Reattach(2, 1, 6000);
  EXPECT_THAT(m.Take(), ElementsAre("1: closed", "2: connected for 6000 ms"));
  EXPECT_EQ(m.SessionOf(2), m.tree.sessions().begin()->first);
  EXPECT_THAT(m.proposed, IsEmpty());
}

TEST(HandshakeTest, AWrongPasswordIsRefusedAndStillClosesTheRightfulConnection) {
  Machine m;
  m.Connect(1);
  m.Open(2);
  m.Handshake(
      2, {.timeout_ms = 4000, .session_id = m.SessionOf(1), .password = core::Bytes::Zeros(16)});
  EXPECT_THAT(m.Take(), ElementsAre("1: closed", "2: refused", "2: closed"));
}

TEST(HandshakeTest, ADeadSessionIsRefused) {
  Machine m;
  m.Open(1);
  m.Handshake(
      1, {.timeout_ms = 4000, .session_id = SessionId(99), .password = PasswordOf(SessionId(99))});
  EXPECT_THAT(m.Take(), ElementsAre("1: refused", "1: closed"));
}

// ---- Order [2.5].

TEST(OrderTest, AReadWaitsForItsSessionsWritesAndForNobodyElses) {
  Machine m;
  m.Connect(1);
  m.Connect(2);
  m.Ask(1, Create("/a"));
  m.Ask(1, ExistsRequest{.path = "/a"});
  m.AskWith(1, kPingXid, PingRequest{});
  m.Ask(2, ExistsRequest{.path = "/a"});
  EXPECT_THAT(m.Take(), ElementsAre("2: reply 1 zxid 2 NONODE"));
  m.Commit();
  EXPECT_THAT(m.Take(),
              ElementsAre("1: reply 1 zxid 3", "1: reply 2 zxid 3", "1: reply -2 zxid 3"));
}

TEST(OrderTest, WritesAreHandedOnAtOnceAndAReadStaysBetweenThem) {
  Machine m;
  m.Connect(1);
  m.Ask(1, Create("/a"));
  m.Ask(1, GetChildrenRequest{.path = "/"});
  m.Ask(1, Create("/b"));
  EXPECT_EQ(m.proposed.size(), 2u);
  m.Commit();
  EXPECT_THAT(m.Take(), ElementsAre("1: reply 1 zxid 2", "1: reply 2 zxid 2"));
  EXPECT_THAT(m.Last<GetChildrenResponse>(1).children, ElementsAre("a", "zookeeper"));
  m.Commit();
  EXPECT_THAT(m.Take(), ElementsAre("1: reply 3 zxid 3"));
}

// [1.3]
TEST(OrderTest, AFailedWriteIsAnsweredInItsPlaceWithAZxidOfItsOwn) {
  Machine m;
  m.Connect(1);
  m.Ask(1, Create("/x/y"));
  m.Ask(1, Create("/a"));
  EXPECT_THAT(m.Take(), IsEmpty());
  m.CommitAll();
  EXPECT_THAT(m.Take(), ElementsAre("1: reply 1 zxid 2 NONODE", "1: reply 2 zxid 3"));
}

TEST(OrderTest, AnAuthIsAnsweredAtOnce) {
  Machine m;
  m.Connect(1);
  m.Ask(1, Create("/a"));
  m.AskWith(1, kAuthXid, AuthPacket{.scheme = "digest", .auth = core::Bytes::Copy("u:p")});
  EXPECT_THAT(m.Take(), ElementsAre("1: reply -4 zxid 0"));
}

// [1.9]
TEST(OrderTest, AnUnknownSchemeIsRefusedAndEndsTheConnection) {
  Machine m;
  m.Connect(1);
  m.AskWith(1, kAuthXid, AuthPacket{.scheme = "kerberos"});
  EXPECT_THAT(m.Take(), ElementsAre("1: reply -4 zxid 0 AUTHFAILED", "1: closed"));
}

// [1.4, 1.6]
TEST(OrderTest, AnUnknownOperationAndALoneCheckAreRefusedBehindWhatCameBefore) {
  for (const OpCode op : {OpCode(77), OpCode::kCheck, OpCode::kCreateSession,
                          OpCode::kDeleteContainer, OpCode::kError}) {
    Machine m;
    m.Connect(1);
    m.Ask(1, Create("/a"));
    m.Frame(1, Xid(9), op, ToJute(CheckRequest{.path = "/", .version = -1}));
    EXPECT_THAT(m.Take(), IsEmpty());
    m.CommitAll();
    EXPECT_THAT(m.Take(),
                ElementsAre("1: reply 1 zxid 2", "1: reply 9 zxid -1 UNIMPLEMENTED", "1: closed"));
  }
}

TEST(OrderTest, AFrameWithoutAHeaderEndsTheConnection) {
  Machine m;
  m.Connect(1);
  Effects effects;
  m.processor.Receive(ConnectionId(1), core::Bytes::Copy("abc"), m.at, effects);
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<CloseConnection>(effects[0]));
}

TEST(OrderTest, ARecordThatDoesNotParseIsAMarshallingError) {
  Machine m;
  m.Connect(1);
  m.Frame(1, Xid(1), OpCode::kGetData, core::Bytes::Copy("\x7f"));
  m.Frame(1, Xid(2), OpCode::kSetData, core::Bytes::Copy("\x7f"));
  m.CommitAll();
  EXPECT_THAT(m.Take(), ElementsAre("1: reply 1 zxid 1 MARSHALLINGERROR",
                                    "1: reply 2 zxid 2 MARSHALLINGERROR"));
}

TEST(OrderTest, WritesUnderWayOfALostConnectionKeepTheirPlaceInTheSession) {
  Machine m;
  m.Connect(1);
  m.Ask(1, Create("/a"));
  m.Ask(1, Create("/b"));
  m.Reattach(2, 1);
  // With the xid of the write that is still under way: the client is a new one.
  m.AskWith(2, Xid(2), Create("/c"));
  m.AskWith(2, Xid(3), ExistsRequest{.path = "/a"});
  EXPECT_THAT(m.Take(), ElementsAre("1: closed", "2: connected for 4000 ms"));
  m.Commit(2);
  EXPECT_THAT(m.Take(), IsEmpty());
  m.Commit();
  EXPECT_THAT(m.Take(), ElementsAre("2: reply 2 zxid 4", "2: reply 3 zxid 4"));
  EXPECT_EQ(m.processor.outstanding(), 0);
}

// ---- Watches [2.5, 4.4].

TEST(WatchOrderTest, WatchersAreToldBeforeTheWriterIsAnswered) {
  Machine m;
  m.Connect(1);
  m.Connect(2);
  m.Ask(2, ExistsRequest{.path = "/a", .watch = true});
  m.Ask(1, GetChildrenRequest{.path = "/", .watch = true});
  (void)m.Take();
  m.Ask(1, Create("/a"));
  m.Commit();
  EXPECT_THAT(m.Take(),
              ElementsAre("2: NodeCreated /a", "1: NodeChildrenChanged /", "1: reply 2 zxid 3"));
}

TEST(WatchOrderTest, AReadBehindTheWriteSeesItAfterTheEvent) {
  Machine m;
  m.Connect(1);
  m.Ask(1, ExistsRequest{.path = "/a", .watch = true});
  m.Ask(1, Create("/a"));
  m.Ask(1, GetDataRequest{.path = "/a"});
  (void)m.Take();
  m.Commit();
  EXPECT_THAT(m.Take(), ElementsAre("1: NodeCreated /a", "1: reply 2 zxid 2", "1: reply 3 zxid 2"));
}

TEST(WatchOrderTest, AFailedReadSetsNoWatchButAnExistsOfAMissingNodeDoes) {
  Machine m;
  m.Connect(1);
  m.Ask(1, GetDataRequest{.path = "/a", .watch = true});
  m.Ask(1, GetChildrenRequest{.path = "/a", .watch = true});
  EXPECT_EQ(m.processor.watches().size(), 0u);
  m.Ask(1, ExistsRequest{.path = "/a", .watch = true});
  EXPECT_EQ(m.processor.watches().size(), 1u);
}

// [1.9]
TEST(WatchOrderTest, OnlyThoseWhoMayReadTheNodeAreTold) {
  Machine m;
  m.Connect(1);
  m.Connect(2);
  m.AskWith(1, kAuthXid, AuthPacket{.scheme = "digest", .auth = core::Bytes::Copy("u:p")});
  m.Ask(1, ExistsRequest{.path = "/a", .watch = true});
  m.Ask(2, ExistsRequest{.path = "/a", .watch = true});
  (void)m.Take();
  CreateRequest secret = Create("/a");
  secret.acl = {{.perms = kPermAll, .id = {"auth", ""}}};
  m.Ask(1, secret);
  m.Commit();
  EXPECT_THAT(m.Take(), ElementsAre("1: NodeCreated /a", "1: reply 2 zxid 3"));
}

TEST(WatchOrderTest, WatchesGoWithTheirConnection) {
  Machine m;
  m.Connect(1);
  m.Ask(1, ExistsRequest{.path = "/a", .watch = true});
  m.processor.OnDisconnected(ConnectionId(1));
  EXPECT_EQ(m.processor.watches().size(), 0u);
}

TEST(WatchOrderTest, SettingWatchesAgainTellsFirstWhatWasMissed) {
  Machine m;
  m.Connect(1);
  m.Connect(2);
  m.Ask(1, Create("/data"));
  m.Ask(1, Create("/parent"));
  m.CommitAll();
  const Zxid seen = m.tree.last_processed_zxid();
  m.Ask(1, SetDataRequest{.path = "/data"});
  m.Ask(1, Create("/parent/x"));
  m.Ask(1, Create("/new"));
  m.CommitAll();
  (void)m.Take();
  m.AskWith(2, kSetWatchesXid,
            SetWatchesRequest{.relative_zxid = seen,
                              .data_watches = {"/data", "/gone", "/parent"},
                              .exist_watches = {"/new", "/absent"},
                              .child_watches = {"/parent", "/gone", "/data"}});
  EXPECT_THAT(m.Take(), ElementsAre("2: NodeDataChanged /data", "2: NodeDeleted /gone",
                                    "2: NodeCreated /new", "2: NodeChildrenChanged /parent",
                                    "2: NodeDeleted /gone", "2: reply -8 zxid 7"));
  // /parent's data, /absent, and /data's children are armed.
  EXPECT_EQ(m.processor.watches().size(), 3u);
}

// [4.5]
TEST(WatchOrderTest, PersistentWatchesAreSetAgainWithoutCatchingUp) {
  Machine m;
  m.Connect(1);
  m.Ask(1, Create("/a"));
  m.CommitAll();
  (void)m.Take();
  m.AskWith(
      1, kSetWatchesXid,
      SetWatches2Request{.persistent_watches = {"/a"}, .persistent_recursive_watches = {"/b"}});
  EXPECT_THAT(m.Take(), ElementsAre("1: reply -8 zxid 2"));
  m.Ask(1, SetDataRequest{.path = "/a"});
  m.Ask(1, Create("/b"));
  m.CommitAll();
  EXPECT_THAT(m.Take(), ElementsAre("1: NodeDataChanged /a", "1: reply 2 zxid 3",
                                    "1: NodeCreated /b", "1: reply 3 zxid 4"));
}

// ---- Sessions [2.2, 2.3].

TEST(SessionEndTest, AClosedSessionIsAnsweredThenItsConnectionIsClosed) {
  Machine m;
  m.Connect(1);
  m.Ask(1, Create("/e", CreateMode::kEphemeral));
  m.Ask(1, CloseSessionRequest{});
  m.CommitAll();
  EXPECT_THAT(m.Take(), ElementsAre("1: reply 1 zxid 2", "1: reply 2 zxid 3", "1: closed"));
  EXPECT_EQ(m.tree.Find("/e"), nullptr);
  EXPECT_TRUE(m.tree.sessions().empty());
}

TEST(SessionEndTest, AnExpiredSessionsConnectionIsClosedWithoutAWord) {
  Machine m;
  m.Connect(1);
  m.Connect(2, 20'000);
  m.Ask(1, Create("/e", CreateMode::kEphemeral));
  m.CommitAll();
  m.Ask(2, ExistsRequest{.path = "/e", .watch = true});
  m.Advance(10'000);
  m.Expire();
  (void)m.Take();
  m.CommitAll();
  EXPECT_THAT(m.Take(), ElementsAre("2: NodeDeleted /e", "1: closed"));
  m.Reattach(3, 1);
  EXPECT_THAT(m.Take(), ElementsAre("3: refused", "3: closed"));
}

TEST(SessionEndTest, WhatASessionAsksWhileItIsBeingClosedIsDropped) {
  Machine m;
  m.Connect(1);
  m.Advance(10'000);
  m.Expire();
  m.Ask(1, Create("/e", CreateMode::kEphemeral));
  m.Ask(1, ExistsRequest{.path = "/"});
  EXPECT_EQ(m.proposed.size(), 1u);
  m.CommitAll();
  EXPECT_THAT(m.Take(), ElementsAre("1: closed"));
}

TEST(SessionEndTest, EveryRequestAndPingKeepsASessionAlive) {
  Machine m;
  m.Connect(1);
  for (int i = 0; i < 10; ++i) {
    m.Advance(3000);
    m.AskWith(1, kPingXid, PingRequest{});
    m.Expire();
  }
  EXPECT_THAT(m.proposed, IsEmpty());
}

TEST(SessionEndTest, AWriteOfASessionThatMovedClosesItsConnectionWithoutAnAnswer) {
  Machine m;
  m.Connect(1);
  m.sessions.SetOwner(m.SessionOf(1), ServerId(2));
  m.Ask(1, ExistsRequest{.path = "/"});
  m.Ask(1, Create("/a"));
  m.CommitAll();
  EXPECT_THAT(m.Take(), ElementsAre("1: reply 1 zxid 1", "1: closed"));
}

TEST(SessionEndTest, SilentConnectionsAreClosedInStepsOfTenSeconds) {
  Machine m;
  m.Open(1);
  m.Advance(9'000);
  m.Connect(2);
  m.Tick();
  EXPECT_THAT(m.Take(), IsEmpty());
  m.Advance(11'000);
  m.AskWith(2, kPingXid, PingRequest{});
  (void)m.Take();
  m.Tick();
  EXPECT_THAT(m.Take(), ElementsAre("1: closed"));
}

TEST(StatisticsTest, CountWhatCameAndWhatIsNotAnswered) {
  Machine m;
  m.Connect(1);
  m.Ask(1, Create("/a"));
  m.Advance(7);
  ServerStats stats = m.processor.Stats();
  EXPECT_EQ(stats.outstanding, 1);
  EXPECT_EQ(stats.packets_received, 2);
  EXPECT_EQ(stats.packets_sent, 1);
  m.CommitAll();
  stats = m.processor.Stats();
  EXPECT_EQ(stats.outstanding, 0);
  EXPECT_EQ(stats.latency.max_ms, 7);
  ASSERT_EQ(stats.clients.size(), 1u);
  EXPECT_EQ(stats.clients[0].peer, "10.0.0.1:4000");
  EXPECT_EQ(stats.clients[0].last_zxid, Zxid(2));
  EXPECT_EQ(stats.zxid, Zxid(2));
}

}  // namespace
}  // namespace highwater::broker::zookeeper
