#include "sim/disk/name_tree.h"

#include <set>
#include <string>
#include <vector>

#include "core/random.h"

namespace highwater::sim {
namespace {

using core::KeyedRandom;
using Kind = Inode::Kind;

// Drives a tree by paths and shows it as one line: "a d/ d/b".
class Names {
 public:
  explicit Names(std::vector<std::string> mounts = {})
      : tree(std::move(mounts), [this](Inode&) { ++released; }) {}

  absl::Status Make(std::string_view path, Kind kind = Kind::kFile) {
    auto place = tree.Resolve(path);
    if (!place.ok()) return place.status();
    if (place->inode != nullptr) return absl::AlreadyExistsError("exists");
    tree.Create(*place, kind, absl::UnixEpoch());
    return absl::OkStatus();
  }
  absl::Status Rename(std::string_view from, std::string_view to) {
    auto source = tree.Resolve(from);
    if (!source.ok()) return source.status();
    auto target = tree.Resolve(to);
    if (!target.ok()) return target.status();
    return tree.Rename(*source, *target);
  }
  absl::Status Remove(std::string_view path) {
    auto place = tree.Resolve(path);
    return place.ok() ? tree.Remove(*place) : place.status();
  }
  void Sync(std::string_view path) { tree.MakeDurable(**tree.Find(path), tree.sequence()); }
  std::string Show() { return Show(tree.root(), ""); }
  static std::string Show(const Inode& directory, const std::string& above) {
    std::string result;
    for (const auto& [name, inode] : *directory.names) {
      result += above + name + (inode->is_directory() ? "/ " : " ");
      if (inode->is_directory()) result += Show(*inode, above + name + "/");
    }
    return result;
  }

  NameTree tree;
  int released = 0;
};

std::set<std::string> AfterPowerLoss(const std::function<void(Names&)>& prepare) {
  std::set<std::string> results;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Names names;
    prepare(names);
    KeyedRandom random(seed);
    names.tree.LosePower(random);
    results.insert(names.Show());
  }
  return results;
}

TEST(NameTreeTest, KeepsANameOnceItsDirectoryIsSynced) {
  EXPECT_EQ(AfterPowerLoss([](Names& n) {
              ASSERT_TRUE(n.Make("a").ok());
              n.Sync("/");
            }),
            (std::set<std::string>{"a "}));
}

TEST(NameTreeTest, KeepsOrLosesAnUnsyncedName) {
  EXPECT_EQ(AfterPowerLoss([](Names& n) {
              ASSERT_TRUE(n.Make("a").ok());
              ASSERT_TRUE(n.Make("b").ok());
            }),
            (std::set<std::string>{"", "a ", "b ", "a b "}));
}

TEST(NameTreeTest, ReplacesAtomicallyOrNot) {
  EXPECT_EQ(AfterPowerLoss([](Names& n) {
              ASSERT_TRUE(n.Make("a").ok());
              ASSERT_TRUE(n.Make("a.tmp").ok());
              n.Sync("/");
              ASSERT_TRUE(n.Rename("a.tmp", "a").ok());
            }),
            (std::set<std::string>{"a ", "a a.tmp "}));
}

TEST(NameTreeTest, ARemovalMayBeLost) {
  EXPECT_EQ(AfterPowerLoss([](Names& n) {
              ASSERT_TRUE(n.Make("a").ok());
              n.Sync("/");
              ASSERT_TRUE(n.Remove("a").ok());
            }),
            (std::set<std::string>{"", "a "}));
}

TEST(NameTreeTest, SyncingADirectoryDoesNotSyncItsOwnName) {
  EXPECT_EQ(AfterPowerLoss([](Names& n) {
              ASSERT_TRUE(n.Make("d", Kind::kDirectory).ok());
              ASSERT_TRUE(n.Make("d/a").ok());
              n.Sync("d");
            }),
            (std::set<std::string>{"", "d/ d/a "}));
}

TEST(NameTreeTest, NeverLosesAMovedFile) {
  const auto results = AfterPowerLoss([](Names& n) {
    ASSERT_TRUE(n.Make("old", Kind::kDirectory).ok());
    ASSERT_TRUE(n.Make("old/a").ok());
    n.Sync("old");
    n.Sync("/");
    ASSERT_TRUE(n.Make("new", Kind::kDirectory).ok());
    ASSERT_TRUE(n.Rename("old/a", "new/b").ok());
    ASSERT_TRUE(n.Remove("old").ok());
  });
  for (const std::string& result : results) {
    EXPECT_TRUE(result.find("old/a") != std::string::npos ||
                result.find("new/b") != std::string::npos)
        << result;
  }
  EXPECT_GE(results.size(), 4u);
}

TEST(NameTreeTest, SyncingTheTargetOfAMoveBringsTheDirectoryAlong) {
  EXPECT_EQ(AfterPowerLoss([](Names& n) {
              ASSERT_TRUE(n.Make("old", Kind::kDirectory).ok());
              ASSERT_TRUE(n.Make("old/a").ok());
              n.Sync("old");
              n.Sync("/");
              ASSERT_TRUE(n.Make("new", Kind::kDirectory).ok());
              ASSERT_TRUE(n.Rename("old/a", "new/b").ok());
              n.Sync("old");
            }),
            (std::set<std::string>{"new/ new/b old/ "}));
}

TEST(NameTreeTest, RefusesWhatPosixRefuses) {
  Names n;
  ASSERT_TRUE(n.Make("d", Kind::kDirectory).ok());
  ASSERT_TRUE(n.Make("d/a").ok());
  ASSERT_TRUE(n.Make("f").ok());
  EXPECT_TRUE(absl::IsNotFound(n.Make("x/y")));
  EXPECT_TRUE(absl::IsFailedPrecondition(n.Make("f/y")));
  EXPECT_TRUE(absl::IsFailedPrecondition(n.Remove("d"))) << "not empty";
  EXPECT_TRUE(absl::IsNotFound(n.Remove("g")));
  EXPECT_TRUE(absl::IsFailedPrecondition(n.Rename("f", "d"))) << "over a directory";
  EXPECT_TRUE(absl::IsFailedPrecondition(n.Rename("d", "f"))) << "a directory over a file";
  EXPECT_TRUE(absl::IsFailedPrecondition(n.Rename("d", "d/e"))) << "into itself";
  EXPECT_TRUE(n.Rename("f", "f").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(n.Make("../x")));
  EXPECT_TRUE(absl::IsInvalidArgument(n.Make("")));
  EXPECT_TRUE(absl::IsInvalidArgument(n.Make(std::string(300, 'x'))));
  EXPECT_TRUE(absl::IsFailedPrecondition(n.Remove("/")));
  EXPECT_EQ(n.Show(), "d/ d/a f ");
}

TEST(NameTreeTest, EmptiesOneDeviceAndKeepsItsMountPoint) {
  Names n({"data"});
  ASSERT_TRUE(n.Make("data/a").ok());
  ASSERT_TRUE(n.Make("b").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(n.Rename("b", "data/b"))) << "another device";
  EXPECT_TRUE(absl::IsFailedPrecondition(n.Remove("data"))) << "mounted";
  n.tree.Empty(1);
  EXPECT_EQ(n.Show(), "b data/ ");
  EXPECT_EQ(n.released, 1);
  n.tree.Empty(0);
  EXPECT_EQ(n.Show(), "data/ ");
}

TEST(NameTreeTest, LetsGoOfAFileWhenNothingRefersToIt) {
  Names n;
  ASSERT_TRUE(n.Make("a").ok());
  Inode& inode = **n.tree.Find("a");
  n.tree.AddReference(inode);
  ASSERT_TRUE(n.Remove("a").ok());
  n.Sync("/");
  EXPECT_EQ(n.released, 0) << "a handle keeps it";
  n.tree.Release(inode);
  EXPECT_EQ(n.released, 1);
}

// Random changes against a plain model: a power loss leaves every file that was synced under one of
// the names that it had since, and never two files under one name.
RC_GTEST_PROP(NameTreePropertyTest, KeepsSyncedFilesThatWereNotRemoved, (uint32_t seed)) {
  KeyedRandom random(seed);
  Names n;
  const std::vector<std::string> paths = {"a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "g"};
  const auto numbers = [&] {
    std::set<uint64_t> result;
    n.tree.ForEachFile([&](const std::string&, Inode& inode) { result.insert(inode.id); });
    return result;
  };
  // Files whose names were all durable at one time and that nobody removed or replaced since.
  std::set<uint64_t> synced;
  for (int i = 0; i < 40; ++i) {
    const std::string& path = paths[random.Below(paths.size())];
    const std::string& other = paths[random.Below(paths.size())];
    const auto found = n.tree.Find(path);
    const auto target = n.tree.Find(other);
    switch (random.Below(6)) {
      case 0:
        static_cast<void>(n.Make(path));
        break;
      case 1:
        static_cast<void>(n.Make(path, Kind::kDirectory));
        break;
      case 2:
      case 3: {
        const uint64_t replaced = target.ok() ? (*target)->id : 0;
        const bool same = found.ok() && target.ok() && *found == *target;
        if (n.Rename(path, other).ok() && !same) synced.erase(replaced);
        break;
      }
      case 4: {
        const uint64_t removed = found.ok() ? (*found)->id : 0;
        if (n.Remove(path).ok()) synced.erase(removed);
        break;
      }
      default:
        if (random.Chance(1, 2)) {
          if (found.ok() && (*found)->is_directory()) n.Sync(path);
        } else {
          n.tree.MakeDurable(size_t{0}, n.tree.sequence());
          synced = numbers();
        }
        break;
    }
    const std::string before = n.Show();
    std::string durable;
    n.tree.WithDurableNames([&] { durable = n.Show(); });
    RC_ASSERT(n.Show() == before);
    if (n.tree.pending() == 0) RC_ASSERT(durable == before);
    if (random.Chance(1, 10)) {
      n.tree.LosePower(random);
      const std::set<uint64_t> left = numbers();
      for (const uint64_t file : synced) RC_ASSERT(left.contains(file));
      RC_ASSERT(n.tree.pending() == 0u);
      synced = left;
    }
  }
  // Nothing is kept that no name leads to.
  n.tree.MakeDurable(size_t{0}, n.tree.sequence());
  size_t reachable = 1;
  const std::string all = n.Show();
  reachable += static_cast<size_t>(std::count(all.begin(), all.end(), ' '));
  RC_ASSERT(n.tree.inodes().size() == reachable);
}

}  // namespace
}  // namespace highwater::sim
