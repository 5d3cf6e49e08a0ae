#include "broker/zookeeper/client/connect_string.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/zookeeper/client/chroot.h"

namespace highwater::broker::zookeeper {
namespace {

using ::testing::HasSubstr;

TEST(ConnectStringTest, ReadsServersAndChroot) {
  const auto parsed = ParseConnectString("h1:2181, h2,[::1]:2183/kafka/a");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed, (ConnectString{{{"h1", 2181}, {"h2", 2181}, {"::1", 2183}}, "/kafka/a"}));
}

TEST(ConnectStringTest, ARootChrootIsNone) {
  EXPECT_EQ(ParseConnectString("h1:1/")->chroot, "");
  EXPECT_EQ(ParseConnectString("h1:1")->chroot, "");
}

TEST(ConnectStringTest, SaysWhatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "a server is empty"},
      {"/kafka", "a server is empty"},
      {"h1:2181,", "a server is empty"},
      {"h1:port", "\"port\" is not a port of h1"},
      {"h1:", "\"\" is not a port of h1"},
      {"h1:0", "\"0\" is not a port of h1"},
      {"h1:65536", "\"65536\" is not a port of h1"},
      {"h1:-1", "\"-1\" is not a port of h1"},
      {":2181", "without a host"},
      {"::1:2181", "stands in brackets"},
      {"[::1", "never ends"},
      {"[::1]x", "not a port"},
      {"h1:1/a/,h2:2", "stands once, behind the last server"},
      {"h1:1/a/", "ends with /"},
      {"h1:1//a", "has an empty name"},
      {"h1:1/a/../b", "is relative"},
  };
  for (const auto& [text, message] : cases) {
    const auto parsed = ParseConnectString(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(message)) << text;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("zookeeper.connect")) << text;
  }
}

RC_GTEST_PROP(ConnectStringProperty, AnyTextIsReadOrRefused, (const std::string& text)) {
  const auto parsed = ParseConnectString(text);
  if (!parsed.ok()) return;
  RC_ASSERT(!parsed->servers.empty());
  for (const core::Endpoint& server : parsed->servers) RC_ASSERT(!server.host.empty());
  RC_ASSERT(parsed->chroot.empty() || CheckPath(parsed->chroot).ok());
}

TEST(ChrootTest, PathsGoOutWithItAndComeBackWithout) {
  const Chroot chroot("/kafka");
  EXPECT_EQ(chroot.ToServer("/"), "/kafka");
  EXPECT_EQ(chroot.ToServer("/a/b"), "/kafka/a/b");
  EXPECT_EQ(chroot.ToClient("/kafka"), "/");
  EXPECT_EQ(chroot.ToClient("/kafka/a"), "/a");
  EXPECT_EQ(chroot.ToClient("/kafkaesque"), "/kafkaesque");
}

TEST(ChrootTest, ReachesEveryPathOfAMulti) {
  const Chroot chroot("/kafka");
  MultiRequest multi;
  multi.ops = {CheckRequest{.path = "/a"}, CreateRequest{.path = "/b/c"}};
  Request request = multi;
  chroot.ToServer(request);
  EXPECT_EQ(PathOf(std::get<MultiRequest>(request).ops[0]), "/kafka/a");
  EXPECT_EQ(PathOf(std::get<MultiRequest>(request).ops[1]), "/kafka/b/c");
  Response response{.body = MultiResponse{{{}, {.body = PathResponse{"/kafka/b/c"}}}}};
  chroot.ToClient(response);
  const auto& results = std::get<MultiResponse>(response.body).results;
  EXPECT_EQ(std::get<PathResponse>(results[1].body).path, "/b/c");
}

}  // namespace
}  // namespace highwater::broker::zookeeper
