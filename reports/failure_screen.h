#pragma once

// A failing seed as people read it: the guarantee in the client's words, the witnesses, the
// shortest chain of events with its decisive moments marked, what to type. Never a wall of log.

#include <string>

#include "reports/build_info.h"
#include "reports/text.h"
#include "scenarios/campaign_result.h"

namespace highwater::reports {

[[nodiscard]] std::string FailureScreen(const scenarios::ScenarioSummary& scenario,
                                        const scenarios::CaseResult& result, const BuildInfo& build,
                                        const Style& style);

// The command that runs this seed again: `highwater replay one.yaml --seed 417`.
[[nodiscard]] std::string ReplayCommand(const scenarios::ScenarioSummary& scenario, uint64_t seed);

// What a verdict means, as a sentence.
[[nodiscard]] std::string_view VerdictSentence(scenarios::Verdict verdict);

}  // namespace highwater::reports
