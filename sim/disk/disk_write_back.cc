// How what is dirty gets to the device: write-back, and what syncs and write-backs share.

#include <algorithm>

#include "core/check.h"
#include "core/mix.h"
#include "core/random.h"
#include "sim/disk/disk.h"
#include "sim/disk/write_back.h"

namespace highwater::sim {

using core::KeyedRandom;
using core::Mix;
using core::MixName;

void Disk::BecameDirty(size_t device) {
  WriteBack& state = *write_backs_[device];
  if (state.pending() || state.in_flight != nullptr) return;
  ScheduleWriteBack(state);
}

void Disk::ScheduleWriteBack(WriteBack& state) {
  const uint64_t key = Mix(Mix(context_.key(), MixName("write-back interval")), state.device);
  const uint64_t span =
      static_cast<uint64_t>(options_.write_back.high - options_.write_back.low) + 1;
  const uint64_t draw = KeyedRandom::Draw(key, state.steps) % span;
  const int64_t interval = state.urgent ? 0 : options_.write_back.low + static_cast<int64_t>(draw);
  context_.SetTimer(state, context_.Now() + interval);
}

// Takes of each dirty file all, nothing, or the oldest part, and of the names the oldest part.
void Disk::StartWriteBack(WriteBack& state) {
  if (state.in_flight != nullptr || !model_.dirty(state.device)) return;
  const uint64_t step = state.steps++;
  const uint64_t key = Mix(Mix(Mix(context_.key(), MixName("write-back")), state.device), step);
  state.items.clear();
  uint64_t bytes = 0;
  for (Inode* inode = model_.first_dirty(); inode != nullptr; inode = inode->next_dirty) {
    if (inode->device != state.device) continue;
    KeyedRandom random(Mix(key, inode->id));
    const uint64_t choice = state.urgent ? 3 : random.Below(4);
    if (choice == 0) continue;
    const uint64_t pending = inode->content.pending();
    const uint64_t count = choice == 1 ? random.Below(pending + 1) : pending;
    state.items.push_back({inode->id, inode->content.durable_sequence() + count});
    if (pending > 0) bytes += inode->content.dirty_bytes() * count / pending;
  }
  KeyedRandom random(key);
  state.names_upto = model_.names().sequence();
  if (random.Chance(1, 2)) state.names_upto -= random.Below(model_.names().pending() + 1);

  state.in_flight = std::make_shared<DeviceOperation>();
  state.in_flight->complete = [this, &state] { FinishWriteBack(state); };
  const NanosRange& range = options_.write;
  const int64_t latency = random.Between(range.low, range.high);
  statistics_.device_bytes += bytes;
  ++statistics_.written_back;
  devices_[state.device]->Submit(state.in_flight, bytes, latency);
}

void Disk::FinishWriteBack(WriteBack& state) {
  state.in_flight.reset();
  uint64_t digest = state.device;
  for (const WriteBack::Item& item : state.items) {
    Inode* inode = model_.names().FindById(item.inode);
    if (inode == nullptr) continue;
    digest = Mix(Mix(digest, item.inode), item.upto);
    FaultId failed_by = kNoFault;
    if (!TakeWrites(*inode, item.upto, failed_by).ok()) {
      inode->write_failed = true;
      inode->write_error = failed_by;
    }
  }
  model_.names().MakeDurable(state.device, state.names_upto);
  context_.Fold(EventKind::kDiskWriteBack, Mix(digest, state.names_upto));
  Device& device = *devices_[state.device];
  state.urgent = false;
  if (!device.writers.empty()) device.writers.WakeAll();
  if (model_.dirty(state.device)) ScheduleWriteBack(state);
}

absl::Status Disk::TakeWrites(Inode& inode, uint64_t upto, FaultId& failed_by) {
  const Device& device = *devices_[inode.device];
  if (device.Find(DiskFault::Kind::kSyncErrors) != nullptr) [[unlikely]] {
    const uint64_t draw = Draw(inode, "write error");
    if (const DiskFault* fault = device.Hits(DiskFault::Kind::kSyncErrors, draw)) {
      KeyedRandom random(draw);
      model_.FailToWrite(inode, upto, random, fault->id);
      failed_by = fault->id;
      return absl::DataLossError("I/O error while dirty pages were written");
    }
  }
  if (!armed_.empty() && TakeArmed(inode, upto)) [[unlikely]]
    return absl::OkStatus();
  model_.MakeDurable(inode, upto);
  return absl::OkStatus();
}

bool Disk::TakeArmed(Inode& inode, uint64_t upto) {
  if (inode.content.dirty_bytes() == 0 || upto <= inode.content.durable_sequence()) return false;
  const auto it = std::find_if(armed_.begin(), armed_.end(), [&](const ArmedWrite& armed) {
    if (armed.device != inode.device) return false;
    if (armed.path.empty()) return true;
    const absl::StatusOr<Inode*> found = model_.names().Find(armed.path);
    return found.ok() && *found == &inode;
  });
  if (it == armed_.end()) return false;
  const ArmedWrite armed = std::move(*it);
  armed_.erase(it);
  Inode* astray = nullptr;
  uint64_t at = 0;
  if (armed.way == ArmedWrite::Way::kMisdirected) {
    std::vector<Inode*> targets;
    model_.names().ForEachFile([&](const std::string&, Inode& file) {
      if (file.device == inode.device && file.content.durable_size() > 0) targets.push_back(&file);
    });
    if (!targets.empty()) {
      KeyedRandom random(Draw(inode, "misdirected"));
      astray = targets[random.Below(targets.size())];
      const uint64_t sectors = (astray->content.durable_size() + kSectorSize - 1) / kSectorSize;
      at = random.Below(sectors) * kSectorSize;
    }
  }
  if (armed.way == ArmedWrite::Way::kTorn) {
    model_.TearWrites(inode, upto, armed.fault, Draw(inode, "torn"));
  } else {
    model_.LoseWrites(inode, upto, armed.fault, astray, at);
  }
  context_.ledger().Applied(armed.fault);
  context_.Fold(EventKind::kFault, Mix(inode.id, static_cast<uint64_t>(armed.way)));
  if (armed.told) armed.told();
  return true;
}

absl::Status Disk::CompleteSync(uint64_t inode_id, uint64_t upto, DeviceOperation& operation) {
  context_.Fold(EventKind::kDiskSync, Mix(inode_id, upto));
  Inode* inode = model_.names().FindById(inode_id);
  if (inode == nullptr) return absl::OkStatus();
  absl::Status status = TakeWrites(*inode, upto, operation.failed_by);
  // An error of a write-back since the last sync is reported once, by this one.
  if (status.ok() && inode->write_failed) {
    operation.failed_by = inode->write_error;
    status = absl::DataLossError("I/O error since the last sync");
  }
  inode->write_failed = false;
  if (!status.ok() && operation.waiters.empty()) {
    inode->write_failed = true;
    inode->write_error = operation.failed_by;
  }
  Device& device = *devices_[inode->device];
  if (!device.writers.empty()) device.writers.WakeAll();
  return status;
}

}  // namespace highwater::sim
