#include "scenarios/keep_failures.h"

#include <fmt/format.h>

#include <memory>

#include "scenarios/host_clock.h"
#include "scenarios/materialise.h"
#include "scenarios/repro.h"

namespace highwater::scenarios {
namespace {

// What a smaller run can show again. A hang, or a death by the machine's hand, is not among it.
bool CanBeShrunk(const CaseResult& result) {
  if (!result.differs.empty()) return false;
  switch (result.result.verdict) {
    case Verdict::kViolated:
    case Verdict::kBrokerAborted:
    case Verdict::kLivelock:
    case Verdict::kStuck:
      return true;
    default:
      return false;
  }
}

class Keeper {
 public:
  Keeper(const Harness& harness, KeepOptions options)
      : harness_(harness), options_(std::move(options)) {}

  void Complete(const Scenario& scenario, bool first, CaseResult& result) {
    const Trial found = Materialised(scenario, result.result);
    Repro repro = ReproOf(found.run, result.result, options_.mutant, options_.build);
    result.repro = ReproJson(repro);
    if (options_.folder_of) {
      result.repro_path = options_.folder_of(scenario.name, result.result.seed) + "/repro.json";
    }
    if (!first || !options_.shrink || !CanBeShrunk(result)) return;
    if (shrunk_ == options_.most_shrunk) return;
    ++shrunk_;
    ShrunkFailure smaller = ShrinkFailure(found, result.result, harness_, options_.how);
    if (smaller.sentence.empty()) return;
    if (options_.tell) {
      options_.tell(fmt::format("{} seed {}: {} ({} runs{})", scenario.name, result.result.seed,
                                smaller.sentence, smaller.trials,
                                smaller.exhausted ? ", at the end of its time" : ""));
    }
    repro =
        ReproOf(std::move(smaller.smallest.run), smaller.result, options_.mutant, options_.build);
    repro.seed = smaller.smallest.seed;
    repro.shrunk = smaller.sentence;
    result.unshrunk_repro = std::move(result.repro);
    result.repro = ReproJson(repro);
    result.shrunk = ShrunkRun{std::move(smaller.result), std::move(smaller.sentence)};
  }

 private:
  static Trial Materialised(const Scenario& scenario, const SeedResult& result) {
    Trial trial{.run = Materialise(scenario, result.seed), .seed = result.seed};
    Settle(result, trial.run);
    return trial;
  }

  const Harness& harness_;
  KeepOptions options_;
  uint64_t shrunk_ = 0;
};

std::optional<absl::Duration> FirstViolation(const SeedResult& result) {
  std::optional<absl::Duration> first;
  for (const Violation& violation : result.violations) {
    first = std::min(first.value_or(violation.at), violation.at);
  }
  return first;
}

}  // namespace

ShrunkFailure ShrinkFailure(const Trial& failing, const SeedResult& original,
                            const Harness& harness, const ShrinkFailureOptions& options) {
  const absl::Duration end = HostNow() + options.budget;
  const std::function<bool()> over = [end] { return HostNow() >= end; };
  SeedResult last = original;
  const std::function<bool(const SeedResult&)> alike = [&](const SeedResult& result) {
    return FailsAlike(original, result);
  };
  const FindFailing find = [&](const std::vector<Trial>& trials) -> std::optional<Failing> {
    std::optional<TrialHit> hit =
        FindTrial(trials, harness,
                  {.workers = options.workers, .timeout = absl::Seconds(10), .stop = over}, alike);
    if (!hit) return std::nullopt;
    last = std::move(hit->result);
    if (options.on_smaller) options.on_smaller(trials[hit->index].run);
    return Failing{hit->index, FirstViolation(last)};
  };
  ShrinkOutcome outcome =
      Shrink(failing, FirstViolation(original), find,
             {.trials = options.trials, .other_seeds = options.other_seeds, .stop = over});
  std::string sentence = DescribeShrinking(failing.run, outcome.smallest.run);
  return {.smallest = std::move(outcome.smallest),
          .result = std::move(last),
          .sentence = std::move(sentence),
          .trials = outcome.trials,
          .exhausted = outcome.exhausted};
}

std::function<void(const Scenario&, bool, CaseResult&)> KeepFailures(const Harness& harness,
                                                                     KeepOptions options) {
  auto keeper = std::make_shared<Keeper>(harness, std::move(options));
  return [keeper](const Scenario& scenario, bool first, CaseResult& result) {
    keeper->Complete(scenario, first, result);
  };
}

}  // namespace highwater::scenarios
