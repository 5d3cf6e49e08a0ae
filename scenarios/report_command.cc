// `highwater report`.

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>

#include "reports/failure_screen.h"
#include "reports/github.h"
#include "reports/results_folder.h"
#include "reports/results_reader.h"
#include "reports/summary_screen.h"
#include "scenarios/commands.h"
#include "scenarios/matrix.h"
#include "scenarios/merge.h"

namespace highwater::scenarios {
namespace {

constexpr size_t kMostScreens = 5;

void PrintMessage(const Output& output, const absl::Status& status) {
  output.Error({status.message().data(), status.message().size()});
}

std::optional<std::vector<reports::ReadResults>> ReadAll(const std::vector<std::string>& paths,
                                                         const Output& output) {
  std::vector<reports::ReadResults> read;
  for (const std::string& path : paths) {
    const std::vector<std::string> folders = reports::FindResultFolders(path);
    if (folders.empty()) {
      output.Error(fmt::format("{}: no folder of results, nor does it hold one", path));
      return std::nullopt;
    }
    for (const std::string& folder : folders) {
      absl::StatusOr<reports::ReadResults> results = reports::ReadResultsFolder(folder);
      if (!results.ok()) {
        PrintMessage(output, results.status());
        return std::nullopt;
      }
      read.push_back(*std::move(results));
    }
  }
  return read;
}

void PrintSummary(const CampaignResult& campaign, const reports::BuildInfo& build,
                  const Output& output) {
  const reports::Style style = output.StyleOf(output.err);
  size_t screens = 0;
  for (const SignatureGroup& group : campaign.groups) {
    if (output.quiet || screens == kMostScreens) break;
    ++screens;
    fmt::print(
        output.err, "{}\n",
        reports::FailureScreen(campaign.scenarios[group.scenario], group.first, build, style));
  }
  for (const ScenarioSummary& scenario : campaign.scenarios) {
    fmt::print(output.err, "{}", reports::ScenarioLine(campaign, scenario, style));
  }
  fmt::print(output.err, "{}", reports::SummaryScreen(campaign, style));
}

// Annotations go to standard output, where GitHub reads them; the summary where it asks for it.
absl::Status TellGitHub(const CampaignResult& campaign, const reports::BuildInfo& build,
                        const Output& output) {
  fmt::print(output.out, "{}", reports::GitHubAnnotations(campaign));
  const char* path = std::getenv("GITHUB_STEP_SUMMARY");
  if (path == nullptr || *path == '\0') {
    return absl::InvalidArgumentError(
        "--github: GITHUB_STEP_SUMMARY names no file, so there is no step summary");
  }
  std::ofstream file(path, std::ios::app | std::ios::binary);
  file << reports::GitHubSummary(campaign, build);
  file.flush();
  if (!file) return absl::UnavailableError(fmt::format("cannot write {}", path));
  return absl::OkStatus();
}

}  // namespace

ExitCode Report(const ReportCommand& command, const Output& output) {
  std::optional<std::vector<reports::ReadResults>> folders = ReadAll(command.folders, output);
  if (!folders) return ExitCode::kUsage;
  // One folder's reports are written anew in it; several become a folder of their own.
  const bool in_place = folders->size() == 1 && command.output.empty();
  std::string path = folders->front().path;
  const reports::BuildInfo build = folders->front().build;  // the made folder refers to it
  const std::string first = path;
  std::unique_ptr<reports::ResultsFolder> made;
  CampaignResult plan;
  if (!in_place) {
    reports::RunInfo run = folders->front().run;
    run.command = command.command;
    run.shard = fmt::format("{} folders", folders->size());
    auto folder = reports::ResultsFolder::Create(
        command.output.empty() ? "hw-out" : command.output,
        absl::FormatTime("%Y-%m-%dT%H%M%SZ", absl::Now(), absl::UTCTimeZone()), std::move(run),
        build);
    if (!folder.ok()) {
      PrintMessage(output, folder.status());
      return ExitCode::kUsage;
    }
    made = *std::move(folder);
    path = made->path();
  }
  const absl::StatusOr<Merged> merged = MergeResults(
      *std::move(folders), [&](const CampaignResult& campaign, const CaseResult& result,
                               const SignatureGroup* group, const std::string&) {
        if (made != nullptr) made->OnCase(campaign, result, group);
      });
  if (!merged.ok()) {
    PrintMessage(output, merged.status());
    return ExitCode::kUsage;
  }
  absl::Status written;
  if (made != nullptr) {
    made->OnEnd(merged->campaign);
    written = made->status();
  } else {
    written = reports::WriteReports(path, merged->campaign, merged->run, merged->build);
  }
  PrintSummary(merged->campaign, merged->build, output);
  if (written.ok() && command.github) written = TellGitHub(merged->campaign, merged->build, output);
  std::optional<ClaimsFile> claims;
  if (!LoadClaimsBeside({first}, merged->campaign.scenarios, output, claims)) {
    return ExitCode::kUsage;
  }
  if (written.ok() && claims) {
    written = WriteMatrix(*claims, merged->campaign, merged->build, path, "", output);
  }
  fmt::print(output.err, "     Result  {}      exit {}\n", path,
             static_cast<int>(merged->campaign.exit_code));
  if (output.json) {
    fmt::print(output.out, "{}\n", reports::SummaryJson(merged->campaign, merged->build));
  }
  if (!written.ok()) {
    PrintMessage(output, written);
    return ExitCode::kUsage;
  }
  return merged->campaign.exit_code;
}

}  // namespace highwater::scenarios
