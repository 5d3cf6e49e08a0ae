// What an injector does to a disk, and what an oracle sees of it.

#include <algorithm>

#include "core/check.h"
#include "core/mix.h"
#include "core/random.h"
#include "sim/disk/disk.h"

namespace highwater::sim {

using core::KeyedRandom;
using core::Mix;
using core::MixName;

void Disk::Begin(const DiskFault& fault) {
  HW_CHECK(!fault.device || *fault.device < devices_.size(), "the disk has no device {}",
           *fault.device);
  for (const auto& device : devices_) {
    if (fault.device && *fault.device != device->index()) continue;
    device->Begin(fault);
    if (fault.kind == DiskFault::Kind::kFull) model_.SetFull(device->index(), true);
  }
  context_.ledger().Applied(fault.id);
}

void Disk::End(FaultId fault) {
  for (const auto& device : devices_) {
    device->End(fault);
    model_.SetFull(device->index(), device->Find(DiskFault::Kind::kFull) != nullptr);
  }
}

void Disk::Disarm(FaultId fault) {
  std::erase_if(armed_, [fault](const ArmedWrite& armed) { return armed.fault == fault; });
}

bool Disk::FlipBit(std::string_view path, FaultId fault) {
  const absl::StatusOr<Inode*> inode = model_.names().Find(path);
  if (!inode.ok() || (*inode)->content.durable_size() == 0) return false;
  KeyedRandom random(Mix(Mix(context_.key(), MixName("bit flip")), fault.value()));
  const uint64_t offset = random.Below((*inode)->content.durable_size());
  const int bit = static_cast<int>(random.Below(8));
  return FlipBitAt(path, offset, bit, fault);
}

bool Disk::FlipBitAt(std::string_view path, uint64_t offset, int bit, FaultId fault) {
  const absl::StatusOr<Inode*> inode = model_.names().Find(path);
  if (!inode.ok() || !model_.FlipBit(**inode, offset, bit, fault)) return false;
  context_.ledger().Applied(fault);
  context_.Fold(EventKind::kFault, Mix(Mix((*inode)->id, offset), static_cast<uint64_t>(bit)));
  return true;
}

void Disk::DropCache(std::string_view path) {
  if (!path.empty()) {
    const absl::StatusOr<Inode*> inode = model_.names().Find(path);
    if (inode.ok()) model_.DropCache(**inode);
    return;
  }
  model_.names().ForEachFile([&](const std::string&, Inode& inode) { model_.DropCache(inode); });
}

void Disk::Replace(size_t device, FaultId fault) {
  HW_CHECK(file_systems_ == 0 && orphans_.empty(), "a disk is replaced under a running process");
  model_.Replace(device);
  devices_[device]->replaced_by = fault;
  context_.ledger().Applied(fault);
  context_.Fold(EventKind::kFault, Mix(MixName("replace"), device));
}

std::vector<Disk::FileView> Disk::Files() const {
  std::vector<FileView> files;
  model_.names().ForEachFile([&](const std::string& path, const Inode& inode) {
    files.push_back({path, inode.content.size(), inode.device});
  });
  return files;
}

}  // namespace highwater::sim
