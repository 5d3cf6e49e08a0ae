// `highwater zoo`.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "scenarios/commands.h"

namespace highwater::scenarios {
namespace {

constexpr uint64_t kBaseDistance = 1'000'000;

// CPU seconds of all worker processes that have ended.
double WorkersCpu() {
  struct rusage usage = {};
  getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class FirstFailure final : public CampaignObserver {
 public:
  void OnStart(const CampaignResult&, const CampaignProgress&) override {}
  void OnCase(const CampaignResult&, const CaseResult& result, const SignatureGroup*) override {
    if (found_) return;
    ++seeds_;
    if (!IsFailure(result.result.verdict)) return;
    found_ = true;
    internal_ = result.result.verdict == Verdict::kInternalError;
    for (const Violation& violation : result.result.violations) {
      what_ += fmt::format("{}{}", what_.empty() ? "" : ", ", violation.invariant);
    }
    if (what_.empty()) what_ = VerdictName(result.result.verdict);
  }
  void OnTick(const CampaignProgress&) override {}
  void OnEnd(const CampaignResult&) override {}

  [[nodiscard]] bool found() const { return found_; }
  // The harness itself failed: that is no detection.
  [[nodiscard]] bool internal() const { return internal_; }
  [[nodiscard]] uint64_t seeds() const { return seeds_; }  // up to the failing one
  [[nodiscard]] const std::string& what() const { return what_; }

 private:
  bool found_ = false;
  bool internal_ = false;
  uint64_t seeds_ = 0;
  std::string what_;
};

std::optional<Strategy> StrategyFromName(std::string_view name) {
  for (const Strategy strategy :
       {Strategy::kMixed, Strategy::kFifo, Strategy::kRandom, Strategy::kPct}) {
    if (StrategyName(strategy) == name) return strategy;
  }
  return std::nullopt;
}

// Runs seeds first..last until one fails.
FirstFailure RunUntilFailure(const std::vector<Scenario>& campaign, const Harness& harness,
                             SeedRange seeds, int workers) {
  const CampaignOptions options{.seeds = {.range = seeds, .drawn = {}, .list = {}},
                                .workers = workers,
                                .max_failures = 1,
                                .determinism_ppm = 0};
  FirstFailure observer;
  (void)RunCampaign(campaign, harness, options, observer, [] { return false; });
  return observer;
}

struct Detection {
  std::string what;  // empty: undetected
  uint64_t seeds = 0;
  double cpu = 0;
};

// A seed in which the healthy product fails, too, says nothing of the defect and is passed over.
Detection HuntFrom(uint64_t first, const PlantedDefect& defect,
                   const std::vector<Scenario>& campaign, const ZooCommand& command,
                   const Harness& healthy) {
  Harness harness = healthy;
  harness.make_runner = defect.make_runner;
  const uint64_t last = first + command.seeds - 1;
  Detection detection;
  for (uint64_t seed = first; seed <= last;) {
    const double before = WorkersCpu();
    const FirstFailure failure = RunUntilFailure(campaign, harness, {seed, last}, command.workers);
    detection.cpu += WorkersCpu() - before;
    detection.seeds += failure.seeds();
    if (!failure.found()) return detection;
    seed += failure.seeds();
    if (failure.internal()) continue;
    if (RunUntilFailure(campaign, healthy, {seed - 1, seed - 1}, 1).found()) continue;
    detection.what = failure.what();
    return detection;
  }
  return detection;
}

// A row of the table; false if the defect was caught from no base.
bool Hunt(const PlantedDefect& defect, const std::vector<Scenario>& campaign,
          const ZooCommand& command, const Harness& healthy, const Output& output) {
  std::vector<std::string> caught_by;
  std::string seeds;
  std::string cpu;
  for (uint64_t base = 0; base < command.bases; ++base) {
    const Detection found = HuntFrom(1 + base * kBaseDistance, defect, campaign, command, healthy);
    const bool known = std::find(caught_by.begin(), caught_by.end(), found.what) != caught_by.end();
    if (!found.what.empty() && !known) caught_by.push_back(found.what);
    const std::string_view separator = base == 0 ? "" : " · ";
    seeds += fmt::format("{}{}{}", separator, found.what.empty() ? ">" : "", found.seeds);
    cpu += fmt::format("{}{:.1f}", separator, found.cpu);
  }
  fmt::print(output.out, "| {} | {} | {} | {} | {} | {} | {} |\n", defect.id, defect.area,
             defect.source, defect.sentence,
             caught_by.empty() ? "**undetected**" : fmt::format("{}", fmt::join(caught_by, "; ")),
             seeds, cpu);
  std::fflush(output.out);
  return !caught_by.empty();
}

}  // namespace

ExitCode Zoo(const ZooCommand& command, const Harness& harness, const Output& output) {
  std::vector<const PlantedDefect*> chosen;
  for (const PlantedDefect& defect : harness.zoo) {
    const bool wanted = command.only.empty() || std::find(command.only.begin(), command.only.end(),
                                                          defect.id) != command.only.end();
    if (wanted) chosen.push_back(&defect);
  }
  if (chosen.size() < std::max<size_t>(command.only.size(), 1)) {
    output.Error("--only: no such defect in the zoo; see highwater zoo --list");
    return ExitCode::kUsage;
  }
  if (command.list) {
    for (const PlantedDefect* defect : chosen) {
      fmt::print(output.out, "{:<6} {:<12} {} ({})\n", defect->id, defect->area, defect->sentence,
                 defect->source);
    }
    return ExitCode::kHeld;
  }
  std::optional<std::vector<Scenario>> campaign = LoadAll({command.scenario}, harness.load, output);
  if (!campaign) return ExitCode::kUsage;
  if (campaign->size() != 1) {
    output.Error("--scenario: expected one scenario file");
    return ExitCode::kUsage;
  }
  if (const auto strategy = StrategyFromName(command.strategy)) {
    campaign->front().run.strategy = *strategy;
  }
  fmt::print(output.out,
             "| id | area | source | defect | caught by | seeds | CPU s |\n"
             "|---|---|---|---|---|---|---|\n");
  size_t caught = 0;
  for (const PlantedDefect* defect : chosen) {
    if (Hunt(*defect, *campaign, command, harness, output)) ++caught;
  }
  fmt::print(output.err,
             "{} of {} defects were caught, with at most {} seeds from each of {} bases\n", caught,
             chosen.size(), command.seeds, command.bases);
  return caught == chosen.size() ? ExitCode::kHeld : ExitCode::kTargetMissed;
}

}  // namespace highwater::scenarios
