// Clients that are wrong, hostile, slow or too many hurt nobody but themselves.

#include "broker/protocol/api_versions.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/metadata.h"
#include "broker/protocol/sync_group.h"
#include "tests/broker/broker_world.h"

namespace highwater::tests {
namespace {

using namespace broker::protocol;  // the messages

bool Serves(core::Environment& env) {
  RawClient client(env);
  return client.Call(MetadataRequest{}, 4).ok();
}

// [Wire 2.2]
TEST(ClientLimitsTest, WhatCannotBeReadClosesTheConnection) {
  BrokerWorld(Settings{{"socket.request.max.bytes", "1000"}}).Run([](core::Environment& env) {
    const std::vector<std::string> wrong = {
        std::string("\xff\xff\xff\xff", 4),                               // a negative length
        std::string("\0\0\x03\xe9", 4),                                   // above the limit
        std::string("\0\0\0\x02\0\x03", 6),                               // half a header
        std::string("\0\0\0\0", 4),                                       // no header
        std::string("\0\0\0\x0a\x7f\0\0\0\0\0\0\x01\xff\xff", 14),        // an unknown API
        std::string("\0\0\0\x0a\0\x03\0\x63\0\0\0\x01\xff\xff", 14),      // an unknown version
        std::string("\0\0\0\x0a\0\x03\xff\xff\0\0\0\x01\xff\xff", 14),    // a negative one
        std::string("\0\0\0\x0b\0\x03\0\x04\0\0\0\x01\xff\xff\x01", 15),  // half a body
        std::string("\0\0\0\x0e\0\x03\0\x04\0\0\0\x01\xff\xff\x7f\xff\xff\xff",
                    18),  // a huge count
        "GET / HTTP/1.1\r\n\r\n",
    };
    for (const std::string& bytes : wrong) {
      RawClient client(env);
      ASSERT_TRUE(client.SendBytes(bytes).ok());
      EXPECT_TRUE(client.IsClosedByBroker());
    }
    EXPECT_TRUE(Serves(env));
  });
}

// [Wire 2.2]
TEST(ClientLimitsTest, AnApiThatIsNotServedClosesTheConnection) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    ASSERT_TRUE(client.Send(SyncGroupRequest{}, 0).ok());
    EXPECT_TRUE(client.IsClosedByBroker());
  });
}

// [Wire 2.1]
TEST(ClientLimitsTest, PipelinedRequestsAreAnsweredInOrder) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    CreateTopic(client, "a");
    FetchRequest slow{.replica_id = -1, .max_wait_ms = 500, .min_bytes = 1};
    slow.topics.push_back({.topic = "a", .partitions = {{.partition_max_bytes = 100}}});
    ASSERT_TRUE(client.Send(slow, 11).ok());
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(client.Send(ApiVersionsRequest{}, 0).ok());
    const int32_t last = client.correlation();
    for (int32_t expected = last - 10; expected <= last; ++expected) {
      const auto frame = client.ReceiveFrame();
      ASSERT_TRUE(frame.ok()) << frame.status();
      EXPECT_EQ(PeekCorrelationId(*frame)->value(), expected);
    }
  });
}

TEST(ClientLimitsTest, ARequestMayComeInPieces) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient client(env);
    const auto frame = EncodeRequest(broker::CorrelationId(5), "slow", MetadataRequest{}, 4);
    const std::string bytes = ToChain(*frame).ToString();
    for (const char c : bytes) {
      ASSERT_TRUE(client.SendBytes(std::string(1, c)).ok());
      env.fibers.SleepFor(absl::Milliseconds(20));
    }
    const auto answer = client.ReceiveFrame();
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(PeekCorrelationId(*answer)->value(), 5);
  });
}

TEST(ClientLimitsTest, RefusesConnectionsAboveItsLimits) {
  for (const char* name : {"max.connections", "max.connections.per.ip"}) {
    BrokerWorld(Settings{{name, "2"}}).Run([&](core::Environment& env) {
      RawClient first(env);
      ASSERT_TRUE(first.Call(MetadataRequest{}, 4).ok());
      {
        RawClient second(env);
        ASSERT_TRUE(second.Call(MetadataRequest{}, 4).ok());
        EXPECT_TRUE(RawClient(env).IsClosedByBroker()) << name;
      }
      env.fibers.SleepFor(absl::Seconds(1));
      EXPECT_TRUE(Serves(env)) << "a place has become free";
    });
  }
}

TEST(ClientLimitsTest, ClosesIdleConnectionsOnly) {
  BrokerWorld(Settings{{"connections.max.idle.ms", "2000"}}).Run([](core::Environment& env) {
    RawClient idle(env);
    RawClient busy(env);
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(busy.Call(MetadataRequest{}, 4).ok());
      env.fibers.SleepFor(absl::Seconds(1));
    }
    EXPECT_TRUE(idle.IsClosedByBroker());
    EXPECT_TRUE(busy.Call(MetadataRequest{}, 4).ok());
  });
}

TEST(ClientLimitsTest, ADribbledRequestHasTheIdleTimeAsAWhole) {
  BrokerWorld(Settings{{"connections.max.idle.ms", "2000"}}).Run([](core::Environment& env) {
    RawClient client(env);
    ASSERT_TRUE(client.SendBytes(std::string("\0\0\x01\0", 4)).ok());
    const core::MonotonicTime begin = env.clock.Now();
    bool closed = false;
    while (!closed && env.clock.Now() - begin < absl::Seconds(20)) {
      env.fibers.SleepFor(absl::Milliseconds(300));
      closed = !client.SendBytes("x").ok();
    }
    EXPECT_TRUE(closed);
    EXPECT_LT(env.clock.Now() - begin, absl::Seconds(4));
  });
}

TEST(ClientLimitsTest, IncompleteRequestsHaveABoundTogether) {
  BrokerWorld(Settings{{"queued.max.request.bytes", "100000"}}).Run([](core::Environment& env) {
    // Five clients announce a large request and send 30 kB of it each.
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 5; ++i) {
      clients.push_back(std::make_unique<RawClient>(env));
      ASSERT_TRUE(clients.back()->SendBytes(std::string("\0\x10\0\0", 4)).ok());
      ASSERT_TRUE(clients.back()->SendBytes(std::string(30'000, 'x')).ok());
      env.fibers.SleepFor(absl::Milliseconds(100));
    }
    // The two that began first had to go; the others are still waited for.
    EXPECT_TRUE(clients[0]->IsClosedByBroker());
    EXPECT_TRUE(clients[1]->IsClosedByBroker());
    for (int i = 2; i < 5; ++i) EXPECT_TRUE(clients[i]->SendBytes("x").ok());
    EXPECT_TRUE(Serves(env));
  });
}

TEST(ClientLimitsTest, AClientThatDoesNotReadHoldsUpNobody) {
  BrokerWorld().Run([](core::Environment& env) {
    RawClient good(env);
    CreateTopic(good, "a");
    for (int i = 0; i < 40; ++i) {
      ASSERT_EQ(ErrorOf(good.Call(ProduceOf("a", BatchOf({std::string(500'000, 'x')})), 9)),
                ErrorCode::NONE);
    }
    FetchRequest all{.replica_id = -1, .max_wait_ms = 0, .min_bytes = 1};
    all.topics.push_back({.topic = "a", .partitions = {{.partition_max_bytes = 100 << 20}}});
    std::vector<std::unique_ptr<RawClient>> bad;
    for (int i = 0; i < 20; ++i) {
      bad.push_back(std::make_unique<RawClient>(env));
      for (int n = 0; n < 5; ++n) ASSERT_TRUE(bad.back()->Send(all, 12).ok());
    }
    env.fibers.SleepFor(absl::Seconds(1));
    const core::MonotonicTime before = env.clock.Now();
    EXPECT_EQ(ErrorOf(good.Call(ProduceOf("a", BatchOf({"y"})), 9)), ErrorCode::NONE);
    EXPECT_LT(env.clock.Now() - before, absl::Seconds(1));
  });
}

TEST(ClientLimitsTest, LongPollsTakeNoTurnFromOthers) {
  BrokerWorld(Settings{{"queued.max.requests", "1"}}).Run([](core::Environment& env) {
    RawClient waiting(env);
    CreateTopic(waiting, "a");
    FetchRequest poll{.replica_id = -1, .max_wait_ms = 20'000, .min_bytes = 1};
    poll.topics.push_back({.topic = "a", .partitions = {{.partition_max_bytes = 100}}});
    ASSERT_TRUE(waiting.Send(poll, 12).ok());
    env.fibers.SleepFor(absl::Milliseconds(100));
    const core::MonotonicTime before = env.clock.Now();
    EXPECT_TRUE(Serves(env));
    EXPECT_LT(env.clock.Now() - before, absl::Seconds(1));
  });
}

TEST(ClientLimitsTest, AnIdleConnectionHoldsNoFiber) {
  BrokerWorld w;
  w.Run([&](core::Environment& env) {
    ASSERT_TRUE(Serves(env));
    env.fibers.SleepFor(absl::Seconds(1));
    const size_t before = w.world.LiveFibers();
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 50; ++i) {
      clients.push_back(std::make_unique<RawClient>(env));
      ASSERT_TRUE(clients.back()->Call(MetadataRequest{}, 4).ok());
      ASSERT_TRUE(clients.back()->SendBytes(std::string("\0\0\x01\0abc", 7)).ok());
    }
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(w.world.LiveFibers(), before);
  });
}

}  // namespace
}  // namespace highwater::tests
