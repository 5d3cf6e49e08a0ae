// The operators' tools that move replicas.

#include <fmt/ranges.h>

#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>

#include <algorithm>

#include "scenarios/world/operator_tools.h"

namespace highwater::scenarios {
namespace {

using broker::BrokerId;
using broker::TopicPartition;
using broker::protocol::ErrorCode;
namespace client = broker::client;
using Brokers = std::vector<BrokerId>;

bool Holds(const Brokers& brokers, BrokerId broker) {
  return std::find(brokers.begin(), brokers.end(), broker) != brokers.end();
}

// As the order says; else as many as now: with one of the others in the place of one, or of as many
// as can be; where there are no others, in another order.
Brokers TargetOf(const OperatorShift& shift, const Brokers& now,
                 const std::vector<client::BrokerDescription>& brokers) {
  const std::string& text = shift.order().Choice("replicas");
  Brokers target;
  if (text != "any") {
    for (const absl::string_view word : absl::StrSplit(text, ':')) {
      int32_t id = 0;
      HW_CHECK(absl::SimpleAtoi(word, &id), "replicas {}", text);
      target.emplace_back(id);
    }
    return target;
  }
  target = now;
  const size_t first = shift.Draw("first", now.size());
  std::rotate(target.begin(), target.begin() + static_cast<int64_t>(first), target.end());
  Brokers others;
  for (const auto& broker : brokers) {
    if (!Holds(now, broker.id)) others.push_back(broker.id);
  }
  if (others.empty()) return target;
  const size_t next = shift.Draw("others", others.size());
  std::rotate(others.begin(), others.begin() + static_cast<int64_t>(next), others.end());
  const bool all = shift.Draw("how many", 2) == 0;
  const size_t count = all ? std::min(others.size(), target.size()) : 1;
  std::copy_n(others.begin(), count, target.begin());
  return target;
}

std::optional<Brokers> ReplicasOf(OperatorShift& shift, const TopicPartition& id) {
  const auto topic = shift.DescribeTopic(id.topic);
  if (!topic.has_value()) return std::nullopt;
  for (const client::PartitionDescription& partition : topic->partitions) {
    if (partition.partition == id.partition && !partition.replicas.empty()) {
      return partition.replicas;
    }
  }
  return std::nullopt;
}

// `partition` without brokers of the zone `from`: those of `to` come in their place, of other zones
// where it has none left. nullopt: there is nothing to do, or nobody to take it.
std::optional<Brokers> Moved(const client::PartitionDescription& partition,
                             const std::vector<client::BrokerDescription>& brokers,
                             std::string_view from, std::string_view to) {
  Brokers target = partition.replicas;
  std::string zone_wanted(to);
  const auto take = [&](bool anywhere) -> std::optional<BrokerId> {
    // Another one first for each partition.
    for (size_t i = 0; i < brokers.size(); ++i) {
      const size_t place = (i + static_cast<size_t>(partition.partition.value())) % brokers.size();
      const client::BrokerDescription& broker = brokers[place];
      if (broker.rack == from || Holds(target, broker.id)) continue;
      if (anywhere || broker.rack == zone_wanted) return broker.id;
    }
    return std::nullopt;
  };
  bool changed = false;
  for (BrokerId& replica : target) {
    const auto broker = std::find_if(brokers.begin(), brokers.end(),
                                     [&](const auto& b) { return b.id == replica; });
    if (broker == brokers.end() || broker->rack != from) continue;
    std::optional<BrokerId> other = take(false);
    if (!other.has_value()) other = take(true);
    if (!other.has_value()) return std::nullopt;
    replica = *other;
    changed = true;
  }
  return changed ? std::optional(target) : std::nullopt;
}

// All partitions of the cluster that have a replica in `from`.
std::vector<client::NewReplicas> MovesOf(OperatorShift& shift, std::string_view from,
                                         std::string_view to) {
  std::vector<client::NewReplicas> moves;
  const auto cluster = shift.Describe({});
  if (!cluster.has_value()) return moves;
  for (const client::TopicDescription& topic : cluster->topics) {
    for (const client::PartitionDescription& partition : topic.partitions) {
      auto target = Moved(partition, cluster->brokers, from, to);
      if (target.has_value()) {
        moves.push_back({{topic.name, partition.partition}, std::move(target)});
      }
    }
  }
  return moves;
}

}  // namespace

void ReassignPartition(OperatorShift& shift) {
  const TopicPartition id = shift.Partition();
  Brokers now;
  Brokers target;
  const bool accepted = shift.Retry(shift.load_end(), [&] {
    const auto cluster = shift.Describe({id.topic});
    const auto replicas = ReplicasOf(shift, id);
    if (!cluster.has_value() || !replicas.has_value()) return false;
    if (target.empty()) {
      now = *replicas;
      target = TargetOf(shift, now, cluster->brokers);
    }
    const client::NewReplicas moves[] = {{id, target}};
    const auto results = shift.admin().AlterPartitionReassignments(moves, shift.load_end());
    return results.ok() && !results->empty() && results->front().error == ErrorCode::NONE;
  });
  if (!accepted || target == now) return;
  shift.report().applied(fmt::format("an operator moves {} from brokers [{}] to [{}]", id,
                                     fmt::join(now, ", "), fmt::join(target, ", ")));
  if (shift.Retry(shift.run_end(), [&] { return ReplicasOf(shift, id) == target; })) {
    shift.report().observed();
  }
}

void MigrateZone(OperatorShift& shift) {
  const auto& zones = shift.context().scenario.cluster.zones;
  const faults::FaultOrder& order = shift.order();
  const size_t drawn = shift.Draw("from", zones.size());
  const std::string from =
      order.aim.role == faults::Aim::Role::kZone ? order.aim.name : zones[drawn];
  std::string to = order.other.name;
  if (order.other.role != faults::Aim::Role::kZone) {
    const size_t at =
        static_cast<size_t>(std::find(zones.begin(), zones.end(), from) - zones.begin());
    to = zones[(at + 1 + shift.Draw("to", zones.size() - 1)) % zones.size()];
  }
  // What is refused (a broker is down) is asked for again until nothing is left in the zone.
  size_t moved = 0;
  const bool done = shift.Retry(shift.run_end(), [&] {
    const std::vector<client::NewReplicas> moves = MovesOf(shift, from, to);
    if (moves.empty()) return moved > 0;
    if (shift.context().now() >= shift.context().load_end) return false;
    const auto ongoing = shift.admin().ListPartitionReassignments({}, shift.load_end());
    if (!ongoing.ok() || !ongoing->empty()) return false;
    const auto results = shift.admin().AlterPartitionReassignments(moves, shift.load_end());
    if (!results.ok()) return false;
    for (const auto& result : *results) moved += result.error == ErrorCode::NONE ? 1 : 0;
    if (moved > 0) {
      shift.report().applied(
          fmt::format("an operator moves {} partitions from {} to {}", moved, from, to));
    }
    return false;
  });
  if (done) shift.report().observed();
}

void CancelReassignment(OperatorShift& shift) {
  const std::string& topic = shift.Topic().name;
  std::vector<TopicPartition> cancelled;
  const bool any = shift.Retry(shift.load_end(), [&] {
    const auto ongoing = shift.admin().ListPartitionReassignments({}, shift.load_end());
    if (!ongoing.ok()) return false;
    std::vector<client::NewReplicas> ends;
    for (const client::OngoingReassignment& one : *ongoing) {
      if (one.partition.topic == topic) ends.push_back({one.partition, std::nullopt});
    }
    if (ends.empty()) return false;
    const auto results = shift.admin().AlterPartitionReassignments(ends, shift.load_end());
    if (!results.ok()) return false;
    for (const client::PartitionResult& result : *results) {
      if (result.error == ErrorCode::NONE) cancelled.push_back(result.partition);
    }
    return !cancelled.empty();
  });
  if (!any) return;
  shift.report().applied(
      fmt::format("an operator ends the reassignment of {}", fmt::join(cancelled, ", ")));
  const bool ended = shift.Retry(shift.run_end(), [&] {
    const auto ongoing = shift.admin().ListPartitionReassignments(cancelled, shift.run_end());
    return ongoing.ok() && ongoing->empty();
  });
  if (ended) shift.report().observed();
}

}  // namespace highwater::scenarios
