#include "reports/junit.h"

#include <fmt/format.h>

#include "reports/failure_screen.h"
#include "reports/markup.h"
#include "reports/text.h"

namespace highwater::reports {
namespace {

using scenarios::CampaignResult;
using scenarios::ExitCode;
using scenarios::Finding;
using scenarios::ScenarioSummary;
using scenarios::SignatureGroup;
using scenarios::Verdict;

std::string Seconds(absl::Duration time) {
  return fmt::format("{:.3f}", absl::ToDoubleSeconds(time));
}

bool IsShown(const SignatureGroup& group) {
  return IsFailure(group.first.result.verdict) || !group.first.differs.empty();
}

// Campaign-wide reasons (a fault never observed, an expected violation that never showed) fail the
// scenario's own case; failing seeds have cases of their own.
std::string ScenarioCase(const CampaignResult& campaign, const ScenarioSummary& s,
                         size_t& failures) {
  std::string reasons;
  for (const Finding& finding : campaign.findings) {
    if (finding.scenario != s.name || finding.code != ExitCode::kInconclusive) continue;
    reasons += finding.text + "\n";
  }
  std::string out =
      fmt::format("    <testcase classname=\"{0}\" name=\"{0} ({1} seeds)\" time=\"{2}\"",
                  Escape(s.name), s.cases, Seconds(s.host));
  if (reasons.empty()) return out + "/>\n";
  ++failures;
  return out + fmt::format(
                   ">\n      <failure type=\"inconclusive\" message=\"not enough evidence\">{}"
                   "</failure>\n    </testcase>\n",
                   Escape(reasons));
}

std::string GroupCase(const ScenarioSummary& s, const SignatureGroup& group,
                      const BuildInfo& build) {
  const std::string type = group.first.result.violations.empty()
                               ? std::string(VerdictName(group.first.result.verdict))
                               : group.first.result.violations.front().invariant;
  const std::string_view sentence =
      group.first.result.violations.empty()
          ? VerdictSentence(group.first.result.verdict)
          : std::string_view(group.first.result.violations.front().sentence);
  return fmt::format(
      "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\">\n      <properties>\n"
      "        <property name=\"seed\" value=\"{}\"/>\n        <property name=\"build\" "
      "value=\"{}\"/>\n"
      "        <property name=\"command\" value=\"{}\"/>\n      </properties>\n"
      "      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n",
      Escape(s.name), Escape(group.signature), Seconds(group.first.result.host),
      group.first.result.seed, Escape(build.id), Escape(ReplayCommand(s, group.first.result.seed)),
      Escape(type), Escape(sentence), Escape(FailureScreen(s, group.first, build, Style(false))));
}

}  // namespace

std::string JUnitXml(const CampaignResult& campaign, const BuildInfo& build) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"highwater\">\n";
  for (size_t i = 0; i < campaign.scenarios.size(); ++i) {
    const ScenarioSummary& s = campaign.scenarios[i];
    size_t tests = 1;
    size_t failures = 0;
    std::string cases = ScenarioCase(campaign, s, failures);
    for (const SignatureGroup& group : campaign.groups) {
      if (group.scenario != i || !IsShown(group)) continue;
      ++tests;
      ++failures;
      cases += GroupCase(s, group, build);
    }
    out += fmt::format(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{}\">\n{}"
        "  </testsuite>\n",
        Escape(s.name), tests, failures, Seconds(s.host), cases);
  }
  return out + "</testsuites>\n";
}

}  // namespace highwater::reports
