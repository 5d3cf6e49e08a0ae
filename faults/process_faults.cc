#include "faults/process_faults.h"

#include <cstdlib>

#include "core/random.h"
#include "sim/network/simulated_network.h"

namespace highwater::faults {
namespace {

using Hosts = std::vector<sim::Host*>;

// Asks a process to stop cleanly, and starts it again at the end.
class Stop final : public Fault {
 public:
  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    for (sim::Host* host : victims) {
      if (!host->running() || host->stop_requested()) continue;
      host->RequestStop(id);
      stopped_.push_back(host);
    }
  }
  void Withdraw(sim::World& world) override {
    for (sim::Host* host : stopped_) StartOnceGone(world, host);
  }
  std::string Describe(const Hosts&) const override {
    return fmt::format("{} {} asked to stop", Names(stopped_), stopped_.size() == 1 ? "is" : "are");
  }

 private:
  Hosts stopped_;
};

// Ends a process, or takes its host's power, and starts it again at the end.
class Down final : public Fault {
 public:
  Down(sim::CrashKind kind, std::string_view verb) : kind_(kind), verb_(verb) {}

  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    for (sim::Host* host : victims) {
      if (!host->running()) continue;  // somebody else's victim already, who starts it again
      host->End(kind_, id);
      down_.push_back(host);
    }
  }
  // Its end takes effect when the fiber that it is on waits, and its ports are dead at once.
  bool MayBeginOnVictim() const override { return true; }
  void Withdraw(sim::World&) override {
    for (sim::Host* host : down_) {
      if (!host->running()) host->Start();
    }
  }
  std::string Describe(const Hosts&) const override {
    return fmt::format("{} {}", Names(down_), verb_);
  }

 private:
  sim::CrashKind kind_;
  std::string_view verb_;
  Hosts down_;
};

class Freeze final : public Fault {
 public:
  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    for (sim::Host* host : victims) {
      if (!host->running() || host->frozen()) continue;
      host->Freeze(id);
      frozen_.push_back({host, host->run_id()});
    }
  }
  void Withdraw(sim::World&) override {
    for (const auto& [host, run_id] : frozen_) {
      if (host->running() && host->run_id() == run_id && host->frozen()) host->Thaw();
    }
  }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("{} freezes", Names(victims));
  }

 private:
  std::vector<std::pair<sim::Host*, uint64_t>> frozen_;
};

class ClockDrift final : public Fault {
 public:
  explicit ClockDrift(int64_t ppm) : ppm_(ppm) {}

  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    for (sim::Host* host : victims) {
      if (host->clock().drift_ppm() != 0) continue;  // somebody else's victim already
      host->SetClockDrift(ppm_, id);
      drifting_.push_back(host);
    }
  }
  void Withdraw(sim::World&) override {
    for (sim::Host* host : drifting_) host->SetClockDrift(0);
  }
  std::string Describe(const Hosts&) const override {
    return fmt::format("the clock of {} runs {} ppm too {}", Names(drifting_), std::abs(ppm_),
                       ppm_ < 0 ? "slow" : "fast");
  }

 private:
  int64_t ppm_;
  Hosts drifting_;
};

// One after another is stopped cleanly, stays down for a while and is started; then, when it has
// run for a while, it is the next one's turn.
class RollingRestart final : public Fault {
 public:
  RollingRestart(absl::Duration down, absl::Duration pause)
      : state_(std::make_shared<State>(State{.down = down, .pause = pause})) {}

  void Apply(sim::World& world, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    state_->id = id;
    state_->hosts = victims;
    Next(world, state_);
  }
  void Withdraw(sim::World& world) override {
    state_->over = true;
    if (state_->stopped != nullptr) StartOnceGone(world, state_->stopped);
  }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("{} are restarted one after another", Names(victims));
  }

 private:
  struct State {
    absl::Duration down;
    absl::Duration pause;
    sim::FaultId id;
    Hosts hosts;
    size_t next = 0;
    sim::Host* stopped = nullptr;
    bool over = false;
  };
  using Shared = std::shared_ptr<State>;
  static constexpr absl::Duration kPoll = absl::Milliseconds(50);

  static void Next(sim::World& world, const Shared& state) {
    if (state->over || state->next == state->hosts.size()) return;
    sim::Host* host = state->hosts[state->next];
    // Who rolls waits for somebody whom another fault has taken down.
    if (!host->running() || host->stop_requested()) return Later(world, state, kPoll, Next);
    ++state->next;
    host->RequestStop(state->id);
    state->stopped = host;
    Later(world, state, state->down, Start);
  }
  static void Start(sim::World& world, const Shared& state) {
    if (state->over) return;
    // A stop takes as long as it takes.
    if (state->stopped->running() && state->stopped->stop_requested()) {
      return Later(world, state, kPoll, Start);
    }
    if (!state->stopped->running()) state->stopped->Start();
    state->stopped = nullptr;
    Later(world, state, state->pause, Next);
  }
  static void Later(sim::World& world, const Shared& state, absl::Duration delay,
                    void (*step)(sim::World&, const Shared&)) {
    world.At(world.Elapsed() + delay, [&world, state, step] { step(world, state); });
  }

  Shared state_;
};

// Most servers of a ZooKeeper ensemble at once: the victim, and others of those that the order's
// key puts first.
class LoseQuorum final : public Fault {
 public:
  LoseQuorum(std::string how, uint64_t key) : how_(std::move(how)), key_(key) {}

  void Enter(const Stage& stage) override { all_ = stage.cast.All(Cast::Kind::kZooKeeper); }
  void Apply(sim::World& world, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    id_ = id;
    lost_ = victims;
    const size_t majority = all_.size() / 2 + 1;
    const size_t first = core::KeyedRandom(key_).Below(all_.size());
    for (size_t i = 0; i < all_.size() && lost_.size() < majority; ++i) {
      sim::Host* host = all_[(first + i) % all_.size()];
      if (host != victims.front()) lost_.push_back(host);
    }
    if (how_ == "network") return world.network().Apply(CutFromAll(world));
    for (sim::Host* host : lost_) {
      if (!host->running()) continue;
      host->End(how_ == "power" ? sim::CrashKind::kPowerLoss : sim::CrashKind::kProcess, id);
      down_.push_back(host);
    }
  }
  void Withdraw(sim::World& world) override {
    world.network().Withdraw(id_);
    for (sim::Host* host : down_) {
      if (!host->running()) host->Start();
    }
  }
  std::string Describe(const Hosts&) const override {
    return fmt::format("{} {}: ZooKeeper has no quorum", Names(lost_),
                       how_ == "network" ? "are cut off"
                       : how_ == "power" ? "lose power"
                                         : "crash");
  }

 private:
  sim::LinkFault CutFromAll(sim::World& world) const {
    sim::LinkFault fault{.id = id_};
    for (const sim::Host* host : lost_) fault.from.push_back(host->id());
    for (uint32_t i = 0; i < world.host_count(); ++i) fault.to.emplace_back(i);
    return fault;
  }

  std::string how_;
  uint64_t key_;
  sim::FaultId id_;
  Hosts all_;
  Hosts lost_;
  Hosts down_;
};

class ClockJump final : public Fault {
 public:
  explicit ClockJump(absl::Duration by) : by_(by) {}

  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    for (sim::Host* host : victims) host->JumpWallClock(by_, id);
  }
  void Withdraw(sim::World&) override {}  // a clock that has jumped stays where it is
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("the wall clock of {} jumps by {}", Names(victims),
                       absl::FormatDuration(by_));
  }

 private:
  absl::Duration by_;
};

}  // namespace

std::unique_ptr<Fault> MakeCrash(const FaultOrder&) {
  return std::make_unique<Down>(sim::CrashKind::kProcess, "crashes: its process is killed");
}
std::unique_ptr<Fault> MakeStop(const FaultOrder&) { return std::make_unique<Stop>(); }
std::unique_ptr<Fault> MakePowerLoss(const FaultOrder&) {
  return std::make_unique<Down>(sim::CrashKind::kPowerLoss,
                                "loses power: what was not synced may be gone");
}
std::unique_ptr<Fault> MakeFreeze(const FaultOrder&) { return std::make_unique<Freeze>(); }
std::unique_ptr<Fault> MakeClockDrift(const FaultOrder& order) {
  const int64_t ppm = order.Number("rate");
  return std::make_unique<ClockDrift>(order.Choice("direction") == "slow" ? -ppm : ppm);
}
std::unique_ptr<Fault> MakeLoseQuorum(const FaultOrder& order) {
  return std::make_unique<LoseQuorum>(order.Choice("how"), order.key);
}
std::unique_ptr<Fault> MakeRollingRestart(const FaultOrder& order) {
  return std::make_unique<RollingRestart>(absl::Nanoseconds(order.Number("down")),
                                          absl::Nanoseconds(order.Number("pause")));
}
std::unique_ptr<Fault> MakeClockJump(const FaultOrder& order) {
  return std::make_unique<ClockJump>(absl::Nanoseconds(order.Number("by")));
}

}  // namespace highwater::faults
