#pragma once

// PageCache: which pages of a disk's files are in the kernel's memory, and which go when it is
// full.
//
// First in, first out, at 4 KiB; dirty pages stay. A page that goes shows its file's content as the
// device holds it (FileContent::DropPages). Not responsible for: content, the time that a read from
// the device takes.

#include <cstdint>
#include <deque>

#include "sim/disk/name_tree.h"

namespace highwater::sim {

class PageCache {
 public:
  static constexpr uint64_t kPageSize = 4096;

  PageCache(NameTree& names, uint64_t limit) : names_(names), limit_pages_(limit / kPageSize) {}

  [[nodiscard]] uint64_t resident_bytes() const { return pages_ * kPageSize; }
  // How many bytes of the pages of [offset, offset + length) are not in the cache.
  [[nodiscard]] uint64_t MissingBytes(const Inode& inode, uint64_t offset, uint64_t length) const;
  // The pages of [offset, offset + length) are in the cache from now on; others may go for them.
  void Add(Inode& inode, uint64_t offset, uint64_t length) {
    if (length == 0) return;
    const uint64_t first = offset / kPageSize;
    const uint64_t last = (offset + length - 1) / kPageSize;
    // Nearly always: one page, and there already.
    if (first == last && IsResident(inode, first)) return;
    AddPages(inode, first, last);
  }
  // Takes the clean pages of the range out of the cache; pages that are not in it show the device's
  // content of now.
  void Drop(Inode& inode, uint64_t offset, uint64_t length);
  // Pages past the end of a file go.
  void Truncate(Inode& inode);
  // The inode goes, with its pages.
  void Forget(Inode& inode);
  void SetLimit(uint64_t limit);

 private:
  struct Page {
    uint64_t inode;
    uint64_t number;
  };

  [[nodiscard]] static bool IsResident(const Inode& inode, uint64_t page) {
    return page / 64 < inode.resident.size() && (inode.resident[page / 64] >> (page % 64) & 1) != 0;
  }
  void AddPages(Inode& inode, uint64_t first, uint64_t last);
  bool DropPage(Inode& inode, uint64_t page);
  void Evict();

  NameTree& names_;
  uint64_t limit_pages_;
  uint64_t pages_ = 0;
  std::deque<Page> order_;  // holds also pages that have gone another way since
};

}  // namespace highwater::sim
