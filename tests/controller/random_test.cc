// Controllers under random trouble: what a write of a partition's state must never be is checked at
// each of them (ControllerWorld), and in the end everything has a leader again.

#include "core/random.h"
#include "tests/controller/controller_world.h"

namespace highwater::tests {
namespace {

namespace zk = broker::zk;

constexpr int32_t kBrokers = 4;

void ProposeSomething(ControllerWorld& w, core::Random& random, const TopicPartition& id,
                      const std::vector<BrokerId>& replicas) {
  const zk::LeaderAndIsr state = w.StateOf(id);
  if (state.leader == broker::kNoBroker || w.Process(state.leader.value()) == nullptr) return;
  std::vector<BrokerId> isr{state.leader};
  for (const BrokerId replica : replicas) {
    if (replica != state.leader && random.Chance(2, 3)) isr.push_back(replica);
  }
  static_cast<void>(w.ProposeIsr(id, isr));
}

void OneTrouble(ControllerWorld& w, core::Random& random) {
  const auto broker = static_cast<int32_t>(random.Below(kBrokers));
  FakeBrokerProcess* const process = w.Process(broker);
  switch (random.Below(8)) {
    case 0:
      if (w.IsRunning(broker)) w.Crash(broker, random.Chance(1, 2));
      break;
    case 1:
    case 2:
      if (!w.IsRunning(broker)) w.Start(broker, random.Chance(1, 2));
      break;
    case 3:
      if (process != nullptr) w.zookeeper.Expire(process->client.session_id());
      break;
    case 4:
      if (process != nullptr) process->client.HoldWatches(random.Chance(1, 2));
      break;
    case 5:
      if (process != nullptr) process->client.CutOff(random.Chance(1, 2));
      break;
    case 6:
      w.zookeeper.ExpireDead();
      break;
    default:
      w.crash_controller_at_write = static_cast<int>(random.Below(12));
      break;
  }
}

void RunSeed(uint64_t seed) {
  SCOPED_TRACE(seed);
  core::KeyedRandom random(seed * 7919);
  ControllerWorld w(kBrokers, seed);
  for (int32_t i = 0; i < kBrokers; ++i) {
    w.Start(i);
    w.Run(absl::Milliseconds(100));
  }
  w.Run(absl::Seconds(1));
  const std::vector<BrokerId> replicas = Ids({0, 1, 2});
  const TopicPartition a{"a", PartitionIndex(0)};
  const TopicPartition b{"b", PartitionIndex(0)};
  w.CreateTopic("a", {replicas}, {{"min.insync.replicas", "2"}});
  w.CreateTopic("b", {replicas});
  w.zookeeper.lose_reply = [&random](const broker::zookeeper::Request&) {
    return random.Chance(1, 20);
  };
  for (int step = 0; step < 40; ++step) {
    OneTrouble(w, random);
    w.Run(absl::Milliseconds(random.Between(1, 1500)));
    if (random.Chance(1, 2)) ProposeSomething(w, random, random.Chance(1, 2) ? a : b, replicas);
  }
  // Heal.
  w.zookeeper.lose_reply = nullptr;
  w.crash_controller_at_write = -1;
  w.zookeeper.ExpireDead();
  for (int32_t i = 0; i < kBrokers; ++i) {
    if (!w.IsRunning(i)) w.Start(i);
  }
  w.Run(absl::Seconds(5));
  for (int32_t i = 0; i < kBrokers; ++i) {
    if (w.Process(i) != nullptr) w.Process(i)->client.CutOff(false);
  }
  w.Run(absl::Seconds(30));
  ASSERT_NE(w.Controller(), broker::kNoBroker);
  for (const TopicPartition& id : {a, b}) {
    const zk::LeaderAndIsr state = w.StateOf(id);
    EXPECT_NE(state.leader, broker::kNoBroker) << id.topic;
    for (const BrokerId replica : replicas) {
      EXPECT_EQ(w.Process(replica.value())->replicas[id].leader, state.leader) << id.topic;
      EXPECT_EQ(w.Process(replica.value())->replicas[id].leader_epoch, state.leader_epoch);
      EXPECT_EQ(w.Process(replica.value())->metadata[id].leader, state.leader.value());
    }
  }
  // Unclean elections are off: nobody leads who was not vouched for.
  EXPECT_EQ(w.unclean_elections, 0);
}

// [C13, C31, C42, C51, S1, Z53, Z55]
TEST(ControllersUnderTroubleTest, NeverBreakAPartitionsStateAndHeal) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    RunSeed(seed);
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace highwater::tests
