// A log under power loss at every step: what was flushed is there, nothing is invented, offsets are
// contiguous, the epoch cache, the indexes and the producer state agree with the batches.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "log_script.h"

namespace highwater::broker::storage::testing {
namespace {

using Kind = Command::Kind;
using End = Incarnation::End;

rc::Gen<Command> AnyCommand() {
  return rc::gen::apply(
      [](Kind kind, int a, int b) {
        Command command{.kind = kind, .a = a, .b = b};
        switch (kind) {
          case Kind::kAppend:
            command.a = 1 + a % 12;
            break;
          case Kind::kReplicate:
            command.a = 1 + a % 5;
            break;
          case Kind::kTruncateFully:
            command.a = a % 20;
            break;
          case Kind::kSleep:
            command.a = a * 8;
            break;
          default:
            break;
        }
        return command;
      },
      rc::gen::weightedElement<Kind>({{12, Kind::kAppend},
                                      {4, Kind::kReplicate},
                                      {2, Kind::kBumpEpoch},
                                      {3, Kind::kFlush},
                                      {2, Kind::kRoll},
                                      {3, Kind::kTruncate},
                                      {1, Kind::kTruncateFully},
                                      {1, Kind::kRaiseStart},
                                      {1, Kind::kRetain},
                                      {2, Kind::kCheckpoint},
                                      {5, Kind::kSleep},
                                      {4, Kind::kDrain}}),
      rc::gen::inRange(0, 1001), rc::gen::inRange(0, 200));
}

rc::Gen<Incarnation> AnyIncarnation() {
  return rc::gen::apply(
      [](std::vector<Command> commands, End end, bool in_the_middle, int effect) {
        Incarnation incarnation{.commands = std::move(commands), .end = end};
        if ((end == End::kPowerLoss || end == End::kCrash) && in_the_middle) {
          incarnation.at_effect = static_cast<uint64_t>(effect);
        }
        return incarnation;
      },
      rc::gen::container<std::vector<Command>>(AnyCommand()),
      rc::gen::weightedElement<End>({{2, End::kCleanStop},
                                     {5, End::kPowerLoss},
                                     {2, End::kCrash},
                                     {2, End::kStopThenPowerLoss}}),
      rc::gen::arbitrary<bool>(), rc::gen::inRange(1, 150));
}

// Write-back early and often, so that a power loss finds every mixture of what has and has not
// reached the device.
sim::DiskOptions EagerDisk() {
  sim::DiskOptions disk;
  disk.write_back = {1'000'000, 2'000'000'000};
  return disk;
}

// [K8, K10, K17, L2, M81, M91]
RC_GTEST_PROP(LogPowerLossTest, AnyScriptOfIncarnationsKeepsWhatWasFlushedAndInventsNothing, ()) {
  const auto incarnations = *rc::gen::container<std::vector<Incarnation>>(4, AnyIncarnation());
  ScriptOptions options{.config = TinyConfig(), .disk = EagerDisk()};
  options.seed = *rc::gen::inRange<uint64_t>(1, 1'000'000);
  if (*rc::gen::inRange(0, 4) == 0) options.config.flush_messages = 3;
  options.buggify = *rc::gen::inRange(0, 4) == 0;
  Oracle oracle;
  const std::string problem = RunScript(incarnations, options, &oracle);
  RC_TAG(oracle.lost_batches > 0 ? "lost unflushed batches" : "lost nothing");
  if (!problem.empty()) RC_FAIL(problem);
}

// Anomaly loops: the power fails before effect 1, 2, 3, ... of one story until the story gets
// through.
void FailAtEveryEffect(const std::vector<Command>& story, const std::vector<Command>& before) {
  ScriptOptions options{.config = TinyConfig(), .disk = EagerDisk()};
  uint64_t lost = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    options.seed = seed;
    const uint64_t effects = CountEffects(story, options) + 20;
    for (uint64_t n = 1; n <= effects; ++n) {
      Oracle oracle;
      const std::string problem =
          RunScript({{.commands = before}, {story, End::kPowerLoss, n}}, options, &oracle);
      ASSERT_EQ(problem, "") << "seed " << seed << ", effect " << n;
      lost += oracle.lost_batches;
    }
  }
  EXPECT_GT(lost, 0u) << "no power loss took anything away";
}

// [K1, L3, L4]
TEST(LogPowerLossTest, AtEveryEffectOfAppendsAndRolls) {
  FailAtEveryEffect({{Kind::kAppend, 5, 90},
                     {Kind::kSleep, 1500},
                     {Kind::kAppend, 9, 90},
                     {Kind::kDrain},
                     {Kind::kSleep, 900},
                     {Kind::kBumpEpoch},
                     {Kind::kAppend, 6, 20},
                     {Kind::kDrain},
                     {Kind::kSleep, 700}},
                    {});
}

// [F21, F22, M82]
TEST(LogPowerLossTest, AtEveryEffectOfATruncationAndWhatFollowsIt) {
  FailAtEveryEffect(
      {{Kind::kTruncate, 400},
       {Kind::kReplicate, 4, 60},
       {Kind::kSleep, 1500},
       {Kind::kReplicate, 5, 60},
       {Kind::kDrain},
       {Kind::kSleep, 1000}},
      {{Kind::kAppend, 12, 90}, {Kind::kFlush}, {Kind::kCheckpoint}, {Kind::kSleep, 100}});
}

// [F23, M93]
TEST(LogPowerLossTest, AtEveryEffectOfRetentionAndAFullTruncation) {
  FailAtEveryEffect({{Kind::kRetain},
                     {Kind::kAppend, 3, 10},
                     {Kind::kSleep, 1200},
                     {Kind::kTruncateFully, 7},
                     {Kind::kReplicate, 5, 60},
                     {Kind::kSleep, 1500},
                     {Kind::kAppend, 9, 90},
                     {Kind::kDrain},
                     {Kind::kSleep, 500}},
                    {{Kind::kAppend, 40, 90}, {Kind::kDrain}});
}

// What 3.2.3 writes is not enough to know the last five batches again [W12].
TEST(LogPowerLossTest, WithKafkasOwnSnapshotsACrashForgetsBatches) {
  const std::vector<Command> story = {
      {Kind::kAppend, 12, 90}, {Kind::kDrain}, {Kind::kAppend, 9, 90}, {Kind::kDrain}};
  ScriptOptions options{.config = TinyConfig(), .disk = EagerDisk()};
  EXPECT_EQ(RunScript({{story, End::kCrash}}, options), "");
  options.producer_rules = ProducerStateRules::Kafka323();
  EXPECT_THAT(RunScript({{story, End::kCrash}}, options), ::testing::HasSubstr("remembered"));
}

}  // namespace
}  // namespace highwater::broker::storage::testing
