#pragma once

// The fault kinds: their names, what they do, whom they hit and what can be said about them. The
// loader checks scenarios against this table, `highwater list faults` prints it, and the injector
// has one class for each row. What operators do to a running cluster stands here too: it is
// written, drawn and counted like a fault. A new fault is a new row here.
//
// In a scenario a fault is written exactly or drawn:
//   timeline: [ { at: 5s, stall_disk: broker(0), kind: writes, for: 2s..4s } ]
//   random:   [ { stall_disk: { every: 8s, target: any(broker), kind: writes, for: 1s } } ]

#include <absl/types/span.h>

#include <string_view>

#include "scenarios/scenario.h"

namespace highwater::scenarios {

enum class ParameterType {
  kDuration,
  kCount,
  kSize,
  kPercent,
  kChoice,
  kTarget,
  kBrokers,  // `any`, or broker ids in the order of the replica list: `2:0:1`
  kSetting,  // a topic's setting: `min.insync.replicas=1`
};

struct FaultParameter {
  std::string_view name;
  std::string_view about;
  ParameterType type;
  // Written as in a scenario; empty: the parameter must be given.
  std::string_view default_value;
  // Written as in a scenario; empty where the type has no order.
  std::string_view minimum;
  std::string_view maximum;
  absl::Span<const std::string_view> choices;   // kChoice
  absl::Span<const faults::Aim::Role> targets;  // kTarget
  std::string_view alias;                       // another name that says the same
};

struct FaultKind {
  std::string_view name;
  std::string_view about;
  // What must have happened to the victim for the ledger to count it as observed.
  std::string_view observed;
  absl::Span<const faults::Aim::Role>
      targets;  // whom it can hit; the first is `any`, the second what that means
  absl::Span<const FaultParameter> parameters;
  // What the cluster must have for it.
  enum class Needs : uint8_t { kNothing, kZooKeeper, kVip } needs = Needs::kNothing;
};

// Sorted by name.
[[nodiscard]] absl::Span<const FaultKind> FaultTable();

// Null for an unknown name.
[[nodiscard]] const FaultKind* FindFaultKind(std::string_view name);

// Whether after such a fault the replicas of a partition need not lie in three zones, or more
// brokers than one zone's may stay away.
[[nodiscard]] bool MovesReplicas(std::string_view kind);

}  // namespace highwater::scenarios
