// How producers come by their ids.

#include <set>

#include "broker/controller/producer_id_manager.h"
#include "broker/protocol/init_producer_id.h"
#include "tests/broker/broker_world.h"

namespace highwater::tests {
namespace {

using namespace broker::protocol;  // the messages

InitProducerIdRequest Plain() {
  InitProducerIdRequest request;
  request.transactional_id.reset();
  request.transaction_timeout_ms = -1;
  return request;
}

// The id that a new producer gets; -1 and a failed test if it gets none.
int64_t Ask(RawClient& client, int16_t version = 4) {
  const auto response = client.Call(Plain(), version);
  EXPECT_TRUE(response.ok()) << response.status();
  if (!response.ok()) return -1;
  EXPECT_EQ(response->error_code, ErrorCode::NONE);
  EXPECT_EQ(response->producer_epoch, 0);
  return response->producer_id;
}

// [X10]
TEST(ProducerIdTest, EachVersionGivesAnIdOfItsOwn) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    for (int16_t version = 0; version <= 4; ++version) EXPECT_EQ(Ask(client, version), version);
  });
}

// [X10]
TEST(ProducerIdTest, WhatAProducerHadBeforeDoesNotMatterWithoutATransactionalId) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    EXPECT_EQ(Ask(client), 0);
    InitProducerIdRequest request = Plain();
    request.producer_id = 0;
    request.producer_epoch = 3;
    const auto response = client.Call(request, 4);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->producer_id, 1);
    EXPECT_EQ(response->producer_epoch, 0);
  });
}

// [X10]
TEST(ProducerIdTest, RefusesWhatItCannotServe) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    const auto refused = [&](const InitProducerIdRequest& request) {
      const auto response = client.Call(request, 4);
      EXPECT_TRUE(response.ok()) << response.status();
      EXPECT_EQ(response->producer_id, -1);
      EXPECT_EQ(response->producer_epoch, -1);
      return response->error_code;
    };
    InitProducerIdRequest request = Plain();
    request.transactional_id = "payments";
    EXPECT_EQ(refused(request), ErrorCode::COORDINATOR_NOT_AVAILABLE);
    request.transactional_id = "";
    EXPECT_EQ(refused(request), ErrorCode::INVALID_REQUEST);
    request = Plain();
    request.producer_id = 7;
    EXPECT_EQ(refused(request), ErrorCode::INVALID_REQUEST);
  });
}

// [M110] Over stops, crashes and power losses at any point.
TEST(ProducerIdTest, AnIdIsNeverGivenTwice) {
  BrokerWorld w(Settings{}, 3, sim::StrategyKind::kRandom);
  std::set<int64_t> given;
  for (uint64_t round = 0; round < 60; ++round) {
    w.StartBroker();
    const uint64_t point = w.host.effects() + 20 + round;
    if (round % 3 == 1) w.host.CrashAtPoint(point, sim::CrashKind::kProcess);
    if (round % 3 == 2) w.host.CrashAtPoint(point, sim::CrashKind::kPowerLoss);
    w.client.SetMain([&](core::Environment& env) {
      RawClient client(env);
      while (true) {
        const auto response = client.Call(Plain(), 4);
        if (!response.ok()) return;
        ASSERT_EQ(response->error_code, ErrorCode::NONE);
        ASSERT_TRUE(given.insert(response->producer_id).second) << response->producer_id;
        if (round % 3 == 0 && given.size() % 1500 == 0) return;
      }
    });
    w.client.Start();
    w.world.Run(w.world.Elapsed() + absl::Milliseconds(400));
    if (w.client.running()) w.client.Crash();
    if (w.host.running()) w.host.LosePower();
  }
  EXPECT_GT(given.size(), 3000u);
}

// A controller that answers by a script, ten milliseconds later.
class ScriptedSource final : public broker::ProducerIdBlockSource {
 public:
  explicit ScriptedSource(core::Environment& env) : env_(env) {}
  Result Allocate(core::MonotonicTime) override {
    ++asked;
    env_.fibers.SleepFor(absl::Milliseconds(10));
    if (script.empty()) return {.error = ErrorCode::REQUEST_TIMED_OUT};
    const Result result = script.front();
    script.erase(script.begin());
    return result;
  }
  void Give(int64_t first, int64_t size) {
    script.push_back({.block = {.first = broker::ProducerId(first), .size = size}});
  }
  std::vector<Result> script;
  int asked = 0;

 private:
  core::Environment& env_;
};

class ProducerIdManagerTest : public ::testing::Test {
 protected:
  void Run(
      std::function<void(core::Environment&, ScriptedSource&, broker::ProducerIdManager&)> body) {
    BrokerWorld().Run([&](core::Environment& env) {
      ScriptedSource source(env);
      broker::ProducerIdManager manager(env, source);
      body(env, source, manager);
      manager.Stop();
    });
  }
};

// [X45]
TEST_F(ProducerIdManagerTest, AsksForTheNextBlockBeforeTheLastOneIsUsedUp) {
  Run([](core::Environment& env, ScriptedSource& source, broker::ProducerIdManager& manager) {
    const auto soon = [&] { return env.clock.Now() + absl::Seconds(1); };
    source.Give(0, 10);
    source.Give(50, 10);
    for (int64_t id = 0; id < 8; ++id) EXPECT_EQ(manager.Generate(soon()).id.value(), id);
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(source.asked, 1);
    EXPECT_EQ(manager.Generate(soon()).id.value(), 8);
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(source.asked, 2);
    EXPECT_EQ(manager.Generate(soon()).id.value(), 9);
    const core::MonotonicTime before = env.clock.Now();
    EXPECT_EQ(manager.Generate(soon()).id.value(), 50);
    EXPECT_EQ(env.clock.Now(), before) << "it was there already";
  });
}

// [X45]
TEST_F(ProducerIdManagerTest, ABrokerThatIsRegisteringAsksAgainAtOnce) {
  Run([](core::Environment& env, ScriptedSource& source, broker::ProducerIdManager& manager) {
    source.script = {{.error = ErrorCode::STALE_BROKER_EPOCH},
                     {.error = ErrorCode::BROKER_ID_NOT_REGISTERED}};
    source.Give(7, 10);
    const core::MonotonicTime before = env.clock.Now();
    EXPECT_EQ(manager.Generate(before + absl::Seconds(1)).id.value(), 7);
    EXPECT_EQ(env.clock.Now() - before, absl::Milliseconds(30));
  });
}

// [M110, X45]
TEST_F(ProducerIdManagerTest, WithoutABlockTheWaitEndsAtItsDeadline) {
  Run([](core::Environment& env, ScriptedSource& source, broker::ProducerIdManager& manager) {
    source.Give(10, 1);
    source.Give(5, 1);  // below the one before
    EXPECT_EQ(manager.Generate(env.clock.Now() + absl::Seconds(1)).id.value(), 10);
    const core::MonotonicTime before = env.clock.Now();
    EXPECT_EQ(manager.Generate(before + absl::Seconds(1)).error, ErrorCode::REQUEST_TIMED_OUT);
    EXPECT_EQ(env.clock.Now() - before, absl::Seconds(1));
    EXPECT_LT(source.asked, 15) << "with a pause in between";
    source.Give(20, 1);
    EXPECT_EQ(manager.Generate(env.clock.Now() + absl::Seconds(1)).id.value(), 20);
  });
}

TEST(ProducerIdTest, ADiskThatStandsStillCostsTimeAndNothingElse) {
  BrokerWorld w;
  auto* disk = static_cast<sim::Disk*>(w.host.disk());
  w.Run([&](core::Environment& env) {
    RawClient client(env);
    disk->Begin({.id = sim::kNoFault, .kind = sim::DiskFault::Kind::kStallDevice});
    ASSERT_TRUE(client.Send(Plain(), 4).ok());
    env.fibers.SleepFor(absl::Seconds(3));
    disk->End(sim::kNoFault);
    const auto response = client.Receive<InitProducerIdResponse>(4);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->producer_id, 0);
  });
}

}  // namespace
}  // namespace highwater::tests
