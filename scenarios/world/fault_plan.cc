#include "scenarios/world/fault_plan.h"

#include <absl/strings/numbers.h>

#include <algorithm>

#include "core/random.h"
#include "scenarios/fault_table.h"

namespace highwater::scenarios {
namespace {

using core::KeyedRandom;
using core::Mix;
using core::MixName;

constexpr int64_t kWindows = 8;

int64_t DrawDuration(const DurationRange& range, uint64_t key) {
  return KeyedRandom(key).Between(absl::ToInt64Nanoseconds(range.low),
                                  absl::ToInt64Nanoseconds(range.high));
}

// From the last message of a broker until ZooKeeper has ended its session: the server looks once a
// tick, which is a quarter of the time-out.
absl::Duration LongestSession(const Scenario& scenario) {
  int64_t ms = 18'000;  // Kafka's default
  const std::string* text = FindSetting(scenario.cluster.settings, "zookeeper.session.timeout.ms");
  if (text != nullptr) HW_CHECK(absl::SimpleAtoi(*text, &ms), "{}", *text);
  return absl::Milliseconds(ms) * 5 / 4;
}

faults::FaultOrder OrderOf(const Scenario& scenario, const FaultSpec& spec, absl::Duration at,
                           uint64_t key) {
  faults::FaultOrder order{
      .kind = spec.kind,
      .aim = spec.target,
      .at = at,
      .when = spec.when,
      .after = absl::Nanoseconds(DrawDuration(spec.after, MixName("after", key))),
      .place = spec.place,
      .key = key};
  const FaultKind* kind = FindFaultKind(spec.kind);
  HW_CHECK(kind != nullptr, "unknown fault {}", spec.kind);
  if (order.aim.role == faults::Aim::Role::kAny) order.aim.role = kind->targets[1];
  for (const FaultParameter& parameter : kind->parameters) {
    const std::string name(parameter.name);
    const uint64_t parameter_key = MixName(name, key);
    switch (parameter.type) {
      case ParameterType::kDuration: {
        const int64_t drawn = DrawDuration(spec.DurationOf(name), parameter_key);
        if (name == "for") {
          order.length = absl::Nanoseconds(drawn);
        } else {
          order.numbers[name] = drawn;
        }
        break;
      }
      case ParameterType::kCount:
      case ParameterType::kSize:
      case ParameterType::kPercent: {
        const IntegerRange& range = spec.IntegerOf(name);
        order.numbers[name] = KeyedRandom(parameter_key).Between(range.low, range.high);
        break;
      }
      case ParameterType::kChoice:
      case ParameterType::kBrokers:
      case ParameterType::kSetting:
        order.choices[name] = spec.ChoiceOf(name);
        break;
      case ParameterType::kTarget:
        order.other = spec.TargetOf(name);
        break;
    }
  }
  if (order.kind == "expire_session") order.length += LongestSession(scenario);
  return order;
}

// Whether the seed's swarm uses the random fault `index` of `count`.
bool IsOn(uint64_t seed, size_t index, size_t count) {
  if (count <= 1) return true;
  const uint64_t key = Mix(MixName("swarm"), seed);
  if (index == KeyedRandom(key).Below(count)) return true;  // so that one is always on
  return KeyedRandom(Mix(key, index + 1)).Chance(1, 2);
}

// An aftershock follows within 1 ms to 4 s, every power of two as likely as every other: long
// enough for a session to end and a leader to be elected, or too short for anything.
absl::Duration DrawAftershockDelay(uint64_t key) {
  KeyedRandom random(key);
  const int64_t base = int64_t{1'000'000} << random.Below(12);
  return absl::Nanoseconds(base + random.Between(0, base));
}

// What follows the random fault of `key` at `at`: another one of the swarm, which may be followed
// itself.
void AddAftershocks(const Scenario& scenario, const std::vector<const RandomFault*>& swarm,
                    absl::Duration at, uint64_t key, std::vector<faults::FaultOrder>& orders) {
  constexpr uint64_t kMost = 4;
  const absl::Duration end = scenario.run.warmup + scenario.run.duration;
  const auto share = static_cast<uint64_t>(scenario.aftershocks_ppm);
  for (uint64_t turn = 0; turn < kMost; ++turn) {
    const uint64_t turn_key = Mix(MixName("aftershock", key), turn);
    if (!KeyedRandom(turn_key).Chance(share, 1'000'000)) return;
    at += DrawAftershockDelay(Mix(turn_key, 1));
    if (at >= end) return;
    const uint64_t which = KeyedRandom(Mix(turn_key, 2)).Below(swarm.size());
    orders.push_back(OrderOf(scenario, swarm[which]->fault, at, Mix(turn_key, 3)));
  }
}

}  // namespace

std::vector<faults::FaultOrder> MaterialiseFaults(const Scenario& scenario, uint64_t seed) {
  std::vector<faults::FaultOrder> orders;
  const uint64_t root = Mix(MixName("faults"), seed);
  const absl::Duration begin = scenario.run.warmup;
  for (const TimelineFault& fault : scenario.timeline) {
    orders.push_back(
        OrderOf(scenario, fault.fault, begin + fault.at, MixName(fault.fault.place, root)));
  }
  const int64_t duration = absl::ToInt64Nanoseconds(scenario.run.duration);
  const bool whole_timeline = scenario.random.size() == 1;
  std::vector<const RandomFault*> swarm;
  for (size_t i = 0; i < scenario.random.size(); ++i) {
    if (IsOn(seed, i, scenario.random.size())) swarm.push_back(&scenario.random[i]);
  }
  for (const RandomFault* drawn : swarm) {
    const RandomFault& fault = *drawn;
    const uint64_t key = MixName(fault.fault.place, root);
    // Half, the written, or twice the written distance.
    const int64_t mean =
        absl::ToInt64Nanoseconds(fault.every) * (int64_t{1} << KeyedRandom(key).Below(3)) / 2;
    int64_t at = 0;
    for (uint64_t turn = 1;; ++turn) {
      const uint64_t turn_key = Mix(key, turn);
      at += KeyedRandom(turn_key).Between(0, 2 * mean) + 1;
      if (at >= duration) break;
      const auto window = static_cast<uint64_t>(at / (duration / kWindows + 1));
      const bool quiet = KeyedRandom(Mix(MixName("quiet", root), window)).Chance(1, 4);
      if (quiet && !whole_timeline) continue;
      orders.push_back(OrderOf(scenario, fault.fault, begin + absl::Nanoseconds(at), turn_key));
      AddAftershocks(scenario, swarm, orders.back().at, turn_key, orders);
    }
  }
  std::stable_sort(
      orders.begin(), orders.end(),
      [](const faults::FaultOrder& a, const faults::FaultOrder& b) { return a.at < b.at; });
  return orders;
}

}  // namespace highwater::scenarios
