#pragma once

// What a campaign says: its cases one by one, in order, while it runs; its sums and findings at the
// end. Plain values and one observer interface: all that reports/ needs to know of campaigns.

#include <absl/time/time.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/seed_result.h"

namespace highwater::scenarios {

// The exit codes of `highwater`.
enum class ExitCode : int {
  kHeld = 0,
  kViolated = 1,
  kUsage = 2,
  kNotDeterministic = 3,
  kNothingSelected = 4,
  kInconclusive = 5,
  kTargetMissed = 10,
  kInternalError = 70,
  kInterrupted = 130,
};

// A failing run made smaller: it still fails in the same way.
struct ShrunkRun {
  SeedResult result;
  std::string sentence;  // `12 faults shrunk to 2, 3 producers to 1`
};

// One seed of one scenario.
struct CaseResult {
  size_t scenario = 0;  // index in CampaignResult::scenarios
  SeedResult result;
  bool run_twice = false;
  // Set when a second run of the same seed ended otherwise: what it said instead.
  std::string differs;
  // The process died of this case; it says nothing of other cases.
  bool died = false;
  // Of failures; not part of a result's line, since how far a run is shrunk is a matter of time.
  std::optional<ShrunkRun> shrunk;
  std::string repro;           // repro.json: of the shrunk run where there is one
  std::string unshrunk_repro;  // where there is one
  std::string repro_path;      // where `repro` is or will be; empty: nowhere
};

// Seeds of which something is true.
struct SeedsThat {
  uint64_t count = 0;
  uint64_t first = 0;  // of them, where there are any
  void Add(uint64_t seed) {
    if (count++ == 0) first = seed;
  }
};

// Seeds by how many of the partitions that were offered records while the scenario watched took
// some.
struct WatchedSeeds {
  SeedsThat all;
  SeedsThat some;
  SeedsThat none;
  [[nodiscard]] uint64_t count() const { return all.count + some.count + none.count; }
};

struct ScenarioSummary {
  std::string name;
  std::string file;
  std::string about;
  std::string resolved_yaml;
  std::vector<std::string> expect;
  std::vector<std::string> faults_on_timeline;  // kinds that every seed must meet, sorted
  std::vector<std::string> faults_at_random;    // kinds that a seed may meet, sorted

  uint64_t cases = 0;
  std::array<uint64_t, kVerdicts> verdicts{};
  std::map<std::string, uint64_t> shown;  // seeds in which an invariant was violated
  std::vector<LedgerRow> ledger;          // summed, sorted by kind
  SeedMetrics totals;                     // sums; all seeds' latencies; the greatest lag
  absl::Duration simulated;
  absl::Duration host;
  // Of the seeds whose checks were decided:
  uint64_t decided = 0;
  SeedsThat lost;  // a record of which its producer was told that it is sent
  WatchedSeeds majority_writes;
  WatchedSeeds minority_writes;

  [[nodiscard]] uint64_t Count(Verdict verdict) const {
    return verdicts[static_cast<size_t>(verdict)];
  }
};

// Cases of one scenario that failed, or violated as expected, in the same way.
struct SignatureGroup {
  size_t scenario = 0;
  std::string signature;
  CaseResult first;
  uint64_t count = 0;
  std::vector<uint64_t> seeds;  // the first few
};

// Why a campaign fails, as a sentence; or, with kHeld, a warning.
struct Finding {
  ExitCode code = ExitCode::kHeld;
  std::string scenario;
  std::string text;
};

// What the checks of one invariant add up to.
struct GuaranteeSummary {
  std::string invariant;
  std::string sentence;  // in the client's words; empty where nobody said
  uint64_t checks = 0;
  uint64_t seeds_checked = 0;  // in which it was checked at least once
  uint64_t seeds_violated = 0;
};

struct CampaignResult {
  std::vector<ScenarioSummary> scenarios;
  std::vector<SignatureGroup> groups;  // in the order of their first seeds
  std::vector<Finding> findings;       // gravest first
  std::vector<MarkCount> marks;        // every mark of the program, sorted; zero: never reached
  std::vector<GuaranteeSummary> guarantees;  // sorted by invariant
  uint64_t cases = 0;
  uint64_t run_twice = 0;
  uint64_t differing = 0;
  int workers = 1;
  bool interrupted = false;
  bool stopped_at_failures = false;  // --max-failures
  absl::Duration elapsed;            // host time
  ExitCode exit_code = ExitCode::kHeld;
};

struct RunningCase {
  std::string scenario;
  uint64_t seed = 0;
  absl::Duration elapsed;
};

struct CampaignProgress {
  uint64_t done = 0;
  std::optional<uint64_t> total;         // unknown with a budget of time
  std::optional<absl::Duration> budget;  // of host time
  absl::Duration elapsed;
  absl::Duration simulated;
  uint64_t failures = 0;
  size_t distinct_failures = 0;
  std::vector<RunningCase> running;
};

class CampaignObserver {
 public:
  virtual ~CampaignObserver() = default;
  // Before the first case. `campaign` has its scenarios, without counts.
  virtual void OnStart(const CampaignResult& campaign, const CampaignProgress& plan) = 0;
  // In the order of the plan, whatever the workers do. `group` is not null if the case failed or
  // violated as expected.
  virtual void OnCase(const CampaignResult& campaign, const CaseResult& result,
                      const SignatureGroup* group) = 0;
  // Some times a second.
  virtual void OnTick(const CampaignProgress& progress) = 0;
  virtual void OnEnd(const CampaignResult& campaign) = 0;
};

}  // namespace highwater::scenarios
