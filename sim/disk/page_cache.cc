#include "sim/disk/page_cache.h"

#include <algorithm>
#include <bit>

namespace highwater::sim {

uint64_t PageCache::MissingBytes(const Inode& inode, uint64_t offset, uint64_t length) const {
  if (length == 0) return 0;
  const uint64_t first = offset / kPageSize;
  const uint64_t last = (offset + length - 1) / kPageSize;
  uint64_t missing = 0;
  for (uint64_t page = first; page <= last;) {
    const uint64_t in_word = std::min<uint64_t>(64 - page % 64, last - page + 1);
    const uint64_t low = in_word == 64 ? ~uint64_t{0} : (uint64_t{1} << in_word) - 1;
    const uint64_t mask = low << page % 64;
    const uint64_t word = page / 64 < inode.resident.size() ? inode.resident[page / 64] : 0;
    missing += static_cast<uint64_t>(std::popcount(mask & ~word));
    page += in_word;
  }
  return missing * kPageSize;
}

void PageCache::AddPages(Inode& inode, uint64_t first, uint64_t last) {
  if (inode.resident.size() <= last / 64) inode.resident.resize(last / 64 + 1);
  for (uint64_t page = first; page <= last; ++page) {
    if (IsResident(inode, page)) continue;
    inode.resident[page / 64] |= uint64_t{1} << page % 64;
    ++pages_;
    order_.push_back({inode.id, page});
  }
  if (pages_ > limit_pages_ || order_.size() > 2 * pages_ + 1024) Evict();
}

bool PageCache::DropPage(Inode& inode, uint64_t page) {
  if (inode.content.MayBeDirty(page * kPageSize, kPageSize)) return false;
  if (IsResident(inode, page)) {
    inode.resident[page / 64] &= ~(uint64_t{1} << page % 64);
    --pages_;
  }
  inode.content.DropPages(page * kPageSize, kPageSize);
  return true;
}

// Dirty pages go to the queue's end. After some of those in a row it is left at that: the cache may
// stay above its limit.
void PageCache::Evict() {
  for (int patience = 256; patience > 0 && !order_.empty();) {
    const bool full = pages_ > limit_pages_;
    if (!full && order_.size() <= 2 * pages_ + 1024) return;
    const Page page = order_.front();
    order_.pop_front();
    Inode* inode = names_.FindById(page.inode);
    if (inode == nullptr || !IsResident(*inode, page.number)) continue;
    if (full && DropPage(*inode, page.number)) continue;
    order_.push_back(page);
    --patience;
  }
}

void PageCache::Drop(Inode& inode, uint64_t offset, uint64_t length) {
  const uint64_t stop = std::min(offset + length, inode.content.size());
  for (uint64_t page = offset / kPageSize; page * kPageSize < stop; ++page) DropPage(inode, page);
}

void PageCache::Truncate(Inode& inode) {
  const uint64_t end = (inode.content.size() + kPageSize - 1) / kPageSize;
  for (uint64_t page = end; page < inode.resident.size() * 64; ++page) {
    if (!IsResident(inode, page)) continue;
    inode.resident[page / 64] &= ~(uint64_t{1} << page % 64);
    --pages_;
  }
  inode.resident.resize((end + 63) / 64);
}

void PageCache::Forget(Inode& inode) {
  for (const uint64_t word : inode.resident) pages_ -= static_cast<uint64_t>(std::popcount(word));
  inode.resident.clear();
}

void PageCache::SetLimit(uint64_t limit) {
  limit_pages_ = limit / kPageSize;
  Evict();
}

}  // namespace highwater::sim
