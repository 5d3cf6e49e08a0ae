#include "broker/zookeeper/ensemble/quorum_packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

using ::testing::HasSubstr;

constexpr size_t kMaxBuffer = 1 << 20;

core::Bytes Raw(std::initializer_list<int> bytes) {
  std::string content;
  for (const int byte : bytes) content.push_back(static_cast<char>(byte));
  return core::Bytes::Copy(content);
}

PacketAssembler Assembler(const core::Bytes& bytes) {
  PacketAssembler assembler(kMaxBuffer);
  assembler.Add(core::ByteChain(bytes));
  return assembler;
}

// ---- Layouts: the same bytes as Apache 3.8 writes.

// [3.4, 3.12]
TEST(QuorumPacketTest, APacketHasNoFrameAndNullsForWhatIsAbsent) {
  EXPECT_EQ(EncodePacket({.type = PacketType::kAck, .zxid = Zxid(0x500000007)}),
            Raw({0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 7, 255, 255, 255, 255, 255, 255, 255, 255}));
}

TEST(QuorumPacketTest, FollowerInfoCarriesSidProtocolAndConfigurationVersion) {
  EXPECT_EQ(EncodeLearnerInfo({.server = ServerId(3), .config_version = 0x100000000}),
            Raw({0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}));
}

TEST(QuorumPacketTest, ALearnerThatLeavesFieldsOutIsUnderstood) {
  const auto old = DecodeLearnerInfo({.data = Raw({0, 0, 0, 0, 0, 0, 0, 3})});
  ASSERT_TRUE(old.ok());
  EXPECT_EQ(*old, (LearnerInfo{.server = ServerId(3), .protocol_version = 1}));
  const auto newer = DecodeLearnerInfo({.data = Raw({0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 0})});
  ASSERT_TRUE(newer.ok());
  EXPECT_EQ(newer->protocol_version, kZabProtocolVersion);
  EXPECT_FALSE(DecodeLearnerInfo({.data = Raw({0, 0, 0})}).ok());
  EXPECT_FALSE(DecodeLearnerInfo({}).ok());
}

TEST(QuorumPacketTest, TouchesFollowEachOtherWithoutACount) {
  const std::vector<SessionTouch> touches = {{SessionId(1), 4000}, {SessionId(2), 6000}};
  const core::Bytes bytes = EncodeTouches(touches);
  EXPECT_EQ(bytes.size(), 24u);
  EXPECT_EQ(*DecodeTouches({.data = bytes}), touches);
  EXPECT_TRUE(DecodeTouches({})->empty());
  EXPECT_FALSE(DecodeTouches({.data = bytes.Slice(0, 23)}).ok());
}

TEST(QuorumPacketTest, ARevalidationAsksWithATimeoutAndIsAnsweredWithABool) {
  const SessionTouch question{SessionId(7), 4000};
  EXPECT_EQ(*DecodeRevalidate({.data = EncodeRevalidate(question)}), question);
  EXPECT_EQ(EncodeRevalidated({SessionId(7), true}), Raw({0, 0, 0, 0, 0, 0, 0, 7, 1}));
  EXPECT_FALSE(DecodeRevalidate({.data = EncodeTouches({})}).ok());
}

// [3.4]
TEST(QuorumPacketTest, AForwardedRequestKeepsTheClientsOwnBytes) {
  const ForwardedRequest request{SessionId(9), Xid(4), OpCode::kDelete, Raw({1, 2, 3})};
  const core::Bytes bytes = EncodeForwardedRequest(request);
  EXPECT_EQ(bytes, Raw({0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 2, 1, 2, 3}));
  EXPECT_EQ(*DecodeForwardedRequest({.data = bytes}), request);
}

TEST(QuorumPacketTest, ARequestWithoutIdsCarriesAnEmptyVectorNotANullOne) {
  const core::Bytes bytes = EncodePacket({.type = PacketType::kRequest});
  EXPECT_EQ(bytes.Slice(bytes.size() - 4, 4), Raw({0, 0, 0, 0}));
}

TEST(QuorumPacketTest, TypesHaveZooKeepersNames) {
  EXPECT_EQ(PacketTypeName(PacketType::kNewLeader), "NEWLEADER");
  EXPECT_EQ(PacketTypeName(PacketType::kInformAndActivate), "INFORMANDACTIVATE");
  EXPECT_EQ(PacketTypeName(static_cast<PacketType>(99)), "packet 99");
}

// ---- Streams.

QuorumPacket AnyPacket() {
  const auto data = *rc::gen::maybe(rc::gen::container<std::string>(rc::gen::arbitrary<char>()));
  QuorumPacket packet{.type = static_cast<PacketType>(*rc::gen::inRange(1, 20)),
                      .zxid = Zxid(*rc::gen::arbitrary<int64_t>())};
  if (data) packet.data = core::Bytes::Copy(*data);
  const int ids = *rc::gen::inRange(0, 3);
  for (int i = 0; i < ids; ++i) packet.authinfo.push_back({"digest", "user:x"});
  return packet;
}

// [3.4]
RC_GTEST_PROP(QuorumPacketTest, PacketsSurviveAnyCutOfTheStream, ()) {
  std::vector<QuorumPacket> sent;
  core::BytesBuilder stream;
  const int count = *rc::gen::inRange(1, 5);
  for (int i = 0; i < count; ++i) {
    sent.push_back(AnyPacket());
    stream.Append(EncodePacket(sent.back()).view());
  }
  const core::Bytes bytes = std::move(stream).Freeze();
  PacketAssembler assembler(kMaxBuffer);
  std::vector<QuorumPacket> received;
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min<size_t>(*rc::gen::inRange(1, 20), bytes.size() - at);
    assembler.Add(core::ByteChain(bytes.Slice(at, size)));
    at += size;
    while (auto packet = assembler.Next()) received.push_back(*packet);
  }
  RC_ASSERT(assembler.status().ok());
  RC_ASSERT(received == sent);
}

RC_GTEST_PROP(QuorumPacketTest, HostileBytesGivePacketsAWishForMoreOrAnError,
              (const std::vector<uint8_t>& junk)) {
  // Any prefix of a packet, then anything.
  const core::Bytes start = EncodePacket(AnyPacket());
  const size_t kept = *rc::gen::inRange<size_t>(0, start.size() + 1);
  core::BytesBuilder stream;
  stream.Append(start.Slice(0, kept).view());
  stream.Append(absl::MakeConstSpan(junk));
  PacketAssembler assembler(64);
  assembler.Add(core::ByteChain(std::move(stream).Freeze()));
  int packets = 0;
  while (assembler.Next()) RC_ASSERT(++packets < 1000);
  if (!assembler.status().ok()) RC_ASSERT(!assembler.Next().has_value());
}

RC_GTEST_PROP(QuorumPacketTest, PayloadsOfHostileBytesGiveValuesOrErrors,
              (const std::vector<uint8_t>& junk)) {
  core::BytesBuilder builder;
  builder.Append(absl::MakeConstSpan(junk));
  const QuorumPacket packet{.data = std::move(builder).Freeze()};
  static_cast<void>(DecodeLearnerInfo(packet));
  static_cast<void>(DecodeInt(packet));
  static_cast<void>(DecodeRevalidate(packet));
  static_cast<void>(DecodeRevalidated(packet));
  static_cast<void>(DecodeForwardedRequest(packet));
  const auto touches = DecodeTouches(packet);
  RC_ASSERT(touches.ok() == (junk.size() % 12 == 0));
}

TEST(QuorumPacketTest, ALengthBeyondTheLimitIsAnErrorBeforeItsBytesCome) {
  PacketAssembler assembler =
      Assembler(Raw({0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 255, 255, 255}));
  EXPECT_FALSE(assembler.Next());
  EXPECT_THAT(std::string(assembler.status().message()), HasSubstr("data 2147483647"));
}

TEST(QuorumPacketTest, AnUnknownTypeAndANegativeLengthAreErrors) {
  PacketAssembler unknown = Assembler(Raw({0, 0, 0, 20}));
  EXPECT_FALSE(unknown.Next());
  EXPECT_FALSE(unknown.status().ok());
  PacketAssembler negative =
      Assembler(Raw({0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 254}));
  EXPECT_FALSE(negative.Next());
  EXPECT_FALSE(negative.status().ok());
}

TEST(QuorumPacketTest, WhatIsBehindASnapIsHandedOverAndTakenBack) {
  core::BytesBuilder stream;
  stream.Append(EncodePacket({.type = PacketType::kSnap, .zxid = Zxid(5)}).view());
  stream.Append("the snapshot's body");
  const core::Bytes next = EncodePacket({.type = PacketType::kNewLeader, .zxid = Zxid(6)});
  stream.Append(next.view().substr(0, 3));
  PacketAssembler assembler = Assembler(std::move(stream).Freeze());
  EXPECT_EQ(assembler.Next()->type, PacketType::kSnap);
  core::ByteChain raw = assembler.TakeRaw();
  EXPECT_EQ(raw.Slice(0, 19).ToString(), "the snapshot's body");
  raw.RemovePrefix(19);
  assembler.Add(core::ByteChain(next.Slice(3, next.size() - 3)));
  assembler.GiveBack(raw);
  EXPECT_EQ(assembler.Next()->type, PacketType::kNewLeader);
}

}  // namespace
}  // namespace highwater::broker::zookeeper
