#include "reports/github.h"

#include <fmt/format.h>

#include <fstream>
#include <vector>

#include "reports/failure_screen.h"
#include "reports/html_report.h"
#include "reports/markup.h"
#include "reports/summary_screen.h"
#include "reports/text.h"

namespace highwater::reports {
namespace {

using scenarios::CampaignResult;
using scenarios::ExitCode;
using scenarios::Finding;
using scenarios::ScenarioSummary;
using scenarios::SignatureGroup;
using scenarios::Verdict;

constexpr size_t kMostOfALevel = 10;
// Below their 1 MiB with all that is around it.
constexpr size_t kMostBytes = 1'000'000;
constexpr size_t kMostOfAScreen = 200'000;

// What would end the message, or the property that it stands in.
std::string EscapeCommand(std::string_view text, bool property) {
  std::string escaped;
  for (const char c : Printable(text)) {
    const bool special = c == '%' || c == '\r' || c == '\n';
    if (special || (property && (c == ':' || c == ','))) {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string Annotation(std::string_view level, const ScenarioSummary* scenario,
                       std::string_view title, std::string_view text) {
  std::string where;
  if (scenario != nullptr && !scenario->file.empty()) {
    where = fmt::format("file={},line={},", EscapeCommand(scenario->file, true),
                        LineOfName(scenario->file));
  }
  return fmt::format("::{} {}title={}::{}\n", level, where, EscapeCommand(title, true),
                     EscapeCommand(text, false));
}

const ScenarioSummary* FindScenario(const CampaignResult& campaign, std::string_view name) {
  for (const ScenarioSummary& scenario : campaign.scenarios) {
    if (scenario.name == name) return &scenario;
  }
  return nullptr;
}

bool Fails(const SignatureGroup& group) {
  return IsFailure(group.first.result.verdict) || !group.first.differs.empty();
}

std::string TextOf(const ScenarioSummary& scenario, const SignatureGroup& group) {
  std::string text;
  for (const scenarios::Violation& violation : group.first.result.violations) {
    text += fmt::format("{}: {}\n", violation.invariant, violation.sentence);
  }
  if (text.empty()) text = fmt::format("{}\n", VerdictSentence(group.first.result.verdict));
  if (!group.first.differs.empty()) text += group.first.differs + "\n";
  return text + fmt::format("In {} seed{}. {}", group.count, group.count == 1 ? "" : "s",
                            ReplayCommand(scenario, group.first.result.seed));
}

// At most what is shown; the last one then says how many there are.
std::string Capped(std::vector<std::string> annotations, std::string_view level) {
  const size_t count = annotations.size();
  if (count > kMostOfALevel) {
    annotations.resize(kMostOfALevel - 1);
    annotations.push_back(
        Annotation(level, nullptr, "and more",
                   fmt::format("{} more are in the report", count - kMostOfALevel + 1)));
  }
  return fmt::format("{}", fmt::join(annotations, ""));
}

// A cell of a table of Markdown.
std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : Escape(text)) {
    if (c == '|') {
      cell += "\\|";
    } else {
      cell += c == '\n' ? ' ' : c;
    }
  }
  return cell;
}

std::string Tables(const CampaignResult& campaign) {
  std::string out = "| scenario | seeds | held | violated | as expected |\n|---|--:|--:|--:|--:|\n";
  for (const ScenarioSummary& s : campaign.scenarios) {
    out += fmt::format("| {}{} | {} | {} | {} | {} |\n", ScenarioFailed(campaign, s) ? "❌ " : "",
                       Cell(s.name), s.cases, s.Count(Verdict::kHeld), s.Count(Verdict::kViolated),
                       s.Count(Verdict::kExpected));
  }
  if (campaign.groups.empty()) return out;
  out += "\n| signature | scenario | seeds | first |\n|---|---|--:|---|\n";
  for (const SignatureGroup& group : campaign.groups) {
    const ScenarioSummary& scenario = campaign.scenarios[group.scenario];
    out += fmt::format("| {}{} | {} | {} | <code>{}</code> |\n", Fails(group) ? "❌ " : "",
                       Cell(group.signature), Cell(scenario.name), group.count,
                       Cell(ReplayCommand(scenario, group.first.result.seed)));
  }
  return out;
}

}  // namespace

int LineOfName(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("name:")) return number;
  }
  return 1;
}

std::string GitHubAnnotations(const CampaignResult& campaign) {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  for (const SignatureGroup& group : campaign.groups) {
    if (!Fails(group)) continue;
    const ScenarioSummary& scenario = campaign.scenarios[group.scenario];
    errors.push_back(Annotation("error", &scenario, group.signature, TextOf(scenario, group)));
  }
  for (const Finding& finding : campaign.findings) {
    const ScenarioSummary* scenario = FindScenario(campaign, finding.scenario);
    if (finding.code == ExitCode::kHeld) {
      warnings.push_back(Annotation("warning", scenario, "not observed", finding.text));
    } else if (finding.code == ExitCode::kInconclusive ||
               finding.code == ExitCode::kNothingSelected) {
      errors.push_back(Annotation("error", scenario, "inconclusive", finding.text));
    }
  }
  return Capped(std::move(errors), "error") + Capped(std::move(warnings), "warning");
}

std::string GitHubSummary(const CampaignResult& campaign, const BuildInfo& build) {
  std::string out =
      fmt::format("## Highwater: {}\n\nBuild {}. {} seeds: {}.\n\n", Escape(VerdictLine(campaign)),
                  Escape(DescribeBuild(build)), campaign.cases, Escape(VerdictCounts(campaign)));
  std::string failure;
  for (const SignatureGroup& group : campaign.groups) {
    if (!Fails(group)) continue;
    std::string screen =
        FailureScreen(campaign.scenarios[group.scenario], group.first, build, Style(false));
    if (screen.size() > kMostOfAScreen) screen.resize(kMostOfAScreen);
    failure = fmt::format("\n### The first failure\n\n<pre>\n{}</pre>\n", Escape(screen));
    break;
  }
  for (const Finding& finding : campaign.findings) {
    if (out.size() > kMostBytes / 4) break;
    out += fmt::format("- {}: {}\n", Escape(finding.scenario), Escape(finding.text));
  }
  const std::string tables = "\n" + Tables(campaign);
  // Whole or not at all: half a table is none.
  if (out.size() + tables.size() + failure.size() > kMostBytes) {
    out += "\nThe tables are too long for this page; report.html has them.\n";
  } else {
    out += tables;
  }
  return out + failure;
}

}  // namespace highwater::reports
