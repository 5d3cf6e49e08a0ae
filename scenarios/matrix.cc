#include "scenarios/matrix.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "core/status_macros.h"
#include "reports/reliability_matrix.h"
#include "scenarios/load_claims.h"
#include "scenarios/loader.h"

namespace highwater::scenarios {
namespace {

namespace fs = std::filesystem;

absl::Status WriteFile(const std::string& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out.good()) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("{}: cannot write this file", path));
}

std::vector<std::string> ClaimsFilesIn(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    const fs::path file = fs::path(path) / kClaimsFileName;
    std::error_code error;
    if (fs::is_regular_file(file, error)) files.push_back(file.generic_string());
  }
  return files;
}

}  // namespace

bool LoadClaimsBeside(const std::vector<std::string>& paths,
                      const std::vector<ScenarioSummary>& scenarios, const Output& output,
                      std::optional<ClaimsFile>& out) {
  const std::vector<std::string> files = ClaimsFilesIn(paths);
  if (files.empty()) return true;
  if (files.size() > 1) {
    output.Error(fmt::format("{} and {}: one folder of claims at a time", files[0], files[1]));
    return false;
  }
  std::ostringstream text;
  text << std::ifstream(files[0], std::ios::binary).rdbuf();
  const fs::path folder = fs::path(files[0]).parent_path();
  std::vector<std::string_view> known;
  std::vector<std::string_view> expected;
  for (const ScenarioSummary& scenario : scenarios) {
    known.push_back(scenario.name);
    if (fs::path(scenario.file).parent_path() == folder) expected.push_back(scenario.name);
  }
  LoadedClaims loaded = LoadClaims(files[0], text.str(), known, expected);
  for (const Diagnostic& d : loaded.diagnostics) {
    fmt::print(output.err, "{}\n", FormatDiagnostic(d));
  }
  if (!loaded.claims) return false;
  out = ClaimsFile{.path = files[0], .text = text.str(), .claims = *std::move(loaded.claims)};
  return true;
}

absl::Status WriteMatrix(const ClaimsFile& claims, const CampaignResult& campaign,
                         const reports::BuildInfo& build, const std::string& folder,
                         const std::string& also, const Output& output) {
  const reports::ReliabilityMatrix matrix =
      reports::MakeReliabilityMatrix(claims.claims, campaign, build);
  const std::string file = folder + "/reliability-matrix.md";
  HW_RETURN_IF_ERROR(WriteFile(file, matrix.markdown));
  HW_RETURN_IF_ERROR(WriteFile(fmt::format("{}/{}", folder, kClaimsFileName), claims.text));
  if (!also.empty()) HW_RETURN_IF_ERROR(WriteFile(also, matrix.markdown));
  fmt::print(output.err, "     Matrix  {}\n             {}\n", reports::MatrixLine(matrix),
             also.empty() ? file : also);
  return absl::OkStatus();
}

}  // namespace highwater::scenarios
