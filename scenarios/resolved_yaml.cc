#include "scenarios/resolved_yaml.h"

#include <fmt/format.h>

#include <iterator>

#include "core/check.h"
#include "scenarios/fault_table.h"

namespace highwater::scenarios {
namespace {

// Any text as a double-quoted YAML scalar.
std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

template <typename Words>
std::string QuoteList(const Words& words) {
  std::string list = "[";
  for (const auto& word : words)
    list += fmt::format("{}{}", list.size() == 1 ? "" : ", ", Quote(word));
  return list + "]";
}

std::string SettingsMap(const Settings& settings) {
  if (settings.empty()) return "{}";
  std::string map = "{ ";
  for (const Setting& setting : settings) {
    map += fmt::format("{}{}: {}", map.size() == 2 ? "" : ", ", Quote(setting.name),
                       setting.choices.empty() ? Quote(setting.value) : QuoteList(setting.choices));
  }
  return map + " }";
}

// `{ key: value, … }` of those values that are given.
class FlowMap {
 public:
  void Add(std::string_view key, std::string_view value) {
    text_ += fmt::format("{}{}: {}", text_.empty() ? "" : ", ", key, value);
  }
  template <typename Value, typename Format>
  void AddOptional(std::string_view key, const std::optional<Value>& value, Format format) {
    if (value) Add(key, format(*value));
  }
  [[nodiscard]] std::string Finish() const {
    return text_.empty() ? "{}" : fmt::format("{{ {} }}", text_);
  }

 private:
  std::string text_;
};

std::string FormatParameter(const FaultParameter& parameter, const ParameterValue& value) {
  switch (parameter.type) {
    case ParameterType::kDuration:
      return FormatDurationRange(std::get<DurationRange>(value));
    case ParameterType::kCount:
      return FormatCountRange(std::get<IntegerRange>(value));
    case ParameterType::kSize:
      return FormatSizeRange(std::get<IntegerRange>(value));
    case ParameterType::kPercent:
      return FormatPercentRange(std::get<IntegerRange>(value));
    case ParameterType::kChoice:
    case ParameterType::kBrokers:
    case ParameterType::kSetting:
      return Quote(std::get<std::string>(value));
    case ParameterType::kTarget:
      return Quote(faults::FormatAim(std::get<Target>(value)));
  }
  HW_UNREACHABLE("parameter type {}", static_cast<int>(parameter.type));
}

void AddMoment(const FaultSpec& fault, FlowMap& map) {
  if (!fault.when.has_value()) return;
  map.Add("when", fmt::format("{{ {}: {} }}", faults::KindOf(fault.when->event).name,
                              Quote(faults::FormatMomentOf(*fault.when))));
  map.Add("after", FormatDurationRange(fault.after));
}

void AddParameters(const FaultSpec& fault, FlowMap& map) {
  const FaultKind* kind = FindFaultKind(fault.kind);
  HW_CHECK(kind != nullptr, "unknown fault {}", fault.kind);
  for (const FaultParameter& parameter : kind->parameters) {
    const auto value = fault.parameters.find(parameter.name);
    if (value != fault.parameters.end()) {
      map.Add(parameter.name, FormatParameter(parameter, value->second));
    }
  }
}

void WriteCluster(const ClusterSpec& cluster, std::string& out) {
  FlowMap network;
  network.AddOptional("within_zone", cluster.network.within_zone, FormatDurationRange);
  network.AddOptional("between_zones", cluster.network.between_zones, FormatDurationRange);
  network.AddOptional("bandwidth", cluster.network.bandwidth, FormatBandwidth);
  FlowMap disk;
  disk.AddOptional("sync", cluster.disk.sync, FormatDurationRange);
  disk.AddOptional("read", cluster.disk.read, FormatDurationRange);
  disk.AddOptional("bandwidth", cluster.disk.bandwidth, FormatBandwidth);
  disk.AddOptional("capacity", cluster.disk.capacity, FormatSize);
  disk.AddOptional("dirty_limit", cluster.disk.dirty_limit, FormatSize);
  fmt::format_to(std::back_inserter(out),
                 "cluster:\n  zones: {}\n  brokers: {{ count: {} }}\n  zookeeper: {{ count: {} }}\n"
                 "  settings: {}\n  network: {}\n  disk: {}\n",
                 QuoteList(cluster.zones), cluster.brokers, cluster.zookeeper,
                 SettingsMap(cluster.settings), network.Finish(), disk.Finish());
  if (cluster.vip.has_value()) {
    FlowMap vip;
    vip.AddOptional("drift", cluster.vip->drift, DurationText);
    out += fmt::format("  vip: {}\n", vip.Finish());
  }
}

void WriteClient(const ClientSpec& client, std::string& out) {
  FlowMap map;
  map.Add("kind", ClientKindName(client.kind));
  map.Add("count", fmt::format("{}", client.count));
  map.Add("topics", QuoteList(client.topics));
  if (client.kind == ClientKind::kProducer) {
    map.Add("rate", FormatRate(client.rate));
    map.Add("record", FormatSizeRange(client.record));
    map.Add("keys", fmt::format("{}", client.keys));
  }
  map.Add("settings", SettingsMap(client.settings));
  out += fmt::format("  - {}\n", map.Finish());
}

void WriteFaults(const Scenario& scenario, std::string& out) {
  if (scenario.timeline.empty() && scenario.random.empty()) return;
  out += "faults:\n";
  if (!scenario.timeline.empty()) out += "  timeline:\n";
  for (const TimelineFault& fault : scenario.timeline) {
    FlowMap map;
    map.Add("at", DurationText(fault.at));
    AddMoment(fault.fault, map);
    map.Add(fault.fault.kind, Quote(faults::FormatAim(fault.fault.target)));
    AddParameters(fault.fault, map);
    out += fmt::format("    - {}\n", map.Finish());
  }
  if (scenario.aftershocks_ppm != 0) {
    out += fmt::format("  aftershocks: {}\n", FormatPercent(scenario.aftershocks_ppm));
  }
  if (!scenario.random.empty()) out += "  random:\n";
  for (const RandomFault& fault : scenario.random) {
    FlowMap map;
    map.Add("every", DurationText(fault.every));
    AddMoment(fault.fault, map);
    map.Add("target", Quote(faults::FormatAim(fault.fault.target)));
    AddParameters(fault.fault, map);
    out += fmt::format("    - {{ {}: {} }}\n", fault.fault.kind, map.Finish());
  }
}

void WriteRegression(const Regression& regression, std::string& out) {
  FlowMap map;
  map.Add("rule", regression.rule);
  map.Add("found", Quote(regression.found));
  map.Add("build", Quote(regression.build));
  map.Add("seed", fmt::format("{}", regression.seed));
  if (!regression.issue.empty()) map.Add("issue", Quote(regression.issue));
  if (!regression.mutant.empty()) map.Add("mutant", Quote(regression.mutant));
  map.Add("shown", Quote(regression.shown));
  out += fmt::format("regression: {}\n", map.Finish());
}

}  // namespace

std::string ResolvedYaml(const Scenario& scenario) {
  std::string out =
      fmt::format("highwater: 1\nname: {}\nabout: {}\ncompatibility: {}\n", scenario.name,
                  Quote(scenario.about), CompatibilityName(scenario.compatibility));
  WriteCluster(scenario.cluster, out);
  if (!scenario.topics.empty()) out += "topics:\n";
  for (const TopicSpec& topic : scenario.topics) {
    out += fmt::format("  - {{ name: {}, partitions: {}, replicas: {}, settings: {} }}\n",
                       Quote(topic.name), topic.partitions, topic.replicas,
                       SettingsMap(topic.settings));
  }
  if (!scenario.clients.empty()) out += "clients:\n";
  for (const ClientSpec& client : scenario.clients) WriteClient(client, out);
  const RunSpec& run = scenario.run;
  out +=
      fmt::format("run: {{ warmup: {}, duration: {}, heal: {}, strategy: {}, heal_with: {}{} }}\n",
                  DurationText(run.warmup), DurationText(run.duration), DurationText(run.heal),
                  StrategyName(run.strategy), HealWithName(run.heal_with),
                  run.watch ? ", watch: " + FormatDurationRange(*run.watch) : "");
  WriteFaults(scenario, out);
  out += fmt::format("check: {{ guarantee: {}, invariants: {} }}\n",
                     scenario.check.guarantee == Guarantee::kWithin ? "within" : "any",
                     scenario.check.all_invariants ? "all" : QuoteList(scenario.check.invariants));
  if (scenario.regression) WriteRegression(*scenario.regression, out);
  if (!scenario.expect.empty()) out += fmt::format("expect: {}\n", QuoteList(scenario.expect));
  out += fmt::format("seeds: {}\n", FormatSeedRange(scenario.seeds));
  return out;
}

}  // namespace highwater::scenarios
