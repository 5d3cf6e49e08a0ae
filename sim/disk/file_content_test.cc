#include "sim/disk/file_content.h"

#include <set>
#include <string>
#include <vector>

#include "core/random.h"

namespace highwater::sim {
namespace {

using core::ByteChain;
using core::Bytes;
using core::KeyedRandom;

constexpr FaultId kFault{7};

class FileContentTest : public testing::Test {
 protected:
  std::string All(const FileContent& content) {
    return content.Read(0, content.size(), zeros_).ToString();
  }
  // What a power loss may leave, over many draws.
  std::set<std::string> AfterPowerLoss(const std::function<void(FileContent&)>& prepare) {
    std::set<std::string> results;
    for (uint64_t seed = 0; seed < 500; ++seed) {
      FileContent content;
      prepare(content);
      KeyedRandom random(seed);
      content.LosePower(random, zeros_);
      results.insert(All(content));
    }
    return results;
  }
  ZeroBlock zeros_;
};

std::string Sectors(std::string_view letters) {
  std::string result;
  for (const char c : letters) result.append(kSectorSize, c);
  return result;
}

Bytes Sector(char c, size_t count = 1) { return Bytes::Copy(std::string(kSectorSize * count, c)); }

TEST_F(FileContentTest, KeepsWhatWasSynced) {
  const auto results = AfterPowerLoss([](FileContent& content) {
    content.Write(0, Sector('a'));
    content.MakeDurable(content.sequence());
  });
  EXPECT_EQ(results, (std::set<std::string>{Sectors("a")}));
}

TEST_F(FileContentTest, LosesTearsAndReordersWhatWasNotSynced) {
  const auto results = AfterPowerLoss([](FileContent& content) {
    content.Write(0, Sector('a'));
    content.MakeDurable(content.sequence());
    content.Write(kSectorSize, Sector('b', 2));
    content.Write(3 * kSectorSize, Sector('c'));
  });
  EXPECT_TRUE(results.contains(Sectors("a"))) << "all lost";
  EXPECT_TRUE(results.contains(Sectors("abbc"))) << "all kept";
  EXPECT_TRUE(results.contains(Sectors(std::string("a\0\0c", 4)))) << "reordered";
  EXPECT_TRUE(results.contains(Sectors(std::string("a\0bc", 4)))) << "torn";
  EXPECT_TRUE(results.contains(Sectors(std::string("a\0\0\0", 4)))) << "only the size kept";
  EXPECT_TRUE(results.contains(Sectors("abb"))) << "a prefix kept";
}

TEST_F(FileContentTest, KeepsASectorInOneOfItsVersions) {
  const auto results = AfterPowerLoss([](FileContent& content) {
    content.Write(0, Sector('a'));
    content.MakeDurable(content.sequence());
    content.Write(0, Bytes::Copy("bbb"));
    content.Write(2, Bytes::Copy("ccc"));
  });
  std::set<std::string> starts;
  for (const std::string& result : results) starts.insert(result.substr(0, 6));
  EXPECT_EQ(starts, (std::set<std::string>{"aaaaaa", "bbbaaa", "bbccca"}));
}

TEST_F(FileContentTest, TruncatesAtomicallyOrNot) {
  const auto results = AfterPowerLoss([](FileContent& content) {
    content.Write(0, Sector('a', 3));
    content.MakeDurable(content.sequence());
    content.Truncate(kSectorSize);
  });
  EXPECT_EQ(results, (std::set<std::string>{Sectors("aaa"), Sectors("a")}));
}

TEST_F(FileContentTest, NeverShowsWhatWasCutOffInAFileThatGrewAgain) {
  const auto results = AfterPowerLoss([](FileContent& content) {
    content.Write(0, Sector('a', 3));
    content.MakeDurable(content.sequence());
    content.Truncate(0);
    content.Write(3 * kSectorSize, Sector('b'));
  });
  EXPECT_EQ(results,
            (std::set<std::string>{Sectors("aaa"), Sectors(""), Sectors(std::string("\0\0\0b", 4)),
                                   Sectors(std::string("\0\0\0\0", 4))}));
}

TEST_F(FileContentTest, ASyncCoversOnlyWhatCameBeforeIt) {
  const auto results = AfterPowerLoss([](FileContent& content) {
    content.Write(0, Sector('a'));
    const uint64_t upto = content.sequence();
    content.Write(0, Sector('b'));
    content.MakeDurable(upto);
  });
  EXPECT_EQ(results, (std::set<std::string>{Sectors("a"), Sectors("b")}));
}

TEST_F(FileContentTest, AFailedSyncReadsAsWrittenUntilThePageGoes) {
  bool lost = false;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    FileContent content;
    content.Write(0, Sector('a'));
    content.MakeDurable(content.sequence());
    content.Write(0, Sector('b'));
    KeyedRandom random(seed);
    content.FailToWrite(content.sequence(), random, kFault, zeros_);
    EXPECT_EQ(All(content), Sectors("b"));
    EXPECT_EQ(content.dirty_bytes(), 0u) << "clean pages: a second sync does not write them";
    EXPECT_EQ(content.VisibleFault(0, 1), kNoFault);
    content.MakeDurable(content.sequence());
    EXPECT_EQ(All(content), Sectors("b"));
    content.DropPages(0, 4096);
    if (All(content) != Sectors("a")) continue;
    lost = true;
    EXPECT_EQ(content.VisibleFault(0, 1), kFault);
  }
  EXPECT_TRUE(lost);
}

TEST_F(FileContentTest, AFailedSyncOfAnAppendLeavesZerosBehindIt) {
  const auto results = AfterPowerLoss([this](FileContent& content) {
    content.Write(0, Sector('a'));
    KeyedRandom random(content.size());
    content.FailToWrite(content.sequence(), random, kFault, zeros_);
    content.MakeDurable(content.sequence());
  });
  for (const std::string& result : results) {
    EXPECT_TRUE(result == Sectors("a") || result == Sectors(std::string("\0", 1)));
  }
}

TEST_F(FileContentTest, AFlippedBitComesToLightWithThePage) {
  FileContent content;
  content.Write(0, Bytes::Copy("abcd"));
  EXPECT_FALSE(content.FlipBit(1, 0, kFault, zeros_)) << "nothing of it is on the device";
  content.MakeDurable(content.sequence());
  EXPECT_TRUE(content.FlipBit(1, 0, kFault, zeros_));
  EXPECT_EQ(All(content), "abcd");
  content.DropPages(0, 4096);
  EXPECT_EQ(All(content), "accd");
  EXPECT_EQ(content.VisibleFault(0, 4), kFault);
  EXPECT_EQ(content.VisibleFault(2, 2), kNoFault);
  content.Write(1, Bytes::Copy("b"));
  EXPECT_EQ(content.VisibleFault(0, 4), kNoFault) << "overwritten";
}

TEST_F(FileContentTest, AFlippedBitIsHealedByWritingThePageAgain) {
  FileContent content;
  content.Write(0, Bytes::Copy("abcd"));
  content.MakeDurable(content.sequence());
  EXPECT_TRUE(content.FlipBit(1, 0, kFault, zeros_));
  content.Write(0, Bytes::Copy("abcd"));
  content.MakeDurable(content.sequence());
  KeyedRandom random(1);
  content.LosePower(random, zeros_);
  EXPECT_EQ(All(content), "abcd");
}

TEST_F(FileContentTest, ALostWriteShowsTheOldContentOnceThePageGoes) {
  FileContent content;
  content.Write(0, Bytes::Copy("old old"));
  content.MakeDurable(content.sequence());
  content.Write(4, Bytes::Copy("new"));
  const auto lost = content.LoseWrites(content.sequence(), kFault, zeros_);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].offset, 4u);
  EXPECT_EQ(All(content), "old new");
  EXPECT_FALSE(content.dirty());
  EXPECT_EQ(content.CertainPrefix(), 4u);
  content.DropPages(0, 4096);
  EXPECT_EQ(All(content), "old old");
}

// A reference that remembers every version of every sector since it was last durable, and every
// size.
class Reference {
 public:
  void Write(uint64_t offset, const std::string& data) {
    if (content.size() < offset + data.size()) content.resize(offset + data.size());
    content.replace(offset, data.size(), data);
    Remember();
  }
  void Truncate(uint64_t size) {
    content.resize(size);
    Remember();
  }
  void Sync() { versions = {content}; }
  void Remember() { versions.push_back(content); }
  // Each sector of `found` must be that of one version, cut where it or a later one had its end,
  // with zeros behind; the size must be one of the sizes.
  [[nodiscard]] bool Explains(const std::string& found) const {
    bool size_known = false;
    for (const std::string& version : versions) size_known |= version.size() == found.size();
    if (!size_known) return false;
    for (uint64_t at = 0; at < found.size(); at += kSectorSize) {
      const std::string sector = found.substr(at, kSectorSize);
      bool known = false;
      for (size_t i = 0; i < versions.size(); ++i) {
        // A later truncation may have reached the device although a write before it did not.
        for (size_t j = i; j < versions.size(); ++j) {
          std::string then = versions[i].substr(0, versions[j].size());
          then = at < then.size() ? then.substr(at, sector.size()) : "";
          then.resize(sector.size());
          known |= then == sector;
        }
      }
      if (!known) return false;
    }
    return true;
  }
  std::string content;
  std::vector<std::string> versions = {""};
};

RC_GTEST_PROP(FileContentPropertyTest, EveryByteAfterAPowerLossIsExplained, (uint32_t seed)) {
  KeyedRandom random(seed);
  ZeroBlock zeros;
  FileContent content;
  Reference reference;
  for (int i = 0; i < 60; ++i) {
    const uint64_t step = random.Below(20);
    const uint64_t offset = random.Below(6000);
    if (step < 12) {
      const size_t length = random.Below(2000) + 1;
      const uint64_t at = random.Chance(1, 2) ? content.size() : offset;
      std::string data(length, static_cast<char>('a' + i % 26));
      data[0] = static_cast<char>(i);
      content.Write(at, ByteChain{Bytes::Copy(data.substr(0, length / 3)),
                                  Bytes::Copy(data.substr(length / 3))});
      reference.Write(at, data);
    } else if (step < 14) {
      content.Truncate(offset);
      reference.Truncate(offset);
    } else if (step < 16) {
      content.MakeDurable(content.sequence());
      reference.Sync();
    } else if (step < 18) {
      // A write-back makes a prefix durable: all versions from there on remain possible, the older
      // ones do not.
      const uint64_t count = random.Below(content.pending() + 1);
      content.MakeDurable(content.durable_sequence() + count);
    } else if (step == 18) {
      const std::string durable = content.Durable().Read(0, 1 << 20, zeros).ToString();
      const uint64_t certain = content.CertainPrefix();
      content.LosePower(random, zeros);
      const std::string found = content.Read(0, 1 << 20, zeros).ToString();
      RC_ASSERT(found.size() == content.size());
      RC_ASSERT(reference.Explains(found));
      RC_ASSERT(found.size() >= certain && durable.substr(0, certain) == found.substr(0, certain));
      reference.content = found;
      reference.Sync();
    }
    RC_ASSERT(content.Read(0, 1 << 20, zeros).ToString() == reference.content);
    RC_ASSERT(content.pending() > 0 || !content.dirty());
  }
}

RC_GTEST_PROP(FileContentPropertyTest, DropsOfCleanPagesChangeNothingOnAHealthyDevice,
              (uint32_t seed)) {
  KeyedRandom random(seed);
  ZeroBlock zeros;
  FileContent content;
  for (int i = 0; i < 50; ++i) {
    content.Write(random.Below(20'000), Bytes::Copy(std::string(random.Below(900) + 1, 'a' + i)));
    if (random.Chance(1, 3)) content.MakeDurable(content.sequence());
    const std::string before = content.Read(0, 1 << 20, zeros).ToString();
    const uint64_t page = random.Below(6) * 4096;
    if (!content.MayBeDirty(page, 4096)) content.DropPages(page, 4096);
    RC_ASSERT(content.Read(0, 1 << 20, zeros).ToString() == before);
  }
}

}  // namespace
}  // namespace highwater::sim
