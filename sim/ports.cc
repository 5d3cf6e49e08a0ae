#include "sim/ports.h"

#include "sim/simulated_process.h"
#include "sim/world.h"

namespace highwater::sim {

void ProcessPort::Halt(std::string_view reason) {
  process_.host().NoteHaltReason(reason);
  process_.End(ProcessEnd::kHalted, kNoFault);
  process_.AbandonFiber();
}

bool ProcessPort::StopRequested() const { return process_.stop_requested(); }

void ProcessPort::OnStopRequested(absl::AnyInvocable<void()> callback) {
  process_.OnStopRequested(std::move(callback));
}

uint64_t ProcessPort::RunId() const { return process_.run_id(); }

core::MonotonicTime ClockPort::Now() const {
  if (!process_.dead()) process_.host().ObserveClock();
  return process_.Now();
}

absl::Time ClockPort::WallNow() const {
  Host& host = process_.host();
  if (!process_.dead()) host.ObserveWallClock();
  return host.clock().WallAt(host.world().now());
}

uint64_t RandomPort::Next() { return process_.Draw(0); }

bool BuggifyPort::Fires(std::string_view site) { return process_.BuggifyFires(site); }

}  // namespace highwater::sim
