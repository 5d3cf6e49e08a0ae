// A server's log and snapshots when the power fails, or the process dies, at any effect: what was
// said to be durable is there, in its order, and the server starts.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tests/zookeeper/log_world.h"

namespace highwater::broker::zookeeper::testing {
namespace {

// Write-back early and often, so that a power loss finds every mixture of what has reached the
// device.
sim::DiskOptions EagerDisk() {
  sim::DiskOptions disk;
  disk.write_back = {1'000'000, 20'000'000};
  return disk;
}

// [3.10]
TEST(ZooKeeperLogPowerLossTest, AtEveryEffectNothingThatWasDurableIsLost) {
  uint64_t lost = 0;
  uint64_t snapshots = 0;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    for (const bool early : {false, true}) {
      const auto how = seed % 2 == 0 ? sim::CrashKind::kProcess : sim::CrashKind::kPowerLoss;
      LogWorldOptions options{.seed = seed, .retain_snapshots = 2, .disk = EagerDisk()};
      options.snap_count = 8;
      options.applies_early = early;
      LogWorld whole(options);
      whole.Run({.steps = 12});
      ASSERT_EQ(whole.problem(), "");
      ASSERT_GT(whole.effects(), 50u);
      for (uint64_t n = 1; n <= whole.effects(); ++n) {
        LogWorld world(options);
        world.Run({.steps = 12, .power_fails_at = n, .how = how});
        world.Run({.steps = 3, .close = false});
        world.Run({});
        ASSERT_EQ(world.problem(), "") << "seed " << seed << ", effect " << n;
        lost += world.lost();
        snapshots += world.snapshots_loaded();
      }
    }
  }
  EXPECT_GT(lost, 0u) << "no power loss took anything away";
  EXPECT_GT(snapshots, 0u) << "no recovery began with a later snapshot";
}

TEST(ZooKeeperLogPowerLossTest, AtEveryEffectOfARecoveryFromAPowerLoss) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const LogWorldOptions options{.seed = seed, .disk = EagerDisk()};
    uint64_t effects = 1;
    for (uint64_t n = 0; n <= effects; ++n) {
      LogWorld world(options);
      world.Run({.steps = 6, .power_fails_at = 20 + seed});
      world.Run({.steps = 1, .power_fails_at = n});
      if (n == 0) effects = world.effects();
      world.Run({.steps = 1});
      world.Run({});
      ASSERT_EQ(world.problem(), "") << "seed " << seed << ", effect " << n;
    }
  }
}

RC_GTEST_PROP(ZooKeeperLogPowerLossTest, AnySequenceOfIncarnationsKeepsWhatWasDurable, ()) {
  LogWorldOptions options{.seed = *rc::gen::inRange<uint64_t>(1, 1'000'000),
                          .snap_count = *rc::gen::inRange(2, 40),
                          .retain_snapshots = *rc::gen::inRange(0, 4),
                          .buggify = *rc::gen::arbitrary<bool>(),
                          .applies_early = *rc::gen::arbitrary<bool>(),
                          .disk = EagerDisk()};
  const auto incarnations = *rc::gen::container<std::vector<std::pair<int, int>>>(
      rc::gen::pair(rc::gen::inRange(0, 20), rc::gen::inRange(0, 200)));
  LogWorld world(options);
  for (const auto& [steps, fails_at] : incarnations) {
    world.Run({.steps = steps,
               .power_fails_at = fails_at < 100 ? 0 : static_cast<uint64_t>(fails_at - 99),
               .close = fails_at < 50});
  }
  world.Run({});
  RC_TAG(world.lost() > 0 ? "lost what was not durable" : "lost nothing");
  if (!world.problem().empty()) RC_FAIL(world.problem());
}

}  // namespace
}  // namespace highwater::broker::zookeeper::testing
