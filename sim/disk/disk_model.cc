#include "sim/disk/disk_model.h"

#include "core/check.h"
#include "core/mix.h"
#include "core/random.h"
#include "core/status_macros.h"

namespace highwater::sim {

using core::ByteChain;

DiskModel::DiskModel(uint64_t capacity, uint64_t cache_limit, std::vector<std::string> mounts)
    : capacity_(capacity),
      accounts_(mounts.size() + 1),
      names_(std::move(mounts), [this](Inode& inode) { Released(inode); }),
      cache_(names_, cache_limit) {}

absl::Status DiskModel::Write(Inode& inode, uint64_t offset, const ByteChain& data,
                              absl::Time now) {
  const uint64_t room = free(inode.device);
  inode.modified = now;
  if (data.size() <= room || inode.content.GrowthOf(offset, data.size()) <= room) {
    inode.content.Write(offset, data);
    cache_.Add(inode, offset, data.size());
    Settle(inode);
    return absl::OkStatus();
  }
  // As much as fits: what needs no room, then what the room allows.
  uint64_t fits = 0;
  for (uint64_t step = data.size(); step > 0; step /= 2) {
    while (fits + step <= data.size() && inode.content.GrowthOf(offset, fits + step) <= room) {
      fits += step;
    }
  }
  inode.content.Write(offset, data.Slice(0, fits));
  cache_.Add(inode, offset, fits);
  Settle(inode);
  return absl::ResourceExhaustedError(
      fmt::format("disk full: {} of {} bytes written", fits, data.size()));
}

void DiskModel::Truncate(Inode& inode, uint64_t size, absl::Time now) {
  inode.modified = now;
  inode.content.Truncate(size);
  cache_.Truncate(inode);
  Settle(inode);
}

void DiskModel::MakeDurable(Inode& inode, uint64_t upto) {
  inode.content.MakeDurable(upto);
  Settle(inode);
}

void DiskModel::FailToWrite(Inode& inode, uint64_t upto, core::Random& random, FaultId fault) {
  inode.content.FailToWrite(upto, random, fault, zeros_);
  Settle(inode);
}

void DiskModel::LoseWrites(Inode& inode, uint64_t upto, FaultId fault, Inode* astray, uint64_t at) {
  const std::vector<Extent> lost = inode.content.LoseWrites(upto, fault, zeros_);
  if (astray != nullptr) {
    for (const Extent& extent : lost) {
      const uint64_t to = at + (extent.offset - lost.front().offset);
      if (extent.offset >= lost.front().offset) {
        astray->content.OverwriteDevice(to, extent.bytes, fault);
      }
    }
    if (astray != &inode) DropCache(*astray);
  }
  Settle(inode);
  DropCache(inode);
}

void DiskModel::TearWrites(Inode& inode, uint64_t upto, FaultId fault, uint64_t draw) {
  const std::vector<Extent> lost = inode.content.LoseWrites(upto, fault, zeros_);
  // What they write of each sector, in the order in which they were made.
  std::vector<std::pair<uint64_t, core::Bytes>> sectors;
  for (const Extent& extent : lost) {
    for (uint64_t at = 0; at < extent.bytes.size();) {
      const uint64_t place = extent.offset + at;
      const uint64_t to_end = kSectorSize - place % kSectorSize;
      const uint64_t n = std::min<uint64_t>(to_end, extent.bytes.size() - at);
      sectors.emplace_back(place, extent.bytes.Slice(at, n));
      at += n;
    }
  }
  if (!sectors.empty()) {
    const uint64_t kept = core::KeyedRandom(draw).Below(sectors.size());
    for (uint64_t i = 0; i < kept; ++i) {
      inode.content.OverwriteDevice(sectors[i].first, sectors[i].second, fault);
    }
  }
  Settle(inode);
  DropCache(inode);
}

bool DiskModel::FlipBit(Inode& inode, uint64_t offset, int bit, FaultId fault) {
  if (!inode.content.FlipBit(offset, bit, fault, zeros_)) return false;
  cache_.Drop(inode, offset, 1);
  return true;
}

void DiskModel::DropCache(Inode& inode) {
  cache_.Drop(inode, 0, inode.content.size());
  Settle(inode);
}

// Brings the accounts up to date with a file that has changed.
void DiskModel::Settle(Inode& inode) {
  Account& account = accounts_[inode.device];
  const uint64_t allocated = inode.content.allocated();
  const uint64_t dirty_bytes = inode.content.dirty_bytes();
  account.used += allocated - std::exchange(inode.accounted_allocated, allocated);
  account.dirty_bytes += dirty_bytes - std::exchange(inode.accounted_dirty, dirty_bytes);
  if (inode.content.dirty() != inode.in_dirty_list) {
    SetInDirtyList(inode, inode.content.dirty());
  }
}

void DiskModel::SetInDirtyList(Inode& inode, bool dirty) {
  if (dirty) {
    inode.previous_dirty = last_dirty_;
    (last_dirty_ != nullptr ? last_dirty_->next_dirty : first_dirty_) = &inode;
    last_dirty_ = &inode;
  } else {
    Inode* const previous = std::exchange(inode.previous_dirty, nullptr);
    Inode* const next = std::exchange(inode.next_dirty, nullptr);
    (previous != nullptr ? previous->next_dirty : first_dirty_) = next;
    (next != nullptr ? next->previous_dirty : last_dirty_) = previous;
  }
  inode.in_dirty_list = dirty;
  accounts_[inode.device].dirty_inodes += dirty ? 1 : -1;
}

void DiskModel::Released(Inode& inode) {
  accounts_[inode.device].used -= inode.accounted_allocated;
  accounts_[inode.device].dirty_bytes -= inode.accounted_dirty;
  if (inode.in_dirty_list) SetInDirtyList(inode, false);
  cache_.Forget(inode);
}

DiskModel::LossSummary DiskModel::LosePower(uint64_t key) {
  LossSummary summary;
  core::KeyedRandom names_random(core::Mix(key, core::MixName("names")));
  summary.names = names_.LosePower(names_random);
  summary.digest = core::Mix(summary.names.pending, summary.names.survived);
  for (const auto& [id, inode] : names_.inodes()) {
    cache_.Forget(*inode);
    inode->write_failed = false;
    inode->write_error = kNoFault;
    inode->locked = false;
    if (!inode->content.dirty() && !inode->content.damaged()) continue;
    core::KeyedRandom random(core::Mix(key, id));
    const uint64_t size_before = inode->content.size();
    const auto loss = inode->content.LosePower(random, zeros_);
    if (loss.size < size_before) ++summary.cut;
    Settle(*inode);
    summary.pending += loss.pending;
    summary.survived += loss.survived;
    summary.torn += loss.torn;
    summary.digest = core::Mix(summary.digest, id);
    summary.digest = core::Mix(summary.digest, loss.survived << 32 | loss.torn);
    summary.digest = core::Mix(summary.digest, loss.size);
  }
  return summary;
}

void DiskModel::Replace(size_t device) { names_.Empty(device); }

absl::StatusOr<DiskModel::View> DiskModel::InspectCurrent(std::string_view path) {
  HW_ASSIGN_OR_RETURN(const Inode* inode, names_.Find(path));
  return View{.inode = inode->id,
              .content = Read(*inode, 0, inode->content.size()),
              .certain_prefix = inode->content.CertainPrefix()};
}

absl::StatusOr<DiskModel::View> DiskModel::InspectDurable(std::string_view path) {
  absl::StatusOr<View> view;
  names_.WithDurableNames([&] {
    const absl::StatusOr<Inode*> inode = names_.Find(path);
    if (!inode.ok()) {
      view = inode.status();
      return;
    }
    const FileContent durable = (*inode)->content.Durable();
    view = View{.inode = (*inode)->id,
                .content = durable.Read(0, durable.size(), zeros_),
                .certain_prefix = (*inode)->content.CertainPrefix()};
  });
  return view;
}

}  // namespace highwater::sim
