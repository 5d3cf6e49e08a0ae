// What a power loss makes of a file: which versions of its sectors and of its size the device is
// found to hold.

#include <absl/container/btree_map.h>

#include <algorithm>

#include "core/check.h"
#include "sim/disk/file_content.h"

namespace highwater::sim {
namespace {

using core::ByteChain;

constexpr uint64_t kToTheEnd = ~uint64_t{0} >> 1;

enum class Fate : uint8_t { kLost, kTorn, kWhole };

// Fates of `count` changes in order. Besides independent survival the extremes are drawn often:
// nothing, everything, a prefix.
std::vector<Fate> DrawFates(size_t count, core::Random& random) {
  std::vector<Fate> fates(count, Fate::kLost);
  const uint64_t mode = random.Below(5);
  const uint64_t prefix = random.Below(count + 1);
  const uint64_t eighths = mode == 3 ? 4 : random.Chance(1, 2) ? 1 : 7;
  for (size_t i = 0; i < count; ++i) {
    bool survives = false;
    if (mode == 1) survives = true;
    if (mode == 2) survives = i < prefix;
    if (mode >= 3) survives = random.Chance(eighths, 8);
    if (survives) fates[i] = Fate::kWhole;
    const bool torn = mode == 2 ? i == prefix : mode >= 3 && survives && random.Chance(1, 4);
    if (torn) fates[i] = Fate::kTorn;
  }
  return fates;
}

}  // namespace

struct FileContent::Redo {
  uint64_t offset = 0;
  uint64_t size_after = 0;
  bool truncation = false;
  ByteChain data;
};

// Takes all pending changes back, so that the map holds the device's content, and returns them,
// oldest first.
std::vector<FileContent::Redo> FileContent::TakeBackAll(ZeroBlock& zeros) {
  std::vector<Redo> redo(pending());
  for (size_t i = redo.size(); i > 0; --i) {
    const Change& change = changes_[first_ + i - 1];
    redo[i - 1] = {
        .offset = change.offset, .size_after = change.size_after, .truncation = change.truncation};
    if (!change.truncation) {
      redo[i - 1].data = map_.Read(change.offset, change.length, zeros);
    }
    TakeBack(change);
  }
  first_sequence_ += redo.size();
  changes_.clear();
  first_ = 0;
  dirty_bytes_ = 0;
  return redo;
}

LossSummary FileContent::LosePower(core::Random& random, ZeroBlock& zeros) {
  if (!dirty() && damage_ == nullptr) return {.size = size_};
  const uint64_t cached_size = size_;
  const std::vector<Redo> redo = TakeBackAll(zeros);
  if (damage_ != nullptr) Reveal(0, kToTheEnd);

  const std::vector<Fate> fates = DrawFates(redo.size(), random);
  // Sector -> one more than the last change whose version of it is on the device.
  absl::btree_map<uint64_t, size_t> versions;
  LossSummary summary{.pending = redo.size()};
  size_t survivors_end = 0;
  for (size_t i = 0; i < redo.size(); ++i) {
    if (fates[i] == Fate::kLost) continue;
    survivors_end = i + 1;
    ++(fates[i] == Fate::kWhole ? summary.survived : summary.torn);
    if (redo[i].truncation) continue;
    const uint64_t first = redo[i].offset / kSectorSize;
    const uint64_t last = (redo[i].offset + redo[i].data.size() - 1) / kSectorSize;
    for (uint64_t sector = first; sector <= last; ++sector) {
      if (fates[i] == Fate::kTorn && random.Chance(1, 2)) continue;
      versions[sector] = i + 1;
    }
  }
  const auto version_of = [&](uint64_t sector) {
    const auto it = versions.find(sector);
    return it == versions.end() ? size_t{0} : it->second;
  };

  // How many of the changes' effects on the size are on the device.
  size_t sizes = 0;
  switch (random.Below(4)) {
    case 0:
      break;
    case 1:
      sizes = redo.size();
      break;
    case 2:
      sizes = random.Below(redo.size() + 1);
      break;
    default:
      sizes = survivors_end;
      break;
  }
  uint64_t size = durable_size_;
  if (sizes > 0) {
    size = redo[sizes - 1].size_after;
  } else if (redo.empty() && random.Chance(1, 2)) {
    size = cached_size;  // all that was pending is the size that a failed sync left
  }

  for (size_t i = 0; i < redo.size(); ++i) {
    const Redo& change = redo[i];
    if (change.truncation) {
      if (i < sizes) {
        map_.Erase(change.size_after, kToTheEnd);
        continue;
      }
      // The size did not follow, but a sector that was written later was written as it looked then.
      for (auto it = versions.lower_bound(change.size_after / kSectorSize); it != versions.end();
           ++it) {
        if (it->second <= i) continue;
        const uint64_t from = std::max(change.size_after, it->first * kSectorSize);
        map_.Erase(from, (it->first + 1) * kSectorSize - from);
      }
      continue;
    }
    const uint64_t stop = change.offset + change.data.size();
    for (uint64_t at = change.offset; at < stop;) {
      const bool present = version_of(at / kSectorSize) > i;
      uint64_t until = at;
      do {
        until = std::min(stop, (until / kSectorSize + 1) * kSectorSize);
      } while (until < stop && (version_of(until / kSectorSize) > i) == present);
      if (present) {
        map_.Write(at, change.data.Slice(at - change.offset, until - at));
        if (damage_ != nullptr) Subtract(damage_->visible, at, until - at);
      }
      at = until;
    }
  }
  map_.Erase(size, kToTheEnd);
  size_ = durable_size_ = summary.size = size;
  if (damage_ != nullptr) {
    Subtract(damage_->visible, size, kToTheEnd);
    damage_->shadow.Clear();
    damage_->hidden.clear();
  }
  FinishPending();
  return summary;
}

}  // namespace highwater::sim
