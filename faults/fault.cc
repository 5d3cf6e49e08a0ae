#include "faults/disk_faults.h"
#include "faults/injector.h"
#include "faults/load_faults.h"
#include "faults/network_faults.h"
#include "faults/process_faults.h"
#include "faults/zone_faults.h"

namespace highwater::faults {
namespace {

struct Kind {
  std::string_view name;
  std::unique_ptr<Fault> (*make)(const FaultOrder& order);
};

// A row for each row of the fault table that is not an operator's work.
constexpr Kind kKinds[] = {
    {"clock_drift", MakeClockDrift},
    {"clock_jump", MakeClockJump},
    {"crash_broker", MakeCrash},
    {"disk_error", MakeDiskError},
    {"drift_vip", MakeDriftVip},
    {"expire_session", MakeExpireSession},
    {"fill_disk", MakeFillDisk},
    {"flip_bits", MakeFlipBits},
    {"freeze", MakeFreeze},
    {"lie_sync", MakeLieSync},
    {"lose_quorum", MakeLoseQuorum},
    {"lose_reply", MakeLoseReply},
    {"lose_write", MakeLoseWrite},
    {"lose_zone", MakeLoseZone},
    {"misdirect_write", MakeMisdirectWrite},
    {"partition_network", MakePartition},
    {"power_loss", MakePowerLoss},
    {"replace_disk", MakeReplaceDisk},
    {"reset_connections", MakeResetConnections},
    {"rolling_restart", MakeRollingRestart},
    {"slow_disk", MakeSlowDisk},
    {"slow_network", MakeSlowNetwork},
    {"split_brain", MakeSplitBrain},
    {"squeeze_network", MakeSqueezeNetwork},
    {"stall_disk", MakeStallDisk},
    {"stop_broker", MakeStop},
    {"surge_load", MakeSurgeLoad},
    {"swap_disks", MakeSwapDisks},
    {"tear_write", MakeTearWrite},
};

}  // namespace

void StartOnceGone(sim::World& world, sim::Host* host) {
  constexpr absl::Duration kPoll = absl::Milliseconds(50);
  if (!host->stop_requested()) return;  // somebody else has started it
  if (!host->running()) return host->Start();
  world.At(world.Elapsed() + kPoll, [&world, host] { StartOnceGone(world, host); });
}

std::unique_ptr<Fault> MakeFault(const FaultOrder& order) {
  for (const Kind& kind : kKinds) {
    if (kind.name == order.kind) return kind.make(order);
  }
  return nullptr;
}

}  // namespace highwater::faults
