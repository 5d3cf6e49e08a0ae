#include "broker/zookeeper/tree/path.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <vector>

namespace highwater::broker::zookeeper {
namespace {

// [4.2]
TEST(PathTest, TakesOrdinaryPathsAndRefusesTheRest) {
  for (const char* path : {"/", "/a", "/a/b", "/...", "/a b", "/oké", "/\xea\x80\x80"}) {
    EXPECT_TRUE(IsValidPath(path)) << path;
  }
  for (const char* path :
       {"", "a", "a/b", "/a/", "//", "/a//b", "/.", "/..", "/a/./b", "/a/../b"}) {
    EXPECT_FALSE(IsValidPath(path)) << path;
  }
  EXPECT_FALSE(IsValidPath(std::string_view("/a\0b", 4)));
}

// [4.2]
TEST(PathTest, RefusesControlSurrogatePrivateAndSpecialCharacters) {
  for (const char* name : {"\x01", "\x1f", "\x7f", "\u0080", "\u009f", "\ue000", "\uf8ff", "\ufff0",
                           "\uffff", "\U0001f600"}) {
    EXPECT_FALSE(IsValidPath(std::string("/a") + name)) << name;
  }
  for (const char* name : {"\x20", "\u00a0", "\ud7ff", "\uf900", "\uffef"}) {
    EXPECT_TRUE(IsValidPath(std::string("/a") + name)) << name;
  }
}

TEST(PathTest, RefusesWhatIsNotUtf8) {
  for (const char* name : {"\x80", "\xc3", "\xff", "\xe2\x82", "\xc3("}) {
    EXPECT_FALSE(IsValidPath(std::string("/a") + name));
  }
}

TEST(PathTest, SplitsAtTheLastSlash) {
  EXPECT_EQ(ParentOf("/a/b"), "/a");
  EXPECT_EQ(ParentOf("/a"), "/");
  EXPECT_EQ(NameOf("/a/b"), "b");
  EXPECT_EQ(ChildPath("/", "a"), "/a");
  EXPECT_EQ(ChildPath("/a", "b"), "/a/b");
}

// [4.2]
TEST(PathTest, SequenceSuffixesHaveTenDigitsAndMayBeNegative) {
  EXPECT_EQ(SequenceSuffix(0), "0000000000");
  EXPECT_EQ(SequenceSuffix(2147483647), "2147483647");
  EXPECT_EQ(SequenceSuffix(-2147483647 - 1), "-2147483648");
}

TEST(PathTest, OrderIsDepthFirst) {
  std::vector<std::string> paths = {"/a-b", "/a/b/c", "/", "/a", "/b", "/a/b", "/a0", "/a/b-"};
  std::ranges::sort(paths, PathLess());
  EXPECT_EQ(paths,
            (std::vector<std::string>{"/", "/a", "/a/b", "/a/b/c", "/a/b-", "/a-b", "/a0", "/b"}));
}

RC_GTEST_PROP(PathTest, OrderIsStrictAndKeepsSubtreesTogether, ()) {
  const auto any = rc::gen::map(rc::gen::container<std::vector<std::string>>(
                                    rc::gen::element<std::string>("a", "b-", "a/", "z")),
                                [](const std::vector<std::string>& names) {
                                  std::string path;
                                  for (const std::string& name : names) path += "/" + name;
                                  return path;
                                });
  const std::string a = *any;
  const std::string b = *any;
  const std::string c = *any;
  const PathLess less;
  RC_ASSERT(!less(a, a));
  RC_ASSERT(!(less(a, b) && less(b, a)));
  RC_ASSERT(less(a, b) || less(b, a) || a == b);
  RC_ASSERT(!(less(a, b) && less(b, c)) || less(a, c));
  // Between a node and its descendant there are only descendants.
  if (less(a, b) && less(b, a + "/x/y")) RC_ASSERT(b.starts_with(a + "/"));
}

}  // namespace
}  // namespace highwater::broker::zookeeper
