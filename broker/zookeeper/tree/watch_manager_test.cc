#include "broker/zookeeper/tree/watch_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = WatchTable::Kind;

constexpr ConnectionId kA{1};
constexpr ConnectionId kB{2};

TreeEvent Event(WatchEventType type, std::string path) { return {type, std::move(path), nullptr}; }
TreeEvent Created(std::string path) { return Event(WatchEventType::kNodeCreated, path); }
TreeEvent Deleted(std::string path) { return Event(WatchEventType::kNodeDeleted, path); }
TreeEvent Changed(std::string path) { return Event(WatchEventType::kNodeDataChanged, path); }
TreeEvent Children(std::string path) { return Event(WatchEventType::kNodeChildrenChanged, path); }

// [4.4]
TEST(WatchManagerTest, AOneShotWatchFiresOnce) {
  WatchManager watches;
  watches.data().Add("/a", kA, Kind::kOneShot);
  EXPECT_THAT(watches.Trigger(Changed("/a")), ElementsAre(kA));
  EXPECT_THAT(watches.Trigger(Changed("/a")), IsEmpty());
  EXPECT_EQ(watches.size(), 0u);
}

TEST(WatchManagerTest, RegistrationsOfOneConnectionCollapse) {
  WatchManager watches;
  watches.data().Add("/a", kA, Kind::kOneShot);
  watches.data().Add("/a", kA, Kind::kOneShot);
  EXPECT_EQ(watches.size(), 1u);
  EXPECT_THAT(watches.Trigger(Created("/a")), ElementsAre(kA));
  EXPECT_THAT(watches.Trigger(Created("/a")), IsEmpty());
}

// [1.8]
TEST(WatchManagerTest, EachTableHearsItsOwnEvents) {
  WatchManager watches;
  watches.data().Add("/a", kA, Kind::kOneShot);
  watches.children().Add("/a", kB, Kind::kOneShot);
  EXPECT_THAT(watches.Trigger(Children("/a")), ElementsAre(kB));
  EXPECT_THAT(watches.Trigger(Changed("/a")), ElementsAre(kA));
}

// [4.4]
TEST(WatchManagerTest, ADeletionTellsAConnectionOnceThoughItStandsInBothTables) {
  WatchManager watches;
  watches.data().Add("/a", kA, Kind::kOneShot);
  watches.children().Add("/a", kA, Kind::kOneShot);
  watches.children().Add("/a", kB, Kind::kOneShot);
  EXPECT_THAT(watches.Trigger(Deleted("/a")), ElementsAre(kA, kB));
  EXPECT_EQ(watches.size(), 0u);
}

// [4.5]
TEST(WatchManagerTest, APersistentWatchStaysAndHearsBothTables) {
  WatchManager watches;
  watches.AddPersistent("/a", kA, AddWatchMode::kPersistent);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(watches.Trigger(Created("/a")), ElementsAre(kA));
    EXPECT_THAT(watches.Trigger(Children("/a")), ElementsAre(kA));
    EXPECT_THAT(watches.Trigger(Deleted("/a")), ElementsAre(kA));
  }
  EXPECT_THAT(watches.Trigger(Created("/a/b")), IsEmpty());
}

// [4.5]
TEST(WatchManagerTest, ARecursiveWatchHearsOfDescendantsButNeverOfChildren) {
  WatchManager watches;
  watches.AddPersistent("/a", kA, AddWatchMode::kPersistentRecursive);
  EXPECT_THAT(watches.Trigger(Created("/a/b/c")), ElementsAre(kA));
  EXPECT_THAT(watches.Trigger(Deleted("/a")), ElementsAre(kA));
  EXPECT_THAT(watches.Trigger(Children("/a")), IsEmpty());
  EXPECT_THAT(watches.Trigger(Changed("/ab")), IsEmpty());
}

TEST(WatchManagerTest, ARecursiveWatchOfTheRootHearsOfEverything) {
  WatchManager watches;
  watches.AddPersistent("/", kA, AddWatchMode::kPersistentRecursive);
  EXPECT_THAT(watches.Trigger(Created("/a")), ElementsAre(kA));
  EXPECT_THAT(watches.Trigger(Changed("/")), ElementsAre(kA));
}

TEST(WatchManagerTest, AOneShotBesideAPersistentWatchLeavesItAlone) {
  WatchManager watches;
  watches.AddPersistent("/a", kA, AddWatchMode::kPersistent);
  watches.data().Add("/a", kA, Kind::kOneShot);
  EXPECT_THAT(watches.Trigger(Changed("/a")), ElementsAre(kA));
  EXPECT_THAT(watches.Trigger(Changed("/a")), ElementsAre(kA));
}

TEST(WatchManagerTest, RemovingSaysWhetherThereWasOneOfThatType) {
  WatchManager watches;
  watches.children().Add("/a", kA, Kind::kOneShot);
  EXPECT_FALSE(watches.Remove("/a", kA, WatcherType::kData));
  EXPECT_FALSE(watches.Remove("/a", kB, WatcherType::kAny));
  EXPECT_TRUE(watches.Contains("/a", kA, WatcherType::kAny));
  EXPECT_TRUE(watches.Remove("/a", kA, WatcherType::kAny));
  EXPECT_FALSE(watches.Contains("/a", kA, WatcherType::kAny));
}

TEST(WatchManagerTest, AConnectionTakesItsWatchesWithIt) {
  WatchManager watches;
  watches.AddPersistent("/a", kA, AddWatchMode::kPersistentRecursive);
  watches.data().Add("/b", kA, Kind::kOneShot);
  watches.data().Add("/b", kB, Kind::kOneShot);
  watches.RemoveAll(kA);
  EXPECT_EQ(watches.size(), 1u);
  EXPECT_THAT(watches.Trigger(Changed("/b")), ElementsAre(kB));
  EXPECT_THAT(watches.Trigger(Created("/a/x")), IsEmpty());
}

}  // namespace
}  // namespace highwater::broker::zookeeper
