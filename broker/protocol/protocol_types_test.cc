// The small types of the protocol: ids, error codes, the table of APIs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "broker/protocol/api.h"
#include "broker/protocol/error_code.h"
#include "broker/protocol/records.h"
#include "broker/protocol/uuid.h"

namespace highwater::broker::protocol {
namespace {

TEST(UuidTest, HasTheTextFormOfKafka) {
  EXPECT_EQ(Uuid().ToString(), "AAAAAAAAAAAAAAAAAAAAAA");
  EXPECT_EQ((Uuid{0, 1}).ToString(), "AAAAAAAAAAAAAAAAAAAAAQ");
  EXPECT_EQ((Uuid{~uint64_t{0}, ~uint64_t{0}}).ToString(), "_____________________w");
  EXPECT_EQ((Uuid{0x0123456789abcdef, 0xfedcba9876543210}).ToString(), "ASNFZ4mrze_-3LqYdlQyEA");
  EXPECT_EQ(fmt::format("{}", Uuid{0, 1}), "AAAAAAAAAAAAAAAAAAAAAQ");
}

RC_GTEST_PROP(UuidTest, ParsesItsOwnText, (uint64_t high, uint64_t low)) {
  const Uuid id{high, low};
  RC_ASSERT(Uuid::Parse(id.ToString()) == id);
}

TEST(UuidTest, RefusesOtherTexts) {
  EXPECT_EQ(Uuid::Parse(""), std::nullopt);
  EXPECT_EQ(Uuid::Parse("AAAAAAAAAAAAAAAAAAAAA"), std::nullopt) << "too short";
  EXPECT_EQ(Uuid::Parse("AAAAAAAAAAAAAAAAAAAAAA=="), std::nullopt) << "padded";
  EXPECT_EQ(Uuid::Parse("AAAAAAAAAAAAAAAAAAAAA+"), std::nullopt) << "not URL-safe";
  EXPECT_EQ(Uuid::Parse("AAAAAAAAAAAAAAAAAAAAAB"), std::nullopt) << "bits past the 128th";
}

// [Z25]
TEST(UuidTest, KeepsReservedIdsFromTopics) {
  EXPECT_TRUE(IsReservedUuid(Uuid()));
  EXPECT_TRUE(IsReservedUuid({0, 1}));
  EXPECT_TRUE(IsReservedUuid({uint64_t{62} << 58, 9}));
  EXPECT_EQ((Uuid{uint64_t{62} << 58, 9}).ToString()[0], '-');
  EXPECT_FALSE(IsReservedUuid({0, 2}));
  EXPECT_FALSE(IsReservedUuid({uint64_t{61} << 58, 9}));
}

// [Wire 7, Y3]
TEST(ErrorCodeTest, KnowsNamesAndWhatClientsDo) {
  EXPECT_EQ(NameOf(ErrorCode::NOT_LEADER_OR_FOLLOWER), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(static_cast<int>(ErrorCode::NOT_LEADER_OR_FOLLOWER), 6);
  EXPECT_EQ(static_cast<int>(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR), 106);
  EXPECT_TRUE(IsRetriable(ErrorCode::NOT_LEADER_OR_FOLLOWER));
  EXPECT_TRUE(RefreshesMetadata(ErrorCode::NOT_LEADER_OR_FOLLOWER));
  EXPECT_TRUE(IsRetriable(ErrorCode::UNKNOWN_LEADER_EPOCH));
  EXPECT_FALSE(RefreshesMetadata(ErrorCode::UNKNOWN_LEADER_EPOCH));
  EXPECT_FALSE(IsRetriable(ErrorCode::CONCURRENT_TRANSACTIONS));
  EXPECT_EQ(KnownOrUnknown(static_cast<ErrorCode>(107)), ErrorCode::UNKNOWN_SERVER_ERROR);
  EXPECT_EQ(KnownOrUnknown(static_cast<ErrorCode>(-2)), ErrorCode::UNKNOWN_SERVER_ERROR);
  EXPECT_EQ(KnownOrUnknown(ErrorCode::NONE), ErrorCode::NONE);
  EXPECT_EQ(fmt::format("{} {}", ErrorCode::NONE, static_cast<ErrorCode>(107)), "NONE ERROR_107");
}

// [Wire 3]
TEST(ApiTest, HasTheTableOf323) {
  EXPECT_EQ(std::size(kApis), 59u);
  EXPECT_EQ(InfoOf(ApiKey::kFetch).highest_version, 13);
  EXPECT_EQ(InfoOf(ApiKey::kFetch).first_flexible_version, 12);
  EXPECT_EQ(InfoOf(ApiKey::kOffsetDelete).first_flexible_version, kNeverFlexible);
  for (const ApiInfo& api : kApis) EXPECT_EQ(api.lowest_version, 0) << api.name;
  EXPECT_EQ(FindApi(52), nullptr);
  EXPECT_EQ(FindApi(-1), nullptr);
  EXPECT_EQ(FindApi(68), nullptr);
  EXPECT_TRUE(IsSupported(0, 9));
  EXPECT_FALSE(IsSupported(0, 10));
  EXPECT_FALSE(IsSupported(0, -1));
  EXPECT_EQ(fmt::format("{} {}", ApiKey::kAlterPartition, static_cast<ApiKey>(52)),
            "AlterPartition Api52");
}

// [Wire 1.4]
TEST(ApiTest, KnowsHeaderVersions) {
  EXPECT_EQ(RequestHeaderVersion(ApiKey::kProduce, 8), 1);
  EXPECT_EQ(RequestHeaderVersion(ApiKey::kProduce, 9), 2);
  EXPECT_EQ(ResponseHeaderVersion(ApiKey::kProduce, 8), 0);
  EXPECT_EQ(ResponseHeaderVersion(ApiKey::kProduce, 9), 1);
  EXPECT_EQ(RequestHeaderVersion(ApiKey::kControlledShutdown, 0), 0);
  EXPECT_EQ(RequestHeaderVersion(ApiKey::kControlledShutdown, 1), 1);
  EXPECT_EQ(RequestHeaderVersion(ApiKey::kApiVersions, 77), 2);
  EXPECT_EQ(ResponseHeaderVersion(ApiKey::kApiVersions, 3), 0);
  EXPECT_EQ(RequestHeaderVersion(ApiKey::kSaslHandshake, 1), 1);
}

// [Wire 3]
TEST(ApiTest, KnowsWhoMaySendAndWhereTo) {
  int internal = 0;
  int for_controller = 0;
  int throttled = 0;
  for (const ApiInfo& api : kApis) {
    internal += IsClusterInternal(api.key);
    for_controller += IsForController(api.key);
    throttled += FirstClientThrottledVersion(api.key) != kNeverThrottles;
  }
  EXPECT_EQ(internal, 7);
  EXPECT_EQ(for_controller, 11);
  EXPECT_EQ(throttled, 42);
  EXPECT_EQ(FirstClientThrottledVersion(ApiKey::kFetch), 8);
}

TEST(RecordsTest, TellsNullFromEmpty) {
  EXPECT_TRUE(Records().is_null());
  EXPECT_FALSE(Records::Empty().is_null());
  EXPECT_NE(Records(), Records::Empty());
  EXPECT_EQ(Records(core::Bytes::Copy("ab")),
            Records(core::ByteChain{core::Bytes::Copy("a"), core::Bytes::Copy("b")}));
}

}  // namespace
}  // namespace highwater::broker::protocol
