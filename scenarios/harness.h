#pragma once

// Harness: what the `highwater` program is put together from. scenarios/world/ gives the real one;
// tests give scripted ones.

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/seed_runner.h"

namespace highwater::scenarios {

struct InvariantInfo {
  std::string id;        // `acked-durable`
  std::string sentence;  // the guarantee in the client's words
};

// Whose property names a `settings:` map uses.
enum class SettingScope { kBroker, kTopic, kProducer, kConsumer };
[[nodiscard]] std::string_view SettingScopeName(SettingScope scope);  // `broker`

// What the loader must be told because it is known elsewhere. Each part may be empty: then it is
// not checked.
struct LoadContext {
  // InvalidArgument for an unknown name or a bad value; the message says what was expected.
  std::function<absl::Status(SettingScope, std::string_view name, std::string_view value)>
      validate_setting;
  // The same for all settings of one map together, each of which is valid by itself.
  std::function<absl::Status(SettingScope, const Settings&)> validate_together;
  // How many ZooKeeper servers the world can have.
  int64_t most_zookeepers = 9;
  // All names of a scope: for "did you mean".
  std::function<std::vector<std::string>(SettingScope)> setting_names;
  std::vector<InvariantInfo> invariants;
};

// A known defect, planted: a product that breaks one rule.
struct PlantedDefect {
  std::string id;        // of the list of known defects: `M22`, or `W12` for a weak point of 3.2.3
  std::string area;      // `replication`
  std::string source;    // KIP or JIRA
  std::string sentence;  // what it does wrong
  std::function<std::unique_ptr<SeedRunner>()> make_runner;
};

struct Harness {
  std::function<std::unique_ptr<SeedRunner>()> make_runner;  // called once in each worker process
  LoadContext load;
  std::vector<PlantedDefect> zoo;
};

}  // namespace highwater::scenarios
