// Materialised runs as values: files of them, smaller ones, and the search over these.

#include "scenarios/shrink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>

#include "core/check.h"
#include "scenarios/fault_table.h"
#include "scenarios/keep_failures.h"
#include "scenarios/loader.h"
#include "scenarios/materialise.h"
#include "scenarios/reducers.h"
#include "scenarios/repro.h"
#include "scenarios/resolved_yaml.h"
#include "scenarios/scripted_seed_runner.h"

namespace highwater::scenarios {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Scenario General() {
  LoadedScenario loaded = LoadScenarioFile(HIGHWATER_SCENARIOS "/zoo/general.yaml", {});
  HW_CHECK(loaded.scenario.has_value(), "general.yaml does not load");
  return *std::move(loaded.scenario);
}

Scenario GeneralRun(uint64_t seed) {
  Scenario run = Materialise(General(), seed);
  SeedResult told;
  told.strategy = "pct";
  for (const faults::FaultOrder& order : run.materialised->orders) {
    const bool zone = order.kind == "lose_zone";
    told.fired.push_back(
        {.key = order.key, .hit = zone ? "az(az-b)" : "broker(1)", .other_hit = "", .roles = {}});
  }
  Settle(told, run);
  return run;
}

// ---- materialise.h, repro.h ----

TEST(MaterialiseTest, AMaterialisedRunIsItsOwn) {
  const Scenario run = Materialise(General(), 7);
  EXPECT_TRUE(SameScenario(Materialise(run, 8), run));
}

TEST(MaterialiseTest, OrdersHaveDifferentKeys) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::set<uint64_t> keys;
    const Scenario run = Materialise(General(), seed);
    for (const faults::FaultOrder& order : run.materialised->orders) keys.insert(order.key);
    EXPECT_THAT(keys, SizeIs(run.materialised->orders.size()));
  }
}

RC_GTEST_PROP(ReproTest, AFileGivesBackWhatWasWritten, ()) {
  Repro repro{.run = GeneralRun(*rc::gen::inRange<uint64_t>(1, 1000)),
              .seed = *rc::gen::inRange<uint64_t>(0, 1'000'000'000'000),
              .mutant = "M24",
              .build = "4f2c1e9",
              .verdict = Verdict::kViolated,
              .signature = "acked-durable/power_loss",
              .invariants = {"acked-durable"},
              .trace_hash = *rc::gen::arbitrary<uint64_t>(),
              .shrunk = ""};
  if (*rc::gen::arbitrary<bool>()) repro.run.materialised->operations = 5;
  for (faults::FaultOrder& order : repro.run.materialised->orders) {
    if (*rc::gen::inRange(0, 4) != 0) continue;
    order.when = faults::Moment{
        .event = faults::Moment::Event::kHighWatermarkMoves, .topic = "orders", .partition = 1};
    order.after = absl::Milliseconds(*rc::gen::inRange(0, 9));
  }
  if (*rc::gen::arbitrary<bool>()) {
    repro.run.materialised->effect_crash =
        EffectCrash{.victim = {.role = faults::Aim::Role::kController},
                    .effect = 3,
                    .power_loss = true,
                    .down = absl::Seconds(1)};
  }
  const absl::StatusOr<Repro> read = ParseRepro("repro.json", ReproJson(repro), {});
  RC_ASSERT(read.ok());
  RC_ASSERT(SameScenario(read->run, repro.run));
  RC_ASSERT(read->seed == repro.seed && read->mutant == repro.mutant);
  RC_ASSERT(read->trace_hash == repro.trace_hash && read->verdict == repro.verdict);
  RC_ASSERT(ReproJson(*read) == ReproJson(repro));
}

// Whatever is wrong with a file is an error that names it, never a crash.
RC_GTEST_PROP(ReproTest, ADamagedFileIsRefused, ()) {
  static const std::string whole = ReproJson({.run = GeneralRun(3), .seed = 3});
  std::string text = whole;
  const auto at = *rc::gen::inRange<size_t>(0, text.size());
  if (*rc::gen::arbitrary<bool>()) {
    text.resize(at);
  } else {
    text[at] = *rc::gen::arbitrary<char>();
  }
  const absl::StatusOr<Repro> read = ParseRepro("repro.json", text, {});
  if (!read.ok()) {
    RC_ASSERT(std::string(read.status().message()).find("repro.json") != std::string::npos);
  }
}

TEST(ReproTest, SaysWhatIsMissing) {
  std::string text = ReproJson({.run = GeneralRun(3), .seed = 3});
  const size_t at = text.find("\"key\"");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 5, "\"kee\"");
  EXPECT_THAT(std::string(ParseRepro("r.json", text, {}).status().message()),
              HasSubstr("faults[0]: expected a text at \"key\""));
}

// ---- reducers.h ----

// What must fall with each reduction: compared element by element.
std::vector<int64_t> Measure(const Scenario& run) {
  std::vector<int64_t> measure = {
      static_cast<int64_t>(run.materialised->orders.size()),
      absl::ToInt64Nanoseconds(run.run.warmup + run.run.duration + run.run.heal)};
  int64_t clients = 0;
  for (const ClientSpec& client : run.clients) clients += client.count;
  int64_t partitions = 0;
  for (const TopicSpec& topic : run.topics) partitions += topic.partitions;
  measure.insert(measure.end(), {clients, partitions, run.cluster.brokers + run.cluster.zookeeper,
                                 run.materialised->operations.value_or(int64_t{1} << 40)});
  int64_t lengths = 0;
  int64_t numbers = 0;
  int64_t wide = 0;
  for (const faults::FaultOrder& order : run.materialised->orders) {
    lengths += absl::ToInt64Nanoseconds(order.length);
    for (const auto& [name, number] : order.numbers) numbers += number;
    if (order.hit && order.hit->role == faults::Aim::Role::kZone) ++wide;
    if (order.kind == "partition_network" && order.other.role == faults::Aim::Role::kAny) ++wide;
  }
  measure.insert(measure.end(), {lengths, numbers, wide});
  return measure;
}

RC_GTEST_PROP(ReducersTest, EveryReductionIsSmallerAndStillAScenario, ()) {
  Scenario run = GeneralRun(*rc::gen::inRange<uint64_t>(1, 1000));
  for (int step = 0; step < 4; ++step) {
    const auto reducers = Reducers();
    const Reducer& reducer = reducers[*rc::gen::inRange<size_t>(0, reducers.size())];
    const std::vector<Scenario> smaller = reducer.reduce(run);
    if (smaller.empty()) continue;
    for (const Scenario& less : smaller) {
      const std::vector<int64_t> before = Measure(run);
      const std::vector<int64_t> after = Measure(less);
      bool falls = false;
      for (size_t i = 0; i < before.size(); ++i) {
        RC_ASSERT(after[i] <= before[i]);
        falls = falls || after[i] < before[i];
      }
      RC_ASSERT(falls);
    }
    run = smaller[*rc::gen::inRange<size_t>(0, smaller.size())];
    RC_ASSERT(ParseRepro("r.json", ReproJson({.run = run}), {}).ok());
  }
}

// ---- shrink.h ----

size_t CountOf(const Scenario& run, std::string_view kind) {
  return static_cast<size_t>(
      std::count_if(run.materialised->orders.begin(), run.materialised->orders.end(),
                    [&](const faults::FaultOrder& order) { return order.kind == kind; }));
}

FindFailing FindBy(std::function<bool(const Trial&)> fails) {
  return [fails = std::move(fails)](const std::vector<Trial>& trials) -> std::optional<Failing> {
    for (size_t i = 0; i < trials.size(); ++i) {
      if (fails(trials[i])) return Failing{.index = i, .violated = {}};
    }
    return std::nullopt;
  };
}

// Two faults that only together make it fail are what is left, whatever else there was.
RC_GTEST_PROP(ShrinkTest, FindsTheTwoFaultsThatMatter, ()) {
  const Scenario run = GeneralRun(*rc::gen::inRange<uint64_t>(1, 1000));
  const auto& orders = run.materialised->orders;
  RC_PRE(orders.size() >= 2);
  const uint64_t first = orders[*rc::gen::inRange<size_t>(0, orders.size())].key;
  const uint64_t second = orders[*rc::gen::inRange<size_t>(0, orders.size())].key;
  const auto has = [](const Scenario& scenario, uint64_t key) {
    const auto& left = scenario.materialised->orders;
    return std::any_of(left.begin(), left.end(), [&](const auto& o) { return o.key == key; });
  };
  const ShrinkOutcome outcome =
      Shrink({.run = run, .seed = 1}, std::nullopt,
             FindBy([&](const Trial& t) { return has(t.run, first) && has(t.run, second); }), {});
  RC_ASSERT(outcome.smallest.run.materialised->orders.size() == (first == second ? 1u : 2u));
  RC_ASSERT(outcome.smallest.run.topics.size() == 1u);
  RC_ASSERT(outcome.smallest.run.topics.front().partitions == 1);
  RC_ASSERT(outcome.smallest.seed == 1u);
  RC_ASSERT(!outcome.exhausted);
}

// Where a world without one fault goes another way, another seed may show the failure.
TEST(ShrinkTest, TriesOtherSeeds) {
  const Scenario run = GeneralRun(5);
  const size_t all = run.materialised->orders.size();
  ASSERT_GE(all, 2u);
  const auto fails = [&](const Trial& t) {
    const size_t left = t.run.materialised->orders.size();
    return left == all || (t.seed != 5 && left > 0);
  };
  const ShrinkOutcome outcome = Shrink({.run = run, .seed = 5}, std::nullopt, FindBy(fails), {});
  EXPECT_EQ(outcome.smallest.run.materialised->orders.size(), 1u);
  EXPECT_NE(outcome.smallest.seed, 5u);
  const ShrinkOutcome own =
      Shrink({.run = run, .seed = 5}, std::nullopt, FindBy(fails), {.other_seeds = 0});
  EXPECT_EQ(own.smallest.run.materialised->orders.size(), all);
}

// What follows the violation is left out at once, without a search.
TEST(ShrinkTest, EndsTheRunWithItsViolation) {
  const Scenario run = GeneralRun(5);
  const absl::Duration moment = run.run.warmup + absl::Seconds(3);
  const auto fails = [&](const Trial& t) { return t.run.run.duration >= absl::Seconds(3); };
  const ShrinkOutcome outcome =
      Shrink({.run = run, .seed = 5}, moment, FindBy(fails), {.trials = 1, .other_seeds = 0});
  EXPECT_EQ(outcome.smallest.run.run.duration, absl::Seconds(3));
  EXPECT_EQ(outcome.smallest.run.run.heal, absl::Seconds(2));
  for (const faults::FaultOrder& order : outcome.smallest.run.materialised->orders) {
    EXPECT_LE(order.at, moment);
  }
}

TEST(ShrinkTest, EndsWithItsBudget) {
  uint64_t runs = 0;
  const ShrinkOutcome outcome = Shrink({.run = GeneralRun(5), .seed = 5}, std::nullopt,
                                       [&](const std::vector<Trial>& trials) {
                                         runs += trials.size();
                                         return std::optional<Failing>();
                                       },
                                       {.trials = 1});
  EXPECT_TRUE(outcome.exhausted);
  EXPECT_THAT(outcome.trials, runs);
  EXPECT_LE(runs, 300u) << "it ends after the first round of trials";
}

TEST(FailsAlikeTest, ANewViolationIsAnotherFailure) {
  const Scenario scenario = General();
  const SeedResult lost = ViolatedSeed(scenario, 1);
  SeedResult both = lost;
  both.violations.push_back({.invariant = "phantom"});
  EXPECT_TRUE(FailsAlike(lost, lost));
  EXPECT_TRUE(FailsAlike(both, lost));
  EXPECT_FALSE(FailsAlike(lost, both));
  EXPECT_FALSE(FailsAlike(both, ViolatedSeed(scenario, 1, "phantom")));
  EXPECT_FALSE(FailsAlike(lost, HeldSeed(scenario, 1)));
}

TEST(FailsAlikeTest, AFailedCheckIsNamedByItsPlace) {
  const SeedResult one{.verdict = Verdict::kBrokerAborted, .signature = "broker_aborted/a.cc:1"};
  const SeedResult other{.verdict = Verdict::kBrokerAborted, .signature = "broker_aborted/b.cc:2"};
  EXPECT_TRUE(FailsAlike(one, one));
  EXPECT_FALSE(FailsAlike(one, other));
}

TEST(DescribeShrinkingTest, NamesOnlyWhatBecameLess) {
  Scenario before = GeneralRun(5);
  before.materialised->orders.resize(4);
  Scenario after = before;
  after.materialised->orders.resize(1);
  EXPECT_EQ(DescribeShrinking(before, after), "4 faults shrunk to 1");
  after.run.heal = absl::Seconds(2);
  after.clients.resize(1);
  after.materialised->operations = 4;
  EXPECT_EQ(DescribeShrinking(before, after),
            "4 faults shrunk to 1, 39 s to 26 s, 3 producers to 2, 2 consumers to 0, at most 4 "
            "records of each producer");
  EXPECT_THAT(DescribeShrinking(before, before), IsEmpty());
}

// ---- keep_failures.h ----

Harness FailsWithTwoCrashes() {
  return ScriptedHarness([](const Scenario& scenario, uint64_t seed, const RunOptions&) {
    const bool fails = CountOf(Materialise(scenario, seed), "crash_broker") >= 2;
    return fails ? ViolatedSeed(scenario, seed) : HeldSeed(scenario, seed);
  });
}

CampaignResult RunKept(const KeepOptions& keep) {
  const Harness harness = FailsWithTwoCrashes();
  CampaignOptions options{.seeds = {.range = SeedRange{1, 10}, .drawn = {}, .list = {}}};
  options.max_failures = 1;
  options.complete = KeepFailures(harness, keep);
  class Nobody final : public CampaignObserver {
    void OnStart(const CampaignResult&, const CampaignProgress&) override {}
    void OnCase(const CampaignResult&, const CaseResult&, const SignatureGroup*) override {}
    void OnTick(const CampaignProgress&) override {}
    void OnEnd(const CampaignResult&) override {}
  } observer;
  return RunCampaign({General()}, harness, options, observer, nullptr);
}

TEST(KeepFailuresTest, AFailureIsShrunkAndKept) {
  const CampaignResult campaign = RunKept({.build = "b1"});
  ASSERT_THAT(campaign.groups, SizeIs(1));
  const CaseResult& first = campaign.groups.front().first;
  ASSERT_TRUE(first.shrunk.has_value());
  EXPECT_THAT(first.shrunk->sentence, HasSubstr("shrunk to 2"));
  const absl::StatusOr<Repro> repro = ParseRepro("r.json", first.repro, {});
  ASSERT_TRUE(repro.ok()) << repro.status();
  EXPECT_EQ(CountOf(repro->run, "crash_broker"), 2u);
  EXPECT_THAT(repro->run.materialised->orders, SizeIs(2));
  EXPECT_EQ(repro->build, "b1");
  const absl::StatusOr<Repro> whole = ParseRepro("r.json", first.unshrunk_repro, {});
  ASSERT_TRUE(whole.ok());
  Scenario found = Materialise(General(), first.result.seed);
  found.run.strategy = Strategy::kFifo;  // as the run has told
  EXPECT_TRUE(SameScenario(whole->run, found));
}

TEST(KeepFailuresTest, NoShrinkKeepsItAsItWasFound) {
  const CampaignResult campaign = RunKept({.shrink = false});
  const CaseResult& first = campaign.groups.front().first;
  EXPECT_FALSE(first.shrunk.has_value());
  EXPECT_THAT(first.repro, Not(IsEmpty()));
  EXPECT_THAT(first.unshrunk_repro, IsEmpty());
}

}  // namespace
}  // namespace highwater::scenarios
