#include "core/timer_wheel.h"

#include <memory>

namespace highwater::core {
namespace {

struct Recorder final : TimerNode {
  void OnTimer() override { log->push_back(id); }
  std::vector<int>* log = nullptr;
  int id = 0;
};

class TimerWheelTest : public ::testing::Test {
 protected:
  Recorder& Node(int id) {
    while (nodes_.size() <= static_cast<size_t>(id)) {
      nodes_.push_back(std::make_unique<Recorder>());
      nodes_.back()->log = &fired_;
      nodes_.back()->id = static_cast<int>(nodes_.size()) - 1;
    }
    return *nodes_[static_cast<size_t>(id)];
  }
  void RunUntil(int64_t until) {
    while (TimerNode* node = wheel_.PopDue(until)) node->OnTimer();
  }

  std::vector<int> fired_;
  TimerWheel wheel_;
  std::vector<std::unique_ptr<Recorder>> nodes_;
};

TEST_F(TimerWheelTest, TheFarFutureComesInOrder) {
  constexpr int64_t kYear = int64_t{365} * 24 * 3600 * 1'000'000'000;
  wheel_.Set(Node(0), 200 * kYear);
  wheel_.Set(Node(1), 100 * kYear);
  wheel_.Set(Node(2), 200 * kYear);
  wheel_.Set(Node(3), 1);
  RunUntil(150 * kYear);
  EXPECT_THAT(fired_, ::testing::ElementsAre(3, 1));
  EXPECT_EQ(wheel_.now(), 150 * kYear);
  RunUntil(250 * kYear);
  EXPECT_THAT(fired_, ::testing::ElementsAre(3, 1, 0, 2));
}

TEST_F(TimerWheelTest, NeverIsPendingUntilCancelled) {
  wheel_.Set(Node(0), TimerWheel::kNever);
  wheel_.Set(Node(1), TimerWheel::kNever - 1);
  EXPECT_LE(wheel_.NextTimeBound(), TimerWheel::kNever - 1);
  RunUntil(TimerWheel::kNever - 2);
  EXPECT_TRUE(fired_.empty());
  EXPECT_EQ(wheel_.size(), 2u);
  wheel_.Cancel(Node(0));
  RunUntil(TimerWheel::kNever);
  EXPECT_THAT(fired_, ::testing::ElementsAre(1));
  EXPECT_EQ(wheel_.NextTimeBound(), TimerWheel::kNever);
}

TEST_F(TimerWheelTest, APastTimeIsNow) {
  RunUntil(1'000);
  wheel_.Set(Node(0), 5);
  wheel_.Set(Node(1), -7);
  wheel_.Set(Node(2), 1'000);
  EXPECT_EQ(Node(0).when(), 1'000);
  RunUntil(1'000);
  EXPECT_THAT(fired_, ::testing::ElementsAre(0, 1, 2));
}

// A node that is alone in its slot is taken at once, wherever the slot is: what is set afterwards
// must still be in order.
TEST_F(TimerWheelTest, SettingAfterALonePopKeepsTheOrder) {
  wheel_.Set(Node(0), 1'000'000);
  wheel_.Set(Node(1), 9'000'000'000);
  EXPECT_EQ(wheel_.PopDue(TimerWheel::kNever), &Node(0));
  wheel_.Set(Node(0), 1'000'001);
  wheel_.Set(Node(2), 9'000'000'000);
  wheel_.Set(Node(3), 1'065'536);
  RunUntil(TimerWheel::kNever - 1);
  EXPECT_THAT(fired_, ::testing::ElementsAre(0, 3, 1, 2));
}

// Time stops inside the slot of a lone node that is not due yet.
TEST_F(TimerWheelTest, TimeMayStopShortOfALoneNode) {
  wheel_.Set(Node(0), 70'000);
  RunUntil(66'000);
  EXPECT_EQ(wheel_.now(), 66'000);
  EXPECT_GT(wheel_.NextTimeBound(), 66'000);
  EXPECT_LE(wheel_.NextTimeBound(), 70'000);
  wheel_.Set(Node(1), 69'000);
  wheel_.Set(Node(2), 71'000);
  RunUntil(80'000);
  EXPECT_THAT(fired_, ::testing::ElementsAre(1, 0, 2));
}

TEST_F(TimerWheelTest, ANodeThatGoesIsNotPendingAndAWheelThatGoesLetsItsNodesGo) {
  {
    Recorder gone;
    wheel_.Set(gone, 10);
    EXPECT_EQ(wheel_.size(), 1u);
  }
  EXPECT_TRUE(wheel_.empty());
  Recorder left;
  {
    TimerWheel other;
    other.Set(left, 10);
  }
  EXPECT_FALSE(left.pending());
  wheel_.Set(left, 5);
  TimerWheel another;
  another.Set(left, 7);  // moves between wheels
  EXPECT_TRUE(wheel_.empty());
  EXPECT_EQ(another.size(), 1u);
}

TEST_F(TimerWheelTest, TimeThatGoesBackFailsACheck) {
  RunUntil(100);
  EXPECT_DEATH(static_cast<void>(wheel_.PopDue(99)), "time goes back");
}

RC_GTEST_PROP(TimerWheelProperty, FiresInOrderOfTimeThenOfSetting, ()) {
  struct Node final : TimerNode {
    void OnTimer() override { log->push_back(id); }
    std::vector<int>* log;
    int id;
  };
  std::vector<int> fired;
  TimerWheel wheel;
  std::vector<Node> nodes(40);
  std::map<std::pair<int64_t, int>, int> model;  // (time, order of setting) -> node
  std::map<int, std::pair<int64_t, int>> where;
  std::vector<int> expected;
  for (int i = 0; i < 40; ++i) {
    nodes[i].log = &fired;
    nodes[i].id = i;
  }
  int settings = 0;
  const auto steps =
      *rc::gen::container<std::vector<std::tuple<int, int, uint64_t>>>(rc::gen::tuple(
          rc::gen::inRange(0, 4), rc::gen::inRange(0, 40), rc::gen::arbitrary<uint64_t>()));
  for (const auto& [kind, id, raw] : steps) {
    const int64_t distance = static_cast<int64_t>(raw >> (24 + raw % 40));
    if (kind <= 1) {
      const int64_t when = wheel.now() + distance;
      wheel.Set(nodes[id], when);
      if (where.count(id)) model.erase(where[id]);
      where[id] = {when, settings++};
      model[where[id]] = id;
    } else if (kind == 2) {
      wheel.Cancel(nodes[id]);
      if (where.count(id)) model.erase(where[id]);
      where.erase(id);
    } else {
      const int64_t until = wheel.now() + distance;
      while (TimerNode* node = wheel.PopDue(until)) {
        RC_ASSERT(wheel.now() == node->when());
        node->OnTimer();
      }
      while (!model.empty() && model.begin()->first.first <= until) {
        expected.push_back(model.begin()->second);
        where.erase(model.begin()->second);
        model.erase(model.begin());
      }
      RC_ASSERT(fired == expected);
      RC_ASSERT(wheel.now() == until);
    }
    RC_ASSERT(wheel.size() == model.size());
    RC_ASSERT(model.empty() || wheel.NextTimeBound() <= model.begin()->first.first);
  }
}

}  // namespace
}  // namespace highwater::core
