#include "tests/properties/arbitrary_run.h"

#include <ostream>

#include "core/check.h"
#include "scenarios/fault_table.h"
#include "scenarios/reducers.h"
#include "scenarios/repro.h"

namespace highwater::scenarios {
namespace {

using faults::Aim;
using faults::FaultOrder;

int64_t Between(int64_t low, int64_t high) { return *rc::gen::inRange<int64_t>(low, high + 1); }
absl::Duration MillisBetween(int64_t low, int64_t high) {
  return absl::Milliseconds(Between(low, high));
}

ClusterSpec ArbitraryCluster() {
  ClusterSpec cluster;
  cluster.zones = {"az-a", "az-b", "az-c"};
  cluster.brokers = static_cast<int32_t>(Between(3, 5));
  cluster.zookeeper = *rc::gen::element(1, 3);
  cluster.settings = {{"replica.lag.time.max.ms", fmt::format("{}", Between(500, 2000))},
                      {"zookeeper.session.timeout.ms", "2000"},
                      {"log.segment.bytes", *rc::gen::element<std::string>("16384", "1048576")}};
  cluster.network.between_zones = DurationRange{absl::Milliseconds(1), MillisBetween(2, 40)};
  return cluster;
}

Scenario ArbitraryScenario() {
  Scenario scenario;
  scenario.name = "arbitrary";
  scenario.cluster = ArbitraryCluster();
  scenario.topics = {{.name = "orders",
                      .partitions = static_cast<int32_t>(Between(1, 3)),
                      .replicas = 3,
                      .settings = {{"min.insync.replicas", "2"}}}};
  scenario.clients = {{.kind = ClientKind::kProducer,
                       .count = static_cast<int32_t>(Between(1, 2)),
                       .topics = {"orders"},
                       .rate = {Between(10, 60), absl::Seconds(1)},
                       .record = {100, 300},
                       .settings = {{"acks", "all"}, {"request.timeout.ms", "1000"}}},
                      {.kind = ClientKind::kConsumer, .count = 1, .topics = {"orders"}}};
  scenario.run = {
      .warmup = absl::Seconds(4), .duration = absl::Seconds(8), .heal = absl::Seconds(10)};
  return scenario;
}

Aim ArbitraryVictim(const Scenario& scenario) {
  const auto partition = static_cast<int32_t>(Between(0, scenario.topics.front().partitions - 1));
  switch (Between(0, 3)) {
    case 0:
      return {.role = Aim::Role::kController};
    case 1:
      return {.role = Aim::Role::kLeader, .number = partition, .name = "orders"};
    case 2:
      return {.role = Aim::Role::kFollower, .number = partition, .name = "orders"};
    default:
      return {.role = Aim::Role::kBroker,
              .number = static_cast<int32_t>(Between(0, scenario.cluster.brokers - 1))};
  }
}

int64_t InRange(const absl::StatusOr<IntegerRange>& range) {
  HW_CHECK(range.ok(), "a default of the fault table does not parse");
  return Between(range->low, range->high);
}

// Whatever the fault table knows of the kind: numbers within its defaults, any of its choices.
void DrawParameters(FaultOrder& order) {
  const FaultKind* kind = FindFaultKind(order.kind);
  HW_CHECK(kind != nullptr, "no fault {}", order.kind);
  for (const FaultParameter& parameter : kind->parameters) {
    const std::string name(parameter.name);
    switch (parameter.type) {
      case ParameterType::kDuration: {
        const absl::StatusOr<DurationRange> range = ParseDurationRange(parameter.default_value);
        HW_CHECK(range.ok(), "the default of {} does not parse", name);
        if (name == "for") break;
        order.numbers[name] =
            Between(absl::ToInt64Nanoseconds(range->low), absl::ToInt64Nanoseconds(range->high));
        break;
      }
      case ParameterType::kCount:
        order.numbers[name] = InRange(ParseCountRange(parameter.default_value));
        break;
      case ParameterType::kSize:
        order.numbers[name] = InRange(ParseSizeRange(parameter.default_value));
        break;
      case ParameterType::kPercent:
        order.numbers[name] = InRange(ParsePercentRange(parameter.default_value));
        break;
      case ParameterType::kChoice: {
        const auto which = Between(0, static_cast<int64_t>(parameter.choices.size()) - 1);
        order.choices[name] = std::string(parameter.choices[static_cast<size_t>(which)]);
        break;
      }
      case ParameterType::kBrokers:
      case ParameterType::kSetting:
      case ParameterType::kTarget:
        break;
    }
  }
}

FaultOrder ArbitraryFault(const Scenario& scenario, uint64_t key) {
  FaultOrder order{.kind = *rc::gen::element<std::string>(
                       "crash_broker", "power_loss", "stop_broker", "freeze", "partition_network",
                       "slow_network", "stall_disk", "lose_zone"),
                   .aim = {},
                   .other = {},
                   .at = scenario.run.warmup + MillisBetween(0, 7000),
                   .length = MillisBetween(10, 4000),
                   .numbers = {},
                   .choices = {},
                   .place = fmt::format("arbitrary[{}]", key),
                   .key = key,
                   .hit = {},
                   .other_hit = {}};
  order.aim = ArbitraryVictim(scenario);
  if (order.kind == "lose_zone") {
    order.aim = {.role = Aim::Role::kZone, .name = *rc::gen::elementOf(scenario.cluster.zones)};
  }
  DrawParameters(order);
  return order;
}

Trial DrawRun() {
  Trial trial{.run = ArbitraryScenario(), .seed = static_cast<uint64_t>(Between(1, 1'000'000))};
  trial.run.materialised.emplace();
  const int64_t faults = Between(0, 8);
  for (int64_t i = 0; i < faults; ++i) {
    trial.run.materialised->orders.push_back(
        ArbitraryFault(trial.run, static_cast<uint64_t>(i) + 1));
  }
  std::stable_sort(trial.run.materialised->orders.begin(), trial.run.materialised->orders.end(),
                   [](const FaultOrder& a, const FaultOrder& b) { return a.at < b.at; });
  return trial;
}

rc::Seq<Trial> Smaller(const Trial& trial) {
  std::vector<Trial> smaller;
  for (const Reducer& reducer : Reducers()) {
    for (Scenario& run : reducer.reduce(trial.run)) smaller.push_back({std::move(run), trial.seed});
  }
  return rc::seq::fromContainer(std::move(smaller));
}

}  // namespace

rc::Gen<Trial> ArbitraryRun() {
  const rc::Gen<Trial> drawn = rc::gen::exec(DrawRun);
  return rc::Gen<Trial>([drawn](const rc::Random& random, int size) {
    return rc::shrinkable::shrinkRecur(drawn(random, size).value(),
                                       [](const Trial& trial) { return Smaller(trial); });
  });
}

void showValue(const Trial& trial, std::ostream& out) {
  out << ReproJson({.run = trial.run, .seed = trial.seed});
}

}  // namespace highwater::scenarios
