#pragma once

// What can be said about each kind of fault, and whom it can hit: the parts of the rows of
// fault_table.cc, which alone includes this.

#include "scenarios/fault_table.h"

namespace highwater::scenarios::fault_parameters {

using Role = faults::Aim::Role;

// The second of each is what `any` means.
inline constexpr Role kBrokers[] = {Role::kAny,        Role::kAnyBroker, Role::kBroker,
                                    Role::kController, Role::kLeader,    Role::kFollower,
                                    Role::kHere};
// Hosts with a disk: brokers and ZooKeeper servers.
inline constexpr Role kServers[] = {
    Role::kAny,      Role::kAnyBroker,    Role::kBroker,    Role::kController,      Role::kLeader,
    Role::kFollower, Role::kAnyZooKeeper, Role::kZooKeeper, Role::kZooKeeperLeader, Role::kHere};
inline constexpr Role kZones[] = {Role::kAny, Role::kAnyZone, Role::kZone, Role::kControllerZone};
inline constexpr Role kAnyone[] = {Role::kAny,
                                   Role::kAnyBroker,
                                   Role::kBroker,
                                   Role::kController,
                                   Role::kLeader,
                                   Role::kFollower,
                                   Role::kAnyZooKeeper,
                                   Role::kZooKeeper,
                                   Role::kZooKeeperLeader,
                                   Role::kClient,
                                   Role::kAnyZone,
                                   Role::kZone,
                                   Role::kControllerZone,
                                   Role::kHere};

inline constexpr Role kBrokersOnly[] = {Role::kAny,        Role::kAnyBroker, Role::kBroker,
                                        Role::kController, Role::kLeader,    Role::kFollower,
                                        Role::kAllBrokers, Role::kHere};
inline constexpr Role kWholeFleet[] = {Role::kAny, Role::kAllBrokers};
inline constexpr Role kZooKeepers[] = {Role::kAny, Role::kAnyZooKeeper, Role::kZooKeeper,
                                       Role::kZooKeeperLeader};
inline constexpr Role kClients[] = {Role::kAny, Role::kAllClients, Role::kClient};

// What operators work on.
inline constexpr Role kNewBrokers[] = {Role::kAny, Role::kAnyBroker};
inline constexpr Role kAnyBrokers[] = {Role::kAny, Role::kAnyBroker, Role::kBroker};
inline constexpr Role kTopics[] = {Role::kAny, Role::kAnyTopic, Role::kTopic};
inline constexpr Role kPartitions[] = {Role::kAny, Role::kAnyPartition, Role::kPartition};

inline constexpr std::string_view kDirections[] = {"fast", "slow"};
inline constexpr std::string_view kQuorumLosses[] = {"crash", "power", "network"};
inline constexpr std::string_view kShapes[] = {"2:1", "1:1"};
inline constexpr std::string_view kVipConnections[] = {"forget", "reset", "move"};
inline constexpr std::string_view kStallKinds[] = {"device", "writes"};
inline constexpr std::string_view kOperations[] = {"read", "write", "sync"};
inline constexpr std::string_view kZonePower[] = {"off", "network"};
inline constexpr std::string_view kCuts[] = {"two-way", "one-way", "reset", "silence"};

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

inline constexpr FaultParameter kOtherSide = {.name = "from",
                                              .about = "the other side; any: everybody else",
                                              .type = ParameterType::kTarget,
                                              .default_value = "any",
                                              .targets = kAnyone};

inline constexpr FaultParameter kAlterConfig[] = {
    {.name = "set",
     .about = "the topic's setting and its value for that while",
     .type = ParameterType::kSetting,
     .default_value = ""},
    Lasting("how long until the setting is what it was", "2s..5s"),
};
inline constexpr FaultParameter kClockDrift[] = {
    {.name = "rate",
     .about = "by how much the clock is too fast or too slow, timers and wall clock",
     .type = ParameterType::kPercent,
     .default_value = "1%..20%",
     .minimum = "0%",
     .maximum = "90%"},
    {.name = "direction",
     .about = "which of the two",
     .type = ParameterType::kChoice,
     .default_value = "fast",
     .choices = kDirections},
    Lasting("how long the clock runs wrong", "2s..8s"),
};
inline constexpr FaultParameter kClockJump[] = {
    {.name = "by",
     .about = "how far the wall clock jumps; negative: backwards",
     .type = ParameterType::kDuration,
     .default_value = "",
     .minimum = "-24h",
     .maximum = "24h"},
};
inline constexpr FaultParameter kCrash[] = {
    Down("how long the process stays down"),
};
inline constexpr FaultParameter kCreatePartitions[] = {
    {.name = "count",
     .about = "how many partitions come to those that are there",
     .type = ParameterType::kCount,
     .default_value = "1",
     .minimum = "1",
     .maximum = "1000"},
};
inline constexpr FaultParameter kDeleteTopic[] = {
    Lasting("how long until the topic is created anew", "1s..4s"),
};
inline constexpr FaultParameter kDiskError[] = {
    {.name = "operation",
     .about = "which calls fail with EIO",
     .type = ParameterType::kChoice,
     .default_value = "",
     .choices = kOperations},
    Lasting("how long they fail", "1s..5s"),
};
inline constexpr FaultParameter kDriftVip[] = {
    {.name = "connections",
     .about =
         "forget: an open connection is answered with a reset once it sends; reset: all end at "
         "once; move: they go on",
     .type = ParameterType::kChoice,
     .default_value = "forget",
     .choices = kVipConnections},
};
inline constexpr FaultParameter kExpireSession[] = {
    Lasting("how much longer than the session's time-out it cannot speak to ZooKeeper",
            "500ms..3s"),
};
inline constexpr FaultParameter kFillDisk[] = {
    Lasting("how long no space is free", "1s..5s"),
};
inline constexpr FaultParameter kFlipBits[] = {
    {.name = "count",
     .about = "how many bits of stored files flip",
     .type = ParameterType::kCount,
     .default_value = "1",
     .minimum = "1",
     .maximum = "1000000"},
};
inline constexpr FaultParameter kFreeze[] = {
    Lasting("how long the process stands still while its kernel goes on", "500ms..5s"),
};
inline constexpr FaultParameter kLieSync[] = {
    Lasting("how long syncs are confirmed that were not made", "1s..5s"),
};
inline constexpr FaultParameter kLoseQuorum[] = {
    {.name = "how",
     .about = "crash: their processes end; power: their hosts go off; network: they hear nobody",
     .type = ParameterType::kChoice,
     .default_value = "crash",
     .choices = kQuorumLosses},
    Down("how long they are gone"),
};
inline constexpr FaultParameter kLoseReply[] = {
    kOtherSide,
    Lasting("how long its replies are lost", "50ms..500ms"),
};
inline constexpr FaultParameter kMigrateZone[] = {
    {.name = "to",
     .about = "the zone whose brokers take the replicas; any: drawn among the others",
     .type = ParameterType::kTarget,
     .default_value = "any",
     .targets = kZones},
};
inline constexpr FaultParameter kPartition[] = {
    kOtherSide,
    {.name = "cut",
     .about = "two-way and one-way drop packets; reset closes connections; silence also hides the "
              "closing",
     .type = ParameterType::kChoice,
     .default_value = "two-way",
     .choices = kCuts},
    Lasting("how long the sides are apart", "1s..5s"),
};
inline constexpr FaultParameter kPowerLoss[] = {
    Down("how long the host stays off"),
};
inline constexpr FaultParameter kReassign[] = {
    {.name = "replicas",
     .about =
         "the brokers that shall have it, the preferred leader first; any: as many as now, drawn",
     .type = ParameterType::kBrokers,
     .default_value = "any"},
};
inline constexpr FaultParameter kReplaceDisk[] = {
    Down("how long the host stays off"),
};
inline constexpr FaultParameter kResetConnections[] = {
    kOtherSide,
};
inline constexpr FaultParameter kRollingRestart[] = {
    {.name = "down",
     .about = "how long after the request each is started again, at the earliest",
     .type = ParameterType::kDuration,
     .default_value = "500ms..2s",
     .minimum = "0s",
     .maximum = "1h"},
    {.name = "pause",
     .about = "how long each has run before the next one's turn",
     .type = ParameterType::kDuration,
     .default_value = "1s..3s",
     .minimum = "0s",
     .maximum = "1h"},
    Lasting("after how long no further one is stopped", "1h"),
};
inline constexpr FaultParameter kSlowDisk[] = {
    {.name = "factor",
     .about = "how many times as long each read, write-back and sync takes",
     .type = ParameterType::kCount,
     .default_value = "10",
     .minimum = "2",
     .maximum = "10000"},
    Lasting("how long the disk is slow", "1s..5s"),
};
inline constexpr FaultParameter kSlowNetwork[] = {
    {.name = "delay",
     .about = "added to each message, one way",
     .type = ParameterType::kDuration,
     .default_value = "10ms..200ms",
     .minimum = "0s",
     .maximum = "10m"},
    {.name = "jitter",
     .about = "at most so much more, drawn for each message",
     .type = ParameterType::kDuration,
     .default_value = "0s",
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
inline constexpr FaultParameter kSplitBrain[] = {
    {.name = "shape",
     .about =
         "2:1: a third of the brokers and ZooKeeper servers on the target's side; 1:1: half of "
         "them; at least one of each, and half of the clients",
     .type = ParameterType::kChoice,
     .default_value = "2:1",
     .choices = kShapes},
    Lasting("how long the sides are apart", "2s..6s"),
};
inline constexpr FaultParameter kSpoilWrite[] = {
    Lasting("how long it waits for a write that reaches the device", "5s..10s"),
};
inline constexpr FaultParameter kSqueezeNetwork[] = {
    kOtherSide,
    {.name = "bandwidth",
     .about = "bytes a second between it and each other host, one way",
     .type = ParameterType::kSize,
     .default_value = "16KiB..128KiB",
     .minimum = "1KiB",
     .maximum = "1GiB"},
    Lasting("how long the links are narrow", "1s..5s"),
};
inline constexpr FaultParameter kStallDisk[] = {
    {.name = "kind",
     .about =
         "device: write-back, syncs and cache-missing reads wait; writes: write calls wait too",
     .type = ParameterType::kChoice,
     .default_value = "device",
     .choices = kStallKinds},
    Lasting("how long the disk stands still", "1s..5s"),
};

inline constexpr FaultParameter kLoseZone[] = {
    {.name = "power",
     .about = "off: its servers lose power too; network: they run on, cut off from all others",
     .type = ParameterType::kChoice,
     .default_value = "off",
     .choices = kZonePower},
    Lasting("how long the zone is gone", "1s..5s"),
};
inline constexpr FaultParameter kStop[] = {
    Down("how long after the request the process is started again, at the earliest"),
};

inline constexpr FaultParameter kSurgeLoad[] = {
    {.name = "factor",
     .about = "how many times as much is sent",
     .type = ParameterType::kCount,
     .default_value = "5..20",
     .minimum = "2",
     .maximum = "10000"},
    Lasting("how long the surge lasts", "2s..6s"),
};
inline constexpr FaultParameter kSwapDisks[] = {
    {.name = "with",
     .about = "whose disk it gets, and the other way round",
     .type = ParameterType::kTarget,
     .default_value = "any",
     .targets = kBrokers},
    Lasting("how long until the disks are back where they belong", "2s..5s"),
};

}  // namespace highwater::scenarios::fault_parameters
