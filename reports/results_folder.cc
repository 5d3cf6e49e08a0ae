#include "reports/results_folder.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/status_macros.h"
#include "reports/failure_screen.h"
#include "reports/html_report.h"
#include "reports/junit.h"
#include "reports/perfetto/timeline_trace.h"

namespace highwater::reports {
namespace {

namespace fs = std::filesystem;
using scenarios::CampaignProgress;
using scenarios::CampaignResult;
using scenarios::CaseResult;
using scenarios::ScenarioSummary;
using scenarios::SignatureGroup;

// Seeds of one signature that get a folder: one to look at and some to compare.
constexpr uint64_t kFoldersOfASignature = 3;

absl::Status WriteFile(const std::string& path, std::string_view text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) {
    return absl::UnavailableError(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) {
    return absl::UnavailableError(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  }
  return absl::OkStatus();
}

// A symbolic link is replaced in one step. Anything else of that name is left alone.
void PointLatest(const fs::path& root, const fs::path& folder) {
  std::error_code error;
  const fs::path latest = root / "latest";
  if (fs::exists(fs::symlink_status(latest, error)) && !fs::is_symlink(latest, error)) return;
  const fs::path fresh = root / fmt::format(".latest-{}", folder.filename().string());
  fs::create_directory_symlink(folder.filename(), fresh, error);
  if (!error) fs::rename(fresh, latest, error);
}

}  // namespace

std::string FailureFolder(const std::string& scenario, uint64_t seed) {
  return fmt::format("failures/{}-{}", scenario, seed);
}

absl::StatusOr<std::unique_ptr<ResultsFolder>> ResultsFolder::Create(const std::string& root,
                                                                     const std::string& time,
                                                                     RunInfo run,
                                                                     const BuildInfo& build) {
  std::error_code error;
  fs::create_directories(root, error);
  const std::string name = fmt::format("{}-{}", time, build.id);
  fs::path path;
  bool made = false;
  for (int i = 1; i < 1000 && !made && !error; ++i) {
    path = fs::path(root) / (i == 1 ? name : fmt::format("{}-{}", name, i));
    made = fs::create_directory(path, error);
  }
  if (!made) {
    return absl::UnavailableError(
        fmt::format("cannot make a folder of results under {}: {}", root, error.message()));
  }
  std::FILE* lines = std::fopen((path / "results.ndjson").c_str(), "wb");
  if (lines == nullptr) {
    return absl::UnavailableError(
        fmt::format("cannot write below {}: {}", path.string(), std::strerror(errno)));
  }
  PointLatest(root, path);
  return std::unique_ptr<ResultsFolder>(
      new ResultsFolder(path.string(), lines, std::move(run), build));
}

ResultsFolder::~ResultsFolder() { std::fclose(lines_); }

void ResultsFolder::Write(const std::string& name, std::string_view text) {
  const absl::Status status = WriteFile(fmt::format("{}/{}", path_, name), text);
  if (status_.ok()) status_ = status;
}

void ResultsFolder::OnStart(const CampaignResult& campaign, const CampaignProgress&) {
  Write("run.json", RunJson(run_, campaign, build_, false) + "\n");
}

void ResultsFolder::OnCase(const CampaignResult& campaign, const CaseResult& result,
                           const SignatureGroup* group) {
  const std::string line = ResultLine(result) + "\n";
  if (std::fwrite(line.data(), 1, line.size(), lines_) != line.size() && status_.ok()) {
    status_ = absl::UnavailableError(fmt::format("cannot write results: {}", std::strerror(errno)));
  }
  if (group == nullptr || group->count > kFoldersOfASignature) return;
  std::fflush(lines_);
  const ScenarioSummary& scenario = campaign.scenarios[result.scenario];
  const std::string folder = FailureFolder(scenario.name, result.result.seed);
  std::error_code error;
  fs::create_directories(fs::path(path_) / folder, error);
  Write(folder + "/failure.txt", FailureScreen(scenario, result, build_, Style(false)));
  Write(folder + "/scenario.yaml", scenario.resolved_yaml);
  if (!result.repro.empty()) Write(folder + "/repro.json", result.repro);
  if (!result.unshrunk_repro.empty()) Write(folder + "/unshrunk.json", result.unshrunk_repro);
  if (!result.result.history.empty()) Write(folder + "/history.txt", result.result.history);
  const scenarios::Timeline& timeline = result.result.timeline;
  if (!timeline.events.empty()) Write(folder + "/trace.pftrace", PerfettoTrace(timeline));
  // All of it, for `report`: the only file that is not for people.
  Write(folder + "/case.cbor", EncodeCase(result));
  // The screen shows a dump's beginning; here is the whole.
  if (!result.result.dump.empty()) Write(folder + "/dump.txt", result.result.dump);
}

void ResultsFolder::OnEnd(const CampaignResult& campaign) {
  std::fflush(lines_);
  Write("run.json", RunJson(run_, campaign, build_, true) + "\n");
  const absl::Status status = WriteReports(path_, campaign, run_, build_);
  if (status_.ok()) status_ = status;
}

absl::Status WriteReports(const std::string& folder, const CampaignResult& campaign,
                          const RunInfo& run, const BuildInfo& build) {
  HW_RETURN_IF_ERROR(WriteFile(folder + "/summary.json", SummaryJson(campaign, build) + "\n"));
  HW_RETURN_IF_ERROR(WriteFile(folder + "/junit.xml", JUnitXml(campaign, build)));
  return WriteFile(folder + "/report.html", HtmlReport(campaign, run, build));
}

}  // namespace highwater::reports
