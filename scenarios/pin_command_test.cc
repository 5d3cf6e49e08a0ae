// From a failing seed to a pinned scenario, on the command line.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "scenarios/command_line.h"
#include "scenarios/loader.h"
#include "scenarios/materialise.h"
#include "scenarios/scripted_seed_runner.h"

namespace highwater::scenarios {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr std::string_view kTroubled = R"(highwater: 1
name: troubled
cluster: { zones: [az-a], brokers: { count: 1 } }
topics: [ { name: orders, partitions: 3 } ]
clients: [ { kind: producer, topic: orders, count: 2 } ]
run: { warmup: 2s, duration: 20s, heal: 5s }
faults:
  random:
    - { crash_broker: { every: 2s } }
    - { freeze: { every: 2s } }
seeds: 1..20
)";

std::string Contents(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

bool HasCrash(const Scenario& scenario, uint64_t seed) {
  const Scenario run = Materialise(scenario, seed);
  const auto& orders = run.materialised->orders;
  return std::any_of(orders.begin(), orders.end(),
                     [](const faults::FaultOrder& order) { return order.kind == "crash_broker"; });
}

// Fails with any crash, if `seeds` (of a hundred) is reached by the seed's last digits.
ScriptedSeedRunner::Script FailsIn(uint64_t seeds) {
  return [seeds](const Scenario& scenario, uint64_t seed, const RunOptions&) {
    const bool fails = HasCrash(scenario, seed) && (seed - 1) % 100 < seeds;
    return fails ? ViolatedSeed(scenario, seed) : HeldSeed(scenario, seed);
  };
}

class PinCommandTest : public testing::Test {
 protected:
  PinCommandTest() {
    fs::remove_all(root_);
    fs::create_directories(root_);
    std::ofstream(root_ / "troubled.yaml") << kTroubled;
  }
  ~PinCommandTest() override { fs::remove_all(root_); }

  int Call(std::vector<std::string> words, const ScriptedSeedRunner::Script& script) {
    words.insert(words.begin(), "highwater");
    std::vector<const char*> argv;
    for (const std::string& word : words) argv.push_back(word.c_str());
    Harness harness = ScriptedHarness(script);
    harness.zoo = {{.id = "M1",
                    .area = "test",
                    .source = "",
                    .sentence = "fails with a crash",
                    .make_runner = ScriptedHarness(FailsIn(100)).make_runner}};
    std::FILE* out = std::fopen((root_ / "stdout").c_str(), "w");
    std::FILE* err = std::fopen((root_ / "stderr").c_str(), "w");
    const int code = RunCommandLine(static_cast<int>(argv.size()), argv.data(), harness, out, err);
    std::fclose(out);
    std::fclose(err);
    out_ = Contents(root_ / "stdout");
    err_ = Contents(root_ / "stderr");
    return code;
  }

  // Leaves a repro file of the first failing seed and names it.
  std::string Failing(const ScriptedSeedRunner::Script& script,
                      std::vector<std::string> more = {}) {
    std::vector<std::string> words = {
        "run", (root_ / "troubled.yaml").string(), "-o", (root_ / "out").string(), "--max-failures",
        "1"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(Call(words, script), 1) << err_;
    for (const auto& entry : fs::directory_iterator(root_ / "out" / "latest" / "failures")) {
      return fs::canonical(entry.path() / "repro.json").string();
    }
    ADD_FAILURE() << "no failure is kept";
    return "";
  }

  std::vector<std::string> PinWords(const std::string& repro) {
    return {"pin", repro, "--name", "kept", "--folder", (root_ / "pins").string()};
  }
  std::string Pinned() const { return (root_ / "pins" / "kept.yaml").string(); }

  fs::path root_ = fs::path(testing::TempDir()) / fmt::format("pin_command_test-{}", getpid());
  std::string out_;
  std::string err_;
};

TEST_F(PinCommandTest, ARunLeavesASmallRunThatReplays) {
  const std::string repro = Failing(FailsIn(100));
  EXPECT_THAT(err_, HasSubstr("SHRUNK  troubled seed"));
  EXPECT_THAT(err_, HasSubstr("Replay  highwater replay " + repro));
  EXPECT_EQ(Call({"replay", repro}, FailsIn(100)), 1);
  EXPECT_THAT(err_, HasSubstr("the same run as in the repro file"));
  EXPECT_EQ(Call({"replay", repro}, FailsIn(0)), 0);
}

TEST_F(PinCommandTest, ShrinkRefusesARunThatDoesNotFail) {
  EXPECT_EQ(Call({"shrink", (root_ / "troubled.yaml").string(), "--seed", "3"}, FailsIn(0)), 4);
  EXPECT_EQ(Call({"shrink", (root_ / "troubled.yaml").string()}, FailsIn(0)), 2);
}

TEST_F(PinCommandTest, APinIsAScenarioWithItsHeader) {
  EXPECT_EQ(Call(PinWords(Failing(FailsIn(100))), FailsIn(100)), 0) << err_;
  const LoadedScenario pin = LoadScenarioFile(Pinned(), {});
  ASSERT_TRUE(pin.scenario.has_value());
  ASSERT_TRUE(pin.scenario->regression.has_value());
  EXPECT_EQ(pin.scenario->regression->rule, "acked-durable");
  EXPECT_EQ(pin.scenario->regression->shown, "100 of 100 seeds");
  ASSERT_EQ(pin.scenario->timeline.size(), 1u);
  EXPECT_EQ(pin.scenario->timeline.front().fault.kind, "crash_broker");
  EXPECT_EQ(Call({"pin", "--check", Pinned()}, FailsIn(10)), 0);
  EXPECT_EQ(Call({"pin", "--check", Pinned()}, FailsIn(9)), 10);
  EXPECT_EQ(Call(PinWords(Failing(FailsIn(100))), FailsIn(100)), 2) << "it is there already";
}

TEST_F(PinCommandTest, APinThatSeldomFailsIsRefused) {
  const std::string repro = Failing(FailsIn(9));
  EXPECT_EQ(Call(PinWords(repro), FailsIn(9)), 10);
  EXPECT_THAT(err_, HasSubstr("in at most 9 of 100 seeds"));
  EXPECT_FALSE(fs::exists(Pinned()));
  EXPECT_EQ(Call(PinWords(repro), FailsIn(0)), 4) << "it does not fail on this build";
}

TEST_F(PinCommandTest, APinOfADefectHoldsWithoutIt) {
  const std::string repro = Failing(FailsIn(0), {"--mutant", "M1"});
  EXPECT_EQ(Call(PinWords(repro), FailsIn(5)), 10) << "the product fails it too";
  EXPECT_THAT(err_, HasSubstr("does not pass the pin as a test"));
  EXPECT_EQ(Call(PinWords(repro), FailsIn(0)), 0) << err_;
  EXPECT_EQ(LoadScenarioFile(Pinned(), {}).scenario->regression->mutant, "M1");
  EXPECT_EQ(Call({"run", Pinned(), "-o", (root_ / "out").string()}, FailsIn(0)), 0);
  EXPECT_EQ(Call({"pin", "--check", Pinned()}, FailsIn(0)), 0);
}

TEST_F(PinCommandTest, AKnownLimitFailsWhenItStopsToViolate) {
  std::vector<std::string> words = PinWords(Failing(FailsIn(50)));
  words.emplace_back("--expect");
  EXPECT_EQ(Call(words, FailsIn(50)), 0) << err_;
  EXPECT_EQ(Call({"run", Pinned(), "-o", (root_ / "out").string()}, FailsIn(50)), 0);
  EXPECT_EQ(Call({"run", Pinned(), "-o", (root_ / "out").string()}, FailsIn(0)), 5);
}

}  // namespace
}  // namespace highwater::scenarios
