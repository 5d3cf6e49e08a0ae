#include "sim/host.h"

#include "core/mix.h"
#include "core/random.h"
#include "sim/host_disk_context.h"
#include "sim/network/host_network.h"
#include "sim/network/simulated_network.h"
#include "sim/simulated_process.h"
#include "sim/world.h"

namespace highwater::sim {
namespace {

// Hosts were started at different times before the world began: no two monotonic clocks can be
// compared.
int64_t ClockOffset(uint64_t key) {
  return core::KeyedRandom(core::Mix(key, 0x636c6f636b)).Between(1, 1'000'000) * 1'000'000'000;
}

}  // namespace

Host::Host(World& world, HostId id, HostOptions options)
    : world_(world),
      cpu_(options.cpu),
      id_(id),
      options_(std::move(options)),
      key_(core::MixName(options_.name, world.KeyFor("host"))),
      clock_(ClockOffset(key_)),
      disk_context_(std::make_unique<HostDiskContext>(*this)),
      kernel_(std::make_unique<HostNetwork>(*this)) {
  if (options_.disk) disk_ = options_.disk(*disk_context_);
}

Host::~Host() { process_.reset(); }

bool Host::running() const { return process_ != nullptr; }

bool Host::frozen() const { return process_ != nullptr && process_->frozen(); }

void Host::Start() {
  HW_CHECK(process_ == nullptr, "{} runs already", name());
  HW_CHECK(program_ != nullptr, "{} has no program", name());
  if (!std::exchange(powered_, true)) world_.network().OnPowerChange(*this);
  stop_requested_ = false;
  stop_fault_ = kNoFault;
  ++run_id_;
  world_.Fold(id_, EventKind::kProcessStart, run_id_);
  process_ = std::make_unique<SimulatedProcess>(*this, run_id_);
  process_->Start(program_);
}

void Host::RequestStop(FaultId fault) {
  if (process_ == nullptr || stop_requested_) return;
  world_.Fold(id_, EventKind::kFault, 6);
  world_.ledger().Applied(fault);
  stop_requested_ = true;
  stop_fault_ = fault;
  process_->RequestStop();
}

void Host::End(CrashKind kind, FaultId fault) {
  const ProcessEnd how =
      kind == CrashKind::kProcess ? ProcessEnd::kCrashed : ProcessEnd::kPowerLost;
  if (process_ != nullptr) {
    process_->End(how, fault);
  } else if (kind == CrashKind::kPowerLoss && powered_) {
    world_.ledger().Applied(fault);
    DropPower();
  }
}

void Host::OnProcessGone(ProcessEnd end, FaultId fault) {
  world_.Fold(id_, EventKind::kProcessEnd, static_cast<uint64_t>(end));
  world_.ledger().Applied(fault);
  world_.ledger().Observed(fault);
  if (end == ProcessEnd::kExited) world_.ledger().Observed(stop_fault_);
  if (end == ProcessEnd::kHalted) world_.ledger().Observed(swap_fault_);
  process_.reset();
  kernel_->OnProcessGone(end);
  if (disk_ != nullptr) disk_->ProcessEnded();
  if (end == ProcessEnd::kPowerLost) DropPower();
  if (on_process_end_) on_process_end_(end);
}

void Host::DropPower() {
  powered_ = false;
  kernel_->OnPowerLost();
  world_.network().OnPowerChange(*this);
  if (disk_ != nullptr) disk_->PowerLost();
}

void Host::CrashAtPoint(uint64_t n, CrashKind kind, FaultId fault) {
  crash_at_ = n;
  planned_crash_ = kind;
  planned_fault_ = fault;
}

void Host::Freeze(FaultId fault) {
  if (process_ == nullptr || process_->frozen()) return;
  world_.Fold(id_, EventKind::kFault, 1);
  world_.ledger().Applied(fault);
  process_->Freeze(fault);
}

void Host::Thaw() {
  if (!frozen()) return;
  world_.Fold(id_, EventKind::kFault, 2);
  process_->Thaw();
}

void Host::SwapDisks(Host& other, FaultId fault) {
  HW_CHECK(!running() && !other.running(), "{} and {} swap disks while a process runs", name(),
           other.name());
  world_.Fold(id_, EventKind::kFault, core::Mix(7, other.id_.value()));
  world_.ledger().Applied(fault);
  std::swap(disk_context_, other.disk_context_);
  std::swap(disk_, other.disk_);
  disk_context_->MoveTo(*this);
  other.disk_context_->MoveTo(other);
  swap_fault_ = other.swap_fault_ = fault;
}

void Host::SlowCpu(int64_t factor, FaultId fault) {
  HW_CHECK(factor >= 1);
  world_.Fold(id_, EventKind::kFault, core::Mix(3, static_cast<uint64_t>(factor)));
  world_.ledger().Applied(fault);
  cpu_.Slow(factor, fault);
}

void Host::JumpWallClock(absl::Duration by, FaultId fault) {
  world_.Fold(id_, EventKind::kFault,
              core::Mix(4, static_cast<uint64_t>(absl::ToInt64Nanoseconds(by))));
  world_.ledger().Applied(fault);
  wall_fault_ = fault;
  clock_.JumpWall(by);
}

void Host::SetClockDrift(int64_t ppm, FaultId fault) {
  world_.Fold(id_, EventKind::kFault, core::Mix(5, static_cast<uint64_t>(ppm)));
  world_.ledger().Applied(fault);
  clock_fault_ = fault;
  // Timers were set at instants of the clock: they move to where the clock now reaches those.
  struct Moved {
    core::TimerNode* node;
    core::MonotonicTime when;
  };
  std::vector<Moved> moved;
  for (core::TimerNode* node : world_.wheel().PendingOf(timer_owner())) {
    moved.push_back({node, clock_.At(node->when())});
  }
  clock_.SetDrift(world_.now(), ppm);
  for (const Moved& m : moved) {
    world_.wheel().Set(*m.node, clock_.WorldTimeOf(m.when), timer_owner());
  }
}

void Host::ObserveClockFault() { world_.ledger().Observed(std::exchange(clock_fault_, kNoFault)); }

void Host::ObserveWallFault() { world_.ledger().Observed(std::exchange(wall_fault_, kNoFault)); }

}  // namespace highwater::sim
