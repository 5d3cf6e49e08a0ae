#pragma once

// World: one seed's simulated region, run by one OS thread.
//
//   sim::World world({.seed = 7, .strategy = sim::StrategyKind::kPct});
//   sim::Host& broker = world.AddHost({.name = "broker-0", .zone =
//   world.network().AddZone("az-a")}); broker.SetMain([](core::Environment& env) { ... });
//   broker.Start();
//   world.At(absl::Seconds(5), [&] { broker.Crash(); });
//   EXPECT_EQ(world.Run(absl::Seconds(20)), sim::RunEnd::kTime);
//   world.hash().value();
//
// It owns time, the hash chain, the hosts, the network between them and the fault ledger, and
// decides with its strategy which fiber runs next. Idle time is skipped. Invariants:
//   1. Everything that happens follows from the options and from what was called between runs:
//   nothing reads the machine.
//   2. Time never goes back; what has nothing to do schedules nothing.
//   3. Every draw is keyed by a stable identity, so that "the same run without fault 7" keeps all
//   other draws.
//
// Not responsible for: which faults happen (faults/), what must hold (invariants/).

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/mix.h"
#include "core/timer_wheel.h"
#include "sim/fault_ledger.h"
#include "sim/network/network_options.h"
#include "sim/ready_queue.h"
#include "sim/state_hash.h"
#include "sim/strategy.h"

namespace highwater::sim {

class Host;
struct HostOptions;
class SimulatedNetwork;

struct WorldOptions {
  uint64_t seed = 0;
  StrategyKind strategy = StrategyKind::kFifo;
  // Off: Buggify never fires.
  bool buggify = false;
  NetworkOptions network;
  // A run ends as kLivelock after this many events at one instant, and as kEventLimit after this
  // many in all.
  uint64_t max_events_per_instant = 5'000'000;
  uint64_t max_events = uint64_t{1} << 62;
};

// Why a run came to its end.
enum class RunEnd : uint8_t {
  kTime,     // the asked-for time has come
  kIdle,     // nothing is pending any more: if somebody still waits, the world is stuck
  kStopped,  // Stop was called
  kEventLimit,
  kLivelock,  // events without end at one instant
};
[[nodiscard]] std::string_view RunEndName(RunEnd end);

class World final : public core::CheckFailureHandler {
 public:
  explicit World(WorldOptions options);
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] uint64_t seed() const { return options_.seed; }
  [[nodiscard]] const WorldOptions& options() const { return options_; }
  // Since the world began.
  [[nodiscard]] int64_t now() const { return wheel_.now(); }
  [[nodiscard]] absl::Duration Elapsed() const { return absl::Nanoseconds(now()); }

  // A host is never removed. REQUIRES: the name is new.
  Host& AddHost(HostOptions options);
  [[nodiscard]] Host& host(HostId id) { return *hosts_[id.value()]; }
  [[nodiscard]] Host* FindHost(std::string_view name);
  [[nodiscard]] size_t host_count() const { return hosts_.size(); }
  [[nodiscard]] SimulatedNetwork& network() { return *network_; }
  [[nodiscard]] FaultLedger& ledger() { return ledger_; }
  [[nodiscard]] StateHash& hash() { return hash_; }

  // Calls `action` once at `since_start` (at once if past), outside any process. For faults,
  // workload control and tests.
  void At(absl::Duration since_start, absl::AnyInvocable<void()> action);
  // Calls `action` as soon as the present event is over, before any other: outside any process, at
  // this instant. For faults that answer an event. REQUIRES: the world runs.
  void AfterEvent(absl::AnyInvocable<void()> action) { after_event_.push_back(std::move(action)); }
  // Runs events up to and including world time `until`; on kTime and kIdle now() is `until`
  // afterwards.
  RunEnd Run(absl::Duration until);
  // Runs until nothing is pending; now() is the time of the last event.
  RunEnd RunUntilIdle();
  // Ends the present run after the present event.
  void Stop() { stopped_ = true; }
  // While fair, the strategy holds nobody back (Strategy::SetFair).
  void SetFairSchedule(bool fair) {
    if (strategy_ != nullptr) strategy_->SetFair(fair);
  }
  // Ends the run once `count` points are in the hash chain: for a debugger and for bisecting.
  void StopAtPoint(uint64_t count) { stop_at_point_ = count; }

  // Events executed so far.
  [[nodiscard]] uint64_t events() const { return events_; }
  // Every live fiber: host, name, what it waits for, since when, until when.
  [[nodiscard]] std::string DescribeFibers() const;
  [[nodiscard]] size_t LiveFibers() const;
  // The last events, oldest first.
  [[nodiscard]] std::string DescribeLastEvents() const;
  // Tells seed, virtual time, last events and live fibers. `running()` tells whose code failed.
  void OnFailedCheck(const core::FailedCheck& check) override;
  // The host whose process is running now; nullptr: the world's own code.
  [[nodiscard]] Host* running() const { return running_; }

  // For the parts of sim/ and for what stands beside it (workload, injector).
  [[nodiscard]] core::TimerWheel& wheel() { return wheel_; }
  [[nodiscard]] ReadyQueue& ready() { return ready_; }
  [[nodiscard]] Strategy* strategy() { return strategy_.get(); }
  void set_running(Host* host) { running_ = host; }
  void Fold(HostId host, EventKind kind, uint64_t digest) {
    hash_.Fold(wheel_.now(), host, kind, digest);
  }
  // The root of keys for draws of the part `name`.
  [[nodiscard]] uint64_t KeyFor(std::string_view name) const {
    return core::MixName(name, core::Mix(0x6b6579, options_.seed));
  }
  // Whether Buggify's `site` is on in this run.
  [[nodiscard]] bool BuggifySiteIsOn(std::string_view site) const {
    return options_.buggify && core::MixName(site, KeyFor("buggify")) % 4 == 0;
  }

 private:
  class Action;
  RunEnd RunEvents(int64_t until);
  void Execute(core::TimerNode& node);
  void FinishEvent();
  [[nodiscard]] std::string NameOf(HostId id) const;

  WorldOptions options_;
  core::TimerWheel wheel_;
  StateHash hash_;
  FaultLedger ledger_;
  std::unique_ptr<Strategy> strategy_;
  ReadyQueue ready_;
  std::vector<std::unique_ptr<Action>> actions_;
  std::vector<Action*> free_actions_;
  std::vector<absl::AnyInvocable<void()>> after_event_;
  std::unique_ptr<SimulatedNetwork> network_;
  std::vector<std::unique_ptr<Host>> hosts_;
  Host* running_ = nullptr;
  uint64_t events_ = 0;
  uint64_t stop_at_point_ = ~uint64_t{0};
  bool stopped_ = false;
};

}  // namespace highwater::sim
