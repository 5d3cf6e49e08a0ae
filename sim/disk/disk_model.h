#pragma once

// DiskModel: the state of one simulated disk: its names, its files' contents, what of both is
// durable, its page cache and how much room it has. Pure: no time, no waiting, no draw that the
// caller does not hand in.
//
// Not responsible for: when something is written back or how long it takes (Disk), whose process
// calls (SimulatedFileSystem). Follows DESIGN §4 "Disk" and the rules of core/file_system.h.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "sim/disk/inode.h"
#include "sim/disk/name_tree.h"
#include "sim/disk/page_cache.h"

namespace highwater::sim {

class DiskModel {
 public:
  // `mounts`: see NameTree. Each device has `capacity` bytes; the page cache is the host's.
  DiskModel(uint64_t capacity, uint64_t cache_limit, std::vector<std::string> mounts);
  DiskModel(const DiskModel&) = delete;
  DiskModel& operator=(const DiskModel&) = delete;

  [[nodiscard]] NameTree& names() { return names_; }
  [[nodiscard]] const NameTree& names() const { return names_; }
  [[nodiscard]] PageCache& cache() { return cache_; }
  [[nodiscard]] ZeroBlock& zeros() { return zeros_; }

  // Up to `length` bytes from `offset`, fewer only at the end.
  [[nodiscard]] core::ByteChain Read(const Inode& inode, uint64_t offset, uint64_t length) {
    return inode.content.Read(offset, length, zeros_);
  }
  // ResourceExhausted if the disk has no room: then a prefix was written.
  [[nodiscard]] absl::Status Write(Inode& inode, uint64_t offset, const core::ByteChain& data,
                                   absl::Time now);
  void Truncate(Inode& inode, uint64_t size, absl::Time now);

  [[nodiscard]] size_t device_count() const { return accounts_.size(); }
  [[nodiscard]] uint64_t used(size_t device) const { return accounts_[device].used; }
  [[nodiscard]] uint64_t free(size_t device) const {
    const Account& account = accounts_[device];
    return account.full || account.used >= capacity_ ? 0 : capacity_ - account.used;
  }
  // While set nothing that needs room succeeds.
  void SetFull(size_t device, bool full) { accounts_[device].full = full; }

  // What is not on the device yet.
  [[nodiscard]] uint64_t dirty_bytes(size_t device) const { return accounts_[device].dirty_bytes; }
  [[nodiscard]] bool dirty(size_t device) const {
    return accounts_[device].dirty_inodes > 0 || names_.HasPending(device);
  }
  // The inodes with dirty content, from the one that became dirty first, linked by next_dirty.
  [[nodiscard]] Inode* first_dirty() { return first_dirty_; }

  // As the functions of FileContent, with the disk's accounts kept.
  void MakeDurable(Inode& inode, uint64_t upto);
  void FailToWrite(Inode& inode, uint64_t upto, core::Random& random, FaultId fault);
  // The device confirms the writes below `upto` but does not make them. With `astray` they land in
  // that file instead, from `at` on. Clean pages of both are not in the cache afterwards.
  void LoseWrites(Inode& inode, uint64_t upto, FaultId fault, Inode* astray, uint64_t at);
  // The same, but of the sectors that they touch the first ones are made: how many is drawn, never
  // all.
  void TearWrites(Inode& inode, uint64_t upto, FaultId fault, uint64_t draw);
  // False if `offset` is not below the durable size.
  bool FlipBit(Inode& inode, uint64_t offset, int bit, FaultId fault);

  // The clean pages of a file leave the cache.
  void DropCache(Inode& inode);

  struct LossSummary {
    NameTree::LossSummary names;
    uint64_t pending = 0;  // changes of contents
    uint64_t survived = 0;
    uint64_t torn = 0;
    uint64_t cut = 0;     // files that are shorter than they were
    uint64_t digest = 0;  // of what is left: folds each file's summary
  };
  // Power loss: the page cache is gone, and what was not durable is as drawn from `key`. REQUIRES:
  // no open handle.
  LossSummary LosePower(uint64_t key);

  // An empty device stands in the place of one. REQUIRES: no open handle.
  void Replace(size_t device);

  // For oracles: without effect on the disk.
  struct View {
    uint64_t inode = 0;
    core::ByteChain content;
    uint64_t certain_prefix = 0;  // bytes that no power loss can change now
  };
  // As every reader sees it now. NotFound as Stat.
  [[nodiscard]] absl::StatusOr<View> InspectCurrent(std::string_view path);
  // As a power loss now leaves it if nothing that is pending survives.
  [[nodiscard]] absl::StatusOr<View> InspectDurable(std::string_view path);

 private:
  struct Account {
    uint64_t used = 0;
    uint64_t dirty_bytes = 0;
    uint64_t dirty_inodes = 0;
    bool full = false;
  };

  void Settle(Inode& inode);
  void SetInDirtyList(Inode& inode, bool dirty);
  void Released(Inode& inode);

  uint64_t capacity_;
  std::vector<Account> accounts_;
  Inode* first_dirty_ = nullptr;
  Inode* last_dirty_ = nullptr;
  ZeroBlock zeros_;
  NameTree names_;
  PageCache cache_;
};

}  // namespace highwater::sim
