#include "sim/disk/file_content.h"

#include <algorithm>

#include "core/check.h"

namespace highwater::sim {
namespace {

using core::ByteChain;
using core::Bytes;

constexpr uint64_t kToTheEnd = ~uint64_t{0} >> 1;

}  // namespace

ByteChain FileContent::Read(uint64_t offset, uint64_t length, ZeroBlock& zeros) const {
  if (offset >= size_) return {};
  return map_.Read(offset, std::min(length, size_ - offset), zeros);
}

void FileContent::Write(uint64_t offset, const ByteChain& data) {
  if (data.empty()) return;
  Change change{.offset = offset,
                .length = data.size(),
                .size_before = size_,
                .size_after = std::max(size_, offset + data.size())};
  if (offset < map_.end()) {
    std::vector<Extent> covered = map_.Collect(offset, data.size());
    if (!covered.empty()) {
      change.covered = std::make_unique<std::vector<Extent>>(std::move(covered));
    }
    if (damage_ != nullptr) Subtract(damage_->visible, offset, data.size());
  }
  map_.Write(offset, data);
  Push(std::move(change));
}

void FileContent::Truncate(uint64_t size) {
  if (size == size_) return;
  Change change{.offset = size, .size_before = size_, .size_after = size, .truncation = true};
  if (size < map_.end()) {
    std::vector<Extent> covered = map_.Collect(size, kToTheEnd);
    change.covered = std::make_unique<std::vector<Extent>>(std::move(covered));
    map_.Erase(size, kToTheEnd);
    if (damage_ != nullptr) Subtract(damage_->visible, size, kToTheEnd);
  }
  Push(std::move(change));
}

void FileContent::Push(Change change) {
  size_ = change.size_after;
  dirty_bytes_ += change.length;
  dirty_begin_ = std::min(dirty_begin_, change.offset);
  dirty_end_ = std::max(dirty_end_, change.truncation ? std::max(change.size_before, change.offset)
                                                      : change.offset + change.length);
  changes_.push_back(std::move(change));
}

FileContent::Change FileContent::Pop() {
  Change change = std::move(changes_[first_++]);
  ++first_sequence_;
  dirty_bytes_ -= change.length;
  return change;
}

// Called when a prefix of the changes has been taken off.
void FileContent::FinishPending() {
  if (pending() == 0) {
    changes_.clear();
    // A quiet file keeps no room for changes: most files of a large cluster are quiet.
    if (changes_.capacity() > 64) changes_.shrink_to_fit();
    first_ = 0;
    dirty_begin_ = ~uint64_t{0};
    dirty_end_ = 0;
  } else if (first_ > 32 && first_ * 2 > changes_.size()) {
    changes_.erase(changes_.begin(), changes_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
  if (damage_ != nullptr && damage_->shadow.empty() && damage_->visible.empty()) damage_.reset();
}

void FileContent::MakeDurable(uint64_t upto) {
  HW_CHECK(upto <= sequence(), "changes below {} of {}", upto, sequence());
  if (upto < first_sequence_) return;  // a later sync or write-back was faster
  while (first_sequence_ < upto) Forget(Pop());
  durable_size_ = pending() > 0 ? changes_[first_].size_before : size_;
  FinishPending();
}

void FileContent::Forget(const Change& written) {
  if (damage_ == nullptr) return;
  const uint64_t length = written.truncation ? kToTheEnd : written.length;
  damage_->shadow.Erase(written.offset, length);
  Subtract(damage_->hidden, written.offset, length);
}

void FileContent::FailToWrite(uint64_t upto, core::Random& random, FaultId fault,
                              ZeroBlock& zeros) {
  HW_CHECK(upto <= sequence(), "changes below {} of {}", upto, sequence());
  while (first_sequence_ < upto) {
    const Change change = Pop();
    const bool written = random.Chance(1, 2);
    // A truncation is metadata: once the journal has it, the size that is durable cannot be
    // greater.
    if (change.truncation) durable_size_ = std::min(durable_size_, change.size_after);
    if (change.truncation || written) {
      Forget(change);
    } else {
      Cover(change, fault, zeros);
    }
  }
  FinishPending();
}

std::vector<Extent> FileContent::LoseWrites(uint64_t upto, FaultId fault, ZeroBlock& zeros) {
  HW_CHECK(upto <= sequence(), "changes below {} of {}", upto, sequence());
  std::vector<Extent> lost;
  if (upto < first_sequence_) return lost;
  while (first_sequence_ < upto) {
    const Change change = Pop();
    if (change.truncation) {
      Forget(change);
      continue;
    }
    for (Extent& extent : map_.Collect(change.offset, change.length)) {
      lost.push_back(std::move(extent));
    }
    Cover(change, fault, zeros);
  }
  durable_size_ = pending() > 0 ? changes_[first_].size_before : size_;
  FinishPending();
  return lost;
}

// The device kept what it had below `lost`: the shadow holds it from now on.
void FileContent::Cover(const Change& lost, FaultId fault, ZeroBlock& zeros) {
  ExtentMap below;
  if (lost.covered != nullptr) {
    for (const Extent& extent : *lost.covered) below.Write(extent.offset, extent.bytes);
  }
  // Where the device already differed from the cache it stays as it was, whatever the cache held.
  ExtentMap kept;
  Damage& damage = this->damage();
  for (const Extent& extent : damage.shadow.Collect(lost.offset, lost.length)) {
    kept.Write(extent.offset, extent.bytes);
  }
  damage.shadow.Write(lost.offset, below.Read(lost.offset, lost.length, zeros));
  for (const Extent& extent : kept.Collect(0, kToTheEnd)) {
    damage.shadow.Write(extent.offset, extent.bytes);
  }
  damage.hidden.push_back({lost.offset, lost.length, fault});
}

bool FileContent::OverwriteDevice(uint64_t offset, const ByteChain& data, FaultId fault) {
  if (offset >= durable_size_ || data.empty()) return false;
  const uint64_t length = std::min<uint64_t>(data.size(), durable_size_ - offset);
  damage().shadow.Write(offset, data.Slice(0, length));
  damage().hidden.push_back({offset, length, fault});
  return true;
}

bool FileContent::FlipBit(uint64_t offset, int bit, FaultId fault, ZeroBlock& zeros) {
  HW_CHECK(bit >= 0 && bit < 8);
  if (offset >= durable_size_) return false;
  uint8_t byte = 0;
  Durable().Read(offset, 1, zeros).CopyTo(0, 1, &byte);
  byte = static_cast<uint8_t>(byte ^ 1 << bit);
  return OverwriteDevice(offset, Bytes::Copy({reinterpret_cast<const char*>(&byte), 1}), fault);
}

void FileContent::DropPages(uint64_t offset, uint64_t length) {
  if (damage_ == nullptr) return;
  HW_CHECK(!MayBeDirty(offset, length), "dirty pages of [{}, +{}) are dropped", offset, length);
  Reveal(offset, length);
}

void FileContent::Reveal(uint64_t offset, uint64_t length) {
  for (const Extent& extent : damage_->shadow.Collect(offset, length)) {
    if (extent.offset >= size_) break;
    const uint64_t n = std::min<uint64_t>(extent.bytes.size(), size_ - extent.offset);
    map_.Write(extent.offset, extent.bytes.Slice(0, n));
  }
  damage_->shadow.Erase(offset, length);
  const uint64_t stop = offset + length;
  for (const FaultRange& range : damage_->hidden) {
    const uint64_t from = std::max(offset, range.offset);
    const uint64_t until = std::min({stop, range.offset + range.length, size_});
    if (from < until) damage_->visible.push_back({from, until - from, range.fault});
  }
  Subtract(damage_->hidden, offset, length);
}

FileContent::Damage& FileContent::damage() {
  if (damage_ == nullptr) damage_ = std::make_unique<Damage>();
  return *damage_;
}

FaultId FileContent::FindVisibleFault(uint64_t offset, uint64_t length) const {
  for (const FaultRange& range : damage_->visible) {
    if (range.offset < offset + length && offset < range.offset + range.length) return range.fault;
  }
  return kNoFault;
}

void FileContent::Subtract(std::vector<FaultRange>& ranges, uint64_t offset, uint64_t length) {
  const uint64_t stop = offset + std::min(length, kToTheEnd);
  std::vector<FaultRange> left;
  for (const FaultRange& range : ranges) {
    const uint64_t end = range.offset + range.length;
    if (end <= offset || stop <= range.offset) {
      left.push_back(range);
      continue;
    }
    if (range.offset < offset) left.push_back({range.offset, offset - range.offset, range.fault});
    if (stop < end) left.push_back({stop, end - stop, range.fault});
  }
  ranges = std::move(left);
}

void FileContent::TakeBack(const Change& change) {
  map_.Erase(change.offset, change.truncation ? kToTheEnd : change.length);
  if (change.covered != nullptr) {
    for (const Extent& extent : *change.covered) map_.Write(extent.offset, extent.bytes);
  }
  size_ = change.size_before;
}

FileContent FileContent::Durable() const {
  FileContent result;
  result.map_ = map_;
  result.size_ = size_;
  for (size_t i = changes_.size(); i > first_; --i) result.TakeBack(changes_[i - 1]);
  if (damage_ != nullptr) {
    for (const Extent& extent : damage_->shadow.Collect(0, kToTheEnd)) {
      result.map_.Write(extent.offset, extent.bytes);
    }
  }
  result.map_.Erase(durable_size_, kToTheEnd);
  result.size_ = result.durable_size_ = durable_size_;
  return result;
}

uint64_t FileContent::CertainPrefix() const {
  uint64_t prefix = std::min(durable_size_, dirty_begin_);
  if (damage_ != nullptr) {
    for (const FaultRange& range : damage_->hidden) prefix = std::min(prefix, range.offset);
  }
  return prefix;
}

}  // namespace highwater::sim
