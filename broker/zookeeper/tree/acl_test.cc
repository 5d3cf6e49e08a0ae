#include "broker/zookeeper/tree/acl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;

Acl Entry(int32_t perms, std::string scheme, std::string id) {
  return {.perms = perms, .id = {std::move(scheme), std::move(id)}};
}
const Id kAddress{"ip", "10.1.2.3"};
const Id kUser{"digest", "u:hash"};

// [1.9]
TEST(AclTest, ADigestIdIsTheBase64OfTheSha1) {
  // As Apache's server stores it.
  EXPECT_EQ(DigestId("u:p"), "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=");
  EXPECT_EQ(UserNameOf({"digest", "u:hash"}), "u");
  EXPECT_EQ(UserNameOf(kAddress), "10.1.2.3");
}

// [1.9]
TEST(AclTest, WorldAnyoneAllowsWhatItsBitsSay) {
  const std::vector<Acl> acl = {Entry(kPermRead, "world", "anyone")};
  EXPECT_TRUE(IsAllowed(acl, kPermRead, {}));
  EXPECT_FALSE(IsAllowed(acl, kPermWrite, {}));
  EXPECT_TRUE(IsAllowed(acl, kPermRead | kPermAdmin, {}));
}

TEST(AclTest, AnIdMatchesItsOwnEntryOnly) {
  const std::vector<Acl> acl = {Entry(kPermWrite, "digest", "u:hash")};
  EXPECT_TRUE(IsAllowed(acl, kPermWrite, {kAddress, kUser}));
  EXPECT_FALSE(IsAllowed(acl, kPermWrite, {kAddress, {"digest", "u:other"}}));
  EXPECT_FALSE(IsAllowed(acl, kPermWrite, {{"ip", "u:hash"}}));
}

TEST(AclTest, AnAddressMatchesByItsFirstBits) {
  EXPECT_TRUE(IsAllowed({Entry(31, "ip", "10.0.0.0/8")}, kPermRead, {kAddress}));
  EXPECT_FALSE(IsAllowed({Entry(31, "ip", "10.0.0.0/16")}, kPermRead, {kAddress}));
  EXPECT_TRUE(IsAllowed({Entry(31, "ip", "10.1.2.3")}, kPermRead, {kAddress}));
  EXPECT_TRUE(IsAllowed({Entry(31, "ip", "1.1.1.1/0")}, kPermRead, {kAddress}));
}

TEST(AclTest, AnEmptyAclAndTheSuperIdPassEverything) {
  EXPECT_TRUE(IsAllowed({}, kPermAdmin, {}));
  EXPECT_TRUE(IsAllowed({Entry(0, "world", "anyone")}, kPermAdmin, {{"super", ""}}));
}

TEST(AclTest, FixingUpRemovesDuplicatesAndExpandsAuth) {
  EXPECT_THAT(FixUpAcl({OpenAcl()[0], OpenAcl()[0]}, {}), Optional(ElementsAre(OpenAcl()[0])));
  EXPECT_THAT(FixUpAcl({Entry(5, "auth", "")}, {kAddress, kUser}),
              Optional(ElementsAre(Entry(5, "digest", "u:hash"))));
  EXPECT_EQ(FixUpAcl({Entry(5, "auth", "")}, {kAddress}), std::nullopt);
}

// [1.9]
TEST(AclTest, FixingUpRefusesWhatIsEmptyUnknownOrMalformed) {
  EXPECT_EQ(FixUpAcl({}, {}), std::nullopt);
  for (const Acl& bad :
       {Entry(31, "foo", "x"), Entry(31, "world", "x"), Entry(31, "ip", "1.2.3"),
        Entry(31, "ip", "1.2.3.4/40"), Entry(31, "ip", "1.2.3.400"), Entry(31, "digest", "nocolon"),
        Entry(31, "digest", "a:"), Entry(31, "digest", "a:b:c"), Entry(31, "", "")}) {
    EXPECT_EQ(FixUpAcl({bad}, {kAddress, kUser}), std::nullopt) << bad.id.scheme << bad.id.id;
  }
  EXPECT_NE(FixUpAcl({Entry(31, "ip", "1.2.3.4/8"), Entry(31, "digest", ":b")}, {}), std::nullopt);
}

TEST(AclTest, MaskingHidesHashesOnly) {
  EXPECT_THAT(MaskDigests({Entry(31, "digest", "u:hash"), Entry(1, "world", "anyone")}),
              ElementsAre(Entry(31, "digest", "u:x"), Entry(1, "world", "anyone")));
}

}  // namespace
}  // namespace highwater::broker::zookeeper
