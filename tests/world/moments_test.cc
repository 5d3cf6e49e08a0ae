// Every event that a fault can wait for is told as it happens, and the fault fires.

#include "broker/types.h"
#include "tests/world/worlds.h"

namespace highwater::scenarios {
namespace {

using Event = faults::Moment::Event;
using Role = faults::Aim::Role;

FaultSpec FaultOf(std::string_view kind, Target target, absl::Duration length,
                  std::map<std::string, ParameterValue, std::less<>> parameters = {}) {
  parameters["for"] = DurationRange{length, length};
  FaultSpec fault = FaultEvery(kind, absl::Seconds(1), std::move(parameters)).fault;
  fault.target = std::move(target);
  return fault;
}

// What makes the event happen, where the load alone does not.
std::optional<FaultSpec> CauseOf(Event event) {
  const Target leader{.role = Role::kLeader, .number = 0, .name = "orders"};
  const Target follower{.role = Role::kFollower, .number = 0, .name = "orders"};
  switch (event) {
    case Event::kBrokerStarted:
      return FaultOf("crash_broker", {.role = Role::kAnyBroker}, absl::Milliseconds(500));
    case Event::kControllerElected:
      return FaultOf("crash_broker", {.role = Role::kController}, absl::Seconds(4));
    case Event::kIsrShrinks:
    case Event::kIsrGrows:
      return FaultOf("crash_broker", follower, absl::Seconds(3));
    case Event::kLeaderElected:
    case Event::kLeaderEpochBumped:
    case Event::kLeadershipLost:
      return FaultOf("stop_broker", leader, absl::Seconds(1));
    case Event::kLogTruncated:
      // What is written on the lost side goes when the sides are one again.
      return FaultOf("split_brain", leader, absl::Seconds(4));
    case Event::kLogDirectoryFailed:
      return FaultOf("disk_error", leader, absl::Seconds(1), {{"operation", std::string("write")}});
    case Event::kRecordsAppended:
    case Event::kSegmentRolled:
    case Event::kRecordsFetched:
    case Event::kHighWatermarkMoves:
    case Event::kRecordsAcknowledged:
      return std::nullopt;
  }
  return std::nullopt;
}

Scenario ScenarioOf(Event event) {
  Scenario scenario = ClusterScenario();
  scenario.check.guarantee = Guarantee::kWithin;
  scenario.cluster.settings.push_back({"log.segment.bytes", "10000"});
  // A broker that has lost its only log directory halts: nothing is left to freeze.
  FaultSpec felt = event == Event::kLogDirectoryFailed
                       ? FaultOf("partition_network", {.role = Role::kHere}, absl::Seconds(3))
                       : FaultOf("freeze", {.role = Role::kHere}, absl::Milliseconds(100));
  felt.when = faults::Moment{.event = event, .topic = ""};
  felt.place = "faults.timeline[0]";
  scenario.timeline = {{absl::Milliseconds(500), felt}};
  if (const std::optional<FaultSpec> cause = CauseOf(event)) {
    scenario.timeline.push_back({absl::Seconds(1), *cause});
  }
  return scenario;
}

class MomentTest : public ::testing::TestWithParam<faults::MomentKind> {};

TEST_P(MomentTest, FiresWhatWaitsForIt) {
  const Scenario scenario = ScenarioOf(GetParam().event);
  const std::string& kind = scenario.timeline[0].fault.kind;
  const auto fired = FindSeed(scenario, 1, 10, {}, [&](const SeedResult& result) {
    return std::any_of(result.ledger.begin(), result.ledger.end(),
                       [&](const LedgerRow& row) { return row.kind == kind && row.observed > 0; });
  });
  EXPECT_TRUE(fired.has_value());
}

INSTANTIATE_TEST_SUITE_P(All, MomentTest,
                         ::testing::ValuesIn(faults::MomentKinds().begin(),
                                             faults::MomentKinds().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(MomentsTest, ARunWithFaultsThatWaitIsTheSameEachTime) {
  Scenario scenario = ScenarioOf(Event::kSegmentRolled);
  RandomFault crash = FaultEvery("crash_broker", absl::Seconds(2));
  crash.fault.when =
      faults::Moment{.event = Event::kHighWatermarkMoves, .topic = "orders", .partition = 1};
  crash.fault.after = {absl::ZeroDuration(), absl::Milliseconds(2)};
  crash.fault.target = {.role = Role::kHere};
  scenario.random = {crash};
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const RunOptions options;
    const uint64_t first = SimulatedRun(scenario, seed, options).Run().trace_hash;
    EXPECT_EQ(SimulatedRun(scenario, seed, options).Run().trace_hash, first);
  }
}

}  // namespace
}  // namespace highwater::scenarios
