#include "sim/disk/disk.h"

#include <algorithm>

#include "core/check.h"
#include "core/mix.h"
#include "core/random.h"
#include "core/status_macros.h"
#include "sim/disk/simulated_file_system.h"
#include "sim/disk/write_back.h"

namespace highwater::sim {
namespace {

using core::ByteChain;
using core::KeyedRandom;
using core::Mix;
using core::MixName;

constexpr uint64_t kReadAhead = 128 << 10;

[[gnu::cold, gnu::noinline]] absl::Status Dead() {
  return absl::CancelledError("the process has ended");
}

}  // namespace

Disk::Disk(DiskContext& context, DiskOptions options)
    : context_(context),
      options_(std::move(options)),
      model_(options_.capacity, options_.page_cache, options_.mounts) {
  for (size_t i = 0; i < model_.device_count(); ++i) {
    devices_.push_back(std::make_unique<Device>(context_, options_, i));
    write_backs_.push_back(std::make_unique<WriteBack>(*this, i));
  }
}

Disk::~Disk() = default;

uint64_t Disk::Draw(Inode& inode, std::string_view what) {
  const uint64_t key = Mix(Mix(context_.key(), MixName(what)), inode.id);
  return KeyedRandom::Draw(key, inode.draws++);
}

int64_t Disk::DrawIn(Inode& inode, std::string_view what, const NanosRange& range) {
  KeyedRandom random(Draw(inode, what));
  return random.Between(range.low, range.high);
}

// Waits until the device is done. If the fiber is cancelled or unwound the operation goes on
// without it.
absl::Status Disk::Await(ProcessContext& process, DeviceOperation& operation,
                         const char* waiting_for) {
  while (!operation.done) {
    const core::Wake wake =
        operation.waiters.Wait(process.fibers(), waiting_for, core::MonotonicTime::Never());
    if (wake == core::Wake::kCancelled) return core::ToStatus(wake, waiting_for);
  }
  context_.ledger().Observed(operation.delayed_by);
  context_.ledger().Observed(operation.failed_by);
  return operation.status;
}

// Waits while a stall holds writes or, for `bytes` of content, while the device has too much that
// is dirty.
absl::Status Disk::WaitToWrite(ProcessContext& process, Device& device, uint64_t bytes) {
  bool observed = false;
  bool throttled = false;
  while (true) {
    const DiskFault* reason = device.Find(DiskFault::Kind::kStallWrites);
    const bool above = bytes > 0 && AboveLimit(device.index(), bytes);
    if (reason == nullptr && !above) return absl::OkStatus();
    if (above) {
      if (!std::exchange(throttled, true)) ++statistics_.throttled;
      if (reason == nullptr) reason = device.Stall();
      if (reason == nullptr) reason = device.Find(DiskFault::Kind::kSlow);
      WriteBack& flusher = *write_backs_[device.index()];
      flusher.urgent = true;
      if (flusher.in_flight == nullptr) {
        context_.CancelTimer(flusher);
        ScheduleWriteBack(flusher);
      }
    }
    if (reason != nullptr && !std::exchange(observed, true)) {
      context_.ledger().Observed(reason->id);
    }
    const core::Wake wake =
        device.writers.Wait(process.fibers(), "room to write", core::MonotonicTime::Never());
    if (wake == core::Wake::kCancelled) return core::ToStatus(wake, "room to write");
  }
}

absl::Status Disk::Write(ProcessContext& process, Inode& inode, uint64_t offset,
                         const ByteChain& data) {
  if (process.dead()) return Dead();
  Device& device = *devices_[inode.device];
  HW_RETURN_IF_ERROR(WaitToWrite(process, device, data.size()));
  if (!process.BeginEffect(EventKind::kDiskWrite)) return Dead();
  if (device.Find(DiskFault::Kind::kWriteErrors) != nullptr) [[unlikely]] {
    const uint64_t draw = Draw(inode, "write error");
    if (const DiskFault* fault = device.Hits(DiskFault::Kind::kWriteErrors, draw)) {
      const uint64_t written = KeyedRandom(draw).Below(data.size() + 1);
      context_.ledger().Observed(fault->id);
      context_.Fold(EventKind::kDiskWrite, Mix(Mix(inode.id, offset), written));
      static_cast<void>(model_.Write(inode, offset, data.Slice(0, written), context_.WallNow()));
      BecameDirty(inode.device);
      return absl::DataLossError("I/O error on write");
    }
  }
  process.ChargeCpu(data.size());
  const absl::Status status = model_.Write(inode, offset, data, context_.WallNow());
  context_.Fold(EventKind::kDiskWrite, Mix(Mix(inode.id, offset), data.SliceDigest()));
  ++statistics_.writes;
  BecameDirty(inode.device);
  if (!status.ok()) ObserveFull(inode.device);
  return status;
}

absl::Status Disk::Truncate(ProcessContext& process, Inode& inode, uint64_t size) {
  if (process.dead()) return Dead();
  Device& device = *devices_[inode.device];
  HW_RETURN_IF_ERROR(WaitToWrite(process, device, 0));
  if (!process.BeginEffect(EventKind::kDiskWrite)) return Dead();
  if (device.Find(DiskFault::Kind::kWriteErrors) != nullptr) [[unlikely]] {
    const uint64_t draw = Draw(inode, "write error");
    if (const DiskFault* fault = device.Hits(DiskFault::Kind::kWriteErrors, draw)) {
      context_.ledger().Observed(fault->id);
      return absl::DataLossError("I/O error on truncate");
    }
  }
  model_.Truncate(inode, size, context_.WallNow());
  context_.Fold(EventKind::kDiskWrite, Mix(Mix(inode.id, size), MixName("truncate")));
  BecameDirty(inode.device);
  return absl::OkStatus();
}

absl::StatusOr<ByteChain> Disk::Read(ProcessContext& process, Inode& inode, uint64_t offset,
                                     size_t length) {
  if (process.dead()) return Dead();
  if (offset >= inode.content.size() || length == 0) return ByteChain();
  uint64_t n = std::min<uint64_t>(length, inode.content.size() - offset);
  if (n > 1 && process.BuggifyFires("disk.short_read")) [[unlikely]] {
    n = 1 + Draw(inode, "short read") % (n - 1);
  }
  Device& device = *devices_[inode.device];
  if (device.Find(DiskFault::Kind::kReadErrors) != nullptr) [[unlikely]] {
    const uint64_t draw = Draw(inode, "read error");
    if (const DiskFault* fault = device.Hits(DiskFault::Kind::kReadErrors, draw)) {
      context_.ledger().Observed(fault->id);
      context_.Fold(EventKind::kDiskRead, Mix(inode.id, ~offset));
      return absl::DataLossError("I/O error on read");
    }
  }
  if (model_.cache().MissingBytes(inode, offset, n) > 0) [[unlikely]] {
    HW_RETURN_IF_ERROR(Fetch(process, inode, offset, n));
    if (offset >= inode.content.size()) return ByteChain();  // truncated meanwhile
  }
  ++statistics_.reads;
  ByteChain content = model_.Read(inode, offset, n);
  process.ChargeCpu(content.size());
  context_.Fold(EventKind::kDiskRead, Mix(Mix(inode.id, offset), content.size()));
  if (inode.content.damaged()) [[unlikely]] {
    context_.ledger().Observed(inode.content.VisibleFault(offset, n));
  }
  return content;
}

// Brings the pages of a range, and some behind it, from the device.
absl::Status Disk::Fetch(ProcessContext& process, Inode& inode, uint64_t offset, uint64_t length) {
  length = std::min(std::max(length, kReadAhead), inode.content.size() - offset);
  if (inode.content.IsHole(offset, length)) return absl::OkStatus();
  const uint64_t missing = model_.cache().MissingBytes(inode, offset, length);
  ++statistics_.cache_misses;
  statistics_.device_bytes += missing;
  const auto operation = std::make_shared<DeviceOperation>();
  operation->complete = [this, id = inode.id, offset, length] {
    Inode* file = model_.names().FindById(id);
    if (file == nullptr || offset >= file->content.size()) return;
    model_.cache().Add(*file, offset, std::min(length, file->content.size() - offset));
  };
  devices_[inode.device]->Submit(operation, missing, DrawIn(inode, "read", options_.read));
  return Await(process, *operation, "a disk read");
}

absl::Status Disk::Sync(ProcessContext& process, Inode& inode) {
  if (process.dead()) return Dead();
  if (!process.BeginEffect(EventKind::kDiskSync)) return Dead();
  ++statistics_.syncs;
  if (!inode.content.dirty() && !inode.write_failed) {
    context_.Fold(EventKind::kDiskSync, inode.id);
    return absl::OkStatus();
  }
  if (Lies(inode)) return absl::OkStatus();
  const auto operation = std::make_shared<DeviceOperation>();
  operation->complete = [this, id = inode.id, upto = inode.content.sequence(),
                         o = operation.get()] { o->status = CompleteSync(id, upto, *o); };
  const uint64_t bytes = inode.content.dirty_bytes();
  statistics_.device_bytes += bytes;
  devices_[inode.device]->Submit(operation, bytes, DrawIn(inode, "sync", options_.sync));
  return Await(process, *operation, "a disk sync");
}

// What was to be made durable stays as it is: write-back may still make it, a loss of power not.
bool Disk::Lies(const Inode& inode) {
  const DiskFault* lie = devices_[inode.device]->Find(DiskFault::Kind::kLieSync);
  if (lie == nullptr) return false;
  context_.ledger().Observed(lie->id);
  context_.Fold(EventKind::kDiskSync, inode.id);
  return true;
}

absl::Status Disk::SyncDirectory(ProcessContext& process, Inode& directory) {
  if (process.dead()) return Dead();
  if (!process.BeginEffect(EventKind::kDiskSync)) return Dead();
  ++statistics_.syncs;
  const uint64_t upto = model_.names().sequence();
  if (!model_.names().HasPending(directory, upto)) {
    context_.Fold(EventKind::kDiskSync, directory.id);
    return absl::OkStatus();
  }
  if (Lies(directory)) return absl::OkStatus();
  const auto operation = std::make_shared<DeviceOperation>();
  operation->complete = [this, id = directory.id, upto, o = operation.get()] {
    context_.Fold(EventKind::kDiskSync, Mix(id, upto));
    Inode* inode = model_.names().FindById(id);
    if (inode == nullptr) return;
    const Device& device = *devices_[inode->device];
    if (device.Find(DiskFault::Kind::kSyncErrors) != nullptr) [[unlikely]] {
      const uint64_t draw = Draw(*inode, "write error");
      if (const DiskFault* fault = device.Hits(DiskFault::Kind::kSyncErrors, draw)) {
        o->failed_by = fault->id;
        o->status = absl::DataLossError("I/O error while a directory was written");
        return;
      }
    }
    model_.names().MakeDurable(*inode, upto);
  };
  devices_[directory.device]->Submit(operation, 0, DrawIn(directory, "sync", options_.sync));
  return Await(process, *operation, "a directory sync");
}

absl::Status Disk::BeginNameChange(ProcessContext& process, size_t device_index) {
  if (process.dead()) return Dead();
  Device& device = *devices_[device_index];
  HW_RETURN_IF_ERROR(WaitToWrite(process, device, 0));
  if (!process.BeginEffect(EventKind::kDiskName)) return Dead();
  if (device.Find(DiskFault::Kind::kWriteErrors) != nullptr) [[unlikely]] {
    const uint64_t draw = Draw(model_.names().root(), "name error");
    if (const DiskFault* fault = device.Hits(DiskFault::Kind::kWriteErrors, draw)) {
      context_.ledger().Observed(fault->id);
      return absl::DataLossError("I/O error on a change of a name");
    }
  }
  return absl::OkStatus();
}

void Disk::NameChanged(size_t device, uint64_t digest) {
  context_.Fold(EventKind::kDiskName, digest);
  BecameDirty(device);
}

void Disk::ObserveAbsence(size_t device) {
  FaultId& replaced_by = devices_[device]->replaced_by;
  context_.ledger().Observed(std::exchange(replaced_by, kNoFault));
}

void Disk::ObserveFull(size_t device) {
  if (const DiskFault* full = devices_[device]->Find(DiskFault::Kind::kFull)) {
    context_.ledger().Observed(full->id);
  }
}

std::unique_ptr<core::FileSystem> Disk::OpenFileSystem(ProcessContext& process) {
  return std::make_unique<SimulatedFileSystem>(*this, process);
}

void Disk::Orphan(Inode& inode, bool locked) { orphans_.push_back({&inode, locked}); }

void Disk::ProcessEnded() {
  for (const Orphaned& orphan : orphans_) {
    if (orphan.locked) orphan.inode->locked = false;
    CloseHandle(*orphan.inode);
  }
  orphans_.clear();
}

void Disk::PowerLost() {
  HW_CHECK(orphans_.empty(), "power is lost before the process has ended");
  for (const auto& device : devices_) device->LosePower();
  for (const auto& flusher : write_backs_) {
    context_.CancelTimer(*flusher);
    flusher->in_flight.reset();
    flusher->urgent = false;
  }
  const uint64_t key = Mix(context_.key(), MixName("power loss"));
  last_loss_ = model_.LosePower(Mix(key, ++statistics_.power_losses));
  context_.Fold(EventKind::kDiskLoss, last_loss_.digest);
}

DiskFactory MakeDiskFactory(DiskOptions options) {
  return [options = std::move(options)](DiskContext& context) {
    return std::make_unique<Disk>(context, options);
  };
}

}  // namespace highwater::sim
