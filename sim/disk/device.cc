#include "sim/disk/device.h"

#include <algorithm>

#include "core/check.h"

namespace highwater::sim {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// bytes / bandwidth without overflow up to a petabyte.
int64_t TransferTime(uint64_t bytes, int64_t bandwidth) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<int64_t>(static_cast<Wide>(bytes) * kSecond /
                              static_cast<uint64_t>(bandwidth));
}

}  // namespace

void DeviceOperation::OnTimer() { device_->OnDue(*this); }

void Device::Submit(const std::shared_ptr<DeviceOperation>& operation, uint64_t bytes,
                    int64_t latency) {
  int64_t occupied =
      kSecond / options_.operations_per_second + TransferTime(bytes, options_.bandwidth);
  if (const DiskFault* slow = Find(DiskFault::Kind::kSlow)) {
    occupied *= slow->factor;
    latency *= slow->factor;
    operation->delayed_by = slow->id;
  }
  operation->device_ = this;
  operation->service_ = occupied + latency;
  free_at_ = std::max(free_at_, context_.Now()) + occupied;
  context_.SetTimer(*operation, free_at_ + latency);
  in_flight_.push_back(operation);
}

void Device::OnDue(DeviceOperation& operation) {
  const auto it = std::find_if(in_flight_.begin(), in_flight_.end(),
                               [&](const auto& other) { return other.get() == &operation; });
  HW_CHECK(it != in_flight_.end(), "an operation of another device is due");
  const std::shared_ptr<DeviceOperation> kept = std::move(*it);
  in_flight_.erase(it);
  if (const DiskFault* stall = Stall()) {
    operation.delayed_by = stall->id;
    // Whoever waits returns later than it would have, or never.
    if (!operation.waiters.empty()) context_.ledger().Observed(stall->id);
    held_.push_back(kept);
    return;
  }
  operation.complete();
  operation.done = true;
  operation.waiters.WakeAll();
}

// The stall is over: what was held is done in its order, each taking its time again.
void Device::Release() {
  const std::vector<std::shared_ptr<DeviceOperation>> held = std::move(held_);
  held_.clear();
  int64_t at = context_.Now();
  for (const std::shared_ptr<DeviceOperation>& operation : held) {
    at += operation->service_;
    context_.SetTimer(*operation, at);
    in_flight_.push_back(operation);
  }
  free_at_ = std::max(free_at_, at);
  writers.WakeAll();
}

void Device::LosePower() {
  for (const auto& operation : in_flight_) context_.CancelTimer(*operation);
  in_flight_.clear();
  held_.clear();
  free_at_ = 0;
}

void Device::Begin(const DiskFault& fault) {
  HW_CHECK(fault.factor >= 1 && fault.percent > 0 && fault.percent <= 100,
           "a disk fault with factor {} and {} percent", fault.factor, fault.percent);
  faults_.push_back(fault);
}

bool Device::End(FaultId fault) {
  const bool stalled = Stall() != nullptr;
  const size_t ended =
      std::erase_if(faults_, [&](const DiskFault& active) { return active.id == fault; });
  if (stalled && Stall() == nullptr) {
    Release();
  } else if (ended > 0) {
    writers.WakeAll();
  }
  return ended > 0;
}

const DiskFault* Device::FindAmong(DiskFault::Kind kind) const {
  for (const DiskFault& fault : faults_) {
    if (fault.kind == kind) return &fault;
  }
  return nullptr;
}

const DiskFault* Device::Hits(DiskFault::Kind kind, uint64_t random) const {
  const DiskFault* fault = Find(kind);
  if (fault == nullptr || random % 100 >= static_cast<uint64_t>(fault->percent)) return nullptr;
  return fault;
}

const DiskFault* Device::Stall() const {
  if (faults_.empty()) return nullptr;
  for (const DiskFault& fault : faults_) {
    if (fault.kind == DiskFault::Kind::kStallDevice ||
        fault.kind == DiskFault::Kind::kStallWrites) {
      return &fault;
    }
  }
  return nullptr;
}

}  // namespace highwater::sim
