#include "scenarios/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>

#include "scenarios/drawn_settings.h"
#include "scenarios/fault_table.h"
#include "scenarios/resolved_yaml.h"

namespace highwater::scenarios {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

// The design's example, with only faults that exist.
constexpr std::string_view kWhole = R"(highwater: 1
name: az-loss-acks-all
about: Losing one of three zones must not lose an acknowledged record.
cluster:
  zones: [az-a, az-b, az-c]
  brokers: { count: 3 }
  zookeeper: { count: 3 }
  settings: { replica.lag.time.max.ms: 2000, unclean.leader.election.enable: false }
  network: { within_zone: 0.2ms..0.8ms, between_zones: 10ms..40ms }
  disk: { sync: 2ms..20ms, bandwidth: 200MiB/s, read: 1ms, capacity: 2GiB, dirty_limit: 3MiB }
topics:
  - { name: orders, partitions: 6, replicas: 3, settings: { min.insync.replicas: 2 } }
clients:
  - { kind: producer, count: 3, topic: orders, rate: 30/s, record: 1KiB, settings: { acks: all }, keys: 7 }
  - { kind: consumer, count: 2, topics: [orders] }
run: { warmup: 2s, duration: 20s, heal: 10s, strategy: pct, heal_with: core }
faults:
  timeline:
    - { at: 5s, power_loss: az-less, for: 8s }
    - { at: 6s, partition_network: az(az-a), from: client(producer-1), cut: one-way, for: 1s..2s }
  random: [ { crash_broker: { every: 8s, down: 1s..5s } } ]
check: { guarantee: within, invariants: all }
expect: [acked-durable]
seeds: 1..2000
)";

std::string Whole() {
  std::string text(kWhole);
  text.replace(text.find("az-less"), 7, "any");
  return text;
}

std::string Replaced(std::string_view from, std::string_view to) {
  std::string text = Whole();
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// `text` with an address in front of its brokers.
std::string WithVip(std::string text, std::string_view drift) {
  constexpr std::string_view kPlace = "  brokers: { count: 3 }\n";
  const size_t at = text.find(kPlace);
  EXPECT_NE(at, std::string::npos);
  return text.insert(at + kPlace.size(), fmt::format("  vip: {{ drift: {} }}\n", drift));
}

std::vector<std::string> Lines(const LoadedScenario& loaded) {
  std::vector<std::string> lines;
  for (const Diagnostic& d : loaded.diagnostics) lines.push_back(FormatDiagnostic(d));
  return lines;
}

std::vector<std::string> ErrorsOf(const std::string& text, const LoadContext& context = {}) {
  const LoadedScenario loaded = LoadScenario("x.yaml", text, context);
  EXPECT_FALSE(loaded.scenario.has_value());
  return Lines(loaded);
}

TEST(LoaderTest, ReadsEveryPartOfAScenario) {
  const LoadedScenario loaded = LoadScenario("az.yaml", Whole(), {});
  ASSERT_THAT(Lines(loaded), IsEmpty());
  const Scenario& s = *loaded.scenario;
  EXPECT_EQ(s.name, "az-loss-acks-all");
  EXPECT_EQ(s.file, "az.yaml");
  EXPECT_EQ(s.cluster.brokers, 3);
  EXPECT_EQ(s.cluster.zookeeper, 3);
  EXPECT_EQ(*FindSetting(s.cluster.settings, "replica.lag.time.max.ms"), "2000");
  EXPECT_EQ(s.cluster.network.within_zone->low, absl::Microseconds(200));
  EXPECT_EQ(s.cluster.disk.bandwidth, 200 << 20);
  EXPECT_EQ(s.topics[0].partitions, 6);
  EXPECT_EQ(s.clients[0].rate, (Rate{30, absl::Seconds(1)}));
  EXPECT_EQ(s.clients[0].record, (IntegerRange{1024, 1024}));
  EXPECT_EQ(s.clients[0].keys, 7);
  EXPECT_EQ(s.cluster.disk.capacity, int64_t{2} << 30);
  EXPECT_EQ(s.clients[1].topics, std::vector<std::string>{"orders"});
  EXPECT_EQ(s.run.strategy, Strategy::kPct);
  EXPECT_EQ(s.run.heal_with, HealWith::kCore);
  EXPECT_EQ(s.timeline[0].at, absl::Seconds(5));
  EXPECT_EQ(s.timeline[0].fault.DurationOf("for").high, absl::Seconds(8));
  EXPECT_EQ(s.timeline[1].fault.TargetOf("from").name, "producer-1");
  EXPECT_EQ(s.timeline[1].fault.ChoiceOf("cut"), "one-way");
  EXPECT_EQ(s.random[0].every, absl::Seconds(8));
  EXPECT_EQ(s.random[0].fault.DurationOf("for").low, absl::Seconds(1));
  EXPECT_EQ(s.random[0].fault.place, "faults.random[0]");
  EXPECT_EQ(s.seeds, (SeedRange{1, 2000}));
  EXPECT_THAT(EnabledFaults(s), ElementsAre("crash_broker", "partition_network", "power_loss"));
  EXPECT_THAT(ClientsOf(s), SizeIs(5));
}

TEST(LoaderTest, FillsInAFaultsDefaults) {
  const LoadedScenario loaded =
      LoadScenario("x.yaml", Replaced("power_loss: any, for: 8s", "stall_disk: broker(2)"), {});
  ASSERT_THAT(Lines(loaded), IsEmpty());
  EXPECT_EQ(loaded.scenario->timeline[0].fault.ChoiceOf("kind"), "device");
  EXPECT_EQ(loaded.scenario->timeline[0].fault.DurationOf("for").high, absl::Seconds(5));
}

TEST(LoaderTest, AListOfValuesIsASettingThatTheSeedChooses) {
  const LoadedScenario loaded =
      LoadScenario("x.yaml", Replaced("max.ms: 2000", "max.ms: [800, 2000, 6000]"), {});
  ASSERT_THAT(Lines(loaded), IsEmpty());
  const Scenario& written = *loaded.scenario;
  EXPECT_EQ(*FindSetting(written.cluster.settings, "replica.lag.time.max.ms"), "800");
  std::map<std::string, int> chosen;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Scenario drawn = WithDrawnSettings(written, seed);
    ++chosen[*FindSetting(drawn.cluster.settings, "replica.lag.time.max.ms")];
    EXPECT_TRUE(SameScenario(WithDrawnSettings(drawn, seed), drawn));
  }
  EXPECT_THAT(chosen, SizeIs(3));
  for (const auto& [value, seeds] : chosen) EXPECT_GT(seeds, 60) << value;
  // It is written back as the list that it was.
  const LoadedScenario again = LoadScenario("x.yaml", ResolvedYaml(written), {});
  ASSERT_THAT(Lines(again), IsEmpty());
  EXPECT_TRUE(SameScenario(*again.scenario, written));
}

TEST(LoaderTest, EachChoiceOfASettingMustBeValid) {
  LoadContext context;
  context.validate_setting = [](SettingScope, std::string_view, std::string_view value) {
    return value == "none" ? absl::InvalidArgumentError("expected a number") : absl::OkStatus();
  };
  EXPECT_THAT(ErrorsOf(Replaced("max.ms: 2000", "max.ms: [800, none]"), context),
              ElementsAre(HasSubstr("expected a number")));
  EXPECT_THAT(ErrorsOf(Replaced("max.ms: 2000", "max.ms: []")),
              ElementsAre(HasSubstr("a list of those that the seed chooses from")));
  EXPECT_THAT(ErrorsOf(Replaced("replicas: 2 }", "replicas: [2, 4] }")),
              ElementsAre(HasSubstr("4 of 3 replicas can never be in sync")));
}

TEST(LoaderTest, EveryCombinationOfChoicesMustBeValid) {
  LoadContext context;
  context.validate_together = [](SettingScope, const Settings& settings) {
    const std::string* acks = FindSetting(settings, "acks");
    const std::string* retries = FindSetting(settings, "retries");
    const bool bad = acks != nullptr && retries != nullptr && *acks == "1" && *retries == "5";
    return bad ? absl::InvalidArgumentError("not both") : absl::OkStatus();
  };
  EXPECT_THAT(ErrorsOf(Replaced("acks: all }", "acks: [all, 1], retries: [0, 5] }"), context),
              ElementsAre(HasSubstr("not both")));
}

TEST(LoaderTest, ReadsHowManyFaultsHaveAftershocks) {
  const LoadedScenario loaded =
      LoadScenario("x.yaml", Replaced("  random: [", "  aftershocks: 30%\n  random: ["), {});
  ASSERT_THAT(Lines(loaded), IsEmpty());
  EXPECT_EQ(loaded.scenario->aftershocks_ppm, 300'000);
  EXPECT_THAT(ErrorsOf(Replaced("  random: [", "  aftershocks: 95%\n  random: [")),
              ElementsAre(HasSubstr("expected 0% to 90%")));
}

TEST(LoaderTest, ReadsWhoseDecisionsTheBrokersTake) {
  const auto compatibility = [](std::string_view line) {
    const LoadedScenario loaded =
        LoadScenario("x.yaml", Replaced("cluster:\n", fmt::format("{}cluster:\n", line)), {});
    EXPECT_THAT(Lines(loaded), IsEmpty());
    return loaded.scenario->compatibility;
  };
  EXPECT_EQ(compatibility(""), Compatibility::kSafe);
  EXPECT_EQ(compatibility("compatibility: safe\n"), Compatibility::kSafe);
  EXPECT_EQ(compatibility("compatibility: kafka-3.2.3\n"), Compatibility::kKafka323);
}

TEST(LoaderTest, NamesTheCompatibilitiesThatExist) {
  EXPECT_THAT(
      ErrorsOf(Replaced("cluster:\n", "compatibility: kafka-3.2.4\ncluster:\n")),
      ElementsAre(
          R"(x.yaml:4:16: error: compatibility: expected safe or kafka-3.2.3, got "kafka-3.2.4" )"
          R"((did you mean "kafka-3.2.3"?))"));
}

TEST(LoaderTest, TheResolvedFormKeepsTheCompatibility) {
  const LoadedScenario loaded =
      LoadScenario("x.yaml", Replaced("cluster:\n", "compatibility: kafka-3.2.3\ncluster:\n"), {});
  ASSERT_TRUE(loaded.scenario.has_value());
  const LoadedScenario again = LoadScenario("y.yaml", ResolvedYaml(*loaded.scenario), {});
  ASSERT_THAT(Lines(again), IsEmpty());
  EXPECT_TRUE(SameScenario(*loaded.scenario, *again.scenario));
}

TEST(LoaderTest, NamesAnUnknownKeyAndWhatWasMeant) {
  EXPECT_THAT(
      ErrorsOf(Replaced("warmup: 2s", "warm_up: 2s")),
      ElementsAre(R"(x.yaml:16:8: error: unknown key "warm_up" in run (did you mean "warmup"?))"));
  EXPECT_THAT(ErrorsOf(Replaced("seeds: 1..2000", "zzzzzz: 1")),
              ElementsAre(AllOf(
                  HasSubstr(R"(unknown key "zzzzzz" in the scenario: expected highwater, name)"))));
}

TEST(LoaderTest, FindsDuplicateKeysThatTheYamlLibraryAccepts) {
  EXPECT_THAT(
      ErrorsOf(Replaced("seeds: 1..2000", "seeds: 1..2000\nseeds: 7")),
      ElementsAre(
          R"(x.yaml:25:1: error: duplicate key "seeds" in the scenario: it was given in line 24 already)"));
  EXPECT_THAT(ErrorsOf(Replaced("rate: 30/s", "rate: 30/s, rate: 40/s")),
              ElementsAre(HasSubstr(R"(x.yaml:14:60: error: duplicate key "rate" in clients[0])")));
  EXPECT_THAT(ErrorsOf(Replaced("acks: all", "acks: all, acks: 1")),
              ElementsAre(HasSubstr(R"(duplicate key "acks")")));
}

TEST(LoaderTest, NamesAWrongUnit) {
  EXPECT_THAT(ErrorsOf(Replaced("duration: 20s", "duration: 20")),
              ElementsAre(AllOf(StartsWith("x.yaml:16:30: error: duration: expected a duration"),
                                HasSubstr("a unit is missing"))));
  EXPECT_THAT(ErrorsOf(Replaced("record: 1KiB", "record: 1KB")),
              ElementsAre(HasSubstr(R"(unknown unit "KB": use B, KiB, MiB, GiB or TiB)")));
  EXPECT_THAT(ErrorsOf(Replaced("for: 1s..2s", "for: 1s..2")),
              ElementsAre(HasSubstr("unit is missing")));
}

TEST(LoaderTest, RefusesImpossiblePlacement) {
  EXPECT_THAT(
      ErrorsOf(Replaced("replicas: 3", "replicas: 4")),
      ElementsAre("x.yaml:12:46: error: replicas: 4 replicas cannot be placed on 3 brokers"));
  EXPECT_THAT(ErrorsOf(Replaced("min.insync.replicas: 2", "min.insync.replicas: 4")),
              ElementsAre(HasSubstr("4 of 3 replicas can never be in sync")));
  EXPECT_THAT(ErrorsOf(Replaced("  zookeeper: { count: 3 }\n", "")),
              ElementsAre(HasSubstr("3 brokers need ZooKeeper")));
}

TEST(LoaderTest, WarnsOfReplicasThatShareAZone) {
  std::string text = Replaced("[az-a, az-b, az-c]", "[az-a, az-b]");
  const LoadedScenario loaded = LoadScenario("x.yaml", text, {});
  EXPECT_TRUE(loaded.scenario.has_value());
  EXPECT_THAT(Lines(loaded), ElementsAre(HasSubstr("warning: replicas: 3 replicas share 2 zones")));
}

TEST(LoaderTest, NamesValuesOutOfRange) {
  EXPECT_THAT(ErrorsOf(Replaced("partitions: 6", "partitions: 0")),
              ElementsAre(HasSubstr("partitions: expected a number from 1 to 100000, got 0")));
  EXPECT_THAT(ErrorsOf(Replaced("at: 5s", "at: 50s")),
              ElementsAre(HasSubstr("at: expected a time from 0s to 20s (run.duration)")));
  EXPECT_THAT(ErrorsOf(Replaced("for: 8s", "for: 3h")), ElementsAre(HasSubstr("from 1us to 1h")));
}

TEST(LoaderTest, NamesAWrongType) {
  EXPECT_THAT(ErrorsOf(Replaced("brokers: { count: 3 }", "brokers: 3")),
              ElementsAre(R"(x.yaml:6:12: error: brokers: expected a map, got "3")"));
  EXPECT_THAT(ErrorsOf(Replaced("rate: 30/s", "rate: [30/s]")),
              ElementsAre(HasSubstr("rate: expected a single value, got a list")));
  EXPECT_THAT(ErrorsOf("- 1\n"), ElementsAre(HasSubstr("expected a map, got a list")));
  EXPECT_THAT(ErrorsOf(""), ElementsAre(HasSubstr("expected a map, got nothing")));
}

TEST(LoaderTest, NamesAnUndefinedTopicOfAClient) {
  EXPECT_THAT(
      ErrorsOf(Replaced("topic: orders", "topic: order")),
      ElementsAre(
          R"(x.yaml:14:40: error: topic "order" is not described under `topics` (did you mean "orders"?))"));
}

TEST(LoaderTest, ChecksFaultsByTheTable) {
  EXPECT_THAT(ErrorsOf(Replaced("power_loss: any", "power_los: any")),
              ElementsAre(HasSubstr(R"(unknown fault "power_los" (did you mean "power_loss"?))")));
  EXPECT_THAT(
      ErrorsOf(Replaced("power_loss: any", "power_loss: broker(3)")),
      ElementsAre(HasSubstr("there is no broker(3): the cluster has broker(0) to broker(2)")));
  EXPECT_THAT(ErrorsOf(Replaced("power_loss: any", "power_loss: az(az-a)")),
              ElementsAre(HasSubstr("cannot hit az(az-a): expected any, any(broker), broker(N)")));
  EXPECT_THAT(ErrorsOf(Replaced("power_loss: any", "power_loss: zookeeper(3)")),
              ElementsAre(HasSubstr("there is no zookeeper(3): the cluster has zookeeper(0) to "
                                    "zookeeper(2)")));
  EXPECT_THAT(ErrorsOf(Replaced("power_loss: any", "power_loss: leader(order-0)")),
              ElementsAre(HasSubstr("there is no leader(order-0) (did you mean \"orders\"?)")));
  EXPECT_THAT(
      ErrorsOf(Replaced("power_loss: any", "power_loss: leader(orders-99)")),
      ElementsAre(HasSubstr("there is no leader(orders-99): orders has the partitions 0 to")));
  EXPECT_THAT(
      ErrorsOf(Replaced("client(producer-1)", "client(producer-9)")),
      ElementsAre(HasSubstr("there is no client(producer-9) (did you mean \"producer-0\"?)")));
  EXPECT_THAT(ErrorsOf(Replaced("cut: one-way", "cut: oneway")),
              ElementsAre(HasSubstr(R"(got "oneway" (did you mean "one-way"?))")));
  EXPECT_THAT(ErrorsOf(Replaced("power_loss: any, for: 8s", "disk_error: any")),
              ElementsAre(HasSubstr(R"(disk_error: "operation" is missing)")));
  EXPECT_THAT(ErrorsOf(Replaced("down: 1s..5s", "down: 1s..5s, for: 1s")),
              ElementsAre(HasSubstr("says the same")));
}

TEST(LoaderTest, ReadsWhatAFaultWaitsFor) {
  const LoadedScenario loaded = LoadScenario(
      "x.yaml",
      Replaced("{ at: 5s, power_loss: any, for: 8s }",
               "{ when: { isr_shrinks: orders-5 }, after: 0s..2ms, power_loss: here }"),
      {});
  ASSERT_THAT(Lines(loaded), IsEmpty());
  const TimelineFault& fault = loaded.scenario->timeline[0];
  EXPECT_EQ(fault.at, absl::ZeroDuration());
  ASSERT_TRUE(fault.fault.when.has_value());
  EXPECT_EQ(fault.fault.when->event, faults::Moment::Event::kIsrShrinks);
  EXPECT_EQ(fault.fault.when->topic, "orders");
  EXPECT_EQ(fault.fault.when->partition, 5);
  EXPECT_EQ(fault.fault.after.high, absl::Milliseconds(2));
  EXPECT_EQ(fault.fault.target.role, faults::Aim::Role::kHere);
  const std::string resolved = ResolvedYaml(*loaded.scenario);
  const LoadedScenario again = LoadScenario("y.yaml", resolved, {});
  ASSERT_THAT(Lines(again), IsEmpty()) << resolved;
  EXPECT_TRUE(SameScenario(*loaded.scenario, *again.scenario)) << resolved;
}

TEST(LoaderTest, ChecksWhatAFaultWaitsFor) {
  const auto errors = [](std::string_view fault) {
    return ErrorsOf(Replaced("{ at: 5s, power_loss: any, for: 8s }", fault));
  };
  EXPECT_THAT(
      errors("{ when: { isr_shrink: orders-0 }, power_loss: any }"),
      ElementsAre(HasSubstr(R"(unknown event "isr_shrink" (did you mean "isr_shrinks"?))")));
  EXPECT_THAT(errors("{ when: { isr_shrinks: orders }, power_loss: any }"),
              ElementsAre(HasSubstr("expected a partition, as in orders-0, or any")));
  EXPECT_THAT(errors("{ when: { isr_shrinks: orders-6 }, power_loss: any }"),
              ElementsAre(HasSubstr("orders has the partitions 0 to 5")));
  EXPECT_THAT(errors("{ when: { controller_elected: orders-0 }, power_loss: any }"),
              ElementsAre(HasSubstr("expected any, got \"orders-0\"")));
  EXPECT_THAT(errors("{ when: isr_shrinks, power_loss: any }"),
              ElementsAre(HasSubstr("when: expected one event")));
  EXPECT_THAT(errors("{ at: 1s, after: 1ms, power_loss: any }"),
              ElementsAre(HasSubstr("there is no \"when\"")));
  EXPECT_THAT(errors("{ at: 1s, power_loss: here }"), ElementsAre(HasSubstr("\"here\" is where")));
  EXPECT_THAT(errors("{ when: { isr_shrinks: any }, elect_leaders: any }"),
              ElementsAre(HasSubstr("operators do not wait for events")));
}

TEST(LoaderTest, RefusesFaultsOfWhatTheClusterDoesNotHave) {
  EXPECT_THAT(ErrorsOf(Replaced("power_loss: any, for: 8s", "drift_vip: any")),
              ElementsAre(HasSubstr("drift_vip: the cluster has no VIP")));
  EXPECT_THAT(ErrorsOf(WithVip(Replaced("power_loss: any, for: 8s", "drift_vip: any"), "0s")),
              ElementsAre(HasSubstr("drift: expected more than 0s")));
}

TEST(LoaderTest, ReportsEveryErrorInTheOrderOfTheFile) {
  std::string text = Replaced("seeds: 1..2000", "seeds: many");
  text.replace(text.find("partitions: 6"), 13, "partition: 6");
  text.replace(text.find("kind: consumer"), 14, "kind: cosumer");
  text.replace(text.find("heal: 10s"), 9, "heal: 10");
  EXPECT_THAT(ErrorsOf(text),
              ElementsAre(StartsWith("x.yaml:12:21: error:"), StartsWith("x.yaml:15:13: error:"),
                          StartsWith("x.yaml:16:41: error:"), StartsWith("x.yaml:24:8: error:")));
}

TEST(LoaderTest, RefusesWhatOnlyMakesYamlHarder) {
  EXPECT_THAT(ErrorsOf(Replaced("topic: orders", "topic: &o orders")),
              ElementsAre(HasSubstr("anchors")));
  EXPECT_THAT(ErrorsOf("a: &x [1]\nb: *x\n"),
              ElementsAre(HasSubstr(":1:4: error: anchors"), HasSubstr(":2:4: error: aliases")));
  EXPECT_THAT(ErrorsOf(Replaced("count: 3", "count: !!int 3")), ElementsAre(HasSubstr("tags")));
  EXPECT_THAT(ErrorsOf(Whole() + "---\nhighwater: 1\n"), ElementsAre(HasSubstr("second document")));
}

TEST(LoaderTest, PlacesErrorsOfSyntax) {
  EXPECT_THAT(ErrorsOf("highwater: 1\nname: [a\ncluster: {}\n"),
              ElementsAre(AllOf(StartsWith("x.yaml:"), HasSubstr("not YAML"))));
  EXPECT_THAT(ErrorsOf(std::string(100, '[')), ElementsAre(HasSubstr("deeper than 32")));
  EXPECT_THAT(ErrorsOf(std::string(2 << 20, 'x')), ElementsAre(HasSubstr("larger than")));
}

TEST(LoaderTest, SettingsThatDoNotGoTogetherAreAnErrorOfTheirMap) {
  LoadContext context;
  context.validate_together = [](SettingScope scope, const Settings& settings) -> absl::Status {
    if (scope != SettingScope::kProducer) return absl::OkStatus();
    EXPECT_EQ(*FindSetting(settings, "acks"), "all");
    return absl::InvalidArgumentError("enable.idempotence: with it acks must be all");
  };
  EXPECT_THAT(ErrorsOf(Whole(), context),
              ElementsAre(HasSubstr("x.yaml:14:84: error: enable.idempotence: with it")));
}

TEST(LoaderTest, AsksTheContextAboutSettingsAndInvariants) {
  LoadContext context;
  context.validate_setting = [](SettingScope scope, std::string_view name,
                                std::string_view value) -> absl::Status {
    if (scope != SettingScope::kProducer) return absl::OkStatus();
    if (name != "acks") return absl::InvalidArgumentError("unknown producer setting");
    if (value != "all") return absl::InvalidArgumentError("acks: expected 0, 1 or all");
    return absl::OkStatus();
  };
  context.setting_names = [](SettingScope) { return std::vector<std::string>{"acks"}; };
  context.invariants = {{"acked-durable", ""}, {"phantom", ""}};
  EXPECT_THAT(Lines(LoadScenario("x.yaml", Whole(), context)), IsEmpty());
  EXPECT_THAT(ErrorsOf(Replaced("acks: all", "ack: all"), context),
              ElementsAre(AllOf(HasSubstr("x.yaml:14:86: error: unknown producer setting"),
                                HasSubstr(R"((did you mean "acks"?))"))));
  EXPECT_THAT(ErrorsOf(Replaced("acks: all", "acks: 7"), context),
              ElementsAre(HasSubstr("x.yaml:14:92: error: acks: expected")));
  EXPECT_THAT(ErrorsOf(Replaced("expect: [acked-durable]", "expect: [acked-durabel]"), context),
              ElementsAre(HasSubstr(R"(did you mean "acked-durable"?)")));
  EXPECT_THAT(ErrorsOf(Replaced("invariants: all", "invariants: [phantom, ghost]"), context),
              ElementsAre(HasSubstr(R"(unknown invariant "ghost")")));
}

TEST(LoaderTest, AMessageCannotMoveTheTerminalsCursor) {
  for (const std::string& line : ErrorsOf(Replaced("topic: orders", R"(topic: "\e[2J\n")"))) {
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  }
}

TEST(LoaderTest, TheResolvedFormLoadsAsTheSameScenario) {
  const LoadedScenario first = LoadScenario("x.yaml", WithVip(Whole(), "5s"), {});
  ASSERT_TRUE(first.scenario.has_value());
  EXPECT_EQ(first.scenario->cluster.vip->drift, absl::Seconds(5));
  const std::string resolved = ResolvedYaml(*first.scenario);
  const LoadedScenario second = LoadScenario("y.yaml", resolved, {});
  ASSERT_THAT(Lines(second), IsEmpty()) << resolved;
  EXPECT_TRUE(SameScenario(*first.scenario, *second.scenario)) << resolved;
}

TEST(LoaderTest, FindsTheFilesOfAFolderSorted) {
  const std::filesystem::path root = std::filesystem::path(testing::TempDir()) / "loader_test";
  std::filesystem::create_directories(root / "b");
  for (const char* name : {"z.yaml", "b/a.yaml", "note.txt"}) std::ofstream(root / name) << "x";
  EXPECT_THAT(*FindScenarioFiles(root.string()),
              ElementsAre((root / "b/a.yaml").string(), (root / "z.yaml").string()));
  EXPECT_FALSE(FindScenarioFiles((root / "none").string()).ok());
  std::filesystem::remove_all(root);
}

TEST(FaultTableTest, DefaultsAndLimitsLoad) {
  for (const FaultKind& kind : FaultTable()) {
    std::string extra;
    for (const FaultParameter& p : kind.parameters) {
      if (!p.default_value.empty()) continue;
      extra += fmt::format(", {}: {}", p.name,
                           p.type == ParameterType::kChoice    ? p.choices[0]
                           : p.type == ParameterType::kSetting ? "retention.ms=60000"
                                                               : p.maximum);
    }
    const std::string fault = fmt::format("{}: any{}", kind.name, extra);
    const std::string text = WithVip(Replaced("power_loss: any, for: 8s", fault), "5s");
    EXPECT_THAT(Lines(LoadScenario("x.yaml", text, {})), IsEmpty()) << fault;
  }
}

// Whatever a slip of the hand makes of a valid file, there is a scenario, or an error that says
// where.
RC_GTEST_PROP(LoaderTest, AMutatedFileGivesAScenarioOrAPlacedError, ()) {
  std::string text = Whole();
  const int edits = *rc::gen::inRange(1, 4);
  for (int i = 0; i < edits; ++i) {
    const auto at = *rc::gen::inRange<size_t>(0, text.size());
    const auto length = *rc::gen::inRange<size_t>(0, 12);
    const auto insert =
        *rc::gen::element<std::string>("", "x", ":", "[", "}", "\n", "- ", "9", "\"", "#", "{a: b}",
                                       "\t", "&a ", "..", "%", "\xff");
    text.replace(at, length, insert);
  }
  const LoadedScenario loaded = LoadScenario("x.yaml", text, {});
  bool errors = false;
  for (const Diagnostic& d : loaded.diagnostics) {
    if (d.severity != Severity::kError) continue;
    errors = true;
    RC_ASSERT(d.line > 0);
    RC_ASSERT(d.column > 0);
    RC_ASSERT(!d.message.empty());
  }
  RC_ASSERT(errors != loaded.scenario.has_value());
  if (loaded.scenario) {
    const LoadedScenario again = LoadScenario("x.yaml", ResolvedYaml(*loaded.scenario), {});
    RC_ASSERT(again.scenario.has_value());
    RC_ASSERT(SameScenario(*loaded.scenario, *again.scenario));
  }
}

}  // namespace
}  // namespace highwater::scenarios
