#include "reports/html_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/failure_html.h"
#include "reports/failure_screen.h"
#include "reports/figures.h"
#include "reports/markup.h"
#include "reports/summary_screen.h"
#include "reports/text.h"

namespace highwater::reports {
namespace {

using core::LatencyHistogram;
using scenarios::CampaignResult;
using scenarios::CaseResult;
using scenarios::ExitCode;
using scenarios::Finding;
using scenarios::GuaranteeSummary;
using scenarios::LedgerRow;
using scenarios::MarkCount;
using scenarios::ScenarioSummary;
using scenarios::SignatureGroup;
using scenarios::Verdict;

constexpr std::string_view kRed = "#f6c9c9";
constexpr std::string_view kGreen = "#d9f0db";
constexpr std::string_view kYellow = "#fdf3c7";
constexpr std::string_view kGrey = "#e4e4e4";
// Failures that are drawn: a page of more is read by nobody.
constexpr size_t kFailuresDrawn = 12;

// Improves a page that reads without it.
constexpr std::string_view kSheet =
    "body{font-family:sans-serif;max-width:1500px;margin:1em auto;padding:0 1em;color:#222;"
    "background:#fff}table{border-collapse:collapse;margin:.5em 0}td,th{padding:.25em .6em;"
    "text-align:left}td[align=right]{text-align:right}pre{background:#f6f6f6;padding:1em;"
    "overflow:auto}h2{border-bottom:2px solid #ddd;margin-top:2em}svg{max-width:100%;height:auto}"
    "caption{font-weight:bold;text-align:left}";

// A table whose cells are escaped.
class Table {
 public:
  explicit Table(const std::vector<std::string_view>& heads) {
    text_ = "<table border=\"1\" cellspacing=\"0\" cellpadding=\"4\">\n<tr>";
    for (const std::string_view head : heads) text_ += fmt::format("<th>{}</th>", Escape(head));
    text_ += "</tr>\n";
  }
  Table& Row(std::string_view color = "") {
    text_ += rows_++ == 0 ? "<tr" : "</tr>\n<tr";
    text_ += color.empty() ? ">" : fmt::format(" bgcolor=\"{}\">", color);
    return *this;
  }
  Table& Cell(std::string_view text) {
    text_ += fmt::format("<td>{}</td>", Escape(text));
    return *this;
  }
  Table& Code(std::string_view text) {
    text_ += fmt::format("<td><code>{}</code></td>", Escape(text));
    return *this;
  }
  Table& Number(uint64_t number) { return Right(Grouped(number)); }
  Table& Right(std::string_view text) {
    text_ += fmt::format("<td align=\"right\">{}</td>", Escape(text));
    return *this;
  }
  Table& Link(std::string_view to, std::string_view text) {
    text_ += fmt::format("<td><a href=\"{}\">{}</a></td>", Escape(to), Escape(text));
    return *this;
  }
  [[nodiscard]] std::string Done() const { return rows_ == 0 ? "" : text_ + "</tr>\n</table>\n"; }

 private:
  std::string text_;
  size_t rows_ = 0;
};

std::string_view ColorOf(const SignatureGroup& group) {
  if (IsFailure(group.first.result.verdict) || !group.first.differs.empty()) return kRed;
  return group.first.result.verdict == Verdict::kExpected ? kGreen : kYellow;
}

std::string Plural(uint64_t n, std::string_view word) {
  return fmt::format("{} {}{}", Grouped(n), word, n == 1 ? "" : "s");
}

std::string Head(const CampaignResult& campaign, const RunInfo& run, const BuildInfo& build) {
  const bool held = campaign.exit_code == ExitCode::kHeld;
  const std::string verdict = VerdictLine(campaign);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Highwater: {}"
      "</title>\n<style>{}</style>\n</head>\n<body bgcolor=\"#ffffff\" text=\"#222222\">\n"
      "<h1>Highwater</h1>\n<table width=\"100%\" cellpadding=\"10\"><tr bgcolor=\"{}\"><td><b>{}"
      "</b></td></tr></table>\n",
      Escape(verdict), kSheet, held ? kGreen : kRed, Escape(verdict));
  Table table({"of this run", ""});
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) table.Row().Cell(name).Cell(value);
  };
  add("Exit", fmt::format("{}", static_cast<int>(campaign.exit_code)));
  add("Build", DescribeBuild(build));
  add("Command", fmt::format("{}", fmt::join(run.command, " ")));
  add("Begun", run.started);
  add("On", run.host);
  add("Seeds", run.seeds);
  add("Shard", run.shard);
  add("Ran",
      fmt::format("{} in {} on {}; {}", Plural(campaign.cases, "seed"), RoughTime(campaign.elapsed),
                  Plural(static_cast<uint64_t>(campaign.workers), "worker"),
                  VerdictCounts(campaign)));
  add("Run twice", fmt::format("{} seeds to see whether they are deterministic; {} differed",
                               campaign.run_twice, campaign.differing));
  if (campaign.interrupted) add("Note", "It was interrupted.");
  if (campaign.stopped_at_failures) add("Note", "It stopped at its limit of failures.");
  return out + table.Done();
}

std::string Findings(const CampaignResult& campaign) {
  std::string out = "<h2>Findings</h2>\n";
  Table reasons({"exit", "scenario", "why"});
  for (const Finding& finding : campaign.findings) {
    const bool warning = finding.code == ExitCode::kHeld;
    reasons.Row(warning ? kYellow : kRed)
        .Cell(warning ? "warning" : fmt::format("{}", static_cast<int>(finding.code)))
        .Cell(finding.scenario)
        .Cell(finding.text);
  }
  out += reasons.Done();
  Table table({"signature", "scenario", "verdict", "seeds", "first seed", "to run it again"});
  for (size_t i = 0; i < campaign.groups.size(); ++i) {
    const SignatureGroup& group = campaign.groups[i];
    const ScenarioSummary& scenario = campaign.scenarios[group.scenario];
    const uint64_t seed = group.first.result.seed;
    table.Row(ColorOf(group))
        .Link(fmt::format("#failure-{}", i + 1), group.signature)
        .Cell(scenario.name)
        .Cell(VerdictName(group.first.result.verdict))
        .Number(group.count)
        .Right(fmt::format("{}", seed))
        .Code(ReplayCommand(scenario, seed));
  }
  if (campaign.groups.empty()) return out + "<p>No seed failed.</p>\n";
  return out + "<p>Seeds that failed in the same way share a signature.</p>\n" + table.Done();
}

std::string Guarantees(const CampaignResult& campaign) {
  if (campaign.guarantees.empty()) return "";
  Table table({"guarantee", "in the client's words", "times checked", "in seeds", "broken in seeds",
               "what that says"});
  for (const GuaranteeSummary& g : campaign.guarantees) {
    const bool broken = g.seeds_violated > 0;
    const bool checked = g.seeds_checked > 0;
    table.Row(broken    ? kRed
              : checked ? kGreen
                        : kGrey)
        .Cell(g.invariant)
        .Cell(g.sentence)
        .Number(g.checks)
        .Number(g.seeds_checked)
        .Number(g.seeds_violated)
        .Cell(broken    ? std::string("broken")
              : checked ? "held; " + UpperBound(g.seeds_checked)
                        : "never exercised: nothing is known");
  }
  return "<h2>Guarantees</h2>\n" + table.Done();
}

std::string Failures(const CampaignResult& campaign, const BuildInfo& build) {
  std::string out;
  for (size_t i = 0; i < campaign.groups.size(); ++i) {
    const SignatureGroup& group = campaign.groups[i];
    const ScenarioSummary& scenario = campaign.scenarios[group.scenario];
    out += fmt::format("<h2 id=\"failure-{}\">{}: {}</h2>\n", i + 1, Escape(scenario.name),
                       Escape(group.signature));
    std::string seeds = fmt::format("{}", fmt::join(group.seeds, ", "));
    if (group.seeds.size() < group.count) seeds += ", …";
    out += fmt::format("<p>{}: {}</p>\n", Plural(group.count, "seed"), seeds);
    if (i < kFailuresDrawn) {
      out += FailureHtml(scenario, group, build);
    } else {
      out += fmt::format("<p>Not drawn. <code>{}</code></p>\n",
                         Escape(ReplayCommand(scenario, group.first.result.seed)));
    }
  }
  return out;
}

std::string Quantile(const LatencyHistogram& times, uint64_t part, uint64_t whole) {
  return times.empty() ? "–" : RoughTime(times.Quantile(part, whole));
}

std::string Scenarios(const CampaignResult& campaign) {
  Table table({"scenario", "seeds", "held", "simulated", "acknowledged", "produce p50", "p99",
               "p99.9", "leaders lost", "time to leader p50", "p99", "partitions without leader",
               "greatest lag"});
  for (const ScenarioSummary& s : campaign.scenarios) {
    const scenarios::SeedMetrics& m = s.totals;
    table.Row(ScenarioFailed(campaign, s) ? kRed : "")
        .Cell(s.name)
        .Number(s.cases)
        .Number(s.Count(Verdict::kHeld))
        .Right(RoughTime(s.simulated))
        .Number(m.acked)
        .Right(Quantile(m.produce_latency, 50, 100))
        .Right(Quantile(m.produce_latency, 99, 100))
        .Right(Quantile(m.produce_latency, 999, 1000))
        .Number(m.time_to_leader.count())
        .Right(Quantile(m.time_to_leader, 50, 100))
        .Right(Quantile(m.time_to_leader, 99, 100))
        .Right(RoughTime(m.unavailable))
        .Right(Grouped(m.greatest_lag_records) + " records");
  }
  std::string out = "<h2>Behaviour</h2>\n" + table.Done();
  const std::string traffic = TrafficTable(campaign, "", 0);
  if (!traffic.empty()) {
    out += fmt::format("<h3>Traffic between zones</h3>\n<pre>{}</pre>\n", Escape(traffic));
  }
  return out;
}

std::string Coverage(const CampaignResult& campaign) {
  Table ledger({"scenario", "fault", "requested", "applied", "observed"});
  for (const ScenarioSummary& s : campaign.scenarios) {
    for (const LedgerRow& row : s.ledger) {
      ledger.Row(row.observed == 0 ? kYellow : "")
          .Cell(s.name)
          .Cell(row.kind)
          .Number(row.requested)
          .Number(row.applied)
          .Number(row.observed);
    }
  }
  std::string reached;
  std::string never;
  size_t hit = 0;
  for (const MarkCount& mark : campaign.marks) {
    if (mark.count > 0) {
      ++hit;
      reached +=
          fmt::format("{}{} × {}", reached.empty() ? "" : ", ", mark.name, Grouped(mark.count));
    } else {
      never += fmt::format("{}{}", never.empty() ? "" : ", ", mark.name);
    }
  }
  std::string out = "<h2>Coverage</h2>\n<h3>Faults</h3>\n";
  const std::string rows = ledger.Done();
  out += rows.empty() ? "<p>No scenario has any.</p>\n" : rows;
  if (campaign.marks.empty()) return out;
  return out + fmt::format(
                   "<h3>Marks: {} of {} rare branches were reached</h3>\n<p><b>Never:</b> {}</p>\n"
                   "<p><b>Reached:</b> {}</p>\n",
                   hit, campaign.marks.size(), Escape(never.empty() ? "none" : never),
                   Escape(reached.empty() ? "none" : reached));
}

std::string Environment(const CampaignResult& campaign) {
  std::string out = "<h2>Scenarios as they were run</h2>\n";
  for (const ScenarioSummary& s : campaign.scenarios) {
    out += fmt::format("<details><summary>{} ({})</summary><p>{}</p>\n<pre>{}</pre></details>\n",
                       Escape(s.name), Escape(s.file), Escape(s.about), Escape(s.resolved_yaml));
  }
  return out;
}

}  // namespace

std::string VerdictLine(const CampaignResult& campaign) {
  uint64_t broken = 0;
  for (const GuaranteeSummary& g : campaign.guarantees) broken += g.seeds_violated > 0 ? 1 : 0;
  uint64_t violated = 0;
  uint64_t expected = 0;
  for (const ScenarioSummary& s : campaign.scenarios) {
    violated += s.Count(Verdict::kViolated);
    expected += s.Count(Verdict::kExpected);
  }
  const std::string of = fmt::format("of {}", Plural(campaign.cases, "seed"));
  if (violated > 0) {
    return fmt::format("{} broken, in {} {}.",
                       broken == 1 ? "1 guarantee was" : fmt::format("{} guarantees were", broken),
                       Grouped(violated), of);
  }
  if (campaign.exit_code != ExitCode::kHeld) {
    return fmt::format("No guarantee was broken that should hold, but the run failed (exit {}): {}",
                       static_cast<int>(campaign.exit_code),
                       campaign.findings.empty() ? "interrupted" : campaign.findings.front().text);
  }
  if (expected > 0) {
    return fmt::format("All held, but for what scenarios expect to be broken: {} {}.",
                       Grouped(expected), of);
  }
  return fmt::format("All guarantees held in {}.", Plural(campaign.cases, "seed"));
}

std::string HtmlReport(const CampaignResult& campaign, const RunInfo& run, const BuildInfo& build) {
  return Head(campaign, run, build) + Findings(campaign) + Guarantees(campaign) +
         Failures(campaign, build) + Scenarios(campaign) + Coverage(campaign) +
         Environment(campaign) + "</body>\n</html>\n";
}

}  // namespace highwater::reports
