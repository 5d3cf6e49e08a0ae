#include "scenarios/command_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <limits>
#include <memory>
#include <sstream>

#include "reports/build_info.h"
#include "scenarios/commands.h"

namespace highwater::scenarios {
namespace {

// Parses an option by one of our own parsers; its message becomes the usage error.
template <typename Parse, typename Out>
CLI::Option* AddParsed(CLI::App* app, const std::string& flags, Parse parse, Out& out,
                       const std::string& help) {
  return app
      ->add_option_function<std::string>(
          flags,
          [parse, &out, flags](const std::string& text) {
            auto value = parse(text);
            if (!value.ok()) {
              const absl::string_view message = value.status().message();
              throw CLI::ValidationError(flags, std::string(message.data(), message.size()));
            }
            out = *std::move(value);
          },
          help)
      ->type_name("");
}

int ProcessorCount() {
  return static_cast<int>(std::clamp<long>(sysconf(_SC_NPROCESSORS_ONLN), 1, 1024));
}

absl::StatusOr<int> ParseWorkers(std::string_view text) {
  const absl::StatusOr<int64_t> count = ParseCount(text);
  if (count.ok() && *count >= 1 && *count <= 1024) return static_cast<int>(*count);
  return absl::InvalidArgumentError(fmt::format("expected 1 to 1024 workers, got \"{}\"", text));
}

absl::StatusOr<absl::Duration> ParsePositiveDuration(std::string_view text) {
  absl::StatusOr<absl::Duration> duration = ParseDuration(text);
  if (duration.ok() && *duration <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(fmt::format("expected more than nothing, got \"{}\"", text));
  }
  return duration;
}

absl::StatusOr<reports::HighWatermarkLines> ParseHighWatermarks(std::string_view text) {
  if (text == "all") return reports::HighWatermarkLines{absl::ZeroDuration()};
  if (text == "none") return reports::HighWatermarkLines{absl::InfiniteDuration(), true};
  const absl::StatusOr<absl::Duration> interval = ParsePositiveDuration(text);
  if (interval.ok()) return reports::HighWatermarkLines{*interval};
  return absl::InvalidArgumentError(
      fmt::format("expected a duration such as 5s, all or none, got \"{}\"", text));
}

absl::StatusOr<std::optional<uint64_t>> ParseSeed(std::string_view text) {
  const absl::StatusOr<SeedRange> range = ParseSeedRange(text);
  if (range.ok() && range->first == range->last) return std::optional(range->first);
  return absl::InvalidArgumentError(fmt::format("expected one seed such as 417, got \"{}\"", text));
}

// All that the command line can say.
struct Arguments {
  Output output;
  std::string format = "human";
  RunCommand run;
  ReplayCommand replay;
  ShrinkCommand shrink;
  PinCommand pin;
  EffectsCommand effects;
  ReportCommand report;
  TraceCommand trace;
  HashCheckCommand hash_check;
  std::string list_what;
  std::vector<std::string> list_paths;
  std::vector<std::string> validate_paths;
  ZooCommand zoo;
};

void AddOutputOptions(CLI::App* app, Arguments& args, std::vector<std::string> formats) {
  app->add_option("--format", args.format,
                  fmt::format("{}: what to print on standard output", fmt::join(formats, " or ")))
      ->check(CLI::IsMember(formats))
      ->type_name("");
  app->add_option("--color", args.output.color, "auto, always or never; NO_COLOR is heeded")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("");
}

CLI::App* AddRun(CLI::App& app, Arguments& args) {
  CLI::App* run = app.add_subcommand("run", "Run scenarios over many seeds and find violations");
  CampaignOptions& options = args.run.options;
  options.workers = ProcessorCount();
  run->add_option("SCENARIO", args.run.scenarios, "Scenario files, or folders of *.yaml")
      ->required()
      ->type_name("");
  AddParsed(
      run, "--seeds",
      [&args](std::string_view text) {
        args.run.seeds_text = std::string(text);
        return ParseSeedChoice(text);
      },
      options.seeds, "7, 1..1000 or random:500; default: each scenario's own");
  AddParsed(run, "--for", ParsePositiveDuration, options.budget,
            "Run for so long (30m), seed after seed from each scenario's first on");
  AddParsed(
      run, "--shard",
      [&args](std::string_view text) {
        args.run.shard_text = std::string(text);
        return ParseShard(text);
      },
      options.shard, "This part of all seeds: 1/8 to 8/8");
  AddParsed(run, "-j,--workers", ParseWorkers, options.workers,
            "Worker processes; default: one for each processor");
  run->add_option("--max-failures", options.max_failures,
                  "Stop after so many failing seeds; 0: never")
      ->capture_default_str()
      ->type_name("");
  AddParsed(run, "--case-timeout", ParsePositiveDuration, options.case_timeout,
            "Give a seed up after so much of the machine's time; default: 60s");
  AddParsed(
      run, "--check-determinism",
      [](std::string_view text) -> absl::StatusOr<int64_t> {
        absl::StatusOr<int64_t> share = ParsePercent(text);
        if (share.ok() && *share > 1'000'000) {
          return absl::InvalidArgumentError(fmt::format("expected 0% to 100%, got \"{}\"", text));
        }
        return share;
      },
      options.determinism_ppm,
      "Share of passing seeds that is run twice (failures are anyhow); default: 2%");
  AddParsed(
      run, "--memory-limit",
      [](std::string_view text) -> absl::StatusOr<std::optional<uint64_t>> {
        const absl::StatusOr<int64_t> size = ParseSize(text);
        if (!size.ok()) return size.status();
        return static_cast<uint64_t>(*size);
      },
      options.memory_limit, "Address space of a worker (4GiB); default: no limit");
  run->add_option("--mutant", args.run.mutant, "Plant this defect of the zoo")->type_name("");
  run->add_flag_callback(
      "--no-shrink", [&args] { args.run.shrink = false; },
      "Keep failures as they were found; otherwise the first of each kind is made smaller");
  AddParsed(run, "--shrink-budget", ParsePositiveDuration, args.run.shrink_budget,
            "Time to shrink one failure; default: 20s");
  run->add_option("--crash-at-every-effect", args.effects.victim,
                  "One run for each effect of this server (controller, leader(orders-0), …) on "
                  "files and network, with a crash just before it")
      ->type_name("");
  run->add_flag("--power-loss", args.effects.power_loss, "There: a loss of power instead");
  run->add_option("--stride", args.effects.stride, "There: each so manyth effect only")
      ->check(CLI::PositiveNumber)
      ->type_name("");
  run->add_option("-o,--output", args.run.folder, "Where to put the folder of results")
      ->capture_default_str()
      ->type_name("");
  run->add_option("--matrix", args.run.matrix,
                  "Also write the reliability matrix of a folder with claims.yaml to this file")
      ->type_name("");
  run->add_flag("-q,--quiet", args.output.quiet, "Only failures and the summary");
  AddOutputOptions(run, args, {"human", "json", "ndjson"});
  run->footer(
      "Results go to OUTPUT/<time>-<build>/, with OUTPUT/latest beside.\n"
      "Exit: 0 all held, 1 a guarantee was violated, 2 usage or invalid scenario, 3 not "
      "deterministic,\n"
      "4 nothing selected, 5 inconclusive, or an expected violation or an enabled fault never "
      "showed,\n"
      "70 internal error, 130 interrupted. Several at once: the first of 70, 3, 1, 5.\n"
      "Example: highwater run scenarios/single-broker --seeds 1..200 -j 2");
  return run;
}

// The one run that a command is about.
void AddSource(CLI::App* app, std::string& source, std::optional<uint64_t>& seed,
               std::string& mutant) {
  app->add_option("RUN", source, "A scenario file, or a repro.json that `run` has left")
      ->required()
      ->type_name("");
  AddParsed(app, "--seed", ParseSeed, seed, "The seed; a repro file has its own");
  app->add_option("--mutant", mutant, "Plant this defect of the zoo; a repro file has its own")
      ->type_name("");
}

CLI::App* AddReplay(CLI::App& app, Arguments& args) {
  CLI::App* replay = app.add_subcommand("replay", "Run one seed and print what happens in it");
  AddSource(replay, args.replay.source, args.replay.seed, args.replay.mutant);
  AddParsed(replay, "--until", ParsePositiveDuration, args.replay.until,
            "Stop at this simulated time (3.2s)");
  replay
      ->add_option("--break-on", args.replay.break_on,
                   "Stop at the first violation of this invariant")
      ->type_name("");
  replay->add_flag("--verbose-events", args.replay.log.every_event,
                   "Also what is no transition: appends, flushes, acknowledgements");
  AddParsed(replay, "--high-watermarks", ParseHighWatermarks, args.replay.log.high_watermarks,
            "How often to print a partition's high watermark: at most once in this simulated time "
            "(5s, the default), all or none; the first one after each of its transitions is "
            "printed in any case but none");
  AddOutputOptions(replay, args, {"human", "json"});
  replay->footer(
      "The run is in this process: under a debugger, --until and --break-on stop there.\n"
      "Exit: as for run. Example: highwater replay "
      "scenarios/single-broker/power-loss-default-flush.yaml --seed 3");
  return replay;
}

CLI::App* AddShrink(CLI::App& app, Arguments& args) {
  CLI::App* shrink =
      app.add_subcommand("shrink", "Make a failing run as small as can be while it fails alike");
  AddSource(shrink, args.shrink.source, args.shrink.seed, args.shrink.mutant);
  AddParsed(shrink, "--budget", ParsePositiveDuration, args.shrink.budget,
            "Search for so long of the machine's time; default: 60s");
  args.shrink.workers = ProcessorCount();
  AddParsed(shrink, "-j,--workers", ParseWorkers, args.shrink.workers,
            "Worker processes; default: one for each processor");
  shrink->add_option("-o,--output", args.shrink.output, "Where to write the smaller run")
      ->capture_default_str()
      ->type_name("");
  shrink->footer(
      "Exit: 0 the smaller run is written, 2 usage, 4 the run does not fail.\n"
      "Example: highwater shrink scenarios/zoo/general.yaml --seed 3 --mutant M24");
  return shrink;
}

CLI::App* AddPin(CLI::App& app, Arguments& args) {
  CLI::App* pin = app.add_subcommand("pin", "Make a failing run a scenario for every commit");
  pin->add_option("REPRO", args.pin.source, "A repro.json; with --check a pinned scenario")
      ->required()
      ->type_name("");
  pin->add_flag("--check", args.pin.check, "Only see whether the pin still shows its failure");
  pin->add_option("--name", args.pin.name, "Of the scenario; default: from what happened")
      ->type_name("");
  pin->add_option("--mutant", args.pin.mutant, "Plant this defect of the zoo")->type_name("");
  pin->add_option("--issue", args.pin.issue, "Where it is discussed: \"#88\"")->type_name("");
  pin->add_flag("--expect", args.pin.expected,
                "A known limit: the pin expects the violations, and fails when they stop");
  pin->add_option("--folder", args.pin.folder, "Where to write it")
      ->capture_default_str()
      ->type_name("");
  args.pin.workers = ProcessorCount();
  AddParsed(pin, "-j,--workers", ParseWorkers, args.pin.workers,
            "Worker processes; default: one for each processor");
  pin->footer(
      "A pin names victims by their roles, and must show the failure in 10 of its first 100 "
      "seeds.\n"
      "Exit: 0 pinned, 2 usage, 4 the run does not fail here, 10 it shows the failure too seldom.");
  return pin;
}

CLI::App* AddReport(CLI::App& app, Arguments& args) {
  CLI::App* report = app.add_subcommand(
      "report", "Say what folders of results say together, and write their reports");
  report
      ->add_option("RUN_DIR", args.report.folders,
                   "Folders of results, or folders that hold such: those of all shards")
      ->required()
      ->type_name("");
  report
      ->add_option("-o,--output", args.report.output,
                   "Where to put a folder with the sum of several; default: hw-out")
      ->type_name("");
  report->add_flag("--github", args.report.github,
                   "Print annotations for GitHub Actions and append to $GITHUB_STEP_SUMMARY");
  report->add_flag("-q,--quiet", args.output.quiet, "Only the summary");
  AddOutputOptions(report, args, {"human", "json"});
  report->footer(
      "Writes report.html, junit.xml and summary.json: of one folder, into it; of several, into "
      "OUTPUT/<time>-<build>/,\nwhich is a folder of results itself.\n"
      "Exit: as the run of all their seeds would have; 2 where they do not fit together.\n"
      "Example: highwater report shards/hw-* -o merged --github");
  return report;
}

CLI::App* AddTrace(CLI::App& app, Arguments& args) {
  CLI::App* trace =
      app.add_subcommand("trace", "Run one seed and write what happens in it for Perfetto");
  AddSource(trace, args.trace.source, args.trace.seed, args.trace.mutant);
  trace->add_option("-o,--output", args.trace.file, "The file to write")
      ->capture_default_str()
      ->type_name("");
  trace->footer(
      "Open the file at https://ui.perfetto.dev, which keeps it in the browser.\n"
      "Exit: 0 written, 2 usage or invalid scenario, 70 internal error.\n"
      "Example: highwater trace scenarios/cluster/leader-crash.yaml --seed 3 -o leader.pftrace");
  return trace;
}

CLI::App* AddHashCheck(CLI::App& app, Arguments& args) {
  CLI::App* check = app.add_subcommand(
      "hash-check", "Run seeds twice with different memory and name the first event that differs");
  check->add_option("SCENARIO", args.hash_check.scenarios, "Scenario files, or folders of *.yaml")
      ->required()
      ->type_name("");
  AddParsed(check, "--seeds", ParseSeedChoice, args.hash_check.seeds,
            "7 or 1..20; default: each scenario's own");
  AddOutputOptions(check, args, {"human"});
  check->footer("Exit: 0 all agree, 3 a seed is not deterministic.");
  return check;
}

CLI::App* AddList(CLI::App& app, Arguments& args) {
  CLI::App* list = app.add_subcommand("list", "Print what there is");
  list->add_option("WHAT", args.list_what, "scenarios, invariants, faults, events or marks")
      ->required()
      ->check(CLI::IsMember({"scenarios", "invariants", "faults", "events", "marks"}))
      ->type_name("");
  list->add_option("PATH", args.list_paths, "Where to look for scenarios; default: scenarios")
      ->type_name("");
  list->add_flag("--json", args.output.json, "As JSON");
  return list;
}

CLI::App* AddValidate(CLI::App& app, Arguments& args) {
  CLI::App* validate = app.add_subcommand("validate", "Check scenario files without running them");
  validate->add_option("SCENARIO", args.validate_paths, "Scenario files, or folders of *.yaml")
      ->required()
      ->type_name("");
  return validate;
}

CLI::App* AddZoo(CLI::App& app, Arguments& args) {
  CLI::App* zoo = app.add_subcommand(
      "zoo", "Plant known defects one by one and see what finds them, and how soon");
  zoo->add_flag("--list", args.zoo.list, "Print the defects and run nothing");
  zoo->add_option("--only", args.zoo.only, "These defects, or areas, only: M22 storage")
      ->type_name("");
  zoo->add_option("--scenario", args.zoo.scenarios, "The campaigns that each is hunted with")
      ->capture_default_str()
      ->type_name("");
  zoo->add_option("--strategy", args.zoo.strategy, "The scheduler, over the campaigns' own")
      ->check(CLI::IsMember({"mixed", "fifo", "random", "pct"}))
      ->type_name("");
  zoo->add_option("--trials,--seeds", args.zoo.trials, "At most so many from each base")
      ->capture_default_str()
      ->type_name("");
  AddParsed(zoo, "--cpu", ParsePositiveDuration, args.zoo.cpu,
            "At most about so much time of processors from each base (60s)");
  zoo->add_option("--bases", args.zoo.bases, "How often each hunt is begun, from seeds far apart")
      ->capture_default_str()
      ->type_name("");
  zoo->add_option("--first-base", args.zoo.first_base, "The first of them, counted from 0")
      ->capture_default_str()
      ->type_name("");
  zoo->add_option("--baseline", args.zoo.baseline,
                  "Seeds of each campaign in which the healthy product is watched first: what it "
                  "violates is no detection")
      ->capture_default_str()
      ->type_name("");
  zoo->add_option("--table", args.zoo.table, "Keep the table of this document: docs/zoo.md")
      ->type_name("");
  args.zoo.workers = ProcessorCount();
  AddParsed(zoo, "-j,--workers", ParseWorkers, args.zoo.workers,
            "Worker processes; default: one for each processor");
  zoo->footer(
      "Prints a table: defect, what caught it, trials and CPU seconds to the first detection.\n"
      "Exit: 0 each was caught from some base, 10 one was not, 2 usage.\n"
      "Example: highwater zoo --only M22 --strategy random");
  return zoo;
}

// CLI11 prints to streams.
int PrintExit(const CLI::App& app, const CLI::ParseError& error, const Output& output) {
  std::ostringstream out;
  std::ostringstream err;
  const bool helped = app.exit(error, out, err) == 0;
  fmt::print(output.out, "{}", out.str());
  fmt::print(output.err, "{}", err.str());
  return static_cast<int>(helped ? ExitCode::kHeld : ExitCode::kUsage);
}

}  // namespace

int RunCommandLine(int argc, const char* const* argv, const Harness& harness, std::FILE* out,
                   std::FILE* err) {
  CLI::App app(
      "Highwater: runs a Kafka cluster in a simulated world, breaks it, and says whether it kept "
      "its word.",
      "highwater");
  Arguments args{.output = {.out = out, .err = err}};
  args.run.command.assign(argv, argv + argc);
  args.report.command = args.run.command;
  app.require_subcommand(1);
  app.set_version_flag("--version", "highwater " + reports::DescribeBuild(reports::ThisBuild()));
  const CLI::App* run = AddRun(app, args);
  const CLI::App* replay = AddReplay(app, args);
  const CLI::App* shrink = AddShrink(app, args);
  const CLI::App* pin = AddPin(app, args);
  const CLI::App* report = AddReport(app, args);
  const CLI::App* trace = AddTrace(app, args);
  const CLI::App* hash_check = AddHashCheck(app, args);
  const CLI::App* list = AddList(app, args);
  const CLI::App* validate = AddValidate(app, args);
  const CLI::App* zoo = AddZoo(app, args);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return PrintExit(app, error, args.output);
  }
  if (args.format == "json") args.output.json = true;
  if (args.format == "ndjson") args.output.ndjson = true;

  ExitCode code = ExitCode::kUsage;
  if (run->parsed() && !args.effects.victim.empty()) {
    args.effects.scenarios = args.run.scenarios;
    args.effects.seeds = args.run.options.seeds;
    args.effects.mutant = args.run.mutant;
    args.effects.workers = args.run.options.workers;
    code = CrashAtEveryEffect(args.effects, harness, args.output);
  } else if (run->parsed()) {
    code = Run(std::move(args.run), harness, args.output);
  } else if (replay->parsed()) {
    code = Replay(args.replay, harness, args.output);
  } else if (shrink->parsed()) {
    code = ShrinkRun(args.shrink, harness, args.output);
  } else if (pin->parsed()) {
    code = Pin(args.pin, harness, args.output);
  } else if (report->parsed()) {
    code = Report(args.report, args.output);
  } else if (trace->parsed()) {
    code = Trace(args.trace, harness, args.output);
  } else if (hash_check->parsed()) {
    code = HashCheck(args.hash_check, harness, args.output);
  } else if (list->parsed()) {
    code = List(args.list_what, args.list_paths, harness, args.output);
  } else if (validate->parsed()) {
    code = Validate(args.validate_paths, harness, args.output);
  } else if (zoo->parsed()) {
    code = Zoo(args.zoo, harness, args.output);
  }
  std::fflush(out);
  std::fflush(err);
  return static_cast<int>(code);
}

}  // namespace highwater::scenarios
