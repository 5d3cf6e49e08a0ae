#include "broker/zookeeper/log/snapshot_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

struct Content {
  DataTree::Sessions sessions;
  std::vector<ZnodeRecord> nodes;
  std::optional<Zxid> end;
  friend bool operator==(const Content&, const Content&) = default;
};

absl::StatusOr<Content> Decode(core::Bytes bytes) {
  SnapshotDecoder decoder(std::move(bytes));
  Content content;
  auto sessions = decoder.ReadSessions();
  if (!sessions.ok()) return sessions.status();
  content.sessions = *sessions;
  while (true) {
    auto node = decoder.Next();
    if (!node.ok()) return node.status();
    if (!node->has_value()) break;
    content.nodes.push_back(**std::move(node));
  }
  auto end = decoder.Finish();
  if (!end.ok()) return end.status();
  content.end = *end;
  return content;
}

core::Bytes Encode(const Content& content, const std::vector<std::vector<Acl>>& acls) {
  SnapshotEncoder encoder(content.sessions, acls);
  core::ByteChain bytes;
  for (const ZnodeRecord& node : content.nodes) {
    encoder.Add(node);
    if (encoder.pending() > 50) bytes.Append(encoder.Take());
  }
  bytes.Append(encoder.Finish(*content.end));
  return bytes.Flatten();
}

const std::vector<Acl> kReadOnly = {{.perms = kPermRead, .id = {"world", "anyone"}}};

Content Example() {
  Content content{.sessions = {{SessionId(0x100), 4000}, {SessionId(0x101), 8000}}, .end = Zxid(9)};
  content.nodes.push_back(
      {.path = "/", .data = core::Bytes(), .acl = OpenAcl(), .stat = {.pzxid = Zxid(3)}});
  content.nodes.push_back(
      {.path = "/a", .data = std::nullopt, .acl = kReadOnly, .stat = {.czxid = Zxid(2)}});
  content.nodes.push_back({.path = "/a/b",
                           .data = core::Bytes::Copy("some data"),
                           .acl = OpenAcl(),
                           .stat = {.ephemeral_owner = SessionId(0x100)}});
  return content;
}

// [3.11]
TEST(SnapshotFormatTest, ASnapshotComesBackAsItWas) {
  EXPECT_EQ(*Decode(Encode(Example(), {OpenAcl(), kReadOnly})), Example());
}

TEST(SnapshotFormatTest, TheRootIsWrittenWithAnEmptyPathAndTheEndWithASlash) {
  Content content{.end = Zxid(0)};
  content.nodes.push_back({.path = "/", .acl = OpenAcl()});
  const std::string bytes = Encode(content, {}).ToString();
  EXPECT_EQ(bytes.substr(0, 20),
            std::string("ZKSN\0\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 20));
  // Behind the ACLs: path "", data null, key -1.
  EXPECT_NE(bytes.find(std::string("\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16)),
            std::string::npos);
  EXPECT_EQ(bytes.substr(bytes.size() - 5), std::string("\0\0\0\1/", 5));
}

// It was set after the ACLs had been collected: the log sets it again, and until then nobody may.
TEST(SnapshotFormatTest, AnAclThatIsNotInTheTableLetsNobodyIn) {
  const auto content = Decode(Encode(Example(), {OpenAcl()}));
  ASSERT_TRUE(content.ok());
  EXPECT_THAT(content->nodes[1].acl, ::testing::ElementsAre(Acl{0, {"world", "anyone"}}));
}

TEST(SnapshotFormatTest, EveryCutIsSeenButTheOneThatAnOldServerWouldHaveMade) {
  const core::Bytes whole = Encode(Example(), {kReadOnly});
  size_t accepted = 0;
  for (size_t size = 0; size < whole.size(); ++size) accepted += Decode(whole.Slice(0, size)).ok();
  EXPECT_EQ(accepted, 1u) << "between the two seals";
}

TEST(SnapshotFormatTest, EveryFlippedBitIsSeen) {
  const std::string whole = Encode(Example(), {kReadOnly}).ToString();
  for (size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      EXPECT_FALSE(Decode(core::Bytes::Copy(bytes)).ok()) << at << " bit " << bit;
    }
  }
}

TEST(SnapshotFormatTest, BytesBehindTheEndAreSeen) {
  core::BytesBuilder bytes;
  bytes.Append(Encode(Example(), {kReadOnly}).view());
  bytes.Append("x");
  EXPECT_FALSE(Decode(std::move(bytes).Freeze()).ok());
}

}  // namespace
}  // namespace highwater::broker::zookeeper
