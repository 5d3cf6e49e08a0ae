// The operators' tools that make the cluster greater and smaller.

#include <algorithm>

#include "scenarios/world/operator_tools.h"

namespace highwater::scenarios {
namespace {

using broker::BrokerId;
using broker::protocol::ErrorCode;
namespace client = broker::client;
using Brokers = std::vector<BrokerId>;

bool Holds(const Brokers& brokers, BrokerId broker) {
  return std::find(brokers.begin(), brokers.end(), broker) != brokers.end();
}

bool Lists(const client::ClusterDescription& cluster, BrokerId id) {
  return std::any_of(cluster.brokers.begin(), cluster.brokers.end(),
                     [id](const client::BrokerDescription& broker) { return broker.id == id; });
}

// Asks for `moves`; how many were accepted.
size_t Move(OperatorShift& shift, const std::vector<client::NewReplicas>& moves) {
  const auto results = shift.admin().AlterPartitionReassignments(moves, shift.load_end());
  if (!results.ok()) return 0;
  return static_cast<size_t>(std::count_if(
      results->begin(), results->end(),
      [](const client::PartitionResult& result) { return result.error == ErrorCode::NONE; }));
}

// Whether nothing is being reassigned.
bool IsCalm(OperatorShift& shift) {
  const auto ongoing = shift.admin().ListPartitionReassignments({}, shift.run_end());
  return ongoing.ok() && ongoing->empty();
}

// A drawn replica of every second partition, beginning with a drawn one, goes to `id`.
std::vector<client::NewReplicas> ShareOf(const OperatorShift& shift,
                                         const client::ClusterDescription& cluster, BrokerId id) {
  std::vector<client::NewReplicas> moves;
  uint64_t count = shift.Draw("first partition", 2);
  for (const client::TopicDescription& topic : cluster.topics) {
    for (const client::PartitionDescription& partition : topic.partitions) {
      if (count++ % 2 != 0 || partition.replicas.empty() || Holds(partition.replicas, id)) continue;
      Brokers target = partition.replicas;
      target[shift.Draw("replica", target.size())] = id;
      moves.push_back({{topic.name, partition.partition}, std::move(target)});
    }
  }
  return moves;
}

// All replicas of `id` go to brokers that have none of that partition; nothing where there are too
// few.
std::optional<std::vector<client::NewReplicas>> MovesFrom(const client::ClusterDescription& cluster,
                                                          BrokerId id) {
  std::vector<client::NewReplicas> moves;
  for (const client::TopicDescription& topic : cluster.topics) {
    for (const client::PartitionDescription& partition : topic.partitions) {
      if (!Holds(partition.replicas, id)) continue;
      Brokers others;
      for (const client::BrokerDescription& broker : cluster.brokers) {
        if (!Holds(partition.replicas, broker.id)) others.push_back(broker.id);
      }
      if (others.empty()) return std::nullopt;
      Brokers target = partition.replicas;
      const auto turn = static_cast<size_t>(partition.partition.value());
      std::replace(target.begin(), target.end(), id, others[turn % others.size()]);
      moves.push_back({{topic.name, partition.partition}, std::move(target)});
    }
  }
  return moves;
}

BrokerId BrokerToRemove(const OperatorShift& shift, const client::ClusterDescription& cluster) {
  const faults::Aim& aim = shift.order().aim;
  if (aim.role == faults::Aim::Role::kBroker) return BrokerId(aim.number);
  return cluster.brokers[shift.Draw("broker", cluster.brokers.size())].id;
}

}  // namespace

void AddBroker(OperatorShift& shift) {
  const BrokerId id = shift.context().add_broker();
  size_t moved = 0;
  const bool given = shift.Retry(shift.load_end(), [&] {
    const auto cluster = shift.Describe({});
    if (!cluster.has_value() || !Lists(*cluster, id) || !IsCalm(shift)) return false;
    moved = Move(shift, ShareOf(shift, *cluster, id));
    return moved > 0;
  });
  if (!given) return;
  shift.report().applied(
      fmt::format("an operator adds broker-{} and gives it {} replicas", id, moved));
  if (shift.Retry(shift.run_end(), [&] { return IsCalm(shift); })) shift.report().observed();
}

void RemoveBroker(OperatorShift& shift) {
  BrokerId id = broker::kNoBroker;
  // What is refused (a broker is down) is asked for again until nothing is left on it.
  const bool empty = shift.Retry(shift.load_end(), [&] {
    const auto cluster = shift.Describe({});
    if (!cluster.has_value() || cluster->brokers.empty() || !IsCalm(shift)) return false;
    if (id == broker::kNoBroker) id = BrokerToRemove(shift, *cluster);
    const auto moves = MovesFrom(*cluster, id);
    if (!moves.has_value()) return false;
    if (moves->empty()) return Lists(*cluster, id) && shift.context().retire_broker(id);
    (void)Move(shift, *moves);
    return false;
  });
  if (!empty) return;
  shift.report().applied(fmt::format("an operator removes broker-{}", id));
  const bool gone = shift.Retry(shift.run_end(), [&] {
    const auto cluster = shift.Describe({});
    return cluster.has_value() && !cluster->brokers.empty() && !Lists(*cluster, id);
  });
  if (gone) shift.report().observed();
}

}  // namespace highwater::scenarios
