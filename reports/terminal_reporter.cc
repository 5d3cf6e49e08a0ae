#include "reports/terminal_reporter.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/failure_screen.h"
#include "reports/summary_screen.h"

namespace highwater::reports {
namespace {

using scenarios::CampaignProgress;
using scenarios::CampaignResult;
using scenarios::CaseResult;
using scenarios::RunningCase;
using scenarios::SignatureGroup;

constexpr absl::Duration kCounterEvery = absl::Seconds(10);
constexpr absl::Duration kSlow = absl::Seconds(10);

std::string Elapsed(absl::Duration time) {
  const int64_t seconds = absl::ToInt64Seconds(time);
  return fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string Failures(const CampaignProgress& p) {
  if (p.failures == 0) return "no failure";
  return fmt::format("{} distinct failure{}", p.distinct_failures,
                     p.distinct_failures == 1 ? "" : "s");
}

std::string Speed(const CampaignProgress& p) {
  if (p.elapsed < absl::Milliseconds(500)) return "";
  return fmt::format("   {}× real time",
                     Grouped(static_cast<uint64_t>(absl::FDivDuration(p.simulated, p.elapsed))));
}

std::string SlowCases(const CampaignProgress& p) {
  std::string text;
  for (const RunningCase& running : p.running) {
    if (running.elapsed < kSlow) continue;
    text += fmt::format("   SLOW {} seed {} ({})", running.scenario, running.seed,
                        RoughTime(running.elapsed));
  }
  return text;
}

std::string Done(const CampaignProgress& p) {
  if (p.total) return fmt::format("{}/{}", p.done, *p.total);
  return fmt::format("{} seeds", p.done);
}

// Of a hundred, by seeds or by time.
uint64_t Share(const CampaignProgress& p) {
  if (p.total && *p.total > 0) return p.done * 100 / *p.total;
  if (p.budget && *p.budget > absl::ZeroDuration()) {
    return std::min<uint64_t>(
        100, static_cast<uint64_t>(absl::FDivDuration(p.elapsed, *p.budget) * 100));
  }
  return 0;
}

}  // namespace

std::string ProgressBar(const CampaignProgress& p, size_t width) {
  constexpr size_t kCells = 24;
  const size_t full = Share(p) * kCells / 100;
  std::string cells;
  for (size_t i = 0; i < kCells; ++i) cells += i < full ? "█" : "░";
  std::string line = fmt::format(" [{}]  {}   {}   {}{}{}", cells, Done(p), Failures(p),
                                 Elapsed(p.elapsed), Speed(p), SlowCases(p));
  // A line that wraps could not be drawn over. What is cut is plain text behind the bar.
  while (Width(line) >= width && Width(line) > kCells + 4) {
    while ((static_cast<unsigned char>(line.back()) & 0xc0) == 0x80) line.pop_back();
    line.pop_back();
  }
  return line;
}

std::string ProgressCounter(const CampaignProgress& p) {
  return fmt::format("       .... {} {}   {}   {}{}{}", PadLeft(fmt::format("{} %", Share(p)), 5),
                     Done(p), Failures(p), Elapsed(p.elapsed), Speed(p), SlowCases(p));
}

void TerminalReporter::Print(std::string_view text) {
  ClearBar();
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void TerminalReporter::ClearBar() {
  if (!bar_drawn_) return;
  std::fputs("\r\033[K", out_);
  bar_drawn_ = false;
}

void TerminalReporter::OnStart(const CampaignResult& campaign, const CampaignProgress& plan) {
  in_turn_ = plan.budget.has_value();
  next_counter_ = kCounterEvery;
  if (options_.quiet) return;
  Print(fmt::format(" Highwater {}   {} scenario{}   {}   {} worker{}\n", DescribeBuild(build_),
                    campaign.scenarios.size(), campaign.scenarios.size() == 1 ? "" : "s",
                    plan.total ? fmt::format("{} seeds", *plan.total)
                               : fmt::format("for {}", RoughTime(*plan.budget)),
                    campaign.workers, campaign.workers == 1 ? "" : "s"));
}

void TerminalReporter::OnCase(const CampaignResult& campaign, const CaseResult& result,
                              const SignatureGroup* group) {
  if (!in_turn_) PrintScenarioLines(campaign, result.scenario);
  if (group == nullptr || group->count != 1) return;
  if (screens_ == options_.most_screens) {
    Print("       .... more distinct failures: they are in the folder of results\n");
  }
  if (screens_++ >= options_.most_screens) return;
  Print(fmt::format("\n{}\n",
                    FailureScreen(campaign.scenarios[result.scenario], result, build_, style_)));
}

void TerminalReporter::OnTick(const CampaignProgress& progress) {
  if (options_.quiet) return;
  if (options_.terminal) {
    fmt::print(out_, "\r\033[K{}", ProgressBar(progress, options_.width));
    std::fflush(out_);
    bar_drawn_ = true;
  } else if (progress.elapsed >= next_counter_) {
    Print(ProgressCounter(progress) + "\n");
    next_counter_ = progress.elapsed + kCounterEvery;
  }
}

void TerminalReporter::OnEnd(const CampaignResult& campaign) {
  PrintScenarioLines(campaign, campaign.scenarios.size());
  Print(SummaryScreen(campaign, style_));
}

void TerminalReporter::PrintScenarioLines(const CampaignResult& campaign, size_t up_to) {
  for (; lines_ < up_to; ++lines_) {
    if (!options_.quiet) Print(ScenarioLine(campaign, campaign.scenarios[lines_], style_));
  }
}

}  // namespace highwater::reports
