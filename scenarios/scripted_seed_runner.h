#pragma once

// ScriptedSeedRunner: a SeedRunner for tests that says and does what it is told, seed by seed,
// instead of simulating anything.

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/mix.h"
#include "scenarios/harness.h"

// AddressSanitizer brings its own allocator: address space cannot be limited, nor fresh memory
// filled.
#if defined(__SANITIZE_ADDRESS__)
#define HIGHWATER_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HIGHWATER_UNDER_ASAN 1
#endif
#endif

namespace highwater::scenarios {

// A seed that held, with every enabled fault observed.
[[nodiscard]] inline SeedResult HeldSeed(const Scenario& scenario, uint64_t seed) {
  SeedResult result{.scenario = scenario.name, .seed = seed, .verdict = Verdict::kHeld};
  result.trace_hash = core::Mix(core::MixName(scenario.name), seed);
  result.strategy = "fifo";
  result.simulated = absl::Seconds(30);
  result.metrics.produced = 100;
  result.metrics.acked = 99;
  for (const std::string& kind : EnabledFaults(scenario)) {
    result.ledger.push_back({.kind = kind, .requested = 1, .applied = 1, .observed = 1});
  }
  return result;
}

// The same, with one violation.
[[nodiscard]] inline SeedResult ViolatedSeed(const Scenario& scenario, uint64_t seed,
                                             std::string invariant = "acked-durable") {
  SeedResult result = HeldSeed(scenario, seed);
  result.verdict = Verdict::kViolated;
  result.violations.push_back({.invariant = std::move(invariant),
                               .sentence = "a record acknowledged with acks=all is gone.",
                               .witnesses = {"topic orders, partition 0, offset 57"},
                               .at = absl::Seconds(5)});
  return result;
}

class ScriptedSeedRunner final : public SeedRunner {
 public:
  using Script = std::function<SeedResult(const Scenario&, uint64_t seed, const RunOptions&)>;
  explicit ScriptedSeedRunner(Script script) : script_(std::move(script)) {}
  SeedResult Run(const Scenario& scenario, uint64_t seed, const RunOptions& options) override {
    return script_(scenario, seed, options);
  }

 private:
  Script script_;
};

[[nodiscard]] inline Harness ScriptedHarness(ScriptedSeedRunner::Script script) {
  Harness harness;
  harness.make_runner = [script = std::move(script)]() -> std::unique_ptr<SeedRunner> {
    return std::make_unique<ScriptedSeedRunner>(script);
  };
  harness.load.invariants = {
      {"acked-durable", "Every record that was acknowledged can be read as it was written."},
      {"phantom", "Every record that is read was produced."}};
  return harness;
}

}  // namespace highwater::scenarios
