#include "scenarios/world/simulated_seed_runner.h"

#include "broker/client/client_config.h"
#include "broker/server/broker_config.h"
#include "invariants/invariant.h"
#include "scenarios/drawn_settings.h"
#include "scenarios/world/simulated_run.h"

namespace highwater::scenarios {
namespace {

absl::Status ValidateSetting(SettingScope scope, std::string_view name, std::string_view value) {
  switch (scope) {
    case SettingScope::kBroker:
      return broker::ValidateBrokerConfig(name, value);
    case SettingScope::kTopic:
      return broker::ValidateTopicConfig(name, value);
    case SettingScope::kProducer:
      return broker::client::ValidateProducerConfig(name, value);
    case SettingScope::kConsumer:
      return broker::client::ValidateConsumerConfig(name, value);
  }
  HW_UNREACHABLE();
}

absl::Status ValidateTogether(SettingScope scope, const Settings& settings) {
  if (scope != SettingScope::kProducer) return absl::OkStatus();
  broker::client::Properties properties;
  for (const Setting& setting : settings) properties[setting.name] = setting.value;
  return broker::client::ValidateProducerConfigs(properties);
}

std::vector<std::string> SettingNames(SettingScope scope) {
  std::vector<std::string> names;
  if (scope == SettingScope::kBroker) {
    for (const broker::ConfigKey& key : broker::BrokerConfigKeys()) names.emplace_back(key.name);
  }
  if (scope == SettingScope::kTopic) {
    for (const broker::TopicConfigKey& key : broker::TopicConfigKeys())
      names.emplace_back(key.key.name);
  }
  return names;  // the clients' tables suggest by themselves
}

}  // namespace

SeedResult SimulatedSeedRunner::Run(const Scenario& scenario, uint64_t seed,
                                    const RunOptions& options) {
  const Scenario drawn = WithDrawnSettings(scenario, seed);
  return SimulatedRun(drawn, seed, options, hooks_).Run();
}

Harness MakeSimulatedHarness() {
  Harness harness;
  harness.make_runner = [] { return std::make_unique<SimulatedSeedRunner>(); };
  harness.load.validate_setting = ValidateSetting;
  harness.load.validate_together = ValidateTogether;
  harness.load.setting_names = SettingNames;
  for (const invariants::InvariantInfo& info : invariants::CatalogOfInvariants()) {
    harness.load.invariants.push_back(
        {.id = std::string(info.id), .sentence = std::string(info.guarantee)});
  }
  return harness;
}

}  // namespace highwater::scenarios
