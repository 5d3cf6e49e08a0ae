#include "scenarios/load_faults.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <optional>

#include "core/check.h"
#include "core/nearest_name.h"
#include "scenarios/fault_table.h"

namespace highwater::scenarios {
namespace {

std::string_view MessageOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

std::vector<std::string_view> FaultNames() {
  std::vector<std::string_view> names;
  for (const FaultKind& kind : FaultTable()) names.push_back(kind.name);
  return names;
}

std::string Join(absl::Span<const std::string_view> words) {
  std::string list;
  for (const std::string_view word : words)
    list += fmt::format("{}{}", list.empty() ? "" : ", ", word);
  return list;
}

std::string Forms(absl::Span<const faults::Aim::Role> kinds) {
  std::vector<std::string_view> forms;
  for (const faults::Aim::Role kind : kinds) forms.push_back(faults::AimForm(kind));
  return Join(forms);
}

// Reads faults one by one into a scenario whose other parts are complete.
class FaultReader {
 public:
  FaultReader(DiagnosticSink& sink, const LoadContext& context, Scenario& scenario)
      : sink_(sink), context_(context), scenario_(scenario), clients_(ClientsOf(scenario)) {}

  void ReadTimeline(const YamlNode& item, std::string place) {
    MapReader map(item, place, sink_);
    absl::Duration at;
    FaultSpec fault{.place = std::move(place)};
    ReadMoment(map, fault);
    // What waits for an event need not say since when.
    const YamlNode* node = fault.when.has_value() ? map.Read("at", ParseDuration, at)
                                                  : map.ReadRequired("at", "5s", ParseDuration, at);
    if (node != nullptr) {
      if (at < absl::ZeroDuration() || at > scenario_.run.duration) {
        sink_.Error(*node, fmt::format("at: expected a time from 0s to {} (run.duration), got {}",
                                       DurationText(scenario_.run.duration), node->scalar));
      }
    }
    const FaultKind* kind = FindKindKey(map);
    if (kind == nullptr) return;
    fault.kind = std::string(kind->name);
    const YamlNode& target = *map.Find(kind->name);
    fault.target = ReadTarget(target, kind->name, kind->targets);
    CheckFits(target, *kind, fault);
    ReadParameters(map, *kind, fault);
    map.Finish();
    scenario_.timeline.push_back({at, std::move(fault)});
  }

  void ReadRandom(const YamlNode& item, std::string place) {
    MapReader map(item, place, sink_);
    const FaultKind* kind = FindKindKey(map);
    if (kind == nullptr) return;
    MapReader inner(*map.Find(kind->name), std::string(kind->name), sink_);
    map.Finish();
    absl::Duration every;
    if (const YamlNode* node = inner.ReadRequired("every", "10s", ParseDuration, every)) {
      if (every < absl::Milliseconds(1)) {
        sink_.Error(*node, fmt::format("every: expected at least 1ms, got {}", node->scalar));
      }
    }
    FaultSpec fault{.kind = std::string(kind->name), .place = std::move(place)};
    ReadMoment(inner, fault);
    const YamlNode* target = inner.Find("target");
    if (target != nullptr) fault.target = ReadTarget(*target, "target", kind->targets);
    CheckFits(target == nullptr ? item : *target, *kind, fault);
    ReadParameters(inner, *kind, fault);
    inner.Finish();
    scenario_.random.push_back({every, std::move(fault)});
  }

 private:
  // The fault's own key. Reports none, an unknown one, or a second one.
  const FaultKind* FindKindKey(MapReader& map) {
    if (map.node().kind != YamlNode::Kind::kMap) return nullptr;
    for (const auto& [key, value] : map.node().entries) {
      if (key.kind != YamlNode::Kind::kScalar) continue;
      if (const FaultKind* kind = FindFaultKind(key.scalar)) return kind;
    }
    const std::vector<std::string_view> names = FaultNames();
    // The most likely culprit is a key that is nearly a fault's name, else the first unknown one.
    const YamlNode* culprit = nullptr;
    while (const YamlNode* key = map.TakeUnknownKey()) {
      const bool near = !core::NearestName(key->scalar, names).empty();
      if (culprit == nullptr || near) culprit = key;
      if (near) break;
    }
    const std::string suggestion = culprit == nullptr ? "" : DidYouMean(culprit->scalar, names);
    sink_.Error(
        culprit == nullptr ? map.node() : *culprit,
        fmt::format(
            "{}: {}{}", map.what(),
            culprit == nullptr ? std::string("no fault is named")
                               : fmt::format("unknown fault {}", DescribeYaml(*culprit)),
            suggestion.empty() ? fmt::format(": expected one of {}", Join(names)) : suggestion));
    return nullptr;
  }

  // `when: { high_watermark_moves: orders-0 }, after: 1ms..5ms`.
  void ReadMoment(MapReader& map, FaultSpec& fault) {
    const YamlNode* when = map.Find("when");
    const YamlNode* after = map.Read("after", ParseDurationRange, fault.after);
    if (after != nullptr && when == nullptr) {
      sink_.Error(*after, "after: there is no \"when\" after which it could be");
    }
    if (after != nullptr &&
        (fault.after.low < absl::ZeroDuration() || fault.after.high > scenario_.run.duration)) {
      sink_.Error(*after, fmt::format("after: expected a time from 0s to {} (run.duration), got {}",
                                      DurationText(scenario_.run.duration), after->scalar));
    }
    if (when == nullptr) return;
    fault.when.emplace();  // also where it is wrong: so much is clear
    if (when->kind != YamlNode::Kind::kMap || when->entries.size() != 1 ||
        when->entries[0].value.kind != YamlNode::Kind::kScalar) {
      sink_.Error(*when, fmt::format("when: expected one event, as in "
                                     "`{{ high_watermark_moves: orders-0 }}`, got {}",
                                     DescribeYaml(*when)));
      return;
    }
    const auto& [name, value] = when->entries[0];
    std::vector<std::string_view> names;
    for (const faults::MomentKind& kind : faults::MomentKinds()) names.push_back(kind.name);
    if (std::find(names.begin(), names.end(), name.scalar) == names.end()) {
      const std::string suggestion = DidYouMean(name.scalar, names);
      sink_.Error(
          name, fmt::format("when: unknown event {}{}", DescribeYaml(name),
                            suggestion.empty() ? ": expected one of " + Join(names) : suggestion));
      return;
    }
    absl::StatusOr<faults::Moment> moment = faults::ParseMoment(name.scalar, value.scalar);
    if (!moment.ok()) {
      sink_.Error(value, fmt::format("{}: {}", name.scalar, MessageOf(moment.status())));
      return;
    }
    fault.when = *std::move(moment);
    if (!fault.when->topic.empty()) {
      CheckPartition(value, name.scalar,
                     {.role = faults::Aim::Role::kPartition,
                      .number = fault.when->partition,
                      .name = fault.when->topic});
    }
  }

  // Whether the cluster has what it needs, and there is a `here`.
  void CheckFits(const YamlNode& node, const FaultKind& kind, const FaultSpec& fault) {
    if (fault.target.role == faults::Aim::Role::kHere && !fault.when.has_value()) {
      sink_.Error(node, fmt::format("{}: \"here\" is where the event of a \"when\" happens, and "
                                    "there is none",
                                    kind.name));
    }
    const bool work = fault.when.has_value() && IsOperators(kind);
    if (work) {
      sink_.Error(node, fmt::format("{}: operators do not wait for events: write \"at\" or "
                                    "\"every\" without \"when\"",
                                    kind.name));
    }
    const ClusterSpec& cluster = scenario_.cluster;
    if (kind.needs == FaultKind::Needs::kZooKeeper && cluster.zookeeper == 0) {
      sink_.Error(node, fmt::format("{}: the cluster has no ZooKeeper", kind.name));
    }
    if (kind.needs == FaultKind::Needs::kVip && !cluster.vip.has_value()) {
      sink_.Error(node, fmt::format("{}: the cluster has no VIP: write `vip: {{}}` under cluster",
                                    kind.name));
    }
  }

  // What operators do has a topic, a partition, a zone or the cluster to work on, and no host to
  // hit.
  static bool IsOperators(const FaultKind& kind) {
    using Role = faults::Aim::Role;
    return kind.targets[1] == Role::kAnyTopic || kind.targets[1] == Role::kAnyPartition ||
           kind.name == "migrate_zone" || kind.name == "add_broker" || kind.name == "remove_broker";
  }

  Target ReadTarget(const YamlNode& node, std::string_view key,
                    absl::Span<const faults::Aim::Role> allowed) {
    if (node.kind != YamlNode::Kind::kScalar) {
      sink_.Error(node, fmt::format("{}: expected a target ({}), got {}", key, Forms(allowed),
                                    DescribeYaml(node)));
      return {};
    }
    absl::StatusOr<Target> target = faults::ParseAim(node.scalar);
    if (!target.ok()) {
      sink_.Error(node, fmt::format("{}: {}", key, MessageOf(target.status())));
      return {};
    }
    if (std::find(allowed.begin(), allowed.end(), target->role) == allowed.end()) {
      sink_.Error(
          node, fmt::format("{}: it cannot hit {}: expected {}", key, node.scalar, Forms(allowed)));
    } else {
      CheckTargetExists(node, key, *target);
    }
    return *std::move(target);
  }

  void CheckTargetExists(const YamlNode& node, std::string_view key, const Target& target) {
    using Role = faults::Aim::Role;
    const ClusterSpec& cluster = scenario_.cluster;
    switch (target.role) {
      case Role::kBroker:
        return CheckNumber(node, key, target, cluster.brokers);
      case Role::kZooKeeper:
        return CheckNumber(node, key, target, cluster.zookeeper);
      case Role::kAnyZooKeeper:
      case Role::kZooKeeperLeader:
      case Role::kController:
      case Role::kControllerZone:
        if (cluster.zookeeper > 0) return;
        return sink_.Error(node, fmt::format("{}: there is no {}: the cluster has no ZooKeeper",
                                             key, faults::FormatAim(target)));
      case Role::kLeader:
      case Role::kFollower:
      case Role::kPartition:
        return CheckPartition(node, key, target);
      case Role::kClient: {
        std::vector<std::string_view> names;
        for (const NamedClient& client : clients_) names.push_back(client.name);
        return CheckName(node, key, target, names);
      }
      case Role::kZone:
        return CheckName(node, key, target, {cluster.zones.begin(), cluster.zones.end()});
      case Role::kTopic: {
        std::vector<std::string_view> names;
        for (const TopicSpec& topic : scenario_.topics) names.push_back(topic.name);
        return CheckName(node, key, target, names);
      }
      case Role::kAny:
      case Role::kAnyBroker:
      case Role::kAnyZone:
      case Role::kAllBrokers:
      case Role::kAllClients:
      case Role::kHere:
      case Role::kAnyTopic:
      case Role::kAnyPartition:
        return;
    }
  }

  void CheckNumber(const YamlNode& node, std::string_view key, const Target& target,
                   int32_t count) {
    if (target.number < count) return;
    const std::string_view form = faults::AimForm(target.role);
    const std::string_view word = form.substr(0, form.find('('));
    sink_.Error(node, count == 0
                          ? fmt::format("{}: there is no {}: the cluster has no {}", key,
                                        faults::FormatAim(target), word)
                          : fmt::format("{}: there is no {}: the cluster has {}(0) to {}({})", key,
                                        faults::FormatAim(target), word, word, count - 1));
  }

  void CheckPartition(const YamlNode& node, std::string_view key, const Target& target) {
    std::vector<std::string_view> names;
    for (const TopicSpec& topic : scenario_.topics) {
      if (topic.name == target.name && target.number < topic.partitions) return;
      if (topic.name == target.name) {
        return sink_.Error(
            node, fmt::format("{}: there is no {}: {} has the partitions 0 to {}", key,
                              faults::FormatAim(target), topic.name, topic.partitions - 1));
      }
      names.push_back(topic.name);
    }
    CheckName(node, key, target, names);
  }

  void CheckName(const YamlNode& node, std::string_view key, const Target& target,
                 const std::vector<std::string_view>& names) {
    if (std::find(names.begin(), names.end(), target.name) != names.end()) return;
    sink_.Error(node, fmt::format("{}: there is no {}{}", key, faults::FormatAim(target),
                                  DidYouMean(target.name, names)));
  }

  void ReadParameters(MapReader& map, const FaultKind& kind, FaultSpec& fault) {
    for (const FaultParameter& parameter : kind.parameters) {
      const YamlNode* node = map.Find(parameter.name);
      if (!parameter.alias.empty()) {
        const YamlNode* other = map.Find(parameter.alias);
        if (node != nullptr && other != nullptr) {
          sink_.Error(*other, fmt::format("{}: it says the same as \"{}\": give one of them",
                                          parameter.alias, parameter.name));
        }
        if (node == nullptr) node = other;
      }
      if (node != nullptr) {
        ReadParameter(*node, parameter, fault);
      } else if (parameter.default_value.empty()) {
        sink_.Error(map.node(), fmt::format("{}: \"{}\" is missing: {}", kind.name, parameter.name,
                                            parameter.about));
      } else {
        YamlNode given;
        given.kind = YamlNode::Kind::kScalar;
        given.scalar = std::string(parameter.default_value);
        ReadParameter(given, parameter, fault);
      }
    }
  }

  void ReadParameter(const YamlNode& node, const FaultParameter& parameter, FaultSpec& fault) {
    const std::string name(parameter.name);
    if (parameter.type == ParameterType::kTarget) {
      fault.parameters.emplace(name, ReadTarget(node, name, parameter.targets));
      return;
    }
    if (node.kind != YamlNode::Kind::kScalar) {
      sink_.Error(node,
                  fmt::format("{}: expected a single value, got {}", name, DescribeYaml(node)));
      return;
    }
    switch (parameter.type) {
      case ParameterType::kDuration:
        return ReadRange<DurationRange>(node, parameter, ParseDurationRange, fault);
      case ParameterType::kCount:
        return ReadRange<IntegerRange>(node, parameter, ParseCountRange, fault);
      case ParameterType::kSize:
        return ReadRange<IntegerRange>(node, parameter, ParseSizeRange, fault);
      case ParameterType::kPercent:
        return ReadRange<IntegerRange>(node, parameter, ParsePercentRange, fault);
      case ParameterType::kChoice:
        return ReadChoice(node, parameter, fault);
      case ParameterType::kBrokers:
        return ReadBrokers(node, parameter, fault);
      case ParameterType::kSetting:
        return ReadSetting(node, parameter, fault);
      case ParameterType::kTarget:
        break;
    }
    HW_UNREACHABLE("parameter type {}", static_cast<int>(parameter.type));
  }

  template <typename Range, typename Parse>
  void ReadRange(const YamlNode& node, const FaultParameter& parameter, Parse parse,
                 FaultSpec& fault) {
    absl::StatusOr<Range> value = parse(node.scalar);
    if (!value.ok()) {
      sink_.Error(node, fmt::format("{}: {}", parameter.name, MessageOf(value.status())));
      return;
    }
    const absl::StatusOr<Range> low = parse(parameter.minimum);
    const absl::StatusOr<Range> high = parse(parameter.maximum);
    HW_CHECK(low.ok() && high.ok(), "the fault table's limits of {} do not parse", parameter.name);
    if (value->low < low->low || value->high > high->low) {
      sink_.Error(node, fmt::format("{}: expected a value from {} to {}, got {}", parameter.name,
                                    parameter.minimum, parameter.maximum, node.scalar));
    }
    fault.parameters.emplace(std::string(parameter.name), *value);
  }

  void ReadChoice(const YamlNode& node, const FaultParameter& parameter, FaultSpec& fault) {
    const auto& choices = parameter.choices;
    if (std::find(choices.begin(), choices.end(), node.scalar) == choices.end()) {
      sink_.Error(node,
                  fmt::format("{}: expected one of {}, got {}{}", parameter.name, Join(choices),
                              DescribeYaml(node), DidYouMean(node.scalar, choices)));
    }
    fault.parameters.emplace(std::string(parameter.name), node.scalar);
  }

  void ReadBrokers(const YamlNode& node, const FaultParameter& parameter, FaultSpec& fault) {
    std::vector<int32_t> ids;
    bool valid = node.scalar != "any";
    for (const absl::string_view word : absl::StrSplit(node.scalar, ':')) {
      int32_t id = -1;
      valid = valid && absl::SimpleAtoi(word, &id) && id >= 0 && id < scenario_.cluster.brokers &&
              std::find(ids.begin(), ids.end(), id) == ids.end();
      ids.push_back(id);
    }
    if (!valid && node.scalar != "any") {
      sink_.Error(node,
                  fmt::format("{}: expected any, or ids of brokers 0 to {}, each once, as in "
                              "\"2:0:1\", got {}",
                              parameter.name, scenario_.cluster.brokers - 1, DescribeYaml(node)));
    }
    fault.parameters.emplace(std::string(parameter.name), node.scalar);
  }

  void ReadSetting(const YamlNode& node, const FaultParameter& parameter, FaultSpec& fault) {
    const auto [name, value] = SplitSetting(node.scalar);
    absl::Status status;
    if (name.empty() || value.empty()) {
      status = absl::InvalidArgumentError(fmt::format(
          "expected a topic's setting, as in \"retention.ms=60000\", got {}", DescribeYaml(node)));
    } else if (context_.validate_setting) {
      status = context_.validate_setting(SettingScope::kTopic, name, value);
    }
    if (!status.ok()) {
      sink_.Error(node, fmt::format("{}: {}", parameter.name, MessageOf(status)));
    }
    fault.parameters.emplace(std::string(parameter.name), node.scalar);
  }

  DiagnosticSink& sink_;
  const LoadContext& context_;
  Scenario& scenario_;
  std::vector<NamedClient> clients_;
};

}  // namespace

void LoadFaults(const YamlNode& faults, const LoadContext& context, DiagnosticSink& sink,
                Scenario& scenario) {
  MapReader map(faults, "faults", sink);
  FaultReader reader(sink, context, scenario);
  if (const YamlNode* timeline = map.Find("timeline")) {
    size_t i = 0;
    for (const YamlNode& item : ListItems(*timeline, "timeline", sink)) {
      reader.ReadTimeline(item, fmt::format("faults.timeline[{}]", i++));
    }
  }
  if (const YamlNode* random = map.Find("random")) {
    size_t i = 0;
    for (const YamlNode& item : ListItems(*random, "random", sink)) {
      reader.ReadRandom(item, fmt::format("faults.random[{}]", i++));
    }
  }
  const YamlNode* aftershocks = map.Read("aftershocks", ParsePercent, scenario.aftershocks_ppm);
  if (aftershocks != nullptr &&
      (scenario.aftershocks_ppm < 0 || scenario.aftershocks_ppm > 900'000)) {
    sink.Error(*aftershocks,
               fmt::format("aftershocks: expected 0% to 90%, got {}", DescribeYaml(*aftershocks)));
  }
  map.Finish();
}

}  // namespace highwater::scenarios
