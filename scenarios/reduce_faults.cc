#include "scenarios/reduce_faults.h"

#include <algorithm>
#include <optional>

#include "core/check.h"
#include "scenarios/fault_table.h"

namespace highwater::scenarios {
namespace {

using faults::Aim;
using faults::FaultOrder;

// A fault is never made shorter than this: less is no longer what an operator would see.
constexpr absl::Duration kShortest = absl::Milliseconds(10);
// Nor by less than a tenth.
constexpr int64_t kWorthwhile = 10;

const FaultKind& KindOf(const FaultOrder& order) {
  const FaultKind* kind = FindFaultKind(order.kind);
  HW_CHECK(kind != nullptr, "unknown fault {}", order.kind);
  return *kind;
}

Scenario With(const Scenario& run, size_t index, FaultOrder order) {
  Scenario changed = run;
  changed.materialised->orders[index] = std::move(order);
  return changed;
}

std::optional<int64_t> LeastOf(const FaultParameter& parameter) {
  switch (parameter.type) {
    case ParameterType::kDuration: {
      const absl::StatusOr<absl::Duration> least = ParseDuration(parameter.minimum);
      if (!least.ok()) return std::nullopt;
      // What may be negative is weakest where it is nothing.
      return std::max<int64_t>(absl::ToInt64Nanoseconds(*least), 0);
    }
    case ParameterType::kCount:
    case ParameterType::kSize:
    case ParameterType::kPercent: {
      const auto parse = parameter.type == ParameterType::kCount  ? ParseCountRange
                         : parameter.type == ParameterType::kSize ? ParseSizeRange
                                                                  : ParsePercentRange;
      const absl::StatusOr<IntegerRange> least = parse(parameter.minimum);
      return least.ok() ? std::optional(least->low) : std::nullopt;
    }
    case ParameterType::kChoice:
    case ParameterType::kBrokers:
    case ParameterType::kSetting:
    case ParameterType::kTarget:
      return std::nullopt;
  }
  HW_UNREACHABLE();
}

bool CanHit(absl::Span<const Aim::Role> roles, Aim::Role role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

// The brokers in a zone: broker i is in zone i mod n.
std::vector<Aim> BrokersOf(const Scenario& run, const std::string& zone) {
  std::vector<Aim> brokers;
  const auto& zones = run.cluster.zones;
  for (int32_t i = 0; i < run.cluster.brokers; ++i) {
    if (zones[static_cast<size_t>(i) % zones.size()] == zone) {
      brokers.push_back({.role = Aim::Role::kBroker, .number = i});
    }
  }
  return brokers;
}

}  // namespace

std::vector<Scenario> WithShorterFaults(const Scenario& run) {
  std::vector<Scenario> smaller;
  const std::vector<FaultOrder>& orders = run.materialised->orders;
  for (size_t i = 0; i < orders.size(); ++i) {
    absl::Duration last = orders[i].length;
    for (const absl::Duration length : {kShortest, orders[i].length / 2}) {
      const absl::Duration whole = absl::Floor(length, absl::Milliseconds(1));
      if (whole < kShortest || whole >= orders[i].length || whole == last) continue;
      FaultOrder order = orders[i];
      order.length = last = whole;
      smaller.push_back(With(run, i, std::move(order)));
    }
  }
  return smaller;
}

std::vector<Scenario> WithWeakerFaults(const Scenario& run) {
  std::vector<Scenario> smaller;
  const std::vector<FaultOrder>& orders = run.materialised->orders;
  for (size_t i = 0; i < orders.size(); ++i) {
    for (const FaultParameter& parameter : KindOf(orders[i]).parameters) {
      const auto number = orders[i].numbers.find(parameter.name);
      const std::optional<int64_t> least = LeastOf(parameter);
      if (number == orders[i].numbers.end() || !least || number->second <= *least) continue;
      const int64_t middle = *least + (number->second - *least) / 2;
      for (const int64_t value : {*least, middle}) {
        if ((number->second - value) * kWorthwhile < number->second) continue;
        FaultOrder order = orders[i];
        order.numbers[number->first] = value;
        smaller.push_back(With(run, i, std::move(order)));
        if (middle == *least) break;
      }
    }
  }
  return smaller;
}

std::vector<Scenario> WithNarrowerAims(const Scenario& run) {
  std::vector<Scenario> smaller;
  const std::vector<FaultOrder>& orders = run.materialised->orders;
  for (size_t i = 0; i < orders.size(); ++i) {
    const FaultKind& kind = KindOf(orders[i]);
    const Aim& hit = orders[i].hit.value_or(orders[i].aim);
    if (hit.role == Aim::Role::kZone && CanHit(kind.targets, Aim::Role::kBroker)) {
      for (const Aim& broker : BrokersOf(run, hit.name)) {
        FaultOrder order = orders[i];
        order.aim = broker;
        order.hit = broker;
        smaller.push_back(With(run, i, std::move(order)));
      }
    }
    if (orders[i].kind != "partition_network" || orders[i].other.role != Aim::Role::kAny) continue;
    for (int32_t broker = 0; broker < run.cluster.brokers; ++broker) {
      const Aim other{.role = Aim::Role::kBroker, .number = broker};
      if (other == hit) continue;
      FaultOrder order = orders[i];
      order.other = other;
      order.other_hit = other;
      smaller.push_back(With(run, i, std::move(order)));
    }
  }
  return smaller;
}

}  // namespace highwater::scenarios
