#pragma once

// The loader: a scenario's YAML text to a checked Scenario, or to everything that is wrong with it.
//
//   LoadedScenario loaded = LoadScenario("az-loss.yaml", text, context);
//   for (const Diagnostic& d : loaded.diagnostics) puts(FormatDiagnostic(d).c_str());
//   if (loaded.scenario) run(*loaded.scenario);
//
// All errors of a file are reported, in the order of the file, each with its line and column, what
// was expected, what came, and a suggestion where a name is nearly right. Unknown and duplicate
// keys are errors; so are anchors, aliases and tags.
//
// Invariant: a scenario is given if and only if no diagnostic is an error.

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/diagnostics.h"
#include "scenarios/harness.h"
#include "scenarios/scenario.h"

namespace highwater::scenarios {

struct LoadedScenario {
  std::optional<Scenario> scenario;
  std::vector<Diagnostic> diagnostics;
};

// `file` is only named in messages and in Scenario::file.
[[nodiscard]] LoadedScenario LoadScenario(std::string_view file, std::string_view text,
                                          const LoadContext& context);

// A file that cannot be read is a diagnostic at line 0.
[[nodiscard]] LoadedScenario LoadScenarioFile(const std::string& path, const LoadContext& context);

// What a document claims of the scenarios in a folder stands beside them (load_claims.h).
inline constexpr std::string_view kClaimsFileName = "claims.yaml";

// A file itself, or every *.yaml below a folder but its claims, sorted by path. NotFound if there
// is no such file or folder.
[[nodiscard]] absl::StatusOr<std::vector<std::string>> FindScenarioFiles(const std::string& path);

}  // namespace highwater::scenarios
