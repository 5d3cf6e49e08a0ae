#pragma once

// Scenario: one YAML file as values: a cluster, its load, what breaks, what must hold (docs: the
// scenario reference).
//
// The loader fills in every default and checks everything that can be checked without running:
// whoever reads a Scenario need not look for missing parameters, unknown names or values out of
// range. It says nothing of how a world is built from it.
//
// Invariants (kept by the loader)
// 1. Every topic that a client names is in `topics`; replicas <= brokers; at least one broker and
// one zone.
// 2. Every fault's kind is in the fault table and its parameters hold exactly the table's names,
// defaults filled in.
// 3. Settings are strings under Kafka's own names, in the order of the file, each name once; one
// with choices has the first of them for its value, and each choice is valid by itself.

#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "faults/fault_order.h"
#include "faults/moment.h"
#include "scenarios/quantity.h"

namespace highwater::scenarios {

struct Setting {
  std::string name;
  std::string value;
  // What the seed chooses `value` from (drawn_settings.h); empty: it is what it is.
  std::vector<std::string> choices = {};
  friend bool operator==(const Setting&, const Setting&) = default;
};
using Settings = std::vector<Setting>;

// The value of `name`, or null.
[[nodiscard]] inline const std::string* FindSetting(const Settings& settings,
                                                    std::string_view name) {
  for (const Setting& setting : settings) {
    if (setting.name == name) return &setting.value;
  }
  return nullptr;
}

// What is not given is the simulator's to choose.
struct NetworkSpec {
  std::optional<DurationRange> within_zone;    // one-way latency
  std::optional<DurationRange> between_zones;  // one-way latency
  std::optional<int64_t> bandwidth;            // bytes a second, each host and direction
  friend bool operator==(const NetworkSpec&, const NetworkSpec&) = default;
};

struct DiskSpec {
  std::optional<DurationRange> sync;   // how long a sync takes beside the bytes it writes
  std::optional<DurationRange> read;   // a read that misses the page cache
  std::optional<int64_t> bandwidth;    // bytes a second
  std::optional<int64_t> capacity;     // bytes
  std::optional<int64_t> dirty_limit;  // bytes of unwritten pages at which a writer waits
  friend bool operator==(const DiskSpec&, const DiskSpec&) = default;
};

// One address in front of all brokers, with a port for each: clients know nothing else.
struct VipSpec {
  // By itself it drifts so long after its node was lost; none: only when told to.
  std::optional<absl::Duration> drift;
  friend bool operator==(const VipSpec&, const VipSpec&) = default;
};

// Which decisions the brokers take where Kafka 3.2.3 is known to be weak (docs/weak-points.md).
enum class Compatibility {
  kSafe,      // the repaired ones
  kKafka323,  // the original ones
};
[[nodiscard]] std::string_view CompatibilityName(Compatibility compatibility);

struct ClusterSpec {
  std::vector<std::string> zones = {"az-a"};  // broker i is in zone i mod n
  int32_t brokers = 1;                        // broker-0 … broker-(n-1)
  int32_t zookeeper = 0;                      // 0: one broker that is its own controller
  Settings settings;
  NetworkSpec network;
  DiskSpec disk;
  std::optional<VipSpec> vip;  // none: clients go to the brokers themselves
  friend bool operator==(const ClusterSpec&, const ClusterSpec&) = default;
};

struct TopicSpec {
  std::string name;
  int32_t partitions = 1;
  int32_t replicas = 1;
  Settings settings;
  friend bool operator==(const TopicSpec&, const TopicSpec&) = default;
};

enum class ClientKind { kProducer, kConsumer };
[[nodiscard]] std::string_view ClientKindName(ClientKind kind);

struct ClientSpec {
  ClientKind kind = ClientKind::kProducer;
  int32_t count = 1;                // so many clients of this description
  std::vector<std::string> topics;  // a producer spreads its records over all of them
  Rate rate{10, absl::Seconds(1)};  // producers: records of each client
  IntegerRange record{100, 100};    // producers: bytes of a record's value
  int64_t keys = 0;                 // producers: distinct keys; 0: records without key
  Settings settings;
  friend bool operator==(const ClientSpec&, const ClientSpec&) = default;
};

enum class Strategy { kMixed, kFifo, kRandom, kPct };  // mixed: the seed chooses one of the others
[[nodiscard]] std::string_view StrategyName(Strategy strategy);

// What is up while the cluster heals. All: every link is mended and every dead host started, once.
// Core: one zone is left to the faults, or ends there and then, and stays away; the rest must do
// without it. Drawn: the seed chooses, where the rest can (scenarios/world/zone_left_out.h).
enum class HealWith { kDrawn, kAll, kCore };
[[nodiscard]] std::string_view HealWithName(HealWith with);

struct RunSpec {
  absl::Duration warmup = absl::Seconds(2);  // no faults yet
  absl::Duration duration =
      absl::Seconds(20);                    // load and faults; a fault's `at` counts from its start
  absl::Duration heal = absl::Seconds(10);  // faults are over; the checks at rest
  Strategy strategy = Strategy::kMixed;
  HealWith heal_with = HealWith::kDrawn;
  // When it is counted who can write, after the warm-up.
  std::optional<DurationRange> watch;
  friend bool operator==(const RunSpec&, const RunSpec&) = default;
};

// Whom a fault hits: a role, resolved when it fires.
using Target = faults::Aim;

// What a parameter holds follows from its type in the fault table: a duration or a range of them; a
// count, bytes, or parts per million; a choice's word; a target.
using ParameterValue = std::variant<DurationRange, IntegerRange, std::string, Target>;

struct FaultSpec {
  std::string kind;  // its name in the fault table
  Target target;
  // The event that it waits for, once its time has come, and how long after it is tried. None: it
  // is tried at its time.
  std::optional<faults::Moment> when;
  DurationRange after;
  std::map<std::string, ParameterValue, std::less<>> parameters;
  std::string place;  // where it was written: `faults.timeline[0]`, `faults.random[1]`

  // REQUIRES: the fault table gives this kind a parameter `name` of that type.
  [[nodiscard]] const DurationRange& DurationOf(std::string_view name) const;
  [[nodiscard]] const IntegerRange& IntegerOf(std::string_view name) const;
  [[nodiscard]] const std::string& ChoiceOf(std::string_view name) const;
  [[nodiscard]] const Target& TargetOf(std::string_view name) const;

  friend bool operator==(const FaultSpec&, const FaultSpec&) = default;
};

struct TimelineFault {
  absl::Duration at;  // after the warm-up
  FaultSpec fault;
  friend bool operator==(const TimelineFault&, const TimelineFault&) = default;
};

struct RandomFault {
  absl::Duration every;  // mean distance of two of them, drawn
  FaultSpec fault;
  friend bool operator==(const RandomFault&, const RandomFault&) = default;
};

enum class Guarantee {
  kWithin,  // judged only while the run is within what the configuration guarantees
  kAny,     // every loss counts, also one that the configuration permits
};

struct CheckSpec {
  Guarantee guarantee = Guarantee::kWithin;
  bool all_invariants = true;
  std::vector<std::string> invariants;  // where not all
  friend bool operator==(const CheckSpec&, const CheckSpec&) = default;
};

// Where a scenario comes from that was made of a failure (`highwater pin`). What it says is kept
// for people, and for `highwater pin --check`.
struct Regression {
  std::string rule;   // the invariant that was violated: `acked-durable`
  std::string found;  // the day: `2026-11-22`
  std::string build;  // on which
  uint64_t seed = 0;  // of the run that it was made of
  std::string issue;  // may be empty
  // The defect of the zoo that was planted. Empty: the product of that day, or a known limit.
  std::string mutant;
  std::string shown;  // `37 of 100 seeds`: on that build, with that defect
  friend bool operator==(const Regression&, const Regression&) = default;
};

// One crash, just before an effect of a server on its files or the network, counted from 1 at the
// end of the warm-up: a run for each effect in turn leaves no place in between untried.
struct EffectCrash {
  faults::Aim victim;   // resolved at the end of the warm-up
  uint64_t effect = 0;  // 0: none, effects are only counted (SeedResult::victim_effects)
  bool power_loss = false;
  absl::Duration down;  // until it is started again
  friend bool operator==(const EffectCrash&, const EffectCrash&) = default;
};

// What a seed would draw, as values (materialise.h).
struct Materialised {
  std::vector<faults::FaultOrder> orders;  // in the order of their times
  std::optional<EffectCrash> effect_crash;
  std::optional<int64_t> operations;  // each producer sends at most so many records
  friend bool operator==(const Materialised&, const Materialised&) = default;
};

struct Scenario {
  std::string name;
  std::string about;
  std::string file;  // as the user named it; part of no comparison
  Compatibility compatibility = Compatibility::kSafe;
  ClusterSpec cluster;
  std::vector<TopicSpec> topics;
  std::vector<ClientSpec> clients;
  RunSpec run;
  std::vector<TimelineFault> timeline;
  std::vector<RandomFault> random;
  int64_t aftershocks_ppm = 0;  // how many of the random faults another one follows closely
  CheckSpec check;
  std::vector<std::string> expect;  // invariants known to be violated here
  std::optional<Regression> regression;
  SeedRange seeds{1, 100};
  // Never from a file: where given, it stands for `timeline` and `random`, which are empty.
  std::optional<Materialised> materialised;
};

// Equal but for the file's name.
[[nodiscard]] bool SameScenario(const Scenario& a, const Scenario& b);

// `producer-0`, `producer-1`, `consumer-0`, …: numbered by kind, in the order of the file. One
// entry a client.
struct NamedClient {
  std::string name;
  const ClientSpec* spec;
};
[[nodiscard]] std::vector<NamedClient> ClientsOf(const Scenario& scenario);

// `retention.ms=60000` as name and value; empty where there is no `=`.
[[nodiscard]] std::pair<std::string_view, std::string_view> SplitSetting(std::string_view text);

// The fault kinds that this scenario switches on, each once, sorted.
[[nodiscard]] std::vector<std::string> EnabledFaults(const Scenario& scenario);

}  // namespace highwater::scenarios
