#include "scenarios/hunt.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "scenarios/campaign.h"

namespace highwater::scenarios {
namespace {

// Runs of one generation: worker processes are started anew for each.
constexpr uint64_t kGeneration = 48;

// CPU seconds of all worker processes that have ended.
double WorkersCpu() {
  struct rusage usage = {};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Keeps the results up to the first failure.
class Results final : public CampaignObserver {
 public:
  void OnStart(const CampaignResult&, const CampaignProgress&) override {}
  void OnCase(const CampaignResult&, const CaseResult& result, const SignatureGroup*) override {
    if (failed_) return;
    results_.push_back(result.result);
    failed_ = IsFailure(result.result.verdict);
  }
  void OnTick(const CampaignProgress&) override {}
  void OnEnd(const CampaignResult&) override {}

  [[nodiscard]] bool failed() const { return failed_; }  // the last one
  [[nodiscard]] const std::vector<SeedResult>& results() const { return results_; }

 private:
  bool failed_ = false;
  std::vector<SeedResult> results_;
};

// Runs the trials from the `first` on until one fails.
Results RunUntilFailure(const std::vector<HuntTrial>& trials, size_t first, size_t end,
                        const Harness& harness, int workers) {
  std::vector<Scenario> runs;
  for (size_t i = first; i < end; ++i) {
    runs.push_back(trials[i].scenario);
    runs.back().seeds = {trials[i].seed, trials[i].seed};
  }
  const CampaignOptions options{.workers = workers, .max_failures = 1, .determinism_ppm = 0};
  Results results;
  (void)RunCampaign(runs, harness, options, results, [] { return false; });
  return results;
}

// The invariants that were violated, each once; or how else the run failed.
std::vector<std::string> WhatFailed(const SeedResult& result) {
  std::vector<std::string> invariants;
  for (const Violation& violation : result.violations) {
    if (std::find(invariants.begin(), invariants.end(), violation.invariant) == invariants.end()) {
      invariants.push_back(violation.invariant);
    }
  }
  if (invariants.empty()) invariants.emplace_back(VerdictName(result.verdict));
  return invariants;
}

// Counts what fails.
class Failures final : public CampaignObserver {
 public:
  explicit Failures(Baseline& baseline) : baseline_(baseline) {}
  void OnStart(const CampaignResult&, const CampaignProgress&) override {}
  void OnCase(const CampaignResult&, const CaseResult& result, const SignatureGroup*) override {
    if (!IsFailure(result.result.verdict)) return;
    for (const std::string& what : WhatFailed(result.result)) {
      ++baseline_.violated[result.result.scenario][what];
    }
  }
  void OnTick(const CampaignProgress&) override {}
  void OnEnd(const CampaignResult&) override {}

 private:
  Baseline& baseline_;
};

}  // namespace

bool Baseline::Shows(const std::string& campaign, const std::string& what) const {
  const auto found = violated.find(campaign);
  return found != violated.end() && found->second.contains(what);
}

Baseline MeasureBaseline(const std::vector<Scenario>& campaigns, const Harness& healthy,
                         uint64_t first, uint64_t trials, int workers) {
  Baseline baseline{.trials = trials, .violated = {}};
  if (trials == 0) return baseline;
  Failures failures(baseline);
  const CampaignOptions options{
      .seeds = {.range = SeedRange{first, first + trials - 1}, .drawn = {}, .list = {}},
      .workers = workers,
      .max_failures = 0,
      .determinism_ppm = 0};
  (void)RunCampaign(campaigns, healthy, options, failures, [] { return false; });
  return baseline;
}

Detection Hunt(const PlantedDefect& defect, const Harness& healthy, const Baseline& baseline,
               TrialSource& source, const HuntLimits& limits) {
  Harness harness = healthy;
  harness.make_runner = defect.make_runner;
  const double before = WorkersCpu();
  Detection detection;
  while (detection.trials < limits.trials && detection.cpu < limits.cpu_seconds) {
    const std::vector<HuntTrial> trials =
        source.Next(std::min(kGeneration, limits.trials - detection.trials));
    for (size_t next = 0; next < trials.size();) {
      const Results ran = RunUntilFailure(trials, next, trials.size(), harness, limits.workers);
      if (ran.results().empty()) return detection;  // interrupted
      for (const SeedResult& result : ran.results()) source.Learn(trials[next++], result);
      detection.trials += ran.results().size();
      detection.cpu = WorkersCpu() - before;
      if (!ran.failed()) continue;
      const SeedResult& failure = ran.results().back();
      if (failure.verdict == Verdict::kInternalError) continue;
      std::vector<std::string> what = WhatFailed(failure);
      std::erase_if(what,
                    [&](const std::string& one) { return baseline.Shows(failure.scenario, one); });
      if (what.empty()) {
        ++detection.passed_over;
        continue;
      }
      const bool healthy_too = RunUntilFailure(trials, next - 1, next, healthy, 1).failed();
      detection.cpu = WorkersCpu() - before;
      if (healthy_too) {
        ++detection.passed_over;
        continue;
      }
      detection.what = fmt::format("{}", fmt::join(what, ", "));
      detection.trial = trials[next - 1];
      return detection;
    }
  }
  return detection;
}

}  // namespace highwater::scenarios
