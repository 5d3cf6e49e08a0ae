#pragma once

// Repro: a materialised run in a file, with what it showed and on which build: `repro.json`.
//
//   WriteText("repro.json", ReproJson({.run = run, .seed = 417, ...}));
//   absl::StatusOr<Repro> repro = ParseRepro("repro.json", text, context);
//
// The scenario is held as the YAML text of resolved_yaml.h and read by the loader, so that a file
// that somebody has changed by hand is checked as a scenario is; faults are held with their own
// keys and names of the fault table. Times are whole nanoseconds: a repro says exactly what was.
//
// Not responsible for: what later builds make of it. On another build the same faults meet another
// run; `trace_hash` tells.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "scenarios/harness.h"
#include "scenarios/scenario.h"
#include "scenarios/seed_result.h"

namespace highwater::scenarios {

struct Repro {
  Scenario run;  // materialised
  uint64_t seed = 0;
  std::string mutant;  // the defect of the zoo that was planted; empty: none
  std::string build;   // whose run this is
  // What it showed.
  Verdict verdict = Verdict::kHeld;
  std::string signature;
  std::vector<std::string> invariants;  // that were violated, in the order of the result
  uint64_t trace_hash = 0;
  // `12 faults shrunk to 2, 3 producers to 1`; empty: it is as it was found.
  std::string shrunk;
};

// What `result` says, of a run that is materialised.
[[nodiscard]] Repro ReproOf(Scenario run, const SeedResult& result, std::string mutant,
                            std::string build);

[[nodiscard]] std::string ReproJson(const Repro& repro);

// InvalidArgument names `file` and what was expected there.
[[nodiscard]] absl::StatusOr<Repro> ParseRepro(const std::string& file, std::string_view text,
                                               const LoadContext& context);
[[nodiscard]] absl::StatusOr<Repro> LoadRepro(const std::string& file, const LoadContext& context);

}  // namespace highwater::scenarios
