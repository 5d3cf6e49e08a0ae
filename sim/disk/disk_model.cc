#include "sim/disk/disk_model.h"

#include "core/check.h"
#include "core/mix.h"
#include "core/random.h"
#include "core/status_macros.h"

namespace highwater::sim {

using core::ByteChain;

DiskModel::DiskModel(uint64_t capacity, uint64_t cache_limit)
    : capacity_(capacity),
      names_([this](Inode& inode) { Released(inode); }),
      cache_(names_, cache_limit) {}

absl::Status DiskModel::Write(Inode& inode, uint64_t offset, const ByteChain& data,
                              absl::Time now) {
  const uint64_t allocated = inode.content.allocated();
  const uint64_t dirty = inode.content.dirty_bytes();
  const uint64_t room = free();
  inode.modified = now;
  if (data.size() <= room || inode.content.GrowthOf(offset, data.size()) <= room) {
    inode.content.Write(offset, data);
    cache_.Add(inode, offset, data.size());
    Account(inode, allocated, dirty);
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
  Account(inode, allocated, dirty);
  return absl::ResourceExhaustedError(
      fmt::format("disk full: {} of {} bytes written", fits, data.size()));
}

void DiskModel::Truncate(Inode& inode, uint64_t size, absl::Time now) {
  const uint64_t allocated = inode.content.allocated();
  const uint64_t dirty = inode.content.dirty_bytes();
  inode.modified = now;
  inode.content.Truncate(size);
  cache_.Truncate(inode);
  Account(inode, allocated, dirty);
}

void DiskModel::MakeDurable(Inode& inode, uint64_t upto) {
  const uint64_t allocated = inode.content.allocated();
  const uint64_t dirty = inode.content.dirty_bytes();
  inode.content.MakeDurable(upto);
  Account(inode, allocated, dirty);
}

void DiskModel::FailToWrite(Inode& inode, uint64_t upto, core::Random& random, FaultId fault) {
  const uint64_t allocated = inode.content.allocated();
  const uint64_t dirty = inode.content.dirty_bytes();
  inode.content.FailToWrite(upto, random, fault, zeros_);
  Account(inode, allocated, dirty);
}

void DiskModel::LoseWrites(Inode& inode, uint64_t upto, FaultId fault, Inode* astray,
                           uint64_t shift) {
  const uint64_t allocated = inode.content.allocated();
  const uint64_t dirty = inode.content.dirty_bytes();
  const std::vector<Extent> lost = inode.content.LoseWrites(upto, fault, zeros_);
  if (astray != nullptr) {
    for (const Extent& extent : lost) {
      const uint64_t at = astray == &inode ? extent.offset + shift : extent.offset;
      astray->content.OverwriteDevice(at, extent.bytes, fault);
    }
  }
  Account(inode, allocated, dirty);
}

void DiskModel::Account(Inode& inode, uint64_t allocated_before, uint64_t dirty_before) {
  used_ = used_ - allocated_before + inode.content.allocated();
  dirty_bytes_ = dirty_bytes_ - dirty_before + inode.content.dirty_bytes();
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
}

void DiskModel::Released(Inode& inode) {
  used_ -= inode.content.allocated();
  dirty_bytes_ -= inode.content.dirty_bytes();
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
    const uint64_t allocated = inode->content.allocated();
    const uint64_t dirty = inode->content.dirty_bytes();
    core::KeyedRandom random(core::Mix(key, id));
    const auto loss = inode->content.LosePower(random, zeros_);
    Account(*inode, allocated, dirty);
    summary.pending += loss.pending;
    summary.survived += loss.survived;
    summary.torn += loss.torn;
    summary.digest = core::Mix(summary.digest, id);
    summary.digest = core::Mix(summary.digest, loss.survived << 32 | loss.torn);
    summary.digest = core::Mix(summary.digest, loss.size);
  }
  return summary;
}

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
