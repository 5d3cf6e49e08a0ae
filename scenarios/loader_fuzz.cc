// Any bytes give a scenario or diagnostics; a scenario's resolved form loads as the same scenario.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "scenarios/loader.h"
#include "scenarios/resolved_yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace highwater::scenarios;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const LoadedScenario loaded = LoadScenario("fuzz.yaml", text, {});
  for (const Diagnostic& diagnostic : loaded.diagnostics) {
    HW_CHECK(!FormatDiagnostic(diagnostic).empty());
  }
  if (!loaded.scenario) {
    HW_CHECK(!loaded.diagnostics.empty(), "neither a scenario nor a reason");
    return 0;
  }
  const LoadedScenario again = LoadScenario("again.yaml", ResolvedYaml(*loaded.scenario), {});
  HW_CHECK(again.scenario.has_value(), "the resolved form does not load");
  HW_CHECK(SameScenario(*loaded.scenario, *again.scenario), "the resolved form differs");
  return 0;
}
