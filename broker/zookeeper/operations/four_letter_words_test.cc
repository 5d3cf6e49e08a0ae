#include "broker/zookeeper/operations/four_letter_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

using ::testing::HasSubstr;

class FourLetterWordsTest : public ::testing::Test {
 protected:
  FourLetterWordsTest() {
    Apply(1, OpCode::kCreateSession, CreateSessionTxn{.timeout_ms = 4000});
    Apply(2, OpCode::kCreate,
          CreateTxn{.path = "/e", .acl = OpenAcl(), .ephemeral = true, .parent_cversion = 1});
    watches_.data().Add("/e", ConnectionId(1), WatchTable::Kind::kOneShot);
    watches_.children().Add("/", ConnectionId(1), WatchTable::Kind::kOneShot);
    stats_.mode = ServerMode::kStandalone;
    stats_.tree = &tree_;
    stats_.watches = &watches_;
    stats_.zxid = Zxid(0x2a);
    stats_.packets_received = 7;
    stats_.packets_sent = 6;
    stats_.connections = 1;
    stats_.uptime = absl::Milliseconds(1419);
    for (const int64_t ms : {1, 2, 4}) stats_.latency.Add(ms);
    stats_.clients.push_back({.peer = "127.0.0.1:5000",
                              .session = SessionId(0x100),
                              .timeout_ms = 4000,
                              .received = 4,
                              .sent = 3,
                              .last_op = OpCode::kGetChildren2,
                              .last_xid = Xid(3),
                              .last_zxid = Zxid(9),
                              .since_ms = 17});
  }
  void Apply(int64_t zxid, OpCode type, TxnBody body) {
    tree_.Apply({.header = {.client_id = SessionId(0x100), .zxid = Zxid(zxid), .type = type},
                 .body = std::move(body)});
  }
  std::string Ask(std::string_view word) { return words_.AnswerTo(word, stats_).text; }

  DataTree tree_;
  WatchManager watches_;
  ServerStats stats_;
  OperatorsWords words_{{"*"}, "clientPort=1\n", "os.name=x\n"};
};

// [6.1]
TEST_F(FourLetterWordsTest, SrvrIsApaches) {
  EXPECT_EQ(Ask("srvr"),
            "Zookeeper version: 3.8.4-highwater, built on 1970-01-01 00:00 UTC\n"
            "Latency min/avg/max: 1/2.3333/4\nReceived: 7\nSent: 6\nConnections: 1\n"
            "Outstanding: 0\nZxid: 0x2a\nMode: standalone\nNode count: 6\n");
}

TEST_F(FourLetterWordsTest, AnEmptyServerHasFiveNodes) {  // [4.1]
  const DataTree empty;
  stats_.tree = &empty;
  EXPECT_THAT(Ask("srvr"), HasSubstr("Node count: 5\n"));
}

TEST_F(FourLetterWordsTest, StatAndConsListTheClients) {
  EXPECT_THAT(Ask("stat"),
              HasSubstr("Clients:\n /127.0.0.1:5000[1](queued=0,recved=4,sent=3)\n\nLatency"));
  EXPECT_EQ(Ask("cons"),
            " /127.0.0.1:5000[1](queued=0,recved=4,sent=3,sid=0x100,lop=GETC,est=17,to=4000,"
            "lcxid=0x3,lzxid=0x9,minlat=0,avglat=0,maxlat=0)\n\n");
}

// [6.1]
TEST_F(FourLetterWordsTest, MntrIsKeysTabsValues) {
  const std::string text = Ask("mntr");
  for (const char* line :
       {"zk_server_state\tstandalone\n", "zk_znode_count\t6\n", "zk_watch_count\t2\n",
        "zk_ephemerals_count\t1\n", "zk_num_alive_connections\t1\n", "zk_global_sessions\t1\n",
        "zk_avg_latency\t2.3333\n", "zk_uptime\t1419\n", "zk_outstanding_requests\t0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(FourLetterWordsTest, TheRestAnswersToo) {
  EXPECT_EQ(Ask("ruok"), "imok");
  EXPECT_EQ(Ask("isro"), "rw");
  EXPECT_EQ(Ask("conf"), "clientPort=1\n");
  EXPECT_EQ(Ask("envi"), "Environment:\nos.name=x\n");
  EXPECT_THAT(Ask("dump"), HasSubstr("Sessions with Ephemerals (1):\n0x100:\n\t/e\n"));
  EXPECT_EQ(Ask("wchs"), "1 connections watching 2 paths\nTotal watches:2\n");
  EXPECT_EQ(Ask("wchp"), "/\n\tconnection 1\n/e\n\tconnection 1\n\n");
  EXPECT_EQ(Ask("wchc"), "connection 1\n\t/\n\t/e\n\n");
  EXPECT_EQ(Ask("hash"), "hash is not executed because this server does not have it.\n");
  EXPECT_TRUE(words_.AnswerTo("srst", stats_).reset);
  EXPECT_FALSE(words_.AnswerTo("srvr", stats_).reset);
}

// [6.1]
TEST_F(FourLetterWordsTest, OnlyWhatIsAllowedIsAnswered) {
  OperatorsWords words({"srvr"}, "", "");
  EXPECT_THAT(words.AnswerTo("srvr", stats_).text, HasSubstr("Mode: standalone"));
  EXPECT_EQ(words.AnswerTo("ruok", stats_).text,
            "ruok is not executed because it is not in the whitelist.\n");
  EXPECT_TRUE(words.IsWord("ruok")) << "it is a word all the same, no length";
  EXPECT_FALSE(words.IsWord("xxxx"));
}

// [6.1]
TEST_F(FourLetterWordsTest, AServerThatDoesNotServeSaysSo) {
  stats_.mode = ServerMode::kNotServing;
  for (const char* word : {"srvr", "stat", "mntr", "conf"}) {
    EXPECT_EQ(Ask(word), "This ZooKeeper instance is not currently serving requests\n") << word;
  }
  EXPECT_EQ(Ask("ruok"), "imok");
  EXPECT_EQ(Ask("isro"), "null");
}

}  // namespace
}  // namespace highwater::broker::zookeeper
