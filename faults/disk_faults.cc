#include "faults/disk_faults.h"

#include "core/random.h"
#include "sim/disk/disk.h"

namespace highwater::faults {
namespace {

using Hosts = std::vector<sim::Host*>;
using Kind = sim::DiskFault::Kind;

sim::Disk& DiskOf(sim::Host& host) {
  HW_CHECK(host.disk() != nullptr, "{} has no disk", host.name());
  return static_cast<sim::Disk&>(*host.disk());
}

// Something that is wrong with a disk from Apply to Withdraw.
class DiskCondition final : public Fault {
 public:
  DiskCondition(sim::DiskFault fault, std::string what)
      : fault_(std::move(fault)), what_(std::move(what)) {}

  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    fault_.id = id;
    victims_ = victims;
    for (sim::Host* host : victims_) DiskOf(*host).Begin(fault_);
  }
  void Withdraw(sim::World&) override {
    for (sim::Host* host : victims_) DiskOf(*host).End(fault_.id);
  }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("the disk of {} {}", Names(victims), what_);
  }

 private:
  sim::DiskFault fault_;
  std::string what_;
  Hosts victims_;
};

// What becomes of the next write that reaches the device.
class SpoilWrite final : public Fault {
 public:
  using Arm = void (sim::Disk::*)(size_t device, std::string path, sim::FaultId fault,
                                  sim::Disk::ToldOfWrite told);
  SpoilWrite(Arm arm, std::string_view what) : arm_(arm), what_(what) {}

  void Enter(const Stage& stage) override { took_effect_ = stage.took_effect; }
  bool Lurks() const override { return true; }
  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    id_ = id;
    victims_ = victims;
    for (sim::Host* host : victims) (DiskOf(*host).*arm_)(0, "", id, took_effect_);
  }
  void Withdraw(sim::World&) override {
    for (sim::Host* host : victims_) DiskOf(*host).Disarm(id_);
  }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("the disk of {} {}", Names(victims), what_);
  }

 private:
  Arm arm_;
  std::string_view what_;
  std::function<void()> took_effect_;
  sim::FaultId id_;
  Hosts victims_;
};

// Stored bits flip and stay so.
class FlipBits final : public Fault {
 public:
  FlipBits(int64_t count, uint64_t key) : count_(count), key_(key) {}

  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    for (sim::Host* host : victims) {
      sim::Disk& disk = DiskOf(*host);
      core::KeyedRandom random(core::Mix(key_, host->id().value()));
      const std::vector<sim::Disk::FileView> files = disk.Files();
      if (files.empty()) continue;
      for (int64_t i = 0; i < count_; ++i) {
        const size_t chosen = random.Below(files.size());
        if (disk.FlipBit(files[chosen].path, id)) ++flipped_;
      }
    }
  }
  void Withdraw(sim::World&) override {}
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("{} stored bits of {} flip", flipped_, Names(victims));
  }

 private:
  int64_t count_;
  uint64_t key_;
  int64_t flipped_ = 0;
};

// The host goes off, its disk is taken out, and it comes back with an empty one.
class ReplaceDisk final : public Fault {
 public:
  void Apply(sim::World&, const Hosts& victims, const Hosts&, sim::FaultId id) override {
    for (sim::Host* host : victims) {
      host->LosePower(id);
      sim::Disk& disk = DiskOf(*host);
      for (size_t i = 0; i < disk.model().device_count(); ++i) disk.Replace(i, id);
      victims_.push_back(host);
    }
  }
  void Withdraw(sim::World&) override {
    for (sim::Host* host : victims_) {
      if (!host->running()) host->Start();
    }
  }
  std::string Describe(const Hosts& victims) const override {
    return fmt::format("{} goes off and gets an empty disk", Names(victims));
  }

 private:
  Hosts victims_;
};

// Maintenance with a slip: two hosts are stopped cleanly, and each starts with the other's disk.
// Later somebody notices.
class SwapDisks final : public Fault {
 public:
  void Apply(sim::World& world, const Hosts& victims, const Hosts& others,
             sim::FaultId id) override {
    if (others.empty() || others.front() == victims.front()) return;
    for (const sim::Host* host : {victims.front(), others.front()}) {
      if (host->running() && host->stop_requested()) return;  // somebody else is at it
      if (host->has_foreign_disk()) return;
    }
    pair_ = std::make_shared<Pair>(Pair{victims.front(), others.front(), id});
    Step(world, pair_);
  }
  void Withdraw(sim::World& world) override {
    pair_->wanted = false;
    // A process that found its own disk may run by now, if another fault has moved it.
    Step(world, pair_);
  }
  std::string Describe(const Hosts&) const override {
    return fmt::format("{} and {} are stopped, and their disks are swapped", pair_->one->name(),
                       pair_->other->name());
  }

 private:
  struct Pair {
    sim::Host* one;
    sim::Host* other;
    sim::FaultId id;
    bool wanted = true;
    bool swapped = false;
  };
  static constexpr absl::Duration kPoll = absl::Milliseconds(50);

  // Goes on until the disks are where they are wanted. A stop takes as long as it takes.
  static void Step(sim::World& world, const std::shared_ptr<Pair>& pair) {
    if (pair->swapped == pair->wanted) {
      for (sim::Host* host : {pair->one, pair->other}) StartOnceGone(world, host);
      return;
    }
    for (sim::Host* host : {pair->one, pair->other}) host->RequestStop(pair->id);
    if (!pair->one->running() && !pair->other->running()) {
      // Who swaps once more before the disks are back would leave them with a third.
      if (pair->wanted && (pair->one->has_foreign_disk() || pair->other->has_foreign_disk())) {
        pair->wanted = false;
        return Step(world, pair);
      }
      pair->one->SwapDisks(*pair->other, pair->wanted ? pair->id : sim::kNoFault);
      pair->swapped = pair->wanted;
      for (sim::Host* host : {pair->one, pair->other}) host->Start();
      return;
    }
    world.At(world.Elapsed() + kPoll, [&world, pair, wanted = pair->wanted] {
      if (pair->wanted == wanted) Step(world, pair);
    });
  }

  std::shared_ptr<Pair> pair_;
};

}  // namespace

std::unique_ptr<Fault> MakeDiskError(const FaultOrder& order) {
  const std::string& operation = order.Choice("operation");
  const Kind kind = operation == "read"    ? Kind::kReadErrors
                    : operation == "write" ? Kind::kWriteErrors
                                           : Kind::kSyncErrors;
  return std::make_unique<DiskCondition>(sim::DiskFault{.kind = kind},
                                         fmt::format("answers each {} with EIO", operation));
}

std::unique_ptr<Fault> MakeFillDisk(const FaultOrder&) {
  return std::make_unique<DiskCondition>(sim::DiskFault{.kind = Kind::kFull}, "is full");
}

std::unique_ptr<Fault> MakeFlipBits(const FaultOrder& order) {
  return std::make_unique<FlipBits>(order.Number("count"), order.key);
}

std::unique_ptr<Fault> MakeLoseWrite(const FaultOrder&) {
  return std::make_unique<SpoilWrite>(&sim::Disk::LoseNextWrite,
                                      "confirms a write that it does not make");
}

std::unique_ptr<Fault> MakeMisdirectWrite(const FaultOrder&) {
  return std::make_unique<SpoilWrite>(&sim::Disk::MisdirectNextWrite,
                                      "makes a write in the wrong place");
}

std::unique_ptr<Fault> MakeTearWrite(const FaultOrder&) {
  return std::make_unique<SpoilWrite>(&sim::Disk::TearNextWrite,
                                      "confirms a write of which it makes only a part");
}

std::unique_ptr<Fault> MakeLieSync(const FaultOrder&) {
  return std::make_unique<DiskCondition>(sim::DiskFault{.kind = Kind::kLieSync},
                                         "confirms syncs that it does not make");
}

std::unique_ptr<Fault> MakeReplaceDisk(const FaultOrder&) {
  return std::make_unique<ReplaceDisk>();
}

std::unique_ptr<Fault> MakeSlowDisk(const FaultOrder& order) {
  const int64_t factor = order.Number("factor");
  return std::make_unique<DiskCondition>(sim::DiskFault{.kind = Kind::kSlow, .factor = factor},
                                         fmt::format("is {} times as slow", factor));
}

std::unique_ptr<Fault> MakeStallDisk(const FaultOrder& order) {
  const bool writes = order.Choice("kind") == "writes";
  return std::make_unique<DiskCondition>(
      sim::DiskFault{.kind = writes ? Kind::kStallWrites : Kind::kStallDevice},
      writes ? "stands still, writes too" : "stands still");
}

std::unique_ptr<Fault> MakeSwapDisks(const FaultOrder&) { return std::make_unique<SwapDisks>(); }

}  // namespace highwater::faults
