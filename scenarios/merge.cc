#include "scenarios/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "core/status_macros.h"
#include "scenarios/judge.h"

namespace highwater::scenarios {
namespace {

struct PlacedCase {
  CaseResult result;
  const std::string* folder;
};

class Merger {
 public:
  Merger(std::vector<reports::ReadResults> folders, const MergedCase& told)
      : folders_(std::move(folders)), told_(told) {
    // Which shard ended first is chance.
    std::sort(folders_.begin(), folders_.end(), [](const auto& a, const auto& b) {
      return std::tie(a.run.started, a.run.shard, a.path) <
             std::tie(b.run.started, b.run.shard, b.path);
    });
  }

  absl::StatusOr<Merged> Merge() {
    if (folders_.empty()) return absl::InvalidArgumentError("there is nothing to merge");
    merged_.build = folders_.front().build;
    merged_.run = folders_.front().run;
    merged_.campaign.workers = 0;
    for (const reports::ReadResults& folder : folders_) HW_RETURN_IF_ERROR(AddFolder(folder));
    AddCases();
    JudgeCampaign(merged_.campaign);
    return std::move(merged_);
  }

 private:
  CampaignResult& campaign() { return merged_.campaign; }

  absl::Status AddFolder(const reports::ReadResults& folder) {
    if (folder.build.id != merged_.build.id || folder.build.clean != merged_.build.clean) {
      return absl::InvalidArgumentError(
          fmt::format("{} is of build {}, {} of build {}: seeds of two builds add up to nothing",
                      folders_.front().path, merged_.build.id, folder.path, folder.build.id));
    }
    std::vector<size_t> indices;
    for (const ScenarioSummary& scenario : folder.campaign.scenarios) {
      const auto [place, fresh] =
          scenarios_.try_emplace(scenario.name, campaign().scenarios.size());
      if (fresh) {
        campaign().scenarios.push_back(scenario);
      } else if (campaign().scenarios[place->second].resolved_yaml != scenario.resolved_yaml) {
        return absl::InvalidArgumentError(fmt::format(
            "{}: the scenario {} is not that of the other folders", folder.path, scenario.name));
      }
      indices.push_back(place->second);
    }
    for (const CaseResult& result : folder.cases) {
      PlacedCase placed{result, &folder.path};
      placed.result.scenario = indices[result.scenario];
      cases_.push_back(std::move(placed));
    }
    AddNames(folder.campaign);
    campaign().workers += folder.campaign.workers;
    campaign().interrupted = campaign().interrupted || folder.campaign.interrupted;
    campaign().stopped_at_failures =
        campaign().stopped_at_failures || folder.campaign.stopped_at_failures;
    campaign().elapsed = std::max(campaign().elapsed, folder.campaign.elapsed);
    if (folders_.size() > 1) merged_.run.shard = fmt::format("{} folders", folders_.size());
    return absl::OkStatus();
  }

  void AddNames(const CampaignResult& other) {
    for (const MarkCount& mark : other.marks) {
      if (!marks_.insert(mark.name).second) continue;
      campaign().marks.push_back(mark);
    }
    for (const GuaranteeSummary& guarantee : other.guarantees) {
      if (!guarantees_.insert(guarantee.invariant).second) continue;
      campaign().guarantees.push_back(guarantee);
    }
    std::sort(campaign().marks.begin(), campaign().marks.end(),
              [](const MarkCount& a, const MarkCount& b) { return a.name < b.name; });
    std::sort(campaign().guarantees.begin(), campaign().guarantees.end(),
              [](const auto& a, const auto& b) { return a.invariant < b.invariant; });
  }

  // In the order of a campaign that runs them all: scenario by scenario, seed by seed.
  void AddCases() {
    std::stable_sort(cases_.begin(), cases_.end(), [](const PlacedCase& a, const PlacedCase& b) {
      return std::tie(a.result.scenario, a.result.result.seed) <
             std::tie(b.result.scenario, b.result.result.seed);
    });
    for (size_t i = 0; i < cases_.size();) {
      PlacedCase& first = cases_[i];
      size_t next = i + 1;
      for (; next < cases_.size() && IsSameSeed(first.result, cases_[next].result); ++next) {
        Compare(cases_[next].result, first.result);
      }
      AddOne(first);
      i = next;
    }
  }

  static bool IsSameSeed(const CaseResult& a, const CaseResult& b) {
    return a.scenario == b.scenario && a.result.seed == b.result.seed;
  }

  static void Compare(const CaseResult& again, CaseResult& first) {
    first.run_twice = true;
    if (again.result.trace_hash == first.result.trace_hash || !first.differs.empty()) return;
    first.differs =
        fmt::format("trace hash {} in one folder, {} in another",
                    FormatHash(first.result.trace_hash), FormatHash(again.result.trace_hash));
  }

  void AddOne(PlacedCase& placed) {
    CaseResult& result = placed.result;
    const std::string& name = campaign().scenarios[result.scenario].name;
    // Whoever looks at a failure needs more than its line says.
    if (result.result.verdict != Verdict::kHeld || !result.differs.empty()) {
      if (auto whole = reports::ReadFailure(*placed.folder, name, result.result.seed)) {
        whole->scenario = result.scenario;
        whole->differs = result.differs;
        whole->run_twice = result.run_twice;
        result = *std::move(whole);
      }
    }
    const SignatureGroup* group = AddCase(result, campaign());
    if (told_) told_(campaign(), result, group, *placed.folder);
  }

  std::vector<reports::ReadResults> folders_;
  const MergedCase& told_;
  Merged merged_;
  std::map<std::string, size_t> scenarios_;
  std::set<std::string> marks_;
  std::set<std::string> guarantees_;
  std::vector<PlacedCase> cases_;
};

}  // namespace

absl::StatusOr<Merged> MergeResults(std::vector<reports::ReadResults> folders,
                                    const MergedCase& told) {
  return Merger(std::move(folders), told).Merge();
}

}  // namespace highwater::scenarios
