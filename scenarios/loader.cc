#include "scenarios/loader.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>

#include "scenarios/drawn_settings.h"
#include "scenarios/load_faults.h"
#include "scenarios/map_reader.h"
#include "scenarios/yaml_tree.h"

namespace highwater::scenarios {
namespace {

constexpr int64_t kFormatVersion = 1;
constexpr int64_t kMostBrokers = 1000;
constexpr int64_t kMostPartitions = 100'000;
constexpr int64_t kMostClients = 1000;
constexpr int64_t kLargestRecord = 64 << 20;
// Of drawn settings that are checked together.
constexpr size_t kMostCombinations = 2000;

absl::StatusOr<std::string> ParseText(std::string_view text) { return std::string(text); }

auto CountWithin(int64_t low, int64_t high) {
  return [low, high](std::string_view text) -> absl::StatusOr<int64_t> {
    absl::StatusOr<int64_t> count = ParseCount(text);
    if (count.ok() && (*count < low || *count > high)) {
      return absl::InvalidArgumentError(
          fmt::format("expected a number from {} to {}, got {}", low, high, text));
    }
    return count;
  };
}

auto DurationWithin(absl::Duration low, absl::Duration high) {
  return [low, high](std::string_view text) -> absl::StatusOr<absl::Duration> {
    absl::StatusOr<absl::Duration> duration = ParseDuration(text);
    if (duration.ok() && (*duration < low || *duration > high)) {
      return absl::InvalidArgumentError(fmt::format("expected a time from {} to {}, got {}",
                                                    DurationText(low), DurationText(high), text));
    }
    return duration;
  };
}

// A latency or a device's time: never negative, and short enough to be one.
absl::StatusOr<DurationRange> ParseLatency(std::string_view text) {
  absl::StatusOr<DurationRange> range = ParseDurationRange(text);
  if (range.ok() && (range->low < absl::ZeroDuration() || range->high > absl::Minutes(1))) {
    return absl::InvalidArgumentError(
        fmt::format("expected a time or a range of times from 0s to 1m, got {}", text));
  }
  return range;
}

absl::StatusOr<std::optional<DurationRange>> ParseOptionalDurationRange(std::string_view text) {
  absl::StatusOr<DurationRange> range = ParseDurationRange(text);
  if (!range.ok()) return range.status();
  return *range;
}

auto OneOf(std::vector<std::string_view> words) {
  return [words = std::move(words)](std::string_view text) -> absl::StatusOr<size_t> {
    const auto found = std::find(words.begin(), words.end(), text);
    if (found != words.end()) return static_cast<size_t>(found - words.begin());
    return absl::InvalidArgumentError(fmt::format("expected {}, got \"{}\"{}",
                                                  fmt::join(words, " or "), text.substr(0, 40),
                                                  DidYouMean(text, words)));
  };
}

bool IsWord(std::string_view text, std::string_view extra, size_t longest) {
  return !text.empty() && text.size() <= longest &&
         std::all_of(text.begin(), text.end(), [extra](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  extra.find(c) != std::string_view::npos;
         });
}

absl::StatusOr<std::string> ParseSlug(std::string_view text) {
  if (IsWord(text, "-", 80) && text[0] != '-') return std::string(text);
  return absl::InvalidArgumentError(fmt::format(
      "expected small letters, digits and hyphens, at most 80, got \"{}\"", text.substr(0, 90)));
}

// [Kafka] Topic.validate: letters, digits, '.', '_' and '-', at most 249, neither "." nor "..".
absl::StatusOr<std::string> ParseTopicName(std::string_view text) {
  constexpr std::string_view kExtra = "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
  if (IsWord(text, kExtra, 249) && text != "." && text != "..") return std::string(text);
  return absl::InvalidArgumentError(fmt::format(
      "expected a topic's name: letters, digits, '.', '_' and '-', at most 249, got \"{}\"",
      text.substr(0, 40)));
}

absl::StatusOr<IntegerRange> ParseRecordSize(std::string_view text) {
  absl::StatusOr<IntegerRange> range = ParseSizeRange(text);
  if (range.ok() && (range->low < 1 || range->high > kLargestRecord)) {
    return absl::InvalidArgumentError(
        fmt::format("expected a size from 1B to {}, got {}", FormatSize(kLargestRecord), text));
  }
  return range;
}

absl::StatusOr<Rate> ParseUsableRate(std::string_view text) {
  absl::StatusOr<Rate> rate = ParseRate(text);
  if (rate.ok() && (rate->count < 1 || rate->count > 1'000'000)) {
    return absl::InvalidArgumentError(
        fmt::format("expected a rate from 1 to 1000000 records, got {}", text));
  }
  return rate;
}

class ScenarioReader {
 public:
  ScenarioReader(std::string_view file, const LoadContext& context)
      : context_(context), sink_(file) {
    scenario_.file = std::string(file);
  }

  LoadedScenario Load(std::string_view text) {
    YamlDocument document = ParseYaml(text);
    if (document.diagnostics.empty()) {
      ReadRoot(document.root);
    } else {
      for (Diagnostic& diagnostic : document.diagnostics) sink_.Add(std::move(diagnostic));
    }
    LoadedScenario loaded;
    if (!sink_.HasErrors()) loaded.scenario = std::move(scenario_);
    loaded.diagnostics = sink_.Take();
    return loaded;
  }

 private:
  void ReadRoot(const YamlNode& root) {
    MapReader map(root, "the scenario", sink_);
    if (root.kind != YamlNode::Kind::kMap) return;
    int64_t version = 0;
    const YamlNode* version_node = map.ReadRequired("highwater", "1", ParseCount, version);
    if (version_node != nullptr && version != kFormatVersion) {
      sink_.Error(*version_node,
                  fmt::format("highwater: this program reads version {} of the format, got {}",
                              kFormatVersion, version_node->scalar));
    }
    map.ReadRequired("name", "az-loss-acks-all", ParseSlug, scenario_.name);
    map.Read("about", ParseText, scenario_.about);
    size_t compatibility = 0;
    map.Read("compatibility",
             OneOf({CompatibilityName(Compatibility::kSafe),
                    CompatibilityName(Compatibility::kKafka323)}),
             compatibility);
    scenario_.compatibility = static_cast<Compatibility>(compatibility);
    if (const YamlNode* cluster = map.Require("cluster", "{ brokers: { count: 1 } }")) {
      ReadCluster(*cluster);
    }
    if (const YamlNode* topics = map.Find("topics")) ReadTopics(*topics);
    if (const YamlNode* clients = map.Find("clients")) ReadClients(*clients);
    if (const YamlNode* run = map.Find("run")) ReadRun(*run);
    if (const YamlNode* faults = map.Find("faults"))
      LoadFaults(*faults, context_, sink_, scenario_);
    if (const YamlNode* check = map.Find("check")) ReadCheck(*check);
    if (const YamlNode* expect = map.Find("expect")) {
      scenario_.expect = ListWords(*expect, "expect", sink_);
      CheckInvariants(*expect, "expect");
    }
    if (const YamlNode* regression = map.Find("regression")) ReadRegression(*regression);
    map.Read("seeds", ParseSeedRange, scenario_.seeds);
    map.Finish();
  }

  void ReadCluster(const YamlNode& node) {
    MapReader map(node, "cluster", sink_);
    ClusterSpec& cluster = scenario_.cluster;
    if (const YamlNode* zones = map.Find("zones")) ReadZones(*zones);
    const YamlNode* brokers = map.Require("brokers", "{ count: 3 }");
    const bool counted =
        brokers != nullptr && ReadNodeCount(*brokers, "brokers", 1, kMostBrokers, cluster.brokers);
    const YamlNode* zookeeper = map.Find("zookeeper");
    if (zookeeper != nullptr) {
      ReadNodeCount(*zookeeper, "zookeeper", 0, context_.most_zookeepers, cluster.zookeeper);
    }
    if (!counted) {
      // A count that could not be read must not make further errors of placement and targets.
      cluster.brokers = kMostBrokers;
    } else if (cluster.brokers > 1 && cluster.zookeeper == 0) {
      sink_.Error(
          zookeeper == nullptr ? node : *zookeeper,
          fmt::format(
              "cluster: {} brokers need ZooKeeper to agree: write `zookeeper: {{ count: 3 }}`; "
              "only a single broker is its own controller",
              cluster.brokers));
    }
    ReadSettings(map, SettingScope::kBroker, cluster.settings);
    if (const YamlNode* network = map.Find("network")) {
      MapReader reader(*network, "network", sink_);
      reader.Read("within_zone", ParseLatency, cluster.network.within_zone);
      reader.Read("between_zones", ParseLatency, cluster.network.between_zones);
      reader.Read("bandwidth", ParseBandwidth, cluster.network.bandwidth);
      reader.Finish();
    }
    if (const YamlNode* disk = map.Find("disk")) {
      MapReader reader(*disk, "disk", sink_);
      reader.Read("sync", ParseLatency, cluster.disk.sync);
      reader.Read("read", ParseLatency, cluster.disk.read);
      reader.Read("bandwidth", ParseBandwidth, cluster.disk.bandwidth);
      reader.Read("capacity", ParseSize, cluster.disk.capacity);
      reader.Read("dirty_limit", ParseSize, cluster.disk.dirty_limit);
      reader.Finish();
    }
    if (const YamlNode* vip = map.Find("vip")) {
      MapReader reader(*vip, "vip", sink_);
      const YamlNode* drift = reader.Read("drift", ParseDuration, cluster.vip.emplace().drift);
      if (drift != nullptr && *cluster.vip->drift <= absl::ZeroDuration()) {
        sink_.Error(*drift, fmt::format("drift: expected more than 0s, got {}", drift->scalar));
      }
      reader.Finish();
    }
    map.Finish();
  }

  void ReadZones(const YamlNode& node) {
    std::vector<std::string> zones = ListWords(node, "zones", sink_);
    for (const YamlNode& item : node.items) {
      if (item.kind == YamlNode::Kind::kScalar && !ParseSlug(item.scalar).ok()) {
        sink_.Error(
            item, fmt::format("zones: expected a name of small letters, digits and hyphens, got {}",
                              DescribeYaml(item)));
      }
    }
    if (zones.empty()) {
      sink_.Error(node, "zones: expected at least one name, as in `zones: [az-a, az-b, az-c]`");
      return;
    }
    scenario_.cluster.zones = std::move(zones);
  }

  bool ReadNodeCount(const YamlNode& node, const char* what, int64_t low, int64_t high,
                     int32_t& out) {
    MapReader map(node, what, sink_);
    const bool read = map.ReadRequired("count", "3", CountWithin(low, high), out) != nullptr;
    map.Finish();
    return read;
  }

  void ReadSettings(MapReader& parent, SettingScope scope, Settings& out) {
    const YamlNode* node = parent.Find("settings");
    if (node == nullptr) return;
    MapReader map(*node, fmt::format("the {} settings", SettingScopeName(scope)), sink_);
    bool valid = true;
    while (const YamlNode* key = map.TakeUnknownKey()) {
      std::optional<Setting> setting = ReadSetting(scope, *key, *map.Find(key->scalar));
      valid = setting.has_value() && valid;
      if (setting.has_value()) out.push_back(*std::move(setting));
    }
    if (!valid || !context_.validate_together) return;
    CheckTogether(*node, scope, out);
  }

  // A value, or a list of those that the seed chooses from.
  std::optional<Setting> ReadSetting(SettingScope scope, const YamlNode& key,
                                     const YamlNode& value) {
    if (value.kind == YamlNode::Kind::kScalar) {
      if (!CheckSetting(scope, key, value)) return std::nullopt;
      return Setting{key.scalar, value.scalar};
    }
    if (value.kind != YamlNode::Kind::kSequence || value.items.empty()) {
      sink_.Error(value,
                  fmt::format("{}: expected a value, or a list of those that the seed chooses "
                              "from, got {}",
                              key.scalar, DescribeYaml(value)));
      return std::nullopt;
    }
    std::vector<std::string> choices = ListWords(value, key.scalar, sink_);
    bool valid = choices.size() == value.items.size();
    for (const YamlNode& item : value.items) {
      if (item.kind == YamlNode::Kind::kScalar) valid = CheckSetting(scope, key, item) && valid;
    }
    if (!valid) return std::nullopt;
    return Setting{key.scalar, choices.front(), std::move(choices)};
  }

  // Every combination of what the seed may choose must be valid.
  void CheckTogether(const YamlNode& node, SettingScope scope, const Settings& settings) {
    Settings combination = settings;
    for (size_t tried = 0; tried < kMostCombinations; ++tried) {
      const absl::Status together = context_.validate_together(scope, combination);
      if (!together.ok()) {
        sink_.Error(node, std::string(together.message()));
        return;
      }
      if (!NextCombination(combination)) return;
    }
  }

  // Whether it is one.
  bool CheckSetting(SettingScope scope, const YamlNode& key, const YamlNode& value) {
    if (!context_.validate_setting) return true;
    const absl::Status status = context_.validate_setting(scope, key.scalar, value.scalar);
    if (status.ok()) return true;
    std::string suggestion;
    bool known = true;
    if (context_.setting_names) {
      const std::vector<std::string> names = context_.setting_names(scope);
      known = std::find(names.begin(), names.end(), key.scalar) != names.end();
      const std::vector<std::string_view> views(names.begin(), names.end());
      if (!known) suggestion = DidYouMean(key.scalar, views);
    }
    const absl::string_view message = status.message();
    sink_.Error(known ? value : key,
                fmt::format("{}{}", std::string_view(message.data(), message.size()), suggestion));
    return false;
  }

  void ReadTopics(const YamlNode& node) {
    std::map<std::string, int> lines;
    size_t index = 0;
    for (const YamlNode& item : ListItems(node, "topics", sink_)) {
      MapReader map(item, fmt::format("topics[{}]", index++), sink_);
      TopicSpec topic;
      const YamlNode* name = map.ReadRequired("name", "orders", ParseTopicName, topic.name);
      map.Read("partitions", CountWithin(1, kMostPartitions), topic.partitions);
      const YamlNode* replicas = map.Read("replicas", CountWithin(1, kMostBrokers), topic.replicas);
      ReadSettings(map, SettingScope::kTopic, topic.settings);
      map.Finish();
      if (name != nullptr) {
        const auto [first, is_new] = lines.emplace(topic.name, name->line);
        if (!is_new) {
          sink_.Error(*name, fmt::format("topic \"{}\" was described in line {} already",
                                         topic.name, first->second));
        }
      }
      CheckPlacement(item, replicas, topic);
      scenario_.topics.push_back(std::move(topic));
    }
  }

  void CheckPlacement(const YamlNode& item, const YamlNode* replicas, const TopicSpec& topic) {
    const YamlNode& place = replicas == nullptr ? item : *replicas;
    const ClusterSpec& cluster = scenario_.cluster;
    if (topic.replicas > cluster.brokers) {
      sink_.Error(place,
                  fmt::format("replicas: {} replicas cannot be placed on {} broker{}",
                              topic.replicas, cluster.brokers, cluster.brokers == 1 ? "" : "s"));
    } else if (topic.replicas > static_cast<int64_t>(cluster.zones.size()) &&
               cluster.zones.size() > 1) {
      sink_.Warning(place,
                    fmt::format("replicas: {} replicas share {} zones: losing one zone can take "
                                "two replicas",
                                topic.replicas, cluster.zones.size()));
    }
    constexpr std::string_view kMinIsr = "min.insync.replicas";
    const int64_t min_isr = GreatestValue(kMinIsr, topic.settings, cluster.settings);
    if (min_isr > topic.replicas) {
      sink_.Error(place,
                  fmt::format("{}: {} of {} replicas can never be in sync: acks=all would always "
                              "fail",
                              kMinIsr, min_isr, topic.replicas));
    }
  }

  void ReadClients(const YamlNode& node) {
    size_t index = 0;
    for (const YamlNode& item : ListItems(node, "clients", sink_)) {
      MapReader map(item, fmt::format("clients[{}]", index++), sink_);
      ClientSpec client;
      size_t kind = 0;
      map.ReadRequired("kind", "producer", OneOf({"producer", "consumer"}), kind);
      client.kind = kind == 0 ? ClientKind::kProducer : ClientKind::kConsumer;
      map.Read("count", CountWithin(1, kMostClients), client.count);
      ReadClientTopics(map, client);
      if (client.kind == ClientKind::kProducer) {
        map.Read("rate", ParseUsableRate, client.rate);
        map.Read("record", ParseRecordSize, client.record);
        map.Read("keys", CountWithin(0, 1'000'000'000), client.keys);
      }
      ReadSettings(
          map,
          client.kind == ClientKind::kProducer ? SettingScope::kProducer : SettingScope::kConsumer,
          client.settings);
      map.Finish();
      scenario_.clients.push_back(std::move(client));
    }
  }

  void ReadClientTopics(MapReader& map, ClientSpec& client) {
    const YamlNode* one = map.Find("topic");
    const YamlNode* several = map.Find("topics");
    if (one != nullptr && several != nullptr) {
      sink_.Error(*several, "topics: \"topic\" is given already: give one of them");
    } else if (one == nullptr && several == nullptr) {
      if (map.node().kind == YamlNode::Kind::kMap) {
        sink_.Error(map.node(),
                    fmt::format("{}: which topic? write for example `topic: orders`", map.what()));
      }
    } else if (one != nullptr) {
      if (one->kind != YamlNode::Kind::kScalar) {
        sink_.Error(*one, fmt::format("topic: expected one name, got {}", DescribeYaml(*one)));
        return;
      }
      client.topics.push_back(one->scalar);
      CheckTopic(*one);
    } else {
      client.topics = ListWords(*several, "topics", sink_);
      if (client.topics.empty()) sink_.Error(*several, "topics: expected at least one name");
      for (const YamlNode& item : several->items) CheckTopic(item);
    }
  }

  void CheckTopic(const YamlNode& node) {
    if (node.kind != YamlNode::Kind::kScalar) return;
    std::vector<std::string_view> names;
    for (const TopicSpec& topic : scenario_.topics) names.push_back(topic.name);
    if (std::find(names.begin(), names.end(), node.scalar) != names.end()) return;
    sink_.Error(node, fmt::format("topic {} is not described under `topics`{}", DescribeYaml(node),
                                  DidYouMean(node.scalar, names)));
  }

  void ReadRun(const YamlNode& node) {
    MapReader map(node, "run", sink_);
    RunSpec& run = scenario_.run;
    map.Read("warmup", DurationWithin(absl::ZeroDuration(), absl::Hours(1)), run.warmup);
    map.Read("duration", DurationWithin(absl::Milliseconds(1), absl::Hours(24)), run.duration);
    map.Read("heal", DurationWithin(absl::ZeroDuration(), absl::Hours(1)), run.heal);
    size_t strategy = static_cast<size_t>(run.strategy);
    map.Read("strategy", OneOf({"mixed", "fifo", "random", "pct"}), strategy);
    run.strategy = static_cast<Strategy>(strategy);
    size_t heal_with = static_cast<size_t>(run.heal_with);
    map.Read("heal_with", OneOf({"drawn", "all", "core"}), heal_with);
    run.heal_with = static_cast<HealWith>(heal_with);
    const YamlNode* watch = map.Read("watch", ParseOptionalDurationRange, run.watch);
    if (watch != nullptr && (run.watch->low < absl::ZeroDuration() ||
                             run.watch->low == run.watch->high || run.watch->high > run.duration)) {
      sink_.Error(*watch, fmt::format("watch: expected a range of times from 0s to {} "
                                      "(run.duration), got {}",
                                      DurationText(run.duration), watch->scalar));
    }
    map.Finish();
  }

  void ReadRegression(const YamlNode& node) {
    MapReader map(node, "regression", sink_);
    Regression regression;
    map.ReadRequired("rule", "acked-durable", ParseText, regression.rule);
    map.ReadRequired("found", "2026-11-22", ParseText, regression.found);
    map.ReadRequired("build", "4f2c1e9", ParseText, regression.build);
    SeedRange seed{0, 0};
    map.ReadRequired("seed", "417", ParseSeedRange, seed);
    regression.seed = seed.first;
    map.Read("issue", ParseText, regression.issue);
    map.Read("mutant", ParseText, regression.mutant);
    map.Read("shown", ParseText, regression.shown);
    map.Finish();
    scenario_.regression = std::move(regression);
  }

  void ReadCheck(const YamlNode& node) {
    MapReader map(node, "check", sink_);
    CheckSpec& check = scenario_.check;
    size_t guarantee = static_cast<size_t>(check.guarantee);
    map.Read("guarantee", OneOf({"within", "any"}), guarantee);
    check.guarantee = static_cast<Guarantee>(guarantee);
    if (const YamlNode* invariants = map.Find("invariants")) {
      if (invariants->kind == YamlNode::Kind::kSequence) {
        check.all_invariants = false;
        check.invariants = ListWords(*invariants, "invariants", sink_);
        if (check.invariants.empty()) {
          sink_.Error(*invariants, "invariants: an empty list checks nothing");
        }
        CheckInvariants(*invariants, "invariants");
      } else if (invariants->kind != YamlNode::Kind::kScalar || invariants->scalar != "all") {
        sink_.Error(*invariants,
                    fmt::format("invariants: expected `all` or a list of invariants, got {}",
                                DescribeYaml(*invariants)));
      }
    }
    map.Finish();
  }

  void CheckInvariants(const YamlNode& list, std::string_view what) {
    if (context_.invariants.empty()) return;
    std::vector<std::string_view> ids;
    for (const InvariantInfo& invariant : context_.invariants) ids.push_back(invariant.id);
    for (const YamlNode& item : list.items) {
      if (item.kind != YamlNode::Kind::kScalar) continue;
      if (std::find(ids.begin(), ids.end(), item.scalar) != ids.end()) continue;
      const std::string suggestion = DidYouMean(item.scalar, ids);
      sink_.Error(item, fmt::format("{}: unknown invariant {}{}", what, DescribeYaml(item),
                                    suggestion.empty() ? "; `highwater list invariants` prints all"
                                                       : suggestion));
    }
  }

  const LoadContext& context_;
  DiagnosticSink sink_;
  Scenario scenario_;
};

}  // namespace

LoadedScenario LoadScenario(std::string_view file, std::string_view text,
                            const LoadContext& context) {
  return ScenarioReader(file, context).Load(text);
}

LoadedScenario LoadScenarioFile(const std::string& path, const LoadContext& context) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad()) {
    LoadedScenario loaded;
    loaded.diagnostics.push_back({.file = path, .message = "cannot read this file"});
    return loaded;
  }
  return LoadScenario(path, text.str(), context);
}

absl::StatusOr<std::vector<std::string>> FindScenarioFiles(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    return absl::NotFoundError(fmt::format("{}: no such file or folder", path));
  }
  if (!fs::is_directory(status)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_regular_file(error) && it->path().extension() == ".yaml" &&
        it->path().filename() != kClaimsFileName) {
      files.push_back(it->path().generic_string());
    }
  }
  if (error) return absl::NotFoundError(fmt::format("{}: {}", path, error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace highwater::scenarios
