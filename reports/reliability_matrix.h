#pragma once

// The reliability matrix: what a document claims beside what was measured, as Markdown.
//
//   const ReliabilityMatrix matrix = MakeReliabilityMatrix(claims, campaign, ThisBuild());
//   Write("docs/reliability-matrix.md", matrix.markdown);
//
// It compares and judges the document, not the product: whether the runs went as their scenarios
// expect is the campaign's verdict.
//
// Invariants
// 1. It is a function of its arguments: equal runs give equal text, whatever the machine's time.
// 2. Where the document is contradicted, or says nothing of a loss that was seen, the text names a
//    seed with the command that replays it.

#include <cstdint>
#include <string>
#include <vector>

#include "reports/build_info.h"
#include "scenarios/campaign_result.h"
#include "scenarios/claims.h"

namespace highwater::reports {

// What the runs say of one thing that a document says, graver ones behind.
enum class ClaimVerdict {
  kSilent,   // the document says nothing, and there is nothing to say
  kHolds,    // as documented
  kNotSeen,  // the document allows a loss that no run showed
  kPartly,   // some runs are as documented
  kLeftOut,  // records were lost, and the document says nothing of it
  kWrong,    // runs contradict it
  kNotRun,
};
inline constexpr int kClaimVerdicts = 7;

[[nodiscard]] ClaimVerdict JudgeLoss(scenarios::ClaimedLoss claimed,
                                     const scenarios::ScenarioSummary& measured);
// All runs but a twentieth must agree for it to hold, and no more than a twentieth for it to be
// wrong: of single runs the scheduler may have held somebody back for the whole time.
[[nodiscard]] ClaimVerdict JudgeWrites(scenarios::ClaimedWrites claimed,
                                       const scenarios::WatchedSeeds& measured);

struct ReliabilityMatrix {
  std::string markdown;
  std::vector<uint64_t> cases;  // by ClaimVerdict: a case counts by its gravest
};
[[nodiscard]] ReliabilityMatrix MakeReliabilityMatrix(const scenarios::Claims& claims,
                                                      const scenarios::CampaignResult& campaign,
                                                      const BuildInfo& build);

// `50 cases: 30 hold, 9 are wrong, ...`
[[nodiscard]] std::string MatrixLine(const ReliabilityMatrix& matrix);

}  // namespace highwater::reports
