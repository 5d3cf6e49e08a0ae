// Faults that wait for an event: tried in its instant, before anybody does anything else.

#include "faults/injector.h"

#include <gtest/gtest.h>

#include "core/environment.h"
#include "sim/disk/disk.h"
#include "sim/network/simulated_network.h"

namespace highwater::faults {
namespace {

class NoRoles final : public Roles {
 public:
  std::optional<int32_t> Controller() const override { return std::nullopt; }
  std::optional<int32_t> LeaderOf(std::string_view, int32_t) const override { return leader; }
  std::vector<int32_t> ReplicasOf(std::string_view, int32_t) const override { return {}; }
  std::optional<int32_t> ZooKeeperLeader() const override { return std::nullopt; }
  std::optional<int32_t> leader;
};

// A host that appends to a file at each 10 ms: a letter, the event, another letter.
class InjectorTest : public ::testing::Test {
 protected:
  InjectorTest() {
    for (int32_t i = 0; i < 2; ++i) {
      sim::Host& host = world.AddHost({.name = fmt::format("broker-{}", i),
                                       .zone = world.network().AddZone("az-a"),
                                       .disk = sim::MakeDiskFactory({})});
      cast.members.push_back(
          {.host = &host, .zone = "az-a", .kind = Cast::Kind::kBroker, .number = i});
      host.SetMain([this, i](core::Environment& env) { Main(env, i); });
      host.Start();
    }
  }

  void Main(core::Environment& env, int32_t number) {
    auto file = env.files.Open("log", core::OpenMode::kCreate);
    ASSERT_TRUE(file.ok());
    uint64_t size = 0;
    const auto write = [&](std::string_view text) {
      if ((*file)->WriteAt(size, core::ByteChain(core::Bytes::Copy(text))).ok()) ++size;
    };
    for (int turn = 0; turn < 5; ++turn) {
      (void)env.fibers.SleepFor(absl::Milliseconds(10));
      // Somebody else on this host who is ready already as the event happens.
      (void)env.fibers.Spawn("other", [this, number] { ++others_ran[number]; });
      write("a");
      injector.Notice({.event = Moment::Event::kHighWatermarkMoves,
                       .broker = number,
                       .topic = "orders",
                       .partition = number});
      write("b");
      (void)env.fibers.SleepFor(absl::Milliseconds(10));
    }
  }

  std::string Written(int32_t number) {
    const auto view =
        static_cast<sim::Disk&>(*cast.members[static_cast<size_t>(number)].host->disk())
            .InspectCurrent("log");
    return view.ok() ? view->content.ToString() : "";
  }

  static FaultOrder OrderOf(std::string kind, Moment moment) {
    return {.kind = std::move(kind),
            .aim = {.role = Aim::Role::kHere},
            .when = std::move(moment),
            .length = absl::Seconds(10)};
  }
  static Moment Of(int32_t partition) {
    return {.event = Moment::Event::kHighWatermarkMoves, .topic = "orders", .partition = partition};
  }

  sim::World world{{.seed = 5}};
  Cast cast;
  NoRoles roles;
  std::vector<std::string> told;
  int others_ran[2] = {};
  Injector injector{world, cast, roles,
                    [this](const FaultOrder&, const std::vector<sim::Host*>&, std::string text) {
                      told.push_back(std::move(text));
                    }};
};

TEST_F(InjectorTest, LetsNothingHaveAnEffectAfterTheEventAtWhichItsProcessEnds) {
  injector.Order({OrderOf("crash_broker", Of(1))});
  (void)world.Run(absl::Milliseconds(100));
  EXPECT_EQ(Written(1), "a");
  EXPECT_EQ(others_ran[1], 0);
  EXPECT_EQ(Written(0), "ababababab");
  EXPECT_EQ(world.ledger().faults()[0].observed, 1u);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(InjectorTest, TriesEverythingElseBeforeTheNextFiberRuns) {
  injector.Order({OrderOf("freeze", Of(1))});
  (void)world.Run(absl::Milliseconds(100));
  EXPECT_EQ(Written(1), "ab");  // the event's own turn ends
  EXPECT_EQ(others_ran[1], 0);
  EXPECT_TRUE(cast.members[1].host->frozen());
}

TEST_F(InjectorTest, HitsAnotherHostInTheInstantOfTheEvent) {
  roles.leader = 0;
  FaultOrder order = OrderOf("crash_broker", Of(1));
  order.aim = {.role = Aim::Role::kLeader, .number = 1, .name = "orders"};
  injector.Order({order});
  (void)world.Run(absl::Milliseconds(100));
  EXPECT_EQ(Written(1), "ababababab");
  EXPECT_FALSE(cast.members[0].host->running());
  EXPECT_LE(Written(0).size(), 2u);
}

TEST_F(InjectorTest, WaitsForTheNextEventWhereNobodyHasTheRole) {
  FaultOrder order = OrderOf("crash_broker", Of(1));
  order.aim = {.role = Aim::Role::kLeader, .number = 1, .name = "orders"};
  injector.Order({order});
  world.At(absl::Milliseconds(35), [this] { roles.leader = 1; });
  (void)world.Run(absl::Milliseconds(100));
  EXPECT_EQ(Written(1), "ababa");
}

TEST_F(InjectorTest, WaitsFromItsTimeOn) {
  FaultOrder order = OrderOf("crash_broker", Of(1));
  order.at = absl::Milliseconds(25);
  injector.Order({order});
  (void)world.Run(absl::Milliseconds(100));
  EXPECT_EQ(Written(1), "aba");
}

TEST_F(InjectorTest, TriesItSoLongAfterTheEvent) {
  FaultOrder order = OrderOf("crash_broker", Of(1));
  order.after = absl::Milliseconds(25);
  injector.Order({order});
  (void)world.Run(absl::Milliseconds(34));
  EXPECT_TRUE(cast.members[1].host->running());
  (void)world.Run(absl::Milliseconds(36));
  EXPECT_FALSE(cast.members[1].host->running());
}

TEST_F(InjectorTest, WaitsForAnyPartitionWhereNoneIsNamed) {
  Moment any = Of(0);
  any.topic = "";
  injector.Order({OrderOf("crash_broker", any), OrderOf("crash_broker", any)});
  (void)world.Run(absl::Milliseconds(100));
  EXPECT_FALSE(cast.members[0].host->running() && cast.members[1].host->running());
}

TEST_F(InjectorTest, FiresNothingOnceTheWorldHeals) {
  FaultOrder order = OrderOf("crash_broker", Of(1));
  order.after = absl::Milliseconds(25);
  injector.Order({order, OrderOf("freeze", {.event = Moment::Event::kLeaderElected, .topic = ""})});
  world.At(absl::Milliseconds(15), [this] { injector.Heal(); });
  (void)world.Run(absl::Milliseconds(100));
  EXPECT_EQ(Written(1), "ababababab");
}

}  // namespace
}  // namespace highwater::faults
