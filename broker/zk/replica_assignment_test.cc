#include "broker/zk/replica_assignment.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace highwater::broker::zk {
namespace {

std::vector<BrokerId> Ids(std::initializer_list<int32_t> ids) {
  std::vector<BrokerId> brokers;
  for (const int32_t id : ids) brokers.emplace_back(id);
  return brokers;
}

std::vector<BrokerId> AnyReplicas() {
  const int drawn = *rc::gen::inRange(1, 256);
  std::vector<BrokerId> replicas;
  for (int32_t id = 0; id < 8; ++id) {
    if ((drawn >> id & 1) != 0) replicas.emplace_back(id);
  }
  return replicas;
}

// [C90]
TEST(ReplicaAssignmentTest, PutsTheTargetFirstAndKeepsTheOrigin) {
  const ReplicaAssignment moved =
      ReplicaAssignment{.replicas = Ids({1, 2, 3})}.ReassignTo(Ids({3, 4}));
  EXPECT_EQ(moved.replicas, Ids({3, 4, 1, 2}));
  EXPECT_EQ(moved.adding, Ids({4}));
  EXPECT_EQ(moved.removing, Ids({1, 2}));
  EXPECT_EQ(moved.Target(), Ids({3, 4}));
}

// [C94]
TEST(ReplicaAssignmentTest, ACancelLeadsBackToTheOrigin) {
  const ReplicaAssignment moved =
      ReplicaAssignment{.replicas = Ids({1, 2})}.ReassignTo(Ids({2, 3}));
  const ReplicaAssignment back = moved.ReassignTo(moved.Origin());
  EXPECT_FALSE(back.IsBeingReassigned());
  EXPECT_EQ(std::set<BrokerId>(back.replicas.begin(), back.replicas.end()),
            (std::set<BrokerId>{BrokerId(1), BrokerId(2)}));
}

// [C90]
RC_GTEST_PROP(ReplicaAssignmentTest, AnyChainOfReassignmentsKeepsTheOriginAndEndsAtTheLastTarget,
              ()) {
  const std::vector<BrokerId> origin = AnyReplicas();
  ReplicaAssignment assignment{.replicas = origin};
  std::vector<BrokerId> target = origin;
  const int steps = *rc::gen::inRange(1, 5);
  for (int i = 0; i < steps; ++i) {
    target = AnyReplicas();
    assignment = assignment.ReassignTo(target);
    for (const BrokerId id : assignment.adding) RC_ASSERT(!Contains(assignment.removing, id));
    for (const BrokerId id : origin) RC_ASSERT(Contains(assignment.replicas, id));
  }
  RC_ASSERT(assignment.Target() == target);
  std::vector<BrokerId> left = assignment.Origin();
  std::sort(left.begin(), left.end());
  RC_ASSERT(left == origin);
}

}  // namespace
}  // namespace highwater::broker::zk
