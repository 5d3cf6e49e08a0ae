#pragma once

// What the commands of `highwater` do, once the command line is read.

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "reports/replay_log.h"
#include "reports/text.h"
#include "scenarios/campaign.h"
#include "scenarios/campaign_result.h"
#include "scenarios/harness.h"

namespace highwater::scenarios {

// Where and how to print.
struct Output {
  std::FILE* out;  // what was asked for
  std::FILE* err;  // for people: progress, summaries, errors
  bool json = false;
  bool ndjson = false;
  std::string color = "auto";
  bool quiet = false;

  [[nodiscard]] reports::Style StyleOf(std::FILE* file) const;
  void Error(std::string_view message) const;
};

// Loads files and folders, printing diagnostics. Nothing if any of them has an error.
[[nodiscard]] std::optional<std::vector<Scenario>> LoadAll(const std::vector<std::string>& paths,
                                                           const LoadContext& context,
                                                           const Output& output);

struct RunCommand {
  std::vector<std::string> command;  // as typed, for run.json
  std::vector<std::string> scenarios;
  std::string seeds_text;
  std::string shard_text;
  std::string folder = "hw-out";
  std::string matrix;  // where the reliability matrix goes beside the folder
  CampaignOptions options;
};
[[nodiscard]] ExitCode Run(RunCommand command, const Harness& harness, const Output& output);

struct ReplayCommand {
  std::string scenario;
  uint64_t seed = 0;
  std::optional<absl::Duration> until;
  std::string break_on;
  reports::ReplayLogOptions log;
};
[[nodiscard]] ExitCode Replay(const ReplayCommand& command, const Harness& harness,
                              const Output& output);

struct ReportCommand {
  std::vector<std::string> command;  // as typed
  std::vector<std::string> folders;
  std::string output;  // where to put the folder of several; empty: hw-out
  bool github = false;
};
// Merges folders of results, prints what they say together and writes its reports. Exits as `run`
// would have.
[[nodiscard]] ExitCode Report(const ReportCommand& command, const Output& output);

struct TraceCommand {
  std::string scenario;
  uint64_t seed = 0;
  std::string file = "trace.pftrace";
};
// Runs one seed and writes what happened in it as a Perfetto trace. Whether it held is not its say.
[[nodiscard]] ExitCode Trace(const TraceCommand& command, const Harness& harness,
                             const Output& output);

struct HashCheckCommand {
  std::vector<std::string> scenarios;
  SeedChoice seeds;
};
[[nodiscard]] ExitCode HashCheck(const HashCheckCommand& command, const Harness& harness,
                                 const Output& output);

// `what`: scenarios, invariants, faults or marks. `paths`: where to look for scenarios.
[[nodiscard]] ExitCode List(const std::string& what, const std::vector<std::string>& paths,
                            const Harness& harness, const Output& output);

struct ZooCommand {
  bool list = false;
  std::vector<std::string> only;  // ids and areas; empty: all
  // The campaigns, which each hunt takes in turn.
  std::vector<std::string> scenarios = {"scenarios/zoo/varied.yaml", "scenarios/zoo/ensemble.yaml",
                                        "scenarios/zoo/operations.yaml"};
  std::string strategy;   // a scheduler over the campaigns' own, or `feedback`
  uint64_t trials = 300;  // at most, from each base
  absl::Duration cpu = absl::InfiniteDuration();  // of the processors' time, from each base
  uint64_t bases = 3;
  uint64_t first_base = 0;
  uint64_t baseline = 100;  // seeds of each campaign in which the healthy product is watched
  std::string table;        // the document whose table is kept; empty: none
  int workers = 1;
};
// Plants one known defect after the other and runs the campaign until something is violated.
[[nodiscard]] ExitCode Zoo(const ZooCommand& command, const Harness& harness, const Output& output);

[[nodiscard]] ExitCode Validate(const std::vector<std::string>& paths, const Harness& harness,
                                const Output& output);

}  // namespace highwater::scenarios
