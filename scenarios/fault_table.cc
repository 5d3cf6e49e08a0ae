#include "scenarios/fault_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/check.h"

namespace highwater::scenarios {
namespace {

using Role = faults::Aim::Role;

// The second of each is what `any` means.
constexpr Role kBrokers[] = {Role::kAny,        Role::kAnyBroker, Role::kBroker,
                             Role::kController, Role::kLeader,    Role::kFollower};
// Hosts with a disk: brokers and ZooKeeper servers.
constexpr Role kServers[] = {Role::kAny,          Role::kAnyBroker, Role::kBroker,
                             Role::kController,   Role::kLeader,    Role::kFollower,
                             Role::kAnyZooKeeper, Role::kZooKeeper, Role::kZooKeeperLeader};
constexpr Role kZones[] = {Role::kAny, Role::kAnyZone, Role::kZone, Role::kControllerZone};
constexpr Role kAnyone[] = {Role::kAny,           Role::kAnyBroker, Role::kBroker,
                            Role::kController,    Role::kLeader,    Role::kFollower,
                            Role::kAnyZooKeeper,  Role::kZooKeeper, Role::kZooKeeperLeader,
                            Role::kClient,        Role::kAnyZone,   Role::kZone,
                            Role::kControllerZone};

// What operators work on.
constexpr Role kTopics[] = {Role::kAny, Role::kAnyTopic, Role::kTopic};
constexpr Role kPartitions[] = {Role::kAny, Role::kAnyPartition, Role::kPartition};

constexpr std::string_view kStallKinds[] = {"device", "writes"};
constexpr std::string_view kOperations[] = {"read", "write", "sync"};
constexpr std::string_view kZonePower[] = {"off", "network"};
constexpr std::string_view kCuts[] = {"two-way", "one-way", "reset", "silence"};

constexpr FaultParameter Lasting(std::string_view about, std::string_view default_value) {
  return {.name = "for",
          .about = about,
          .type = ParameterType::kDuration,
          .default_value = default_value,
          .minimum = "1us",
          .maximum = "1h"};
}

// What is started again afterwards.
constexpr FaultParameter Down(std::string_view about) {
  FaultParameter parameter = Lasting(about, "1s..5s");
  parameter.alias = "down";
  return parameter;
}

constexpr FaultParameter kAlterConfig[] = {
    {.name = "set",
     .about = "the topic's setting and its value for that while",
     .type = ParameterType::kSetting,
     .default_value = ""},
    Lasting("how long until the setting is what it was", "2s..5s"),
};
constexpr FaultParameter kClockJump[] = {
    {.name = "by",
     .about = "how far the wall clock jumps; negative: backwards",
     .type = ParameterType::kDuration,
     .default_value = "",
     .minimum = "-24h",
     .maximum = "24h"},
};
constexpr FaultParameter kCrash[] = {
    Down("how long the process stays down"),
};
constexpr FaultParameter kCreatePartitions[] = {
    {.name = "count",
     .about = "how many partitions come to those that are there",
     .type = ParameterType::kCount,
     .default_value = "1",
     .minimum = "1",
     .maximum = "1000"},
};
constexpr FaultParameter kDeleteTopic[] = {
    Lasting("how long until the topic is created anew", "1s..4s"),
};
constexpr FaultParameter kDiskError[] = {
    {.name = "operation",
     .about = "which calls fail with EIO",
     .type = ParameterType::kChoice,
     .default_value = "",
     .choices = kOperations},
    Lasting("how long they fail", "1s..5s"),
};
constexpr FaultParameter kFillDisk[] = {
    Lasting("how long no space is free", "1s..5s"),
};
constexpr FaultParameter kFlipBits[] = {
    {.name = "count",
     .about = "how many bits of stored files flip",
     .type = ParameterType::kCount,
     .default_value = "1",
     .minimum = "1",
     .maximum = "1000000"},
};
constexpr FaultParameter kFreeze[] = {
    Lasting("how long the process stands still while its kernel goes on", "500ms..5s"),
};
constexpr FaultParameter kLieSync[] = {
    Lasting("how long syncs are confirmed that were not made", "1s..5s"),
};
constexpr FaultParameter kMigrateZone[] = {
    {.name = "to",
     .about = "the zone whose brokers take the replicas; any: drawn among the others",
     .type = ParameterType::kTarget,
     .default_value = "any",
     .targets = kZones},
};
constexpr FaultParameter kPartition[] = {
    {.name = "from",
     .about = "the other side; any: everybody else",
     .type = ParameterType::kTarget,
     .default_value = "any",
     .targets = kAnyone},
    {.name = "cut",
     .about = "two-way and one-way drop packets; reset closes connections; silence also hides the "
              "closing",
     .type = ParameterType::kChoice,
     .default_value = "two-way",
     .choices = kCuts},
    Lasting("how long the sides are apart", "1s..5s"),
};
constexpr FaultParameter kPowerLoss[] = {
    Down("how long the host stays off"),
};
constexpr FaultParameter kReassign[] = {
    {.name = "replicas",
     .about =
         "the brokers that shall have it, the preferred leader first; any: as many as now, drawn",
     .type = ParameterType::kBrokers,
     .default_value = "any"},
};
constexpr FaultParameter kReplaceDisk[] = {
    Down("how long the host stays off"),
};
constexpr FaultParameter kSlowDisk[] = {
    {.name = "factor",
     .about = "how many times as long each read, write-back and sync takes",
     .type = ParameterType::kCount,
     .default_value = "10",
     .minimum = "2",
     .maximum = "10000"},
    Lasting("how long the disk is slow", "1s..5s"),
};
constexpr FaultParameter kSlowNetwork[] = {
    {.name = "delay",
     .about = "added to each message, one way",
     .type = ParameterType::kDuration,
     .default_value = "10ms..200ms",
     .minimum = "0s",
     .maximum = "10m"},
    {.name = "loss",
     .about = "share of packets lost, felt as retransmission delay",
     .type = ParameterType::kPercent,
     .default_value = "0%",
     .minimum = "0%",
     .maximum = "99%"},
    Lasting("how long the network is slow", "1s..5s"),
};
constexpr FaultParameter kStallDisk[] = {
    {.name = "kind",
     .about =
         "device: write-back, syncs and cache-missing reads wait; writes: write calls wait too",
     .type = ParameterType::kChoice,
     .default_value = "device",
     .choices = kStallKinds},
    Lasting("how long the disk stands still", "1s..5s"),
};

constexpr FaultParameter kLoseZone[] = {
    {.name = "power",
     .about = "off: its servers lose power too; network: they run on, cut off from all others",
     .type = ParameterType::kChoice,
     .default_value = "off",
     .choices = kZonePower},
    Lasting("how long the zone is gone", "1s..5s"),
};
constexpr FaultParameter kStop[] = {
    Down("how long after the request the process is started again, at the earliest"),
};

constexpr FaultParameter kSwapDisks[] = {
    {.name = "with",
     .about = "whose disk it gets, and the other way round",
     .type = ParameterType::kTarget,
     .default_value = "any",
     .targets = kBrokers},
    Lasting("how long until the disks are back where they belong", "2s..5s"),
};

constexpr FaultKind kTable[] = {
    {"alter_config", "An operator changes a setting of a topic, and later changes it back.",
     kTopics, kAlterConfig},
    {"cancel_reassignment",
     "An operator ends the reassignments of a topic that are under way.",
     kTopics,
     {}},
    {"clock_jump", "The wall clock of a host jumps.", kServers, kClockJump},
    {"crash_broker", "The server's process ends at once; its page cache survives.", kServers,
     kCrash},
    {"create_partitions", "An operator gives a topic more partitions.", kTopics, kCreatePartitions},
    {"create_topic",
     "An operator creates a topic of the scenario, which does not exist before that.",
     kTopics,
     {}},
    {"delete_topic", "An operator deletes a topic of the scenario, and creates it anew.", kTopics,
     kDeleteTopic},
    {"disk_error",
     "Calls of one kind to a server's disk fail with EIO; what a failed sync covered is lost "
     "later.",
     kServers, kDiskError},
    {"elect_leaders", "An operator has the preferred leaders of a topic elected.", kTopics, {}},
    {"fill_disk", "A server's disk has no space left.", kServers, kFillDisk},
    {"flip_bits", "Stored bits of a server's files flip and are not noticed until read.", kServers,
     kFlipBits},
    {"freeze", "The server's process stops for a while, as in a long garbage collection.", kServers,
     kFreeze},
    {"lie_sync",
     "A server's disk confirms syncs without making them: a loss of power takes the data along.",
     kServers, kLieSync},
    {"lose_zone", "A whole availability zone is gone.", kZones, kLoseZone},
    {"migrate_zone", "An operator moves all replicas from one zone's brokers to another's.", kZones,
     kMigrateZone},
    {"partition_network", "One side no longer hears the other.", kAnyone, kPartition},
    {"power_loss", "The host goes off; what was not synced may be gone or torn.", kServers,
     kPowerLoss},
    {"reassign_partition", "An operator gives a partition other replicas.", kPartitions, kReassign},
    {"replace_disk", "The host goes off and comes back with an empty disk.", kBrokers,
     kReplaceDisk},
    {"slow_disk", "Every disk operation of a server takes longer.", kServers, kSlowDisk},
    {"slow_network", "Messages from and to a host take longer or are lost.", kAnyone, kSlowNetwork},
    {"stall_disk", "A server's disk stands still.", kServers, kStallDisk},
    {"stop_broker", "The broker is asked to stop cleanly, as in a rolling restart.", kBrokers,
     kStop},
    {"swap_disks",
     "Two brokers are stopped cleanly and come back, each with the disk of the other.", kBrokers,
     kSwapDisks},
};

constexpr bool Sorted() {
  for (size_t i = 1; i < std::size(kTable); ++i) {
    if (kTable[i - 1].name >= kTable[i].name) return false;
  }
  return true;
}
static_assert(Sorted());

}  // namespace

absl::Span<const FaultKind> FaultTable() { return kTable; }

const FaultKind* FindFaultKind(std::string_view name) {
  const auto* found = std::lower_bound(
      std::begin(kTable), std::end(kTable), name,
      [](const FaultKind& kind, std::string_view wanted) { return kind.name < wanted; });
  return found != std::end(kTable) && found->name == name ? found : nullptr;
}

bool MovesReplicas(std::string_view kind) {
  constexpr std::string_view kMovers[] = {"cancel_reassignment", "migrate_zone",
                                          "reassign_partition", "swap_disks"};
  return std::find(std::begin(kMovers), std::end(kMovers), kind) != std::end(kMovers);
}

}  // namespace highwater::scenarios
