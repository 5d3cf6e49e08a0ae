#pragma once

// The zoo: real historical defects of Kafka and of clusters like it, each planted in the product by
// replacing one decision (DESIGN 3: a rule table's function, or a decorator of a port). Nothing in
// the product knows of them.
//
//   for (const Mutant& mutant : ReplicationMutants()) {
//     RunHooks hooks;
//     mutant.plant(hooks);
//     SimulatedRun(scenario, seed, options, hooks).Run();   // now and then violates something
//   }
//
// Ids are those of the list of known defects (M…; ZK… for its second part), of the weak points of
// Kafka 3.2.3 (W…), or of the rule that is broken.

#include <absl/types/span.h>

#include <string_view>
#include <vector>

#include "scenarios/harness.h"
#include "scenarios/world/applications.h"

namespace highwater::scenarios {

struct Mutant {
  std::string_view id;
  std::string_view area;
  std::string_view source;    // KIP or JIRA
  std::string_view sentence;  // what it does wrong
  void (*plant)(RunHooks& hooks);
};

[[nodiscard]] absl::Span<const Mutant> ReplicationMutants();
[[nodiscard]] absl::Span<const Mutant> ControllerMutants();
[[nodiscard]] absl::Span<const Mutant> StorageMutants();
[[nodiscard]] absl::Span<const Mutant> ClientMutants();
[[nodiscard]] absl::Span<const Mutant> ZooKeeperMutants();

// All of them, ready to be run.
[[nodiscard]] std::vector<PlantedDefect> PlantedDefects();

}  // namespace highwater::scenarios
