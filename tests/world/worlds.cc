#include "tests/world/worlds.h"

#include <algorithm>

#include "scenarios/fault_table.h"
#include "scenarios/quantity.h"

namespace highwater::scenarios {
namespace {

ParameterValue DefaultOf(const FaultParameter& parameter) {
  const std::string_view text = parameter.default_value;
  switch (parameter.type) {
    case ParameterType::kDuration:
      return ParseDurationRange(text).value();
    case ParameterType::kCount:
      return ParseCountRange(text).value();
    case ParameterType::kSize:
      return ParseSizeRange(text).value();
    case ParameterType::kPercent:
      return ParsePercentRange(text).value();
    case ParameterType::kChoice:
    case ParameterType::kBrokers:
    case ParameterType::kSetting:
      return std::string(text);
    case ParameterType::kTarget:
      return faults::ParseAim(text).value();
  }
  return std::string();
}

}  // namespace

Scenario SmallScenario() {
  Scenario scenario;
  scenario.name = "small";
  scenario.topics = {{.name = "orders", .partitions = 2}};
  scenario.clients = {{.kind = ClientKind::kProducer,
                       .count = 2,
                       .topics = {"orders"},
                       .rate = {40, absl::Seconds(1)},
                       .record = {100, 300},
                       .settings = {{"request.timeout.ms", "3000"}}},
                      {.kind = ClientKind::kConsumer, .count = 1, .topics = {"orders"}}};
  scenario.run = {
      .warmup = absl::Seconds(1), .duration = absl::Seconds(6), .heal = absl::Seconds(12)};
  scenario.check.guarantee = Guarantee::kAny;
  return scenario;
}

Scenario ClusterScenario() {
  Scenario scenario = SmallScenario();
  scenario.cluster.zones = {"az-a", "az-b", "az-c"};
  scenario.cluster.brokers = 3;
  scenario.cluster.zookeeper = 1;
  scenario.cluster.settings = {{"replica.lag.time.max.ms", "2000"},
                               {"zookeeper.session.timeout.ms", "3000"}};
  scenario.topics = {{.name = "orders",
                      .partitions = 2,
                      .replicas = 3,
                      .settings = {{"min.insync.replicas", "2"}}}};
  scenario.run.warmup = absl::Seconds(5);
  return scenario;
}

RandomFault FaultEvery(std::string_view kind, absl::Duration every,
                       std::map<std::string, ParameterValue, std::less<>> parameters) {
  FaultSpec spec{.kind = std::string(kind),
                 .target = {.role = faults::Aim::Role::kAny},
                 .place = "faults.random[0]"};
  for (const FaultParameter& parameter : FindFaultKind(kind)->parameters) {
    const auto given = parameters.find(parameter.name);
    spec.parameters[std::string(parameter.name)] =
        given != parameters.end() ? given->second : DefaultOf(parameter);
  }
  return {.every = every, .fault = std::move(spec)};
}

std::optional<SeedResult> FindSeed(const Scenario& scenario, uint64_t first, uint64_t last,
                                   const RunHooks& hooks,
                                   const std::function<bool(const SeedResult&)>& stop) {
  for (uint64_t seed = first; seed <= last; ++seed) {
    const RunOptions options;
    SeedResult result = SimulatedRun(scenario, seed, options, hooks).Run();
    if (stop(result)) return result;
  }
  return std::nullopt;
}

bool Violates(const SeedResult& result, std::string_view invariant) {
  return std::any_of(result.violations.begin(), result.violations.end(),
                     [&](const Violation& violation) { return violation.invariant == invariant; });
}

}  // namespace highwater::scenarios
