// What an idempotent producer is promised, seen to hold and seen to fail.

#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

using broker::client::ProducerBatch;
using broker::storage::ProducerAppend;
using broker::storage::ProducerBatchMetadata;
using broker::storage::ProducerStateEntry;

auto ViolatesRule(std::string_view rule) {
  return [rule](const SeedResult& result) { return Violates(result, rule); };
}

// Connections are reset all the time and the broker crashes; producers do not wait long for a
// reply.
Scenario LostReplies(Settings producer_settings) {
  Scenario scenario = SmallScenario();
  scenario.cluster.settings = {{"log.segment.bytes", "10000"}};
  scenario.clients[0].rate = {100, absl::Seconds(1)};
  scenario.clients[0].settings = std::move(producer_settings);
  scenario.clients[0].settings.push_back({"request.timeout.ms", "500"});
  const auto lasting = [](int64_t low_ms, int64_t high_ms) {
    return DurationRange{absl::Milliseconds(low_ms), absl::Milliseconds(high_ms)};
  };
  scenario.random = {
      FaultEvery("partition_network", absl::Milliseconds(400),
                 {{"cut", std::string("reset")}, {"for", lasting(10, 100)}}),
      FaultEvery("crash_broker", absl::Milliseconds(1500), {{"down", lasting(50, 500)}}),
      FaultEvery("slow_network", absl::Milliseconds(1500),
                 {{"delay", lasting(10, 200)}, {"for", lasting(200, 1000)}})};
  return scenario;
}

// [I16]
TEST(IdempotenceTest, EachRecordIsStoredOnceAndInOrder) {
  const auto failed = FindSeed(LostReplies({}), 1, 100, {}, [](const SeedResult& result) {
    return result.verdict != Verdict::kHeld && result.verdict != Verdict::kVacuous;
  });
  EXPECT_FALSE(failed.has_value()) << "seed " << failed->seed;
}

TEST(IdempotenceTest, WithoutItSomeAreStoredTwice) {
  Scenario scenario = LostReplies({{"enable.idempotence", "false"}});
  EXPECT_FALSE(FindSeed(scenario, 1, 20, {}, ViolatesRule("duplicate")).has_value())
      << "nobody promised it";
  scenario.check.all_invariants = false;
  scenario.check.invariants = {"duplicate"};
  EXPECT_TRUE(FindSeed(scenario, 1, 20, {}, ViolatesRule("duplicate")).has_value());
}

// Each mutant replaces one decision.

RunHooks BrokerWith(void (*change)(broker::storage::ProducerStateRules&)) {
  RunHooks hooks;
  change(hooks.broker_options.producers);
  return hooks;
}

// The producer of 3.2.3 believes a broker that misses what came before, and numbers the batch anew;
// ours would ask again, so that a broker without memory keeps it waiting instead of writing twice.
void BelieveDenials(RunHooks& hooks) {
  hooks.producer_rules.DenialIsProof = [](bool) { return true; };
}

// [M100] Compares with the last batch only.
TEST(IdempotenceMutantTest, ADuplicateWindowOfOneIsCaughtByDuplicate) {
  RunHooks hooks = BrokerWith([](broker::storage::ProducerStateRules& rules) {
    rules.FindDuplicate = [](const ProducerStateEntry& entry,
                             const ProducerAppend& append) -> const ProducerBatchMetadata* {
      const bool same = entry.epoch == append.epoch && !entry.batches.empty() &&
                        entry.last_sequence() == append.last_sequence;
      return same ? &entry.batches.back() : nullptr;
    };
  });
  BelieveDenials(hooks);
  EXPECT_TRUE(FindSeed(LostReplies({}), 1, 50, hooks, ViolatesRule("duplicate")).has_value());
}

// [M101] The state is not read again when a log is opened.
TEST(IdempotenceMutantTest, AStateThatIsNotRebuiltIsCaughtByDuplicate) {
  const RunHooks hooks = BrokerWith([](broker::storage::ProducerStateRules& rules) {
    rules.RebuildsState = [] { return false; };
  });
  EXPECT_TRUE(FindSeed(LostReplies({}), 1, 50, hooks, ViolatesRule("duplicate")).has_value());
}

// [W12] What 3.2.3 really does: behind a roll and a crash only the last batch is known.
TEST(IdempotenceMutantTest, ASnapshotOfOneBatchIsCaughtByDuplicate) {
  RunHooks hooks;
  hooks.broker_options.producers = broker::storage::ProducerStateRules::Kafka323();
  BelieveDenials(hooks);
  Scenario scenario = LostReplies({{"batch.size", "0"}});
  scenario.cluster.settings = {{"log.segment.bytes", "1200"}};
  EXPECT_TRUE(FindSeed(scenario, 1, 300, hooks, ViolatesRule("duplicate")).has_value());
}

// Looks only at what is written: a retry that comes while its batch is on its way is written too.
TEST(IdempotenceMutantTest, ForgettingWhatIsOnItsWayIsCaughtByDuplicate) {
  const RunHooks hooks = BrokerWith([](broker::storage::ProducerStateRules& rules) {
    rules.CountsAdmitted = [] { return false; };
  });
  Scenario scenario = LostReplies({});
  scenario.cluster.settings = {{"log.flush.interval.messages", "1"}};
  scenario.random.push_back(FaultEvery("stall_disk", absl::Seconds(1)));
  EXPECT_TRUE(FindSeed(scenario, 1, 100, hooks, ViolatesRule("duplicate")).has_value());
}

// [M108] A batch that is sent again goes to the end of its queue.
TEST(IdempotenceMutantTest, ARetryThatIsOvertakenIsCaughtByNonmonotonicSend) {
  RunHooks hooks;
  hooks.producer_rules.GoesBefore = [](const ProducerBatch&, const ProducerBatch&) {
    return false;
  };
  const Scenario scenario = LostReplies(
      {{"enable.idempotence", "false"}, {"max.in.flight.requests.per.connection", "1"}});
  EXPECT_TRUE(FindSeed(scenario, 1, 50, hooks, ViolatesRule("nonmonotonic-send")).has_value());
}

}  // namespace
}  // namespace highwater::scenarios
