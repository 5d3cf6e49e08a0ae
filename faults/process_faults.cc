#include "faults/process_faults.h"

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
std::unique_ptr<Fault> MakeClockJump(const FaultOrder& order) {
  return std::make_unique<ClockJump>(absl::Nanoseconds(order.Number("by")));
}

}  // namespace highwater::faults
