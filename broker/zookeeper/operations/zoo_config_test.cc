#include "broker/zookeeper/operations/zoo_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kLeast = "dataDir=/data\nclientPort=2181\n";

std::string ErrorOf(std::string_view text) {
  const auto config = ZooConfig::Parse("zoo.cfg", text);
  return config.ok() ? "" : std::string(config.status().message());
}

// [6.2]
TEST(ZooConfigTest, TheSampleOfApacheIsTaken) {
  const auto config = ZooConfig::Parse(
      "zoo.cfg",
      "# The number of milliseconds of each tick\ntickTime=2000\ninitLimit=10\nsyncLimit=5\n"
      "dataDir=/var/lib/zookeeper\n# the port at which the clients will connect\n"
      "clientPort=2181\n#maxClientCnxns=60\n\nadmin.enableServer=false\n"
      "metricsProvider.className=org.example.Metrics\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->server.tick_time_ms, 2000);
  EXPECT_EQ(config->server.client_address, (core::Endpoint{.host = "", .port = 2181}));
  EXPECT_EQ(config->data_dir, "/var/lib/zookeeper");
  EXPECT_EQ(config->data_log_dir, "/var/lib/zookeeper");
  EXPECT_EQ(config->snap_count, 100'000);
  EXPECT_EQ(config->server.max_client_cnxns, 60);
  EXPECT_THAT(config->allowed_words, ElementsAre("srvr"));
  EXPECT_TRUE(config->IsStandalone());
  EXPECT_THAT(config->warnings, IsEmpty());
}

// [6.2]
TEST(ZooConfigTest, WhatIsGivenCounts) {
  const auto config = ZooConfig::Parse(
      "zoo.cfg", kLeast +
                     "dataLogDir = /log\nclientPortAddress: 127.0.0.1\nminSessionTimeout=500\n"
                     "maxSessionTimeout=900\nsnapCount=50\nautopurge.purgeInterval=1\n"
                     "autopurge.snapRetainCount=5\n4lw.commands.whitelist=mntr, ruok\n"
                     "extendedTypesEnabled=true\njute.maxbuffer=4194304\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data_log_dir, "/log");
  EXPECT_EQ(config->server.client_address.host, "127.0.0.1");
  EXPECT_EQ(config->server.MinSessionTimeoutMs(), 500);
  EXPECT_EQ(config->server.MaxSessionTimeoutMs(), 900);
  EXPECT_EQ(config->snap_count, 50);
  EXPECT_TRUE(config->autopurge);
  EXPECT_EQ(config->snap_retain_count, 5);
  EXPECT_THAT(config->allowed_words, ElementsAre("mntr", "ruok"));
  EXPECT_TRUE(config->server.extended_types_enabled);
  EXPECT_EQ(config->server.jute_max_buffer, 4194304);
}

TEST(ZooConfigTest, ErrorsNameTheLineAndWhatWasExpected) {
  EXPECT_EQ(ErrorOf(kLeast + "tickTime=fast\n"),
            "zoo.cfg:3: tickTime: expected a whole number, got \"fast\"");
  EXPECT_EQ(ErrorOf(kLeast + "tickTime=0\n"),
            "zoo.cfg:3: tickTime: expected a number from 1 to 2147483647, got 0");
  EXPECT_EQ(ErrorOf(kLeast + "tickTime=\n"), "zoo.cfg:3: tickTime: expected a value, got none");
  EXPECT_EQ(ErrorOf(kLeast + "\nwhat\n"), "zoo.cfg:4: expected name=value, got \"what\"");
  EXPECT_EQ(ErrorOf(kLeast + "dataDir=/other\n"), "zoo.cfg:3: dataDir was already given in line 1");
  EXPECT_EQ(ErrorOf("clientPort=2181\n"), "zoo.cfg: dataDir is missing");
  EXPECT_EQ(ErrorOf("dataDir=/d\n"), "zoo.cfg: clientPort is missing");
  EXPECT_EQ(ErrorOf(kLeast + "minSessionTimeout=90000\n"),
            "zoo.cfg:3: minSessionTimeout, 90000, is greater than maxSessionTimeout, 60000");
}

TEST(ZooConfigTest, AnUnknownNameIsAWarningWithASuggestion) {
  const auto config = ZooConfig::Parse("zoo.cfg", kLeast + "tickTimes=5\nmy.own=1\n");
  ASSERT_TRUE(config.ok());
  EXPECT_THAT(config->warnings,
              ElementsAre("zoo.cfg:3: unknown setting \"tickTimes\" is not heeded (did you mean "
                          "\"tickTime\"?)",
                          "zoo.cfg:4: unknown setting \"my.own\" is not heeded"));
}

TEST(ZooConfigTest, ForceSyncCanNotBeTurnedOff) {
  const auto config = ZooConfig::Parse("zoo.cfg", kLeast + "forceSync=no\n");
  EXPECT_THAT(config->warnings, ElementsAre(HasSubstr("zoo.cfg:3: forceSync is not heeded")));
}

// [6.2]
TEST(ZooConfigTest, ServersOfAnEnsembleAreRead) {
  const auto config =
      ZooConfig::Parse("zoo.cfg", kLeast +
                                      "initLimit=10\nsyncLimit=5\nserver.1=zoo1:2888:3888\n"
                                      "server.2=[::1]:2888:3888:observer;127.0.0.1:2181\n"
                                      "server.3 = zoo3:2888:3888:participant;2181\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->IsStandalone());
  EXPECT_EQ(config->servers.at(ServerId(1)),
            (QuorumServer{.peer = {"zoo1", 2888}, .election = {"zoo1", 3888}}));
  EXPECT_EQ(config->servers.at(ServerId(2)), (QuorumServer{.peer = {"::1", 2888},
                                                           .election = {"::1", 3888},
                                                           .observer = true,
                                                           .client = "127.0.0.1:2181"}));
  EXPECT_EQ(config->servers.at(ServerId(3)).client, "2181");
  EXPECT_EQ(ErrorOf(kLeast + "server.1=a:1:2\nserver.2=b:1:2\n"),
            "zoo.cfg: initLimit is missing: an ensemble needs it");
  EXPECT_THAT(ErrorOf(kLeast + "server.x=a:1:2\n"),
              HasSubstr("zoo.cfg:3: server.x: expected an id"));
  for (const char* bad : {"a", "a:1", ":1:2", "a:x:2", "a:1:70000", "a:1:2:voter"}) {
    EXPECT_THAT(ErrorOf(kLeast + "server.1=" + bad + "\n"),
                HasSubstr("expected host:peerPort:electionPort"))
        << bad;
  }
  EXPECT_TRUE(ZooConfig::Parse("zoo.cfg", kLeast + "server.1=a:1:2\n")->IsStandalone());
}

TEST(ZooConfigTest, MyIdIsANumberThatASessionIdCanCarry) {
  EXPECT_EQ(*ParseMyId("myid", " 7\n"), ServerId(7));
  for (const char* bad : {"", "x", "255", "-1"}) EXPECT_FALSE(ParseMyId("myid", bad).ok()) << bad;
}

TEST(ZooConfigTest, ConfIsWhatScriptsRead) {
  EXPECT_EQ(ZooConfig::Parse("zoo.cfg", kLeast + "tickTime=500\n")->PrintConf(),
            "clientPort=2181\nsecureClientPort=-1\ndataDir=/data/version-2\n"
            "dataLogDir=/data/version-2\ntickTime=500\nmaxClientCnxns=60\nminSessionTimeout=1000\n"
            "maxSessionTimeout=10000\nclientPortListenBacklog=-1\nserverId=0\n");
}

}  // namespace
}  // namespace highwater::broker::zookeeper
