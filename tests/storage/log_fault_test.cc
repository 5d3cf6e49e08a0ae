#include <gtest/gtest.h>

#include "log_script.h"

namespace highwater::broker::storage::testing {
namespace {

TEST(LogFaultTest, TheOriginalRuleKeepsAHoleThatTheSafeRuleCuts) {
  // Appends over several segments that are never synced by a flush of ours, then power loss: some seed loses the end of one segment
  // and keeps the next [W20].
  ScriptOptions options{.config = TinyConfig()};
  options.disk.write_back = {1'000'000, 400'000'000};
  options.disk.sync = {3'000'000'000, 4'000'000'000};  // the flush after a roll comes too late
  const std::vector<Incarnation> story = {
      {.commands = {{Command::Kind::kAppend, 12, 150}, {Command::Kind::kSleep, 250},
                    {Command::Kind::kAppend, 12, 150}, {Command::Kind::kSleep, 150}},
       .end = Incarnation::End::kPowerLoss}};
  int holes = 0;
  for (options.seed = 1; options.seed <= 200; ++options.seed) {
    options.rules = RecoveryRules();
    ASSERT_EQ(RunScript(story, options), "") << "seed " << options.seed;
    options.rules = RecoveryRules::Kafka323();
    Oracle oracle;
    const std::string problem = RunScript(story, options, &oracle);
    std::cerr << options.seed << " lost " << oracle.lost_batches << " " << problem << "\n";
    if (problem.find("a hole") != std::string::npos) ++holes;
  }
  EXPECT_GT(holes, 0);
}

}  // namespace
}  // namespace highwater::broker::storage::testing
