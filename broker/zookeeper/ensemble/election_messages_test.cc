#include "broker/zookeeper/ensemble/election_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

core::Bytes Raw(const std::vector<int>& bytes) {
  std::string content;
  for (const int byte : bytes) content.push_back(static_cast<char>(byte));
  return core::Bytes::Copy(content);
}

const std::vector<int> kRoundForm = {0, 0, 0, 2,               // LEADING
                                     0, 0, 0, 0, 0, 0, 0, 3,   // leader
                                     0, 0, 0, 5, 0, 0, 0, 9,   // zxid
                                     0, 0, 0, 0, 0, 0, 0, 4};  // round

// [3.2]
TEST(ElectionMessagesTest, TheInitialMessageIsTagSidAndAddress) {
  EXPECT_EQ(EncodeInitialMessage({ServerId(2), {"a:1"}}),
            Raw({255, 255, 255, 255, 255, 255, 0, 0,  // -65536
                 0,   0,   0,   0,   0,   0,   0, 2, 0, 0, 0, 3, 'a', ':', '1'}));
}

TEST(ElectionMessagesTest, SeveralAddressesComeUnderAnotherTag) {
  const InitialMessage message{ServerId(2), {"a:1", "[::1]:2"}};
  core::ByteChain pending(EncodeInitialMessage(message));
  const auto taken = TakeInitialMessage(pending);
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(*taken, message);
  EXPECT_TRUE(pending.empty());
}

TEST(ElectionMessagesTest, TheAncientFormIsTheSidItself) {
  core::ByteChain pending(Raw({0, 0, 0, 0, 0, 0, 0, 3, 99}));
  const auto taken = TakeInitialMessage(pending);
  ASSERT_TRUE(taken.ok() && taken->has_value());
  EXPECT_EQ((*taken)->server, ServerId(3));
  EXPECT_EQ(pending.size(), 1u) << "what follows is not part of it";
}

TEST(ElectionMessagesTest, AnInitialMessageIsTakenOnceItIsWhole) {
  const core::Bytes bytes = EncodeInitialMessage({ServerId(2), {"host:3888"}});
  for (size_t size = 0; size < bytes.size(); ++size) {
    core::ByteChain pending(bytes.Slice(0, size));
    const auto taken = TakeInitialMessage(pending);
    ASSERT_TRUE(taken.ok()) << size;
    EXPECT_FALSE(taken->has_value()) << size;
    EXPECT_EQ(pending.size(), size) << "nothing is taken before";
  }
}

TEST(ElectionMessagesTest, AnUnknownTagOrAnAbsurdLengthEndsTheConnection) {
  core::ByteChain tag(Raw({255, 255, 255, 255, 255, 255, 0, 7}));
  EXPECT_FALSE(TakeInitialMessage(tag).ok());
  core::ByteChain length(
      Raw({255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x7f, 0, 0, 0}));
  EXPECT_FALSE(TakeInitialMessage(length).ok());
}

// [3.2]
TEST(ElectionMessagesTest, ANotificationIs44BytesAndTheConfiguration) {
  const Notification notification{.state = PeerState::kLeading,
                                  .vote = {ServerId(3), Zxid(0x500000009), ZabEpoch(5)},
                                  .round = ElectionRound(4),
                                  .config = core::Bytes::Copy("version=0")};
  std::vector<int> expected = {0, 0, 0, 44 + 9};
  expected.insert(expected.end(), kRoundForm.begin(), kRoundForm.end());
  for (const int byte : {0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 9}) expected.push_back(byte);
  for (const char c : std::string("version=0")) expected.push_back(c);
  const core::Bytes frame = EncodeNotificationFrame(notification);
  EXPECT_EQ(frame, Raw(expected));
  EXPECT_EQ(*DecodeNotification(frame.Slice(4, frame.size() - 4)), notification);
}

TEST(ElectionMessagesTest, The28ByteFormTakesTheEpochFromTheZxid) {
  const auto old = DecodeNotification(Raw(kRoundForm));
  ASSERT_TRUE(old.ok());
  EXPECT_EQ(old->vote.peer_epoch, ZabEpoch(5));
  EXPECT_TRUE(old->config.empty());
}

TEST(ElectionMessagesTest, The40ByteFormHasAnEpochAndNoConfiguration) {
  std::vector<int> bytes = kRoundForm;
  for (const int byte : {0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 1}) bytes.push_back(byte);
  const auto old = DecodeNotification(Raw(bytes));
  ASSERT_TRUE(old.ok());
  EXPECT_EQ(old->vote.peer_epoch, ZabEpoch(6));
}

// ZOOKEEPER-3769: a message that was cut short is an error of its own.
TEST(ElectionMessagesTest, EveryOtherLengthIsAnError) {
  const core::Bytes whole =
      EncodeNotificationFrame({.config = core::Bytes::Copy("version=0")}).Slice(4, 53);
  for (size_t size = 0; size < whole.size(); ++size) {
    if (size == 28 || size == 40) continue;
    EXPECT_FALSE(DecodeNotification(whole.Slice(0, size)).ok()) << size;
  }
}

TEST(ElectionMessagesTest, AnUnknownStateIsAnError) {
  std::vector<int> bytes = kRoundForm;
  bytes[3] = 4;
  EXPECT_FALSE(DecodeNotification(Raw(bytes)).ok());
}

RC_GTEST_PROP(ElectionMessagesTest, HostileBytesGiveValuesOrErrors,
              (const std::vector<uint8_t>& junk)) {
  core::BytesBuilder builder;
  builder.Append(absl::MakeConstSpan(junk));
  const core::Bytes bytes = std::move(builder).Freeze();
  static_cast<void>(DecodeNotification(bytes));
  core::ByteChain pending(bytes);
  while (true) {
    const size_t before = pending.size();
    const auto taken = TakeInitialMessage(pending);
    if (!taken.ok() || !taken->has_value()) break;
    RC_ASSERT(pending.size() < before);
  }
}

}  // namespace
}  // namespace highwater::broker::zookeeper
