#pragma once

// TerminalReporter: a campaign on people's screen, as it goes: a bar on a terminal, a line each ten
// seconds elsewhere; each distinct failure in full when it is first seen; a summary at the end.

#include <cstdio>

#include "reports/build_info.h"
#include "reports/text.h"
#include "scenarios/campaign_result.h"

namespace highwater::reports {

struct TerminalOptions {
  bool terminal = false;  // a bar may be drawn
  bool color = false;
  bool quiet = false;  // only failures and the summary
  size_t width = 80;
  size_t most_screens = 5;  // failures shown in full
};

class TerminalReporter final : public scenarios::CampaignObserver {
 public:
  // `out` must outlive the reporter.
  TerminalReporter(std::FILE* out, const BuildInfo& build, const TerminalOptions& options)
      : out_(out), build_(build), options_(options), style_(options.color) {}

  void OnStart(const scenarios::CampaignResult& campaign,
               const scenarios::CampaignProgress& plan) override;
  void OnCase(const scenarios::CampaignResult& campaign, const scenarios::CaseResult& result,
              const scenarios::SignatureGroup* group) override;
  void OnTick(const scenarios::CampaignProgress& progress) override;
  void OnEnd(const scenarios::CampaignResult& campaign) override;

 private:
  void Print(std::string_view text);
  void ClearBar();
  void PrintScenarioLines(const scenarios::CampaignResult& campaign, size_t up_to);

  std::FILE* out_;
  const BuildInfo& build_;
  TerminalOptions options_;
  Style style_;
  bool in_turn_ = false;  // scenarios take turns: none of them ends before the campaign
  size_t lines_ = 0;      // scenarios whose line was printed
  size_t screens_ = 0;    // failures shown in full
  bool bar_drawn_ = false;
  absl::Duration next_counter_;
};

// The line of progress, without its end: ` [████░░░░]  281/375   1 distinct failure   00:00:41   4
// 000× real time`.
[[nodiscard]] std::string ProgressBar(const scenarios::CampaignProgress& progress, size_t width);
[[nodiscard]] std::string ProgressCounter(const scenarios::CampaignProgress& progress);

}  // namespace highwater::reports
