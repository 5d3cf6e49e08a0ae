#include "scenarios/campaign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "core/check.h"
#include "scenarios/scripted_seed_runner.h"

namespace highwater::scenarios {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class RecordingObserver final : public CampaignObserver {
 public:
  void OnStart(const CampaignResult&, const CampaignProgress&) override {}
  void OnCase(const CampaignResult&, const CaseResult& result, const SignatureGroup*) override {
    cases.push_back(result);
  }
  void OnTick(const CampaignProgress&) override {}
  void OnEnd(const CampaignResult&) override { ended = true; }

  [[nodiscard]] std::vector<uint64_t> Seeds() const {
    std::vector<uint64_t> seeds;
    for (const CaseResult& c : cases) seeds.push_back(c.result.seed);
    return seeds;
  }
  [[nodiscard]] const CaseResult& Of(uint64_t seed) const {
    for (const CaseResult& c : cases) {
      if (c.result.seed == seed) return c;
    }
    HW_UNREACHABLE("no seed {}", seed);
  }

  std::vector<CaseResult> cases;
  bool ended = false;
};

Scenario OneBroker(std::string name = "one-broker") {
  Scenario scenario;
  scenario.name = std::move(name);
  scenario.topics.push_back({.name = "orders"});
  scenario.clients.push_back({.topics = {"orders"}});
  scenario.seeds = {1, 20};
  return scenario;
}

Scenario WithFault(std::string kind, bool on_timeline) {
  Scenario scenario = OneBroker();
  FaultSpec fault{.kind = std::move(kind)};
  if (on_timeline) {
    scenario.timeline.push_back({.at = absl::Seconds(5), .fault = fault});
  } else {
    scenario.random.push_back({.every = absl::Seconds(5), .fault = fault});
  }
  return scenario;
}

// Memory that worker processes share with the test: what has happened in which process order.
class SharedCounter {
 public:
  SharedCounter()
      : counter_(new(mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0)) std::atomic<int>(0)) {}
  ~SharedCounter() { munmap(counter_, sizeof(*counter_)); }
  int Next() const { return counter_->fetch_add(1); }
  int Count() const { return counter_->load(); }

 private:
  std::atomic<int>* counter_;
};

struct Outcome {
  CampaignResult result;
  RecordingObserver observer;
};

Outcome RunWith(const std::vector<Scenario>& scenarios, ScriptedSeedRunner::Script script,
                CampaignOptions options = {}, std::function<bool()> interrupted = nullptr) {
  Outcome outcome;
  outcome.result = RunCampaign(scenarios, ScriptedHarness(std::move(script)), options,
                               outcome.observer, interrupted);
  return outcome;
}

SeedResult Hold(const Scenario& s, uint64_t seed, const RunOptions&) { return HeldSeed(s, seed); }

TEST(CampaignTest, RunsEverySeedOfEveryScenarioInOrder) {
  const Outcome out = RunWith({OneBroker("a"), OneBroker("b")}, Hold, {.workers = 3});
  ASSERT_THAT(out.observer.cases, SizeIs(40));
  for (size_t i = 0; i < 40; ++i) {
    EXPECT_EQ(out.observer.cases[i].scenario, i / 20);
    EXPECT_EQ(out.observer.cases[i].result.seed, i % 20 + 1);
  }
  EXPECT_EQ(out.result.exit_code, ExitCode::kHeld);
  EXPECT_TRUE(out.observer.ended);
  EXPECT_EQ(out.result.scenarios[1].totals.acked, 20 * 99);
}

TEST(CampaignTest, ReportsInOrderWhateverTheWorkersDo) {
  // Seed 1 ends after five later ones: its result comes late and is reported first.
  const SharedCounter others;
  const auto script = [&](const Scenario& s, uint64_t seed, const RunOptions&) {
    if (seed == 1) {
      while (others.Count() < 5) usleep(100);
    } else {
      others.Next();
    }
    return HeldSeed(s, seed);
  };
  const Outcome out = RunWith({OneBroker()}, script, {.workers = 2, .determinism_ppm = 0});
  EXPECT_EQ(out.observer.Seeds().front(), 1u);
  EXPECT_TRUE(
      std::is_sorted(out.observer.cases.begin(), out.observer.cases.end(),
                     [](const auto& a, const auto& b) { return a.result.seed < b.result.seed; }));
}

TEST(CampaignTest, AViolationExitsWithOneAndIsRunTwiceWithItsTrace) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions& options) {
    if (seed != 7) return HeldSeed(s, seed);
    SeedResult result = ViolatedSeed(s, seed);
    result.history = options.trace ? "traced" : "";
    return result;
  };
  const Outcome out = RunWith({OneBroker()}, script, {.workers = 2});
  EXPECT_EQ(out.result.exit_code, ExitCode::kViolated);
  const CaseResult& failed = out.observer.Of(7);
  EXPECT_EQ(failed.result.verdict, Verdict::kViolated);
  EXPECT_TRUE(failed.run_twice);
  EXPECT_EQ(failed.result.history, "traced");
  EXPECT_THAT(out.result.groups, SizeIs(1));
  EXPECT_EQ(out.result.groups[0].signature, "acked-durable");
}

TEST(CampaignTest, AWorkerThatCrashesCostsOneNamedSeed) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    if (seed == 5) {
      fmt::print(stderr, "the last words\n");
      std::fflush(stderr);
      raise(SIGKILL);
    }
    return HeldSeed(s, seed);
  };
  const Outcome out = RunWith({OneBroker()}, script, {.workers = 2});
  ASSERT_THAT(out.observer.cases, SizeIs(20));
  const CaseResult& crashed = out.observer.Of(5);
  EXPECT_EQ(crashed.result.verdict, Verdict::kCrashed);
  EXPECT_TRUE(crashed.run_twice);
  EXPECT_THAT(crashed.result.dump,
              AllOf(HasSubstr("signal 9 (Killed)"), HasSubstr("the last words")));
  EXPECT_EQ(out.result.scenarios[0].Count(Verdict::kHeld), 19u);
  EXPECT_EQ(out.result.exit_code, ExitCode::kInternalError);
}

TEST(CampaignTest, ACrashThatDoesNotComeAgainIsNotDeterministic) {
  const SharedCounter runs;
  const auto script = [&](const Scenario& s, uint64_t seed, const RunOptions&) {
    if (seed == 5 && runs.Next() == 0) _exit(9);
    return HeldSeed(s, seed);
  };
  const Outcome out = RunWith({OneBroker()}, script);
  EXPECT_EQ(out.observer.Of(5).differs, "crashed in one run, held in the next");
  EXPECT_EQ(out.result.exit_code, ExitCode::kInternalError);
  EXPECT_THAT(out.result.findings,
              Contains(testing::Field(&Finding::code, ExitCode::kNotDeterministic)));
}

TEST(CampaignTest, AFailedCheckOfTheHarnessIsAnInternalErrorWithItsMessage) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    HW_CHECK(seed != 3, "seed {} of {}", seed, s.name);
    return HeldSeed(s, seed);
  };
  const Outcome out = RunWith({OneBroker()}, script);
  EXPECT_EQ(out.observer.Of(3).result.verdict, Verdict::kInternalError);
  EXPECT_THAT(out.observer.Of(3).result.dump, HasSubstr("seed 3 of one-broker"));
  EXPECT_EQ(out.result.scenarios[0].Count(Verdict::kHeld), 19u);
  EXPECT_EQ(out.result.differing, 0u) << "the seed that waited in the same worker is not to blame";
  EXPECT_THAT(out.observer.cases, SizeIs(20));
  EXPECT_EQ(out.result.exit_code, ExitCode::kInternalError);
}

TEST(CampaignTest, AHangCostsOneSeedAndIsInconclusive) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    while (seed == 4) usleep(1000);
    return HeldSeed(s, seed);
  };
  const Outcome out =
      RunWith({OneBroker()}, script, {.workers = 2, .case_timeout = absl::Milliseconds(300)});
  EXPECT_EQ(out.observer.Of(4).result.verdict, Verdict::kInconclusive);
  EXPECT_THAT(out.observer.Of(4).result.dump, HasSubstr("No verdict after 300ms"));
  EXPECT_EQ(out.result.scenarios[0].Count(Verdict::kHeld), 19u);
  EXPECT_EQ(out.result.exit_code, ExitCode::kInconclusive);
}

#if !defined(HIGHWATER_UNDER_ASAN)
TEST(CampaignTest, RunningOutOfMemoryCostsOneSeed) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    if (seed == 6) {
      std::vector<std::string> hog;
      while (true) hog.emplace_back(size_t{64} << 20, 'x');
    }
    return HeldSeed(s, seed);
  };
  const Outcome out = RunWith({OneBroker()}, script, {.memory_limit = uint64_t{1} << 30});
  EXPECT_EQ(out.observer.Of(6).result.verdict, Verdict::kCrashed);
  EXPECT_THAT(out.observer.Of(6).result.dump, HasSubstr("bad_alloc"));
  EXPECT_EQ(out.result.scenarios[0].Count(Verdict::kHeld), 19u);
}
#endif

TEST(CampaignTest, StopsAtTheLimitOfFailuresWithTheSameCasesForAnyNumberOfWorkers) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    return seed % 3 == 0 ? ViolatedSeed(s, seed) : HeldSeed(s, seed);
  };
  for (const int workers : {1, 2, 5}) {
    const Outcome out = RunWith({OneBroker()}, script, {.workers = workers, .max_failures = 2});
    EXPECT_THAT(out.observer.Seeds(), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_TRUE(out.result.stopped_at_failures);
    EXPECT_EQ(out.result.exit_code, ExitCode::kViolated);
  }
}

TEST(CampaignTest, ADifferentTraceHashExitsWithThree) {
  const SharedCounter runs;
  const auto script = [&](const Scenario& s, uint64_t seed, const RunOptions&) {
    SeedResult result = HeldSeed(s, seed);
    if (seed == 9) result.trace_hash = static_cast<uint64_t>(runs.Next());
    return result;
  };
  const Outcome out = RunWith({OneBroker()}, script, {.determinism_ppm = 1'000'000});
  EXPECT_EQ(out.result.exit_code, ExitCode::kNotDeterministic);
  EXPECT_THAT(out.observer.Of(9).differs, StartsWith("trace hash 0000000000000000 in one run"));
  EXPECT_EQ(out.result.run_twice, 20u);
  EXPECT_EQ(out.result.differing, 1u);
  EXPECT_THAT(out.result.findings[0].text, HasSubstr("seed 9 is not deterministic"));
}

TEST(CampaignTest, ExpectedViolationsHold) {
  Scenario scenario = OneBroker();
  scenario.expect = {"acked-durable"};
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    return seed % 2 == 0 ? ViolatedSeed(s, seed) : HeldSeed(s, seed);
  };
  const Outcome out = RunWith({scenario}, script, {.max_failures = 1});
  EXPECT_EQ(out.result.exit_code, ExitCode::kHeld);
  EXPECT_EQ(out.result.scenarios[0].Count(Verdict::kExpected), 10u);
  EXPECT_TRUE(out.observer.Of(2).run_twice) << "the first is shown in full";
}

TEST(CampaignTest, AnExpectedViolationThatNeverShowsExitsWithFive) {
  Scenario scenario = OneBroker();
  scenario.expect = {"acked-durable"};
  EXPECT_EQ(RunWith({scenario}, Hold).result.exit_code, ExitCode::kInconclusive);
}

TEST(CampaignTest, AnotherViolationInThePlaceOfTheExpectedExitsWithOne) {
  Scenario scenario = OneBroker();
  scenario.expect = {"acked-durable"};
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    return seed == 2 ? ViolatedSeed(s, seed, "phantom") : HeldSeed(s, seed);
  };
  EXPECT_EQ(RunWith({scenario}, script).result.exit_code, ExitCode::kViolated);
  // Both in one seed: the other one counts.
  const auto both = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    SeedResult result = ViolatedSeed(s, seed);
    result.violations.push_back({.invariant = "phantom"});
    return result;
  };
  EXPECT_EQ(RunWith({scenario}, both).result.exit_code, ExitCode::kViolated);
}

TEST(CampaignTest, AFaultThatIsNeverObservedFails) {
  const auto withdrawn = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    SeedResult result = HeldSeed(s, seed);
    for (LedgerRow& row : result.ledger) row.observed = 0;
    return result;
  };
  const Outcome out = RunWith({WithFault("power_loss", true)}, withdrawn);
  EXPECT_EQ(out.result.exit_code, ExitCode::kInconclusive);
  EXPECT_THAT(out.result.findings[0].text,
              "the fault power_loss was never observed (requested 20, applied 20)");
  EXPECT_EQ(RunWith({WithFault("power_loss", true)}, Hold).result.exit_code, ExitCode::kHeld);
}

TEST(CampaignTest, ADrawnFaultNeedsItsChanceBeforeItsAbsenceFails) {
  const auto never = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    SeedResult result = HeldSeed(s, seed);
    result.ledger.clear();
    return result;
  };
  const Scenario scenario = WithFault("power_loss", false);
  EXPECT_EQ(RunWith({scenario}, never, {.seeds = {.range = SeedRange{1, 3}}}).result.exit_code,
            ExitCode::kHeld);
  EXPECT_EQ(RunWith({scenario}, never).result.exit_code, ExitCode::kInconclusive);
}

TEST(CampaignTest, ARunWithoutAnAcknowledgementProvesNothing) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    SeedResult result = HeldSeed(s, seed);
    if (seed == 2) result.metrics.acked = 0;
    return result;
  };
  const Outcome out = RunWith({OneBroker()}, script);
  EXPECT_EQ(out.observer.Of(2).result.verdict, Verdict::kVacuous);
  EXPECT_EQ(out.result.exit_code, ExitCode::kInconclusive);
}

TEST(CampaignTest, AnInterruptReportsAPrefixAndExitsWith130) {
  RecordingObserver observer;
  const std::function<bool()> interrupted = [&] { return observer.cases.size() >= 5; };
  const CampaignResult result =
      RunCampaign({OneBroker()}, ScriptedHarness(Hold), {.workers = 2}, observer, interrupted);
  EXPECT_TRUE(result.interrupted);
  EXPECT_EQ(result.exit_code, ExitCode::kInterrupted);
  EXPECT_GE(observer.cases.size(), 5u);
  for (size_t i = 0; i < observer.cases.size(); ++i)
    EXPECT_EQ(observer.cases[i].result.seed, i + 1);
}

TEST(CampaignTest, NoSeedSelectedExitsWithFour) {
  EXPECT_EQ(RunWith({}, Hold).result.exit_code, ExitCode::kNothingSelected);
  Scenario scenario = OneBroker();
  scenario.seeds = {1, 2};
  EXPECT_EQ(RunWith({scenario}, Hold, {.shard = {3, 3}}).result.exit_code,
            ExitCode::kNothingSelected);
}

TEST(CampaignTest, ABudgetOfTimeEndsAPlanWithoutEnd) {
  const Outcome out = RunWith({OneBroker("a"), OneBroker("b")}, Hold,
                              {.budget = absl::Milliseconds(150), .max_failures = 0});
  EXPECT_EQ(out.result.exit_code, ExitCode::kHeld);
  ASSERT_GE(out.observer.cases.size(), 2u);
  EXPECT_EQ(out.observer.cases[0].result.scenario, "a");
  EXPECT_EQ(out.observer.cases[1].result.scenario, "b");
}

TEST(CampaignTest, SeveralReasonsExitWithTheGravest) {
  const auto script = [](const Scenario& s, uint64_t seed, const RunOptions&) {
    if (seed == 2) return ViolatedSeed(s, seed);
    SeedResult result = HeldSeed(s, seed);
    if (seed == 3) result.metrics.acked = 0;
    if (seed == 4) result.verdict = Verdict::kInternalError;
    return result;
  };
  const auto exit_of = [&](uint64_t first, uint64_t last) {
    return RunWith({OneBroker()}, script, {.seeds = {.range = SeedRange{first, last}}})
        .result.exit_code;
  };
  EXPECT_EQ(exit_of(1, 4), ExitCode::kInternalError);
  EXPECT_EQ(exit_of(1, 3), ExitCode::kViolated);
  EXPECT_EQ(exit_of(3, 3), ExitCode::kInconclusive);
}

TEST(SeedPlanTest, ReadsSeedsAndShards) {
  EXPECT_EQ(ParseSeedChoice("7")->range, (SeedRange{7, 7}));
  EXPECT_EQ(ParseSeedChoice("1..1000")->range, (SeedRange{1, 1000}));
  EXPECT_EQ(ParseSeedChoice("random:500")->drawn, 500u);
  EXPECT_FALSE(ParseSeedChoice("random:").ok());
  EXPECT_FALSE(ParseSeedChoice("many").ok());
  EXPECT_EQ(ParseShard("2/8")->index, 2u);
  EXPECT_FALSE(ParseShard("0/8").ok());
  EXPECT_FALSE(ParseShard("9/8").ok());
}

// Shards never overlap, and together they are the whole.
RC_GTEST_PROP(SeedPlanTest, ShardsPartitionThePlan, ()) {
  std::vector<SeedRange> own;
  const auto scenarios = *rc::gen::inRange<size_t>(1, 4);
  for (size_t i = 0; i < scenarios; ++i) {
    const auto first = *rc::gen::inRange<uint64_t>(0, 100);
    own.push_back({first, first + *rc::gen::inRange<uint64_t>(0, 20)});
  }
  const auto count = *rc::gen::inRange<uint64_t>(1, 6);
  const bool endless = *rc::gen::arbitrary<bool>();
  const auto cases_of = [&](Shard shard, size_t most) {
    CasePlan plan(own, {}, shard, endless);
    std::vector<std::pair<size_t, uint64_t>> cases;
    while (cases.size() < most) {
      const std::optional<Case> next = plan.Next();
      if (!next) break;
      cases.emplace_back(next->scenario, next->seed);
    }
    if (!endless) RC_ASSERT(plan.Size() == cases.size());
    return cases;
  };
  const size_t each = endless ? 12 : 1000;
  auto whole = cases_of({1, 1}, each * count);
  std::vector<std::pair<size_t, uint64_t>> parts;
  for (uint64_t i = 1; i <= count; ++i) {
    for (const auto& c : cases_of({i, count}, each)) parts.push_back(c);
  }
  std::sort(parts.begin(), parts.end());
  RC_ASSERT(std::adjacent_find(parts.begin(), parts.end()) == parts.end());
  if (!endless) {
    std::sort(whole.begin(), whole.end());
    RC_ASSERT(parts == whole);
  }
}

}  // namespace
}  // namespace highwater::scenarios
