#include "scenarios/scenario.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "scenarios/harness.h"

namespace highwater::scenarios {
namespace {

template <typename Value>
const Value& ParameterOf(const FaultSpec& fault, std::string_view name) {
  const auto found = fault.parameters.find(name);
  HW_CHECK(found != fault.parameters.end(), "fault {} has no parameter {}", fault.kind, name);
  const Value* value = std::get_if<Value>(&found->second);
  HW_CHECK(value != nullptr, "fault {}: parameter {} is of another type", fault.kind, name);
  return *value;
}

}  // namespace

std::string_view ClientKindName(ClientKind kind) {
  return kind == ClientKind::kProducer ? "producer" : "consumer";
}

std::string_view StrategyName(Strategy strategy) {
  switch (strategy) {
    case Strategy::kMixed:
      return "mixed";
    case Strategy::kFifo:
      return "fifo";
    case Strategy::kRandom:
      return "random";
    case Strategy::kPct:
      return "pct";
  }
  HW_UNREACHABLE("strategy {}", static_cast<int>(strategy));
}

std::string_view HealWithName(HealWith with) {
  switch (with) {
    case HealWith::kDrawn:
      return "drawn";
    case HealWith::kAll:
      return "all";
    case HealWith::kCore:
      return "core";
  }
  HW_UNREACHABLE("heal with {}", static_cast<int>(with));
}

std::string_view SettingScopeName(SettingScope scope) {
  switch (scope) {
    case SettingScope::kBroker:
      return "broker";
    case SettingScope::kTopic:
      return "topic";
    case SettingScope::kProducer:
      return "producer";
    case SettingScope::kConsumer:
      return "consumer";
  }
  HW_UNREACHABLE("scope {}", static_cast<int>(scope));
}

std::string_view CompatibilityName(Compatibility compatibility) {
  switch (compatibility) {
    case Compatibility::kSafe:
      return "safe";
    case Compatibility::kKafka323:
      return "kafka-3.2.3";
  }
  HW_UNREACHABLE("compatibility {}", static_cast<int>(compatibility));
}

const DurationRange& FaultSpec::DurationOf(std::string_view name) const {
  return ParameterOf<DurationRange>(*this, name);
}
const IntegerRange& FaultSpec::IntegerOf(std::string_view name) const {
  return ParameterOf<IntegerRange>(*this, name);
}
const std::string& FaultSpec::ChoiceOf(std::string_view name) const {
  return ParameterOf<std::string>(*this, name);
}
const Target& FaultSpec::TargetOf(std::string_view name) const {
  return ParameterOf<Target>(*this, name);
}

std::pair<std::string_view, std::string_view> SplitSetting(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

bool SameScenario(const Scenario& a, const Scenario& b) {
  return a.name == b.name && a.about == b.about && a.compatibility == b.compatibility &&
         a.cluster == b.cluster && a.topics == b.topics && a.clients == b.clients &&
         a.run == b.run && a.timeline == b.timeline && a.random == b.random &&
         a.aftershocks_ppm == b.aftershocks_ppm && a.check == b.check && a.expect == b.expect &&
         a.regression == b.regression && a.seeds == b.seeds && a.materialised == b.materialised;
}

std::vector<NamedClient> ClientsOf(const Scenario& scenario) {
  std::vector<NamedClient> clients;
  int producers = 0;
  int consumers = 0;
  for (const ClientSpec& spec : scenario.clients) {
    int& number = spec.kind == ClientKind::kProducer ? producers : consumers;
    for (int32_t i = 0; i < spec.count; ++i) {
      clients.push_back({fmt::format("{}-{}", ClientKindName(spec.kind), number++), &spec});
    }
  }
  return clients;
}

std::vector<std::string> EnabledFaults(const Scenario& scenario) {
  std::vector<std::string> kinds;
  for (const TimelineFault& fault : scenario.timeline) kinds.push_back(fault.fault.kind);
  for (const RandomFault& fault : scenario.random) kinds.push_back(fault.fault.kind);
  if (scenario.materialised) {
    for (const faults::FaultOrder& order : scenario.materialised->orders) {
      kinds.push_back(order.kind);
    }
  }
  std::sort(kinds.begin(), kinds.end());
  kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
  return kinds;
}

}  // namespace highwater::scenarios
