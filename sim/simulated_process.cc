#include "sim/simulated_process.h"

#include "core/mix.h"
#include "core/random.h"
#include "sim/network/host_network.h"
#include "sim/network/network_port.h"
#include "sim/no_file_system.h"
#include "sim/world.h"

namespace highwater::sim {

SimulatedProcess::SimulatedProcess(Host& host, uint64_t run_id)
    : host_(host),
      world_(host.world()),
      run_id_(run_id),
      key_(core::Mix(host.key(), run_id)),
      fibers_(*this, host.key()),
      process_port_(*this),
      clock_port_(*this),
      random_port_(*this),
      buggify_port_(*this),
      network_port_(std::make_unique<NetworkPort>(*this)),
      stop_node_(*this),
      cpu_node_(*this) {
  files_ = host.disk() != nullptr ? host.disk()->OpenFileSystem(*this)
                                  : std::make_unique<NoFileSystem>();
  environment_.reset(new core::Environment{.process = process_port_,
                                           .clock = clock_port_,
                                           .fibers = fibers_,
                                           .network = *network_port_,
                                           .files = *files_,
                                           .random = random_port_,
                                           .buggify = buggify_port_});
}

SimulatedProcess::~SimulatedProcess() {
  dead_ = true;
  world_.ready().Forget(*this);
  cpu_queue_.clear();
  fibers_.UnwindAll();
  host_.kernel().ForgetProcess();
  on_stop_.clear();
  application_.reset();
  files_.reset();
}

void SimulatedProcess::Start(const Program& program) {
  fibers_.Spawn("main", [this, program] {
    application_ = program(*environment_);
    application_->Run(*environment_);
    End(ProcessEnd::kExited, kNoFault);
  });
}

void SimulatedProcess::End(ProcessEnd how, FaultId fault) {
  if (dead_) return;
  dead_ = true;
  end_ = how;
  end_fault_ = fault;
  FinishIfEnding();
}

bool SimulatedProcess::FinishIfEnding() {
  if (!dead_ || fibers_.current() != nullptr || world_.running() == &host_) return false;
  host_.OnProcessGone(end_, end_fault_);  // destroys this
  return true;
}

void SimulatedProcess::Input(core::TimerNode& input) {
  if (frozen()) return Hold(input, host_.timer_owner());
  world_.set_running(&host_);
  input.OnTimer();
  world_.set_running(nullptr);
  FinishIfEnding();
}

void SimulatedProcess::OnOwnedTimer(core::TimerNode& node) {
  if (frozen()) return Hold(node, host_.timer_owner());
  world_.Fold(host_.id(), EventKind::kTimer, 0);
  Input(node);
}

core::MonotonicTime SimulatedProcess::Now() const { return host_.clock().At(world_.now()); }

void SimulatedProcess::MakeReady(core::Fiber& fiber) {
  if (dead_) return;
  if (frozen()) return Hold(fiber.ready_node(), 0);
  world_.ready().Add(fiber, *this);
}

void SimulatedProcess::OnReady(core::Fiber& fiber) { world_.ready().OnReady(fiber, *this); }

void SimulatedProcess::RunChosen(core::Fiber& fiber) {
  if (frozen()) return Hold(fiber.ready_node(), 0);
  Cpu& cpu = host_.cpu();
  if (!cpu.free_of_charge() && (cpu.free_at() > world_.now() || !cpu_queue_.empty())) {
    if (cpu_queue_.empty()) world_.wheel().Set(cpu_node_, cpu.free_at());
    cpu_queue_.push_back(&fiber);
    world_.ledger().Observed(cpu.fault());
    return;
  }
  Resume(fiber);
}

void SimulatedProcess::Resume(core::Fiber& fiber) {
  world_.Fold(host_.id(), EventKind::kFiber, fiber.path() + fiber.wakes());
  if (thawed_fault_ != kNoFault) [[unlikely]] {
    world_.ledger().Observed(std::exchange(thawed_fault_, kNoFault));
  }
  charged_bytes_ = 0;
  world_.set_running(&host_);
  fiber.Resume();
  world_.set_running(nullptr);
  Cpu& cpu = host_.cpu();
  if (!cpu.free_of_charge()) cpu.Occupy(world_.now(), charged_bytes_);
  FinishIfEnding();
}

void SimulatedProcess::OnCpuFree() {
  if (cpu_queue_.empty()) return;
  if (frozen()) {
    for (core::Fiber* fiber : cpu_queue_) Hold(fiber->ready_node(), 0);
    cpu_queue_.clear();
    return;
  }
  if (host_.cpu().free_at() > world_.now()) {
    world_.wheel().Set(cpu_node_, host_.cpu().free_at());
    return;
  }
  core::Fiber& fiber = *cpu_queue_.front();
  cpu_queue_.pop_front();
  // The next one comes here again after this run, which may end the process.
  if (!cpu_queue_.empty()) world_.wheel().Set(cpu_node_, world_.now());
  Resume(fiber);
}

void SimulatedProcess::SetTimer(core::TimerNode& node, core::MonotonicTime when) {
  if (dead_) return;
  world_.wheel().Set(node, host_.clock().WorldTimeOf(when), host_.timer_owner());
}

void SimulatedProcess::CancelTimer(core::TimerNode& node) { world_.wheel().Cancel(node); }

bool SimulatedProcess::HitsPlannedCrash() {
  if (!host_.CountEffect()) [[likely]]
    return false;
  End(host_.planned_crash() == CrashKind::kProcess ? ProcessEnd::kCrashed : ProcessEnd::kPowerLost,
      host_.planned_fault());
  return true;
}

bool SimulatedProcess::BeginEffect(EventKind) {
  if (dead_ || HitsPlannedCrash()) [[unlikely]]
    return !EndsHere();
  return true;
}

bool SimulatedProcess::BeginEffectWithoutWaiting(EventKind) {
  return !dead_ && !HitsPlannedCrash();
}

uint64_t SimulatedProcess::Draw(uint64_t purpose) {
  if (dead_) return 0;
  core::Fiber* fiber = fibers_.current();
  if (fiber == nullptr) {
    return core::KeyedRandom::Draw(core::Mix(key_, purpose), draws_outside_fibers_++);
  }
  const uint64_t who = core::Mix(core::Mix(key_, fiber->path()), purpose);
  return core::KeyedRandom::Draw(core::Mix(who, fiber->wakes()), fiber->CountDraw());
}

bool SimulatedProcess::BuggifyFires(std::string_view site) {
  if (dead_ || !world_.options().buggify) return false;
  const BuggifySite& known = Remember(site);
  return known.on && (Draw(known.key) & 3) == 0;
}

const SimulatedProcess::BuggifySite& SimulatedProcess::Remember(std::string_view site) {
  for (const BuggifySite& known : buggify_sites_) {
    if (known.name.data() == site.data() && known.name.size() == site.size()) return known;
  }
  return buggify_sites_.emplace_back(
      BuggifySite{.name = site, .on = world_.BuggifySiteIsOn(site), .key = core::MixName(site)});
}

void SimulatedProcess::RequestStop() {
  if (dead_ || stop_requested_) return;
  stop_requested_ = true;
  world_.wheel().Set(stop_node_, world_.now(), host_.timer_owner());
}

void SimulatedProcess::OnStopRequested(absl::AnyInvocable<void()> callback) {
  if (dead_) return;
  on_stop_.push_back(std::move(callback));
  if (stop_requested_) world_.wheel().Set(stop_node_, world_.now(), host_.timer_owner());
}

void SimulatedProcess::DeliverStop() {
  std::vector<absl::AnyInvocable<void()>> callbacks = std::exchange(on_stop_, {});
  for (auto& callback : callbacks) callback();
}

void SimulatedProcess::Freeze(FaultId fault) {
  if (dead_ || frozen()) return;
  frozen_ = std::make_unique<core::TimerWheel>();
  freeze_fault_ = fault;
  ++freezes_;
  held_ = 0;
}

void SimulatedProcess::Hold(core::TimerNode& node, uint32_t owner) {
  // Where it stands in the order at the thaw is drawn; the wheel keeps it cancellable meanwhile.
  const uint64_t draw =
      core::KeyedRandom::Draw(core::Mix(key_, core::Mix(0x68656c64, freezes_)), held_++);
  frozen_->Set(node, static_cast<int64_t>(draw >> 16), owner);
}

void SimulatedProcess::Thaw() {
  if (dead_ || !frozen()) return;
  std::unique_ptr<core::TimerWheel> held = std::move(frozen_);
  if (!held->empty()) thawed_fault_ = freeze_fault_;
  while (core::TimerNode* node = held->PopDue(core::TimerWheel::kNever - 1)) {
    world_.wheel().Set(*node, world_.now(), node->owner());
  }
}

}  // namespace highwater::sim
