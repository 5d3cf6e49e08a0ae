#include "scenarios/pin.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/check.h"
#include "scenarios/fault_table.h"

namespace highwater::scenarios {
namespace {

using faults::Aim;
using faults::FaultOrder;

enum class Naming : uint8_t { kLeader, kController, kAsAimed, kExactly };

const FiredFault* FindFired(const FaultOrder& order, const std::vector<FiredFault>& fired) {
  for (const FiredFault& one : fired) {
    if (one.key == order.key) return &one;
  }
  return nullptr;
}

bool Allows(const FaultKind& kind, const Aim& aim) {
  return std::find(kind.targets.begin(), kind.targets.end(), aim.role) != kind.targets.end();
}

// The role of the victim that `naming` prefers, if the kind can aim at it.
std::optional<Aim> RoleOf(const FaultKind& kind, const FiredFault& fired, Naming naming) {
  using Role = Aim::Role;
  const Role wanted[2][3] = {{Role::kLeader, Role::kController, Role::kFollower},
                             {Role::kController, Role::kFollower, Role::kLeader}};
  for (const Role role : wanted[naming == Naming::kController ? 1 : 0]) {
    for (const std::string& text : fired.roles) {
      const absl::StatusOr<Aim> aim = faults::ParseAim(text);
      HW_CHECK(aim.ok(), "a run has told of a role {}", text);
      if (aim->role == role && Allows(kind, *aim)) return *aim;
    }
  }
  return std::nullopt;
}

Aim TargetOf(const FaultKind& kind, const FaultOrder& order, const FiredFault* fired,
             Naming naming) {
  if (naming == Naming::kExactly) return order.hit.value_or(order.aim);
  // What waits for an event is aimed at whoever that event is about.
  const bool as_aimed = naming == Naming::kAsAimed || order.when.has_value();
  if (as_aimed || fired == nullptr) return order.aim;
  return RoleOf(kind, *fired, naming).value_or(order.hit.value_or(order.aim));
}

absl::Duration Rounded(absl::Duration time, absl::Duration grain) {
  return absl::Floor(time + grain / 2, grain);
}

// Never to nothing.
absl::Duration RoundedLength(absl::Duration length, absl::Duration grain) {
  return std::max(Rounded(length, grain), std::min(length, grain));
}

void SetParameters(const FaultKind& kind, const FaultOrder& order, Naming naming,
                   absl::Duration grain, FaultSpec& fault) {
  for (const FaultParameter& parameter : kind.parameters) {
    const std::string name(parameter.name);
    ParameterValue& value = fault.parameters[name];
    switch (parameter.type) {
      case ParameterType::kDuration: {
        const absl::Duration exact =
            name == "for" ? order.length : absl::Nanoseconds(order.Number(name));
        const absl::Duration time =
            exact > absl::ZeroDuration() ? RoundedLength(exact, std::min(grain, exact)) : exact;
        value = DurationRange{time, time};
        break;
      }
      case ParameterType::kCount:
      case ParameterType::kSize:
      case ParameterType::kPercent:
        value = IntegerRange{order.Number(name), order.Number(name)};
        break;
      case ParameterType::kChoice:
      case ParameterType::kBrokers:
      case ParameterType::kSetting:
        value = order.Choice(name);
        break;
      case ParameterType::kTarget:
        // For cuts, `any` is everybody else: there nobody was drawn.
        value = naming == Naming::kExactly && order.other.role != Aim::Role::kAny
                    ? order.other_hit.value_or(order.other)
                    : order.other;
        break;
    }
  }
}

Scenario Candidate(const Repro& repro, const std::vector<FiredFault>& fired, Naming naming,
                   absl::Duration grain) {
  Scenario pin = repro.run;
  pin.materialised.reset();
  pin.file.clear();
  pin.random.clear();
  pin.timeline.clear();
  for (const FaultOrder& order : repro.run.materialised->orders) {
    const FaultKind* kind = FindFaultKind(order.kind);
    HW_CHECK(kind != nullptr, "unknown fault {}", order.kind);
    TimelineFault fault{.at = std::min(Rounded(order.at - pin.run.warmup, grain), pin.run.duration),
                        .fault = {}};
    fault.at = std::max(fault.at, absl::ZeroDuration());
    fault.fault = {.kind = order.kind,
                   .target = TargetOf(*kind, order, FindFired(order, fired), naming),
                   .when = order.when,
                   .after = {order.after, order.after},
                   .parameters = {},
                   .place = fmt::format("faults.timeline[{}]", pin.timeline.size())};
    SetParameters(*kind, order, naming, grain, fault.fault);
    pin.timeline.push_back(std::move(fault));
  }
  return pin;
}

}  // namespace

std::vector<Scenario> PinCandidates(const Repro& repro, const std::vector<FiredFault>& fired) {
  HW_CHECK(repro.run.materialised.has_value(), "{} is not materialised", repro.run.name);
  std::vector<Scenario> candidates;
  for (const absl::Duration grain :
       {absl::Milliseconds(100), absl::Milliseconds(10), absl::Milliseconds(1)}) {
    for (const Naming naming :
         {Naming::kLeader, Naming::kController, Naming::kAsAimed, Naming::kExactly}) {
      for (const Strategy strategy : {Strategy::kMixed, repro.run.run.strategy}) {
        Scenario pin = Candidate(repro, fired, naming, grain);
        pin.run.strategy = strategy;
        const bool known =
            std::any_of(candidates.begin(), candidates.end(),
                        [&](const Scenario& other) { return SameScenario(other, pin); });
        if (!known) candidates.push_back(std::move(pin));
      }
    }
  }
  return candidates;
}

std::string PinName(const Repro& repro) {
  std::string name =
      repro.invariants.empty() ? std::string(VerdictName(repro.verdict)) : repro.invariants.front();
  std::set<std::string> kinds;
  for (const FaultOrder& order : repro.run.materialised->orders) kinds.insert(order.kind);
  for (const std::string& kind : kinds) name += "-" + kind;
  std::replace(name.begin(), name.end(), '_', '-');
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return name.substr(0, 80);
}

}  // namespace highwater::scenarios
