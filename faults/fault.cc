#include "faults/disk_faults.h"
#include "faults/injector.h"
#include "faults/network_faults.h"
#include "faults/process_faults.h"
#include "faults/zone_faults.h"

namespace highwater::faults {
namespace {

struct Kind {
  std::string_view name;
  std::unique_ptr<Fault> (*make)(const FaultOrder& order);
};

// A row for each row of the fault table.
constexpr Kind kKinds[] = {
    {"clock_jump", MakeClockJump},     {"crash_broker", MakeCrash},
    {"disk_error", MakeDiskError},     {"fill_disk", MakeFillDisk},
    {"flip_bits", MakeFlipBits},       {"freeze", MakeFreeze},
    {"lose_zone", MakeLoseZone},       {"partition_network", MakePartition},
    {"power_loss", MakePowerLoss},     {"slow_disk", MakeSlowDisk},
    {"slow_network", MakeSlowNetwork}, {"stall_disk", MakeStallDisk},
    {"stop_broker", MakeStop},
};

}  // namespace

std::unique_ptr<Fault> MakeFault(const FaultOrder& order) {
  for (const Kind& kind : kKinds) {
    if (kind.name == order.kind) return kind.make(order);
  }
  return nullptr;
}

}  // namespace highwater::faults
