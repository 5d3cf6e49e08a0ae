#include "broker/controller/placement.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace highwater::broker::controller {
namespace {

std::vector<PlacedBroker> Brokers(int count, int racks) {
  std::vector<PlacedBroker> brokers;
  for (int i = 0; i < count; ++i) {
    brokers.push_back({BrokerId(i), racks == 0 ? "" : fmt::format("az-{}", i * racks / count)});
  }
  return brokers;
}

RC_GTEST_PROP(PlacementTest, WithoutRacksReplicaJOfPartitionIIsOnBrokerIPlusJModN, ()) {
  const int n = *rc::gen::inRange(1, 10);
  const int factor = *rc::gen::inRange(1, n + 1);
  const int first = *rc::gen::inRange(0, 20);
  const int count = *rc::gen::inRange(0, 20);
  const auto placed = PlaceReplicas(Brokers(n, 0), first, count, factor);
  RC_ASSERT(static_cast<int>(placed.size()) == count);
  for (int i = first; i < first + count; ++i) {
    for (int j = 0; j < factor; ++j) {
      RC_ASSERT(placed.at(PartitionIndex(i))[static_cast<size_t>(j)] == BrokerId((i + j) % n));
    }
  }
}

RC_GTEST_PROP(PlacementTest, NoTwoReplicasShareARackWhileThereAreOthers, ()) {
  const int n = *rc::gen::inRange(1, 12);
  const int racks = *rc::gen::inRange(1, std::min(n, 4) + 1);
  const int factor = *rc::gen::inRange(1, n + 1);
  const auto brokers = Brokers(n, racks);
  const auto placed = PlaceReplicas(brokers, 0, 2 * n, factor);
  for (const auto& [index, replicas] : placed) {
    RC_ASSERT(std::set<BrokerId>(replicas.begin(), replicas.end()).size() == replicas.size());
    std::set<std::string> used;
    for (const BrokerId id : replicas) used.insert(brokers[static_cast<size_t>(id.value())].rack);
    RC_ASSERT(static_cast<int>(used.size()) == std::min(racks, factor));
  }
}

TEST(PlacementTest, LeadersAreSpreadOverEqualRacks) {
  std::map<BrokerId, int> leads;
  for (const auto& [index, replicas] : PlaceReplicas(Brokers(6, 3), 0, 12, 3)) {
    ++leads[replicas.front()];
  }
  for (const auto& [broker, count] : leads) EXPECT_EQ(count, 2) << broker.value();
}

TEST(PlacementTest, NamesTheProductsRuleWhereItDoesNotHold) {
  EXPECT_EQ(WhyFragile(Brokers(3, 3), 3, 2), "");
  EXPECT_NE(WhyFragile(Brokers(3, 3), 2, 2), "");
  EXPECT_NE(WhyFragile(Brokers(3, 2), 3, 2), "");
}

}  // namespace
}  // namespace highwater::broker::controller
