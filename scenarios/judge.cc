#include "scenarios/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace highwater::scenarios {
namespace {

constexpr uint64_t kSeedsForADrawnFault = 20;
constexpr size_t kSeedsListed = 20;

bool Contains(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool HasProducer(const Scenario& scenario) {
  return std::any_of(scenario.clients.begin(), scenario.clients.end(),
                     [](const ClientSpec& c) { return c.kind == ClientKind::kProducer; });
}

// Invariants and applied faults: what failures of one cause most often share.
std::string MakeSignature(const SeedResult& result) {
  std::set<std::string_view> invariants;
  for (const Violation& violation : result.violations) invariants.insert(violation.invariant);
  std::string signature = invariants.empty() ? std::string(VerdictName(result.verdict))
                                             : fmt::format("{}", fmt::join(invariants, "+"));
  std::set<std::string_view> faults;
  for (const LedgerRow& row : result.ledger) {
    if (row.applied > 0) faults.insert(row.kind);
  }
  if (!faults.empty()) signature += fmt::format("/{}", fmt::join(faults, "+"));
  return signature;
}

void AddLedger(const std::vector<LedgerRow>& rows, std::vector<LedgerRow>& sums) {
  for (const LedgerRow& row : rows) {
    auto at = std::lower_bound(sums.begin(), sums.end(), row.kind,
                               [](const LedgerRow& a, const std::string& b) { return a.kind < b; });
    if (at == sums.end() || at->kind != row.kind) at = sums.insert(at, LedgerRow{.kind = row.kind});
    at->requested += row.requested;
    at->applied += row.applied;
    at->observed += row.observed;
  }
}

void AddMarks(const std::vector<MarkCount>& marks, std::vector<MarkCount>& sums) {
  for (const MarkCount& mark : marks) {
    auto at = std::lower_bound(sums.begin(), sums.end(), mark.name,
                               [](const MarkCount& a, const std::string& b) { return a.name < b; });
    if (at == sums.end() || at->name != mark.name)
      at = sums.insert(at, MarkCount{.name = mark.name});
    at->count += mark.count;
  }
}

GuaranteeSummary& GuaranteeOf(const std::string& invariant,
                              std::vector<GuaranteeSummary>& guarantees) {
  auto at = std::lower_bound(
      guarantees.begin(), guarantees.end(), invariant,
      [](const GuaranteeSummary& a, const std::string& b) { return a.invariant < b; });
  if (at == guarantees.end() || at->invariant != invariant) {
    at = guarantees.insert(at, {.invariant = invariant, .sentence = {}});
  }
  return *at;
}

void AddTraffic(const ZoneTraffic& traffic, std::vector<ZoneTraffic>& sums) {
  auto at = std::lower_bound(sums.begin(), sums.end(), traffic,
                             [](const ZoneTraffic& a, const ZoneTraffic& b) {
                               return std::tie(a.from, a.to) < std::tie(b.from, b.to);
                             });
  if (at == sums.end() || at->from != traffic.from || at->to != traffic.to) {
    at = sums.insert(at, {.from = traffic.from, .to = traffic.to});
  }
  at->bytes += traffic.bytes;
}

void AddWrites(const WatchedWrites& writes, WatchedWrites& sums) {
  sums.offered += writes.offered;
  sums.written += writes.written;
}

void AddMetrics(const SeedMetrics& metrics, SeedMetrics& sums) {
  sums.produced += metrics.produced;
  sums.acked += metrics.acked;
  sums.consumed += metrics.consumed;
  sums.bytes_sent += metrics.bytes_sent;
  sums.events += metrics.events;
  sums.unavailable += metrics.unavailable;
  sums.produce_latency.Merge(metrics.produce_latency);
  sums.time_to_leader.Merge(metrics.time_to_leader);
  sums.lost += metrics.lost;
  sums.write_stall.Merge(metrics.write_stall);
  AddWrites(metrics.majority_writes, sums.majority_writes);
  AddWrites(metrics.minority_writes, sums.minority_writes);
  sums.greatest_lag_records = std::max(sums.greatest_lag_records, metrics.greatest_lag_records);
  for (const ZoneTraffic& traffic : metrics.traffic) AddTraffic(traffic, sums.traffic);
}

void AddSeed(const WatchedWrites& writes, uint64_t seed, WatchedSeeds& seeds) {
  if (writes.offered == 0) return;
  SeedsThat& kind = writes.written == 0               ? seeds.none
                    : writes.written < writes.offered ? seeds.some
                                                      : seeds.all;
  kind.Add(seed);
}

// Of a seed that was given up nothing is known.
void AddOutcome(const SeedResult& seed, ScenarioSummary& scenario) {
  if (seed.verdict != Verdict::kHeld && seed.verdict != Verdict::kViolated &&
      seed.verdict != Verdict::kExpected)
    return;
  ++scenario.decided;
  if (seed.metrics.lost > 0) scenario.lost.Add(seed.seed);
  AddSeed(seed.metrics.majority_writes, seed.seed, scenario.majority_writes);
  AddSeed(seed.metrics.minority_writes, seed.seed, scenario.minority_writes);
}

const LedgerRow* FindRow(const std::vector<LedgerRow>& ledger, std::string_view kind) {
  for (const LedgerRow& row : ledger) {
    if (row.kind == kind) return &row;
  }
  return nullptr;
}

class CampaignJudge {
 public:
  explicit CampaignJudge(CampaignResult& campaign) : campaign_(campaign) {}

  void Judge() {
    campaign_.findings.clear();
    if (campaign_.cases == 0 && !campaign_.interrupted) {
      Add(ExitCode::kNothingSelected, "", "no seed of any scenario was selected");
    }
    for (const ScenarioSummary& scenario : campaign_.scenarios) {
      JudgeVerdicts(scenario);
      if (scenario.cases > 0 && !campaign_.interrupted && !campaign_.stopped_at_failures) {
        JudgeEvidence(scenario);
      }
    }
    for (const SignatureGroup& group : campaign_.groups) {
      if (group.first.differs.empty()) continue;
      Add(ExitCode::kNotDeterministic, campaign_.scenarios[group.scenario].name,
          fmt::format("seed {} is not deterministic: {}", group.first.result.seed,
                      group.first.differs));
    }
    campaign_.exit_code =
        campaign_.findings.empty() ? ExitCode::kHeld : campaign_.findings.front().code;
    if (campaign_.interrupted) campaign_.exit_code = ExitCode::kInterrupted;
  }

 private:
  // Several at once: the first of 70, 3, 1, 5, 10.
  static int Rank(ExitCode code) {
    constexpr ExitCode kOrder[] = {ExitCode::kInternalError, ExitCode::kNotDeterministic,
                                   ExitCode::kViolated,      ExitCode::kInconclusive,
                                   ExitCode::kTargetMissed,  ExitCode::kNothingSelected};
    return static_cast<int>(std::find(std::begin(kOrder), std::end(kOrder), code) - kOrder);
  }

  void Add(ExitCode code, std::string_view scenario, std::string text) {
    // Gravest first; those of one gravity in the order of their scenarios.
    const auto place = std::find_if(campaign_.findings.begin(), campaign_.findings.end(),
                                    [code](const Finding& f) { return Rank(f.code) > Rank(code); });
    campaign_.findings.insert(place, {code, std::string(scenario), std::move(text)});
  }

  void JudgeVerdicts(const ScenarioSummary& s) {
    const auto count = [&](Verdict verdict, ExitCode code, std::string_view what) {
      const uint64_t n = s.Count(verdict);
      if (n > 0) Add(code, s.name, fmt::format("{} seed{} {}", n, n == 1 ? "" : "s", what));
    };
    count(Verdict::kInternalError, ExitCode::kInternalError,
          "failed a check of the harness itself");
    count(Verdict::kCrashed, ExitCode::kInternalError, "killed the process that ran them");
    count(Verdict::kViolated, ExitCode::kViolated, "violated a guarantee");
    count(Verdict::kBrokerAborted, ExitCode::kViolated, "failed a check in the broker's code");
    count(Verdict::kLivelock, ExitCode::kViolated, "ended in a livelock");
    count(Verdict::kStuck, ExitCode::kViolated, "got stuck");
    count(Verdict::kInconclusive, ExitCode::kInconclusive,
          "ended before their checks were decided");
    count(Verdict::kVacuous, ExitCode::kInconclusive, "proved nothing: no record was acknowledged");
  }

  void JudgeEvidence(const ScenarioSummary& s) {
    for (const std::string& invariant : s.expect) {
      if (s.shown.contains(invariant)) continue;
      Add(ExitCode::kInconclusive, s.name,
          fmt::format("expected a violation of {}, and none of {} seeds showed it", invariant,
                      s.cases));
    }
    for (const std::string& kind : s.faults_on_timeline) JudgeFault(s, kind, true);
    for (const std::string& kind : s.faults_at_random) {
      if (!Contains(s.faults_on_timeline, kind)) JudgeFault(s, kind, false);
    }
  }

  void JudgeFault(const ScenarioSummary& s, const std::string& kind, bool on_timeline) {
    const LedgerRow* row = FindRow(s.ledger, kind);
    const LedgerRow counts = row == nullptr ? LedgerRow{.kind = kind} : *row;
    if (counts.observed > 0) return;
    const bool had_its_chance =
        on_timeline || counts.requested > 0 || s.cases >= kSeedsForADrawnFault;
    Add(had_its_chance ? ExitCode::kInconclusive : ExitCode::kHeld, s.name,
        fmt::format("the fault {} was never observed (requested {}, applied {})", kind,
                    counts.requested, counts.applied));
  }

  CampaignResult& campaign_;
};

// To prove why nothing could be written is to prove something.
bool ProvedAWait(const SeedResult& result) {
  return std::any_of(result.marks.begin(), result.marks.end(),
                     [](const MarkCount& mark) { return mark.name == "lawfully_stalled"; });
}

}  // namespace

void JudgeSeed(const Scenario& scenario, SeedResult& result) {
  const bool judged = result.verdict == Verdict::kHeld || result.verdict == Verdict::kViolated ||
                      result.verdict == Verdict::kExpected;
  if (judged && !result.violations.empty()) {
    const bool expected = std::all_of(
        result.violations.begin(), result.violations.end(),
        [&](const Violation& violation) { return Contains(scenario.expect, violation.invariant); });
    result.verdict = expected ? Verdict::kExpected : Verdict::kViolated;
  }
  if (result.verdict == Verdict::kHeld && HasProducer(scenario) && result.metrics.acked == 0 &&
      !ProvedAWait(result)) {
    result.verdict = Verdict::kVacuous;
  }
  if (result.signature.empty() && result.verdict != Verdict::kHeld) {
    result.signature = MakeSignature(result);
  }
}

ScenarioSummary SummaryOf(const Scenario& scenario) {
  ScenarioSummary summary{.name = scenario.name,
                          .file = scenario.file,
                          .about = scenario.about,
                          .expect = scenario.expect};
  std::set<std::string> timeline;
  for (const TimelineFault& fault : scenario.timeline) timeline.insert(fault.fault.kind);
  std::set<std::string> random;
  for (const RandomFault& fault : scenario.random) random.insert(fault.fault.kind);
  summary.faults_on_timeline.assign(timeline.begin(), timeline.end());
  summary.faults_at_random.assign(random.begin(), random.end());
  return summary;
}

const SignatureGroup* AddCase(const CaseResult& result, CampaignResult& campaign) {
  const SeedResult& seed = result.result;
  ScenarioSummary& scenario = campaign.scenarios[result.scenario];
  ++campaign.cases;
  ++scenario.cases;
  if (result.run_twice) ++campaign.run_twice;
  if (!result.differs.empty()) ++campaign.differing;
  ++scenario.verdicts[static_cast<size_t>(seed.verdict)];
  std::set<std::string> shown;
  for (const Violation& violation : seed.violations) shown.insert(violation.invariant);
  for (const std::string& invariant : shown) ++scenario.shown[invariant];
  AddLedger(seed.ledger, scenario.ledger);
  AddMarks(seed.marks, campaign.marks);
  for (const MarkCount& check : seed.checks) {
    GuaranteeSummary& guarantee = GuaranteeOf(check.name, campaign.guarantees);
    guarantee.checks += check.count;
    guarantee.seeds_checked += check.count > 0 ? 1 : 0;
  }
  for (const std::string& invariant : shown) {
    ++GuaranteeOf(invariant, campaign.guarantees).seeds_violated;
  }
  AddMetrics(seed.metrics, scenario.totals);
  AddOutcome(seed, scenario);
  scenario.simulated += seed.simulated;
  scenario.host += seed.host;

  const bool differs = !result.differs.empty();
  if (seed.verdict == Verdict::kHeld && !differs) return nullptr;
  // A seed whose two runs differ is a finding of its own, whatever its first run said.
  const std::string signature = differs ? "not-deterministic" : seed.signature;
  auto group =
      std::find_if(campaign.groups.begin(), campaign.groups.end(), [&](const SignatureGroup& g) {
        return g.scenario == result.scenario && g.signature == signature;
      });
  if (group == campaign.groups.end()) {
    campaign.groups.push_back(
        {.scenario = result.scenario, .signature = signature, .first = result});
    group = campaign.groups.end() - 1;
  }
  ++group->count;
  if (group->seeds.size() < kSeedsListed) group->seeds.push_back(seed.seed);
  return &*group;
}

void JudgeCampaign(CampaignResult& campaign) { CampaignJudge(campaign).Judge(); }

}  // namespace highwater::scenarios
