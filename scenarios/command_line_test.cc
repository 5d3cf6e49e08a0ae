#include "scenarios/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "scenarios/hash_check.h"
#include "scenarios/loader.h"
#include "scenarios/scripted_seed_runner.h"

namespace highwater::scenarios {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

constexpr std::string_view kSteady = R"(highwater: 1
name: steady
about: Nothing breaks.
cluster: { brokers: { count: 1 } }
topics: [ { name: orders } ]
clients: [ { kind: producer, topic: orders } ]
seeds: 1..20
)";

std::string Contents(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() {
    fs::remove_all(root_);
    fs::create_directories(root_);
    std::ofstream(root_ / "steady.yaml") << kSteady;
  }
  ~CommandLineTest() override { fs::remove_all(root_); }

  int Call(std::vector<std::string> words, const ScriptedSeedRunner::Script& script) {
    words.insert(words.begin(), "highwater");
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    std::FILE* out = std::fopen((root_ / "stdout").c_str(), "w");
    std::FILE* err = std::fopen((root_ / "stderr").c_str(), "w");
    const int code = RunCommandLine(static_cast<int>(argv.size()), argv.data(),
                                    ScriptedHarness(script), out, err);
    std::fclose(out);
    std::fclose(err);
    out_ = Contents(root_ / "stdout");
    err_ = Contents(root_ / "stderr");
    return code;
  }
  int Call(std::vector<std::string> words) {
    return Call(std::move(words), [](const Scenario& s, uint64_t seed, const RunOptions&) {
      return HeldSeed(s, seed);
    });
  }
  // `run` on the steady scenario with these further words.
  int RunSteady(std::vector<std::string> more, const ScriptedSeedRunner::Script& script) {
    std::vector<std::string> words = {"run", (root_ / "steady.yaml").string(), "-o",
                                      (root_ / "out").string()};
    words.insert(words.end(), more.begin(), more.end());
    return Call(words, script);
  }
  [[nodiscard]] std::string Steady() const { return (root_ / "steady.yaml").string(); }

  fs::path root_ = fs::path(testing::TempDir()) / fmt::format("command_line_test-{}", getpid());
  std::string out_;
  std::string err_;
};

SeedResult Hold(const Scenario& s, uint64_t seed, const RunOptions&) { return HeldSeed(s, seed); }

SeedResult ViolateSeven(const Scenario& s, uint64_t seed, const RunOptions& options) {
  if (seed != 7) return HeldSeed(s, seed);
  SeedResult result = ViolatedSeed(s, seed);
  if (options.trace) result.history = "producer-0 sent\n";
  return result;
}

TEST_F(CommandLineTest, RunLeavesTheFolderOfResults) {
  EXPECT_EQ(RunSteady({"-j", "2"}, ViolateSeven), 1);
  const fs::path latest = root_ / "out" / "latest";
  ASSERT_TRUE(fs::is_symlink(latest));
  EXPECT_THAT(Contents(latest / "run.json"),
              AllOf(HasSubstr("\"exit\": 1"), HasSubstr("\"workers\": 2")));
  EXPECT_THAT(Contents(latest / "summary.json"), HasSubstr("\"signature\": \"acked-durable\""));
  EXPECT_THAT(Contents(latest / "junit.xml"), HasSubstr("<failure type=\"acked-durable\""));
  const std::string lines = Contents(latest / "results.ndjson");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 20);
  EXPECT_THAT(lines, HasSubstr(R"("seed":7,"verdict":"violated")"));
  const fs::path failure = latest / "failures" / "steady-7";
  EXPECT_THAT(Contents(failure / "failure.txt"), StartsWith("FAIL  steady  seed 7"));
  EXPECT_TRUE(LoadScenario("x", Contents(failure / "scenario.yaml"), {}).scenario.has_value());
  EXPECT_EQ(Contents(failure / "history.txt"), "producer-0 sent\n");
}

TEST_F(CommandLineTest, RunPrintsPeoplesTextToStandardErrorOnly) {
  EXPECT_EQ(RunSteady({}, ViolateSeven), 1);
  EXPECT_THAT(out_, IsEmpty());
  EXPECT_THAT(err_, AllOf(HasSubstr("acked-durable: a record acknowledged with acks=all is gone."),
                          HasSubstr("19 held, 1 violated"), HasSubstr("exit 1")));
  EXPECT_THAT(err_, Not(HasSubstr("\033["))) << "no colours into a file";
  EXPECT_EQ(RunSteady({"--format", "json"}, Hold), 0);
  EXPECT_THAT(out_, StartsWith("{\n  \"schema_version\": 1"));
  EXPECT_EQ(RunSteady({"--format", "ndjson", "--seeds", "4..5"}, Hold), 0);
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 2);
}

TEST_F(CommandLineTest, ResultLinesAreTheSameForAnyNumberOfWorkers) {
  const auto lines = [&] {
    std::string text = Contents(root_ / "out" / "latest" / "results.ndjson");
    // The machine's own time is the only thing that may differ.
    for (size_t at = 0; (at = text.find("\"host_ms\":", at)) != std::string::npos;) {
      text.erase(at, text.find(',', at) - at);
    }
    return text;
  };
  RunSteady({"-j", "1"}, ViolateSeven);
  const std::string one = lines();
  RunSteady({"-j", "4"}, ViolateSeven);
  EXPECT_EQ(lines(), one);
}

TEST_F(CommandLineTest, UsageErrorsExitWithTwo) {
  EXPECT_EQ(Call({}), 2);
  EXPECT_EQ(Call({"run"}), 2);
  EXPECT_EQ(Call({"run", Steady(), "--seed", "1"}), 2);
  EXPECT_EQ(Call({"run", Steady(), "--seeds", "many"}), 2);
  EXPECT_THAT(err_, HasSubstr("expected seeds such as 7, 1..1000 or random:500"));
  EXPECT_EQ(Call({"run", Steady(), "--shard", "9/8"}), 2);
  EXPECT_EQ(Call({"replay", Steady()}), 2);
  EXPECT_EQ(Call({"run", (root_ / "none").string()}), 2);
  EXPECT_THAT(err_, HasSubstr("no such file or folder"));
}

TEST_F(CommandLineTest, AnInvalidScenarioExitsWithTwoAndItsPlace) {
  std::ofstream(root_ / "bad.yaml")
      << "highwater: 1\nnane: x\ncluster: { brokers: { count: 1 } }\n";
  EXPECT_EQ(Call({"validate", root_.string()}), 2);
  EXPECT_THAT(
      err_,
      HasSubstr(
          "bad.yaml:2:1: error: unknown key \"nane\" in the scenario (did you mean \"name\"?)"));
  EXPECT_EQ(Call({"run", root_.string(), "-o", (root_ / "out").string()}), 2);
  EXPECT_FALSE(fs::exists(root_ / "out"));
  EXPECT_EQ(Call({"validate", Steady()}), 0);
}

TEST_F(CommandLineTest, TwoScenariosOfOneNameAreRefused) {
  std::ofstream(root_ / "twin.yaml") << kSteady;
  EXPECT_EQ(Call({"validate", root_.string()}), 2);
  EXPECT_THAT(err_, HasSubstr("the name \"steady\" is taken by"));
}

TEST_F(CommandLineTest, AnEmptyFolderExitsWithFour) {
  fs::create_directories(root_ / "empty");
  EXPECT_EQ(Call({"run", (root_ / "empty").string()}), 4);
}

TEST_F(CommandLineTest, RandomSeedsArePrintedFirst) {
  EXPECT_EQ(RunSteady({"--seeds", "random:3"}, Hold), 0);
  EXPECT_THAT(err_, StartsWith(" Drawn seeds: "));
  EXPECT_THAT(err_, HasSubstr("3 held"));
}

TEST_F(CommandLineTest, ReplayPrintsTheEventsTheHashAndTheVerdict) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions& options) {
    EXPECT_TRUE(options.trace);
    EXPECT_EQ(options.break_on, "acked-durable");
    options.on_event(
        {.event = {.at = absl::Milliseconds(3118), .actor = "broker-0", .text = "leads"},
         .transition = Transition::kLeader,
         .partition = "orders-0"});
    options.on_event(
        {.event = {.at = absl::Milliseconds(3119), .actor = "broker-0", .text = "ack"}});
    SeedResult result = ViolatedSeed(s, seed);
    result.trace_hash = 0x9c41;
    return result;
  };
  EXPECT_EQ(Call({"replay", Steady(), "--seed", "3", "--break-on", "acked-durable"}, script), 1);
  EXPECT_THAT(out_, HasSubstr("00:03.118  L  broker-0  orders-0   leads\n"));
  EXPECT_THAT(out_, Not(HasSubstr("ack")));
  EXPECT_THAT(out_, HasSubstr("state hash 0000000000009c41"));
  EXPECT_THAT(err_, HasSubstr("FAIL  steady  seed 3"));
  EXPECT_EQ(Call({"replay", Steady(), "--seed", "3", "--break-on", "acked-durabl"}), 2);
  EXPECT_THAT(err_, HasSubstr("did you mean \"acked-durable\"?"));
}

TEST_F(CommandLineTest, ReplayUntilGivesNoVerdict) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions& options) {
    EXPECT_EQ(options.until, absl::Milliseconds(3200));
    SeedResult result = HeldSeed(s, seed);
    result.metrics.acked = 0;
    result.simulated = *options.until;
    return result;
  };
  EXPECT_EQ(Call({"replay", Steady(), "--seed", "3", "--until", "3.2s"}, script), 0);
  EXPECT_THAT(err_, HasSubstr("STOPPED  at 00:03.200"));
}

TEST_F(CommandLineTest, ReplayOfAnExpectedViolationHolds) {
  std::ofstream(root_ / "loses.yaml") << kSteady << "expect: [acked-durable]\n";
  EXPECT_EQ(Call({"replay", (root_ / "loses.yaml").string(), "--seed", "7"}, ViolateSeven), 0);
  EXPECT_THAT(err_, HasSubstr("EXPECTED  steady  seed 7"));
}

TEST_F(CommandLineTest, ListsWhatThereIs) {
  EXPECT_EQ(Call({"list", "faults"}), 0);
  EXPECT_THAT(out_,
              AllOf(HasSubstr("power_loss"), HasSubstr("stall_disk"), HasSubstr("device, writes")));
  EXPECT_THAT(out_, HasSubstr("observed: once the process has ended"));
  EXPECT_EQ(Call({"list", "events"}), 0);
  EXPECT_THAT(out_,
              HasSubstr("high_watermark_moves\n    A fault with `when` waits until a leader"));
  EXPECT_EQ(Call({"list", "faults", "--json"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("\"name\": \"power_loss\""), HasSubstr("\"parameters\"")));
  EXPECT_EQ(Call({"list", "invariants"}), 0);
  EXPECT_THAT(out_, HasSubstr("acked-durable\n    Every record that was acknowledged"));
  EXPECT_EQ(Call({"list", "scenarios", root_.string()}), 0);
  EXPECT_THAT(out_, HasSubstr("steady\n    Nothing breaks."));
  EXPECT_EQ(Call({"list", "marks"}), 0);
  EXPECT_EQ(Call({"list", "things"}), 2);
}

TEST_F(CommandLineTest, RunHelpNamesTheOptionsAndTheExitCodes) {
  EXPECT_EQ(Call({"run", "--help"}), 0);
  for (const char* word :
       {"--seeds", "--for", "--shard", "--max-failures", "--check-determinism", "130"}) {
    EXPECT_THAT(out_, HasSubstr(word));
  }
}

TEST_F(CommandLineTest, CtrlCWritesWhatItHasAndExitsWith130) {
  const pid_t parent = getpid();
  const auto script = [parent](const Scenario& s, uint64_t seed, const RunOptions&) {
    if (seed == 10) kill(parent, SIGINT);
    while (seed == 10) usleep(1000);
    return HeldSeed(s, seed);
  };
  EXPECT_EQ(RunSteady({"-j", "1"}, script), 130);
  const std::string lines = Contents(root_ / "out" / "latest" / "results.ndjson");
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 9);
  EXPECT_THAT(Contents(root_ / "out" / "latest" / "summary.json"),
              HasSubstr("\"interrupted\": true"));
}

// A chain of `length` events that goes another way from `differs_at` on.
std::vector<HashPoint> Chain(uint64_t length, uint64_t differs_at, uint64_t salt) {
  std::vector<HashPoint> points;
  uint64_t hash = 1;
  for (uint64_t i = 0; i < length; ++i) {
    hash = core::Mix(hash, i >= differs_at ? salt : i);
    points.push_back({.index = i,
                      .time_ns = static_cast<int64_t>(i),
                      .host = "broker-0",
                      .kind = "wake",
                      .hash = hash});
  }
  return points;
}

TEST(HashCheckTest, FindsTheFirstEventThatDiffers) {
  for (const uint64_t at : {0, 1, 57, 98, 99}) {
    const auto divergence = FindDivergence(Chain(100, at, 7), Chain(100, at, 8));
    ASSERT_TRUE(divergence.has_value());
    EXPECT_EQ(divergence->first->index, at);
    EXPECT_EQ(divergence->last_common.has_value(), at > 0);
  }
  EXPECT_FALSE(FindDivergence(Chain(100, 100, 7), Chain(100, 100, 8)).has_value());
  EXPECT_EQ(FindDivergence(Chain(50, 50, 7), Chain(60, 60, 8))->second->index, 50u);
  EXPECT_FALSE(FindDivergence(Chain(50, 50, 7), Chain(60, 60, 8))->first.has_value());
}

TEST_F(CommandLineTest, HashCheckCatchesAReadOfUninitializedMemory) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions& options) {
    SeedResult result = HeldSeed(s, seed);
    // What fresh memory holds is what differs between the two processes.
    volatile unsigned char* fresh = static_cast<unsigned char*>(malloc(2000));
    const uint64_t salt = seed == 4 ? fresh[1000] : 7;
    free(const_cast<unsigned char*>(fresh));
    const std::vector<HashPoint> chain = Chain(100, 42, salt);
    if (options.hash_log != nullptr) options.hash_log->points = chain;
    result.trace_hash = chain.back().hash;
    return result;
  };
#if defined(HIGHWATER_UNDER_ASAN)
  GTEST_SKIP() << "the sanitizer fills memory itself";
#endif
  EXPECT_EQ(Call({"hash-check", Steady(), "--seeds", "3..5"}, script), 3);
  EXPECT_THAT(out_, AllOf(HasSubstr("steady seed 4: not deterministic"),
                          HasSubstr("one run         event 42 at 00:00.000 on broker-0: wake")));
  EXPECT_THAT(err_, HasSubstr("2 of 3 seeds agree"));
}

// Every scenario that ships is valid by itself; what a setting may hold is checked where the broker
// is.
TEST(ShippedScenariosTest, LoadAndResolve) {
  const absl::StatusOr<std::vector<std::string>> files = FindScenarioFiles(HIGHWATER_SCENARIOS);
  ASSERT_TRUE(files.ok());
  EXPECT_GE(files->size(), 6u);
  for (const std::string& file : *files) {
    const LoadedScenario loaded = LoadScenarioFile(file, {});
    for (const Diagnostic& d : loaded.diagnostics) {
      if (d.severity == Severity::kError) ADD_FAILURE() << FormatDiagnostic(d);
    }
    if (loaded.scenario) {
      EXPECT_EQ(loaded.scenario->name, fs::path(file).stem().string());
    }
  }
}

}  // namespace
}  // namespace highwater::scenarios
