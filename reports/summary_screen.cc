#include "reports/summary_screen.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/figures.h"

namespace highwater::reports {
namespace {

using scenarios::CampaignResult;
using scenarios::ExitCode;
using scenarios::Finding;
using scenarios::LedgerRow;
using scenarios::MarkCount;
using scenarios::ScenarioSummary;
using scenarios::Verdict;

constexpr size_t kLabel = 11;
constexpr size_t kMarksNamed = 12;

std::string Line(std::string_view label, std::string_view text) {
  return fmt::format("{}  {}\n", PadLeft(label, kLabel), text);
}

std::string Plural(uint64_t n, std::string_view word) {
  return fmt::format("{} {}{}", Grouped(n), word, n == 1 ? "" : "s");
}

bool Undecided(const ScenarioSummary& s) {
  return s.Count(Verdict::kInconclusive) > 0 || s.Count(Verdict::kVacuous) > 0;
}

std::string ShownText(const ScenarioSummary& s) {
  std::string text;
  for (const auto& [invariant, count] : s.shown) {
    text += fmt::format("{}{} in {}", text.empty() ? "" : ", ", invariant, Plural(count, "seed"));
  }
  return text;
}

std::string Ledger(const CampaignResult& campaign) {
  std::string table;
  for (const ScenarioSummary& scenario : campaign.scenarios) {
    for (const LedgerRow& row : scenario.ledger) {
      table +=
          Line("", fmt::format("{} {} {:>10} {:>10} {:>10}", PadRight(scenario.name, 28),
                               PadRight(row.kind, 20), row.requested, row.applied, row.observed));
    }
  }
  if (table.empty()) return "";
  return Line("Faults", fmt::format("{} {} {:>10} {:>10} {:>10}", PadRight("scenario", 28),
                                    PadRight("kind", 20), "requested", "applied", "observed")) +
         table;
}

std::string Marks(const CampaignResult& campaign) {
  if (campaign.marks.empty()) return "";
  std::vector<std::string_view> never;
  for (const MarkCount& mark : campaign.marks) {
    if (mark.count == 0) never.push_back(mark.name);
  }
  std::string text =
      fmt::format("{} of {} reached", campaign.marks.size() - never.size(), campaign.marks.size());
  for (size_t i = 0; i < never.size() && i < kMarksNamed; ++i) {
    text += fmt::format("{} {}", i == 0 ? "; never:" : ",", never[i]);
  }
  if (never.size() > kMarksNamed) text += fmt::format(", and {} more", never.size() - kMarksNamed);
  return Line("Marks", text);
}

}  // namespace

// After n seeds without a violation its chance is below 3/n with 95 % confidence.
std::string UpperBound(uint64_t seeds) {
  const double percent = std::min(100.0, 300.0 / static_cast<double>(seeds));
  return percent >= 10 ? fmt::format("below {:.0f} % at 95 %", percent)
                       : fmt::format("below {:.2g} % at 95 %", percent);
}

bool ScenarioFailed(const CampaignResult& campaign, const ScenarioSummary& scenario) {
  for (int i = 0; i < scenarios::kVerdicts; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    if (IsFailure(verdict) && scenario.Count(verdict) > 0) return true;
  }
  return std::any_of(campaign.findings.begin(), campaign.findings.end(), [&](const Finding& f) {
    return f.scenario == scenario.name && f.code != ExitCode::kHeld;
  });
}

std::string VerdictCounts(const CampaignResult& campaign) {
  std::string text;
  for (int i = 0; i < scenarios::kVerdicts; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    uint64_t count = 0;
    for (const ScenarioSummary& s : campaign.scenarios) count += s.Count(verdict);
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", Grouped(count), VerdictName(verdict));
  }
  return text.empty() ? "nothing ran" : text;
}

std::string ScenarioLine(const CampaignResult& campaign, const ScenarioSummary& scenario,
                         const Style& style) {
  std::string result;
  if (!scenario.shown.empty()) {
    result = ShownText(scenario);
    if (!scenario.expect.empty()) result += ", as expected";
    const uint64_t others = scenario.Count(Verdict::kViolated);
    if (others > 0) result = fmt::format("{} ({})", ShownText(scenario), Plural(others, "failure"));
  } else if (scenario.cases > 0) {
    result = fmt::format("0 violations ({})", UpperBound(scenario.cases));
  }
  std::string word = style.Paint(Color::kGreen, "PASS");
  if (ScenarioFailed(campaign, scenario)) {
    word = style.Paint(Color::kRed, "FAIL");
  } else if (Undecided(scenario) || scenario.cases == 0) {
    word = style.Paint(Color::kYellow, "----");
  }
  return fmt::format("       {}  {}  {}   {} simulated   {}\n", word, PadRight(scenario.name, 32),
                     PadLeft(Plural(scenario.cases, "seed"), 12), RoughTime(scenario.simulated),
                     result) +
         FigureLines(scenario.totals);
}

std::string SummaryScreen(const CampaignResult& campaign, const Style& style) {
  std::string out = "────────────\n";
  absl::Duration simulated;
  for (const ScenarioSummary& s : campaign.scenarios) simulated += s.simulated;
  out += Line("Summary",
              fmt::format("{} in {}: {} · determinism {}/{}", Plural(campaign.cases, "seed"),
                          RoughTime(campaign.elapsed), VerdictCounts(campaign),
                          campaign.run_twice - campaign.differing, campaign.run_twice));
  if (campaign.elapsed > absl::ZeroDuration()) {
    const double speed = absl::FDivDuration(simulated, campaign.elapsed);
    const double rate =
        static_cast<double>(campaign.cases) / absl::ToDoubleSeconds(campaign.elapsed);
    out +=
        Line("Speed", fmt::format("{} simulated, {}× real time, {:.0f} seeds/s on {}",
                                  RoughTime(simulated), Grouped(static_cast<uint64_t>(speed)), rate,
                                  Plural(static_cast<uint64_t>(campaign.workers), "worker")));
  }
  out += TrafficTable(campaign, "Traffic", kLabel);
  out += Ledger(campaign);
  out += Marks(campaign);
  for (const Finding& finding : campaign.findings) {
    const std::string text =
        fmt::format("{}{}{}", finding.scenario, finding.scenario.empty() ? "" : ": ", finding.text);
    out += finding.code == ExitCode::kHeld
               ? Line("Warning", text)
               : Line("Reason", fmt::format("{}  (exit {})", style.Paint(Color::kRed, text),
                                            static_cast<int>(finding.code)));
  }
  if (campaign.stopped_at_failures)
    out += Line("Stopped", "at the limit of failures (--max-failures)");
  if (campaign.interrupted) out += Line("Stopped", "interrupted: what has ended is written");
  return out;
}

}  // namespace highwater::reports
