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
  std::string mutant;  // a defect of the zoo to plant
  bool shrink = true;
  absl::Duration shrink_budget = absl::Seconds(20);  // for each distinct failure
  std::string matrix;  // where the reliability matrix goes beside the folder
  CampaignOptions options;
};
[[nodiscard]] ExitCode Run(RunCommand command, const Harness& harness, const Output& output);

struct ReplayCommand {
  std::string source;  // a scenario file, or a repro file
  std::optional<uint64_t> seed;
  std::string mutant;
  std::optional<absl::Duration> until;
  std::string break_on;
  reports::ReplayLogOptions log;
};
[[nodiscard]] ExitCode Replay(const ReplayCommand& command, const Harness& harness,
                              const Output& output);

struct ShrinkCommand {
  std::string source;  // as of ReplayCommand
  std::optional<uint64_t> seed;
  std::string mutant;
  std::string output = "repro.json";
  absl::Duration budget = absl::Seconds(60);
  int workers = 1;
};
[[nodiscard]] ExitCode ShrinkRun(const ShrinkCommand& command, const Harness& harness,
                                 const Output& output);

struct PinCommand {
  std::string source;  // a repro file; with `check` a pin
  bool check = false;  // whether the pin still shows what it is for
  std::string mutant;
  std::string name;  // of the scenario and its file; empty: from what happened
  std::string issue;
  bool expected = false;  // a known limit: what is violated is to be expected
  std::string folder = "scenarios/regressions";
  int workers = 1;
};
[[nodiscard]] ExitCode Pin(const PinCommand& command, const Harness& harness, const Output& output);

struct EffectsCommand {
  std::vector<std::string> scenarios;
  SeedChoice seeds;
  std::string victim;  // a target of the fault table
  bool power_loss = false;
  uint64_t stride = 1;  // each so manyth effect
  absl::Duration down = absl::Seconds(1);
  std::string mutant;
  int workers = 1;
};
// Runs each seed once for each effect of the victim, which crashes just before it.
[[nodiscard]] ExitCode CrashAtEveryEffect(const EffectsCommand& command, const Harness& harness,
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
  std::string source;  // as of ReplayCommand
  std::optional<uint64_t> seed;
  std::string mutant;
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
