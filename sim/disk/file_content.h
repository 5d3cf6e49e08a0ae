#pragma once

// FileContent: the bytes of one file, as readers see them and as the device holds them. Pure: no
// time, no waiting.
//
// The current content is kept whole; what the device still lacks is kept as changes in the order in
// which they were made, each with what it covered, so that the device's content is the current one
// with the pending changes taken back. Changes become durable oldest first: a sync or a write-back
// takes a prefix of them. Beside them lies a shadow: ranges of which the device holds something
// else than the page cache although nothing is pending, after a failed sync, a bit flip, a lost or
// misdirected write. Dropping a page from the cache lets the shadow come to light.
//
// Power loss ([file_system.h, rule 2]): of the pending changes any part survives. Invariants:
//   1. A 512-byte sector is one of its versions since it was last durable; never a mixture of bytes
//      of two of them. Different sectors, also of one write, are independent of each other.
//   2. The size is one of the sizes since the last durable one; it survives with or without the
//      data below it, which reads as it was before, or as zeros. Truncations keep their order.
//   3. What a successful sync covered is kept.
//
// Not responsible for: names, page residency, when anything happens.

#include <cstdint>
#include <memory>
#include <vector>

#include "core/bytes.h"
#include "core/random.h"
#include "sim/disk/extent_map.h"
#include "sim/fault_ledger.h"

namespace highwater::sim {

inline constexpr uint64_t kSectorSize = 512;

// What a power loss did to one file.
struct LossSummary {
  uint64_t pending = 0;   // changes that were not durable
  uint64_t survived = 0;  // of them, whole
  uint64_t torn = 0;      // of them, in part
  uint64_t size = 0;      // afterwards
};

class FileContent {
 public:
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] uint64_t durable_size() const { return durable_size_; }
  // Whether a range holds no data, and so needs no device to be read.
  [[nodiscard]] bool IsHole(uint64_t offset, uint64_t length) const {
    return map_.CoveredIn(offset, length) == 0;
  }
  // Bytes that occupy the device.
  [[nodiscard]] uint64_t allocated() const { return map_.covered(); }
  // Bytes of the pending writes.
  [[nodiscard]] uint64_t dirty_bytes() const { return dirty_bytes_; }
  [[nodiscard]] bool dirty() const { return first_ < changes_.size() || size_ != durable_size_; }
  // The number of changes so far. What a sync that begins now has to make durable are those below.
  [[nodiscard]] uint64_t sequence() const { return first_sequence_ + pending(); }
  [[nodiscard]] uint64_t durable_sequence() const { return first_sequence_; }
  [[nodiscard]] size_t pending() const { return changes_.size() - first_; }
  // How many bytes a write of [offset, offset + length) would newly occupy.
  [[nodiscard]] uint64_t GrowthOf(uint64_t offset, uint64_t length) const {
    return length - map_.CoveredIn(offset, length);
  }

  // Up to `length` bytes: fewer only where the file ends.
  [[nodiscard]] core::ByteChain Read(uint64_t offset, uint64_t length, ZeroBlock& zeros) const;
  void Write(uint64_t offset, const core::ByteChain& data);
  void Truncate(uint64_t size);

  // The changes below `upto` are on the device.
  void MakeDurable(uint64_t upto);
  // The device failed while it took the changes below `upto`: each is on it or not, by a draw; the
  // pages read as written and are clean, the size stays to be written.
  void FailToWrite(uint64_t upto, core::Random& random, FaultId fault, ZeroBlock& zeros);
  // The device said that it took the changes below `upto`, and did not. Returns the writes that
  // went nowhere.
  std::vector<Extent> LoseWrites(uint64_t upto, FaultId fault, ZeroBlock& zeros);
  // The device's content of a range changes behind the page cache; clipped to what is durable.
  // False if nothing changed.
  bool OverwriteDevice(uint64_t offset, const core::ByteChain& data, FaultId fault);
  // Inverts one bit of the device's content. False if `offset` is not below the durable size.
  bool FlipBit(uint64_t offset, int bit, FaultId fault, ZeroBlock& zeros);

  // Whether a page that holds some of the range must stay in the cache. Errs towards true.
  [[nodiscard]] bool MayBeDirty(uint64_t offset, uint64_t length) const {
    return pending() > 0 && offset < dirty_end_ && dirty_begin_ < offset + length;
  }
  // The pages of the range leave the cache: the device's content is read from now on. REQUIRES:
  // !MayBeDirty(range).
  void DropPages(uint64_t offset, uint64_t length);

  // Loses the page cache; draws what of the pending changes is on the device.
  LossSummary LosePower(core::Random& random, ZeroBlock& zeros);

  // Whose fault has changed what a reader of the range sees; kNoFault if nobody's.
  [[nodiscard]] FaultId VisibleFault(uint64_t offset, uint64_t length) const {
    return damage_ == nullptr ? kNoFault : FindVisibleFault(offset, length);
  }
  [[nodiscard]] bool damaged() const { return damage_ != nullptr; }

  // The content that the device holds for certain, of the durable size. Copies the map: for
  // oracles.
  [[nodiscard]] FileContent Durable() const;
  // Every byte below is now as a power loss would leave it, whatever it draws.
  [[nodiscard]] uint64_t CertainPrefix() const;

  FileContent() = default;
  FileContent(FileContent&&) = default;
  FileContent& operator=(FileContent&&) = default;

 private:
  struct Change {
    uint64_t offset = 0;  // a truncation: the new size
    uint64_t length = 0;
    uint64_t size_before = 0;
    uint64_t size_after = 0;
    bool truncation = false;
    std::unique_ptr<std::vector<Extent>> covered;  // what lay below; null: nothing
  };
  struct FaultRange {
    uint64_t offset;
    uint64_t length;
    FaultId fault;
  };
  struct Damage {
    ExtentMap shadow;
    std::vector<FaultRange> hidden;   // in the shadow
    std::vector<FaultRange> visible;  // come to light
  };
  struct Redo;

  void Push(Change change);
  Change Pop();
  Damage& damage();
  [[nodiscard]] FaultId FindVisibleFault(uint64_t offset, uint64_t length) const;
  void Forget(const Change& written);  // the device now holds what the cache holds
  void Cover(const Change& lost, FaultId fault, ZeroBlock& zeros);
  void Reveal(uint64_t offset, uint64_t length);  // the shadow becomes the current content
  void TakeBack(const Change& change);
  void FinishPending();
  static void Subtract(std::vector<FaultRange>& ranges, uint64_t offset, uint64_t length);
  std::vector<Redo> TakeBackAll(ZeroBlock& zeros);

  ExtentMap map_;
  uint64_t size_ = 0;
  uint64_t durable_size_ = 0;
  uint64_t dirty_bytes_ = 0;
  uint64_t dirty_begin_ = ~uint64_t{0};  // the hull of the pending changes
  uint64_t dirty_end_ = 0;
  uint64_t first_sequence_ = 0;
  std::vector<Change> changes_;  // pending from first_ on
  size_t first_ = 0;
  std::unique_ptr<Damage> damage_;
};

}  // namespace highwater::sim
