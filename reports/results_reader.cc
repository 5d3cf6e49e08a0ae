#include "reports/results_reader.h"

#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "core/status_macros.h"
#include "reports/results_folder.h"

namespace highwater::reports {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using scenarios::CampaignResult;
using scenarios::CaseResult;
using scenarios::MarkCount;
using scenarios::ScenarioSummary;

std::optional<std::string> ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Members of an object; what is missing or of another type leaves its target as it is, and is told
// by ok().
class Object {
 public:
  explicit Object(const Json& json) : json_(json), ok_(json.is_object()) {}

  void Text(const char* key, std::string& out) {
    if (const Json* j = Find(key, &Json::is_string)) out = j->get_ref<const std::string&>();
  }
  template <typename Integer>
  void Number(const char* key, Integer& out) {
    if (const Json* j = Find(key, &Json::is_number_integer)) out = j->get<Integer>();
  }
  // A time as a number of `unit`s, which our own times are whole nanoseconds of.
  void Time(const char* key, absl::Duration unit, absl::Duration& out) {
    if (const Json* j = Find(key, &Json::is_number)) {
      const double nanos = j->get<double>() * absl::ToDoubleNanoseconds(unit);
      out = absl::Nanoseconds(std::llround(nanos));
    }
  }
  void Flag(const char* key, bool& out) {
    if (const Json* j = Find(key, &Json::is_boolean)) out = j->get<bool>();
  }
  void Texts(const char* key, std::vector<std::string>& out) {
    const Json* j = Find(key, &Json::is_array);
    if (j == nullptr) return;
    for (const Json& text : *j) {
      ok_ = ok_ && text.is_string();
      if (ok_) out.push_back(text.get<std::string>());
    }
  }
  void Counts(const char* key, std::vector<MarkCount>& out) {
    const Json* j = Find(key, &Json::is_object);
    if (j == nullptr) return;
    for (const auto& [name, count] : j->items()) {
      ok_ = ok_ && count.is_number_unsigned();
      if (ok_) out.push_back({name, count.get<uint64_t>()});
    }
  }
  // Nothing if it is missing.
  const Json* Has(const char* key) const {
    if (!ok_) return nullptr;
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }
  const Json* Member(const char* key) { return Find(key, &Json::is_object); }
  const Json* List(const char* key) { return Find(key, &Json::is_array); }
  void Require(bool good) { ok_ = ok_ && good; }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  const Json* Find(const char* key, bool (Json::*is)() const noexcept) {
    const Json* j = Has(key);
    ok_ = j != nullptr && (j->*is)();
    return ok_ ? j : nullptr;
  }

  const Json& json_;
  bool ok_;
};

bool ReadLedger(const Json& json, std::vector<scenarios::LedgerRow>& out) {
  for (const Json& entry : json) {
    Object object(entry);
    scenarios::LedgerRow row;
    object.Text("fault", row.kind);
    object.Number("requested", row.requested);
    object.Number("applied", row.applied);
    object.Number("observed", row.observed);
    if (!object.ok()) return false;
    out.push_back(std::move(row));
  }
  return true;
}

bool ReadLine(const Json& json, CaseResult& out) {
  Object line(json);
  scenarios::SeedResult& r = out.result;
  line.Text("scenario", r.scenario);
  line.Number("seed", r.seed);
  std::string verdict;
  line.Text("verdict", verdict);
  const std::optional<scenarios::Verdict> known = scenarios::VerdictFromName(verdict);
  line.Require(known.has_value());
  if (known.has_value()) r.verdict = *known;
  line.Text("signature", r.signature);
  std::vector<std::string> violated;
  line.Texts("violated", violated);
  for (std::string& invariant : violated) {
    r.violations.push_back({.invariant = std::move(invariant)});
  }
  std::string hash;
  line.Text("trace_hash", hash);
  line.Require(absl::SimpleHexAtoi(hash, &r.trace_hash));
  line.Text("strategy", r.strategy);
  line.Time("simulated_s", absl::Seconds(1), r.simulated);
  line.Time("host_ms", absl::Milliseconds(1), r.host);
  const Json* exact = line.List("exact");
  const Json* faults = line.List("faults");
  line.Counts("marks", r.marks);
  line.Counts("checks", r.checks);
  if (!line.ok()) return false;
  if (line.Has("run_twice") != nullptr) line.Flag("run_twice", out.run_twice);
  if (line.Has("died") != nullptr) line.Flag("died", out.died);
  if (line.Has("differs") != nullptr) line.Text("differs", out.differs);
  std::optional<scenarios::SeedMetrics> metrics = DecodeMetrics(exact->dump());
  if (metrics.has_value()) r.metrics = *std::move(metrics);
  return line.ok() && metrics.has_value() && ReadLedger(*faults, r.ledger);
}

bool ReadScenario(const Json& json, ScenarioSummary& out) {
  Object object(json);
  object.Text("scenario", out.name);
  object.Text("file", out.file);
  object.Text("about", out.about);
  object.Texts("expect", out.expect);
  object.Texts("faults_on_timeline", out.faults_on_timeline);
  object.Texts("faults_at_random", out.faults_at_random);
  object.Text("resolved", out.resolved_yaml);
  return object.ok();
}

bool ReadRun(const Json& json, ReadResults& out) {
  Object run(json);
  CampaignResult& campaign = out.campaign;
  run.Texts("command", out.run.command);
  run.Text("started", out.run.started);
  run.Text("host", out.run.host);
  run.Text("seeds", out.run.seeds);
  run.Text("shard", out.run.shard);
  run.Number("workers", campaign.workers);
  bool finished = false;
  run.Flag("finished", finished);
  run.Flag("interrupted", campaign.interrupted);
  run.Flag("stopped_at_failures", campaign.stopped_at_failures);
  run.Time("elapsed_s", absl::Seconds(1), campaign.elapsed);
  if (!finished) campaign.interrupted = true;
  const Json* build = run.Member("build");
  const Json* list = run.List("scenarios");
  const Json* guarantees = run.List("guarantees");
  std::vector<std::string> marks;
  run.Texts("marks", marks);
  if (!run.ok()) return false;
  for (std::string& mark : marks) campaign.marks.push_back({std::move(mark), 0});
  for (const Json& entry : *list) {
    if (!ReadScenario(entry, campaign.scenarios.emplace_back())) return false;
  }
  for (const Json& entry : *guarantees) {
    Object object(entry);
    scenarios::GuaranteeSummary& guarantee = campaign.guarantees.emplace_back();
    object.Text("invariant", guarantee.invariant);
    object.Text("sentence", guarantee.sentence);
    run.Require(object.ok());
  }
  Object id(*build);
  id.Text("id", out.build.id);
  id.Flag("clean", out.build.clean);
  id.Text("compiler", out.build.compiler);
  id.Text("type", out.build.type);
  return run.ok() && id.ok();
}

absl::Status ReadLines(const std::string& text, ReadResults& out) {
  std::map<std::string, size_t> scenarios;
  for (size_t i = 0; i < out.campaign.scenarios.size(); ++i) {
    scenarios.emplace(out.campaign.scenarios[i].name, i);
  }
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) {
      out.campaign.interrupted = true;  // it was killed while it wrote this
      break;
    }
    ++number;
    const Json json = Json::parse(text.begin() + static_cast<ptrdiff_t>(at),
                                  text.begin() + static_cast<ptrdiff_t>(end), nullptr, false);
    at = end + 1;
    CaseResult read;
    const auto scenario =
        ReadLine(json, read) ? scenarios.find(read.result.scenario) : scenarios.end();
    if (scenario == scenarios.end()) {
      return absl::InvalidArgumentError(
          fmt::format("{}/results.ndjson:{}: not a result of a scenario of run.json, or of another "
                      "version of Highwater",
                      out.path, number));
    }
    read.scenario = scenario->second;
    out.cases.push_back(std::move(read));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> FindResultFolders(const std::string& path) {
  std::error_code error;
  if (fs::exists(fs::path(path) / "run.json", error)) return {path};
  std::vector<std::string> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    if (entry.is_symlink(error) || !entry.is_directory(error)) continue;
    if (fs::exists(entry.path() / "run.json", error)) found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

absl::StatusOr<ReadResults> ReadResultsFolder(const std::string& path) {
  ReadResults results{.path = path};
  const std::optional<std::string> run = ReadFile(fs::path(path) / "run.json");
  const std::optional<std::string> lines = ReadFile(fs::path(path) / "results.ndjson");
  if (!run.has_value() || !lines.has_value()) {
    return absl::NotFoundError(
        fmt::format("{} is no folder of results: run.json or results.ndjson is missing", path));
  }
  if (!ReadRun(Json::parse(*run, nullptr, false), results)) {
    return absl::InvalidArgumentError(
        fmt::format("{}/run.json is broken, or of another version of Highwater", path));
  }
  HW_RETURN_IF_ERROR(ReadLines(*lines, results));
  return results;
}

std::optional<CaseResult> ReadFailure(const std::string& path, const std::string& scenario,
                                      uint64_t seed) {
  const std::optional<std::string> bytes =
      ReadFile(fs::path(path) / FailureFolder(scenario, seed) / "case.cbor");
  if (!bytes.has_value()) return std::nullopt;
  absl::StatusOr<CaseResult> decoded = DecodeCase(*bytes);
  if (!decoded.ok()) return std::nullopt;
  return *std::move(decoded);
}

}  // namespace highwater::reports
