#include "scenarios/drawn_settings.h"

#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/mix.h"
#include "core/random.h"

namespace highwater::scenarios {
namespace {

// Calls visit(place, settings) for every map of settings.
template <typename ScenarioOrConst, typename Visit>
void ForEachSettings(ScenarioOrConst& scenario, Visit visit) {
  visit(std::string("cluster"), scenario.cluster.settings);
  for (auto& topic : scenario.topics) visit(fmt::format("topic {}", topic.name), topic.settings);
  for (size_t i = 0; i < scenario.clients.size(); ++i) {
    visit(fmt::format("clients[{}]", i), scenario.clients[i].settings);
  }
}

}  // namespace

int64_t GreatestValue(std::string_view name, const Settings& own, const Settings& general) {
  for (const Settings* settings : {&own, &general}) {
    for (const Setting& setting : *settings) {
      if (setting.name != name) continue;
      int64_t greatest = 0;
      const std::vector<std::string> values =
          setting.choices.empty() ? std::vector{setting.value} : setting.choices;
      for (const std::string& text : values) {
        int64_t value = 0;
        if (absl::SimpleAtoi(text, &value)) greatest = std::max(greatest, value);
      }
      return greatest;
    }
  }
  return 0;
}

bool NextCombination(Settings& settings) {
  for (Setting& setting : settings) {
    if (setting.choices.empty()) continue;
    auto at = std::find(setting.choices.begin(), setting.choices.end(), setting.value);
    if (++at != setting.choices.end()) {
      setting.value = *at;
      return true;
    }
    setting.value = setting.choices.front();
  }
  return false;
}

Scenario WithDrawnSettings(Scenario scenario, uint64_t seed) {
  const uint64_t root = core::Mix(core::MixName("settings"), seed);
  ForEachSettings(scenario, [&](const std::string& place, Settings& settings) {
    for (Setting& setting : settings) {
      if (setting.choices.empty()) continue;
      const uint64_t key = core::MixName(setting.name, core::MixName(place, root));
      setting.value = setting.choices[core::KeyedRandom(key).Below(setting.choices.size())];
    }
  });
  return scenario;
}

std::string DescribeDrawnSettings(const Scenario& scenario) {
  std::string text;
  ForEachSettings(scenario, [&](const std::string& place, const Settings& settings) {
    for (const Setting& setting : settings) {
      if (setting.choices.empty()) continue;
      text +=
          fmt::format("{}{} {}={}", text.empty() ? "" : ", ", place, setting.name, setting.value);
    }
  });
  return text;
}

}  // namespace highwater::scenarios
