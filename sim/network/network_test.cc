// What a program sees of the simulated network, without faults. One world, a server and a client.

#include "sim/network/simulated_network.h"
#include "sim/testing/echo.h"

namespace highwater::sim {
namespace {

using core::MonotonicTime;
using testing::AddHost;
using testing::MustDial;
using testing::ServeEcho;

class NetworkTest : public ::testing::Test {
 protected:
  void Run(std::function<void(core::Environment&)> on_server,
           std::function<void(core::Environment&)> on_client,
           absl::Duration until = absl::Seconds(60)) {
    server.SetMain(std::move(on_server));
    client.SetMain([&, body = std::move(on_client)](core::Environment& env) {
      body(env);
      client_ended = true;
    });
    server.Start();
    client.Start();
    world.Run(until);
    EXPECT_TRUE(client_ended) << world.DescribeFibers();
  }

  World world{{.seed = 5}};
  Host& server = AddHost(world, "server", "az-a");
  Host& client = AddHost(world, "client", "az-b");
  bool client_ended = false;
};

void Idle(core::Environment& env) { env.fibers.SleepFor(absl::Hours(1)); }

std::unique_ptr<core::Connection> AcceptOne(core::Environment& env) {
  auto listener = env.network.Listen({.host = "", .port = 9092});
  HW_CHECK(listener.ok());
  auto connection = (*listener)->Accept(MonotonicTime::Never());
  HW_CHECK(connection.ok());
  return std::move(*connection);
}

std::string ReadToEnd(core::Connection& connection) {
  std::string result;
  while (true) {
    auto bytes = connection.Read(1000, MonotonicTime::Never());
    if (!bytes.ok()) return result + " then " + std::string(bytes.status().message());
    if (bytes->empty()) return result;
    result += bytes->ToString();
  }
}

TEST_F(NetworkTest, ADialWithoutListenerIsRefusedAfterARoundTrip) {
  Run(Idle, [&](core::Environment& env) {
    auto connection = env.network.Dial({.host = "server", .port = 1}, MonotonicTime::Never());
    EXPECT_TRUE(absl::IsUnavailable(connection.status())) << connection.status();
    EXPECT_GE(world.Elapsed(), absl::Milliseconds(20));
    EXPECT_LE(world.Elapsed(), absl::Milliseconds(1000));
  });
}

TEST_F(NetworkTest, AnUnknownNameIsUnavailableAtOnce) {
  Run(Idle, [&](core::Environment& env) {
    auto connection = env.network.Dial({.host = "nobody", .port = 1}, MonotonicTime::Never());
    EXPECT_TRUE(absl::IsUnavailable(connection.status()));
    EXPECT_EQ(world.now(), 0);
  });
}

TEST_F(NetworkTest, ADialHeedsItsDeadlineAndLeavesNothingBehind) {
  Run(ServeEcho, [&](core::Environment& env) {
    auto connection =
        env.network.Dial({.host = "server", .port = 9092}, env.clock.Now() + absl::Milliseconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(connection.status()));
    EXPECT_EQ(world.Elapsed(), absl::Milliseconds(1));
    env.fibers.SleepFor(absl::Seconds(5));
    EXPECT_EQ(world.network().connection_count(), 0u);
  });
}

TEST_F(NetworkTest, APortInUseIsRefusedToTheSecondListenerUntilTheFirstCloses) {
  Run(
      [&](core::Environment& env) {
        auto first = env.network.Listen({.host = "", .port = 7});
        ASSERT_TRUE(first.ok());
        EXPECT_TRUE(absl::IsAlreadyExists(env.network.Listen({.host = "", .port = 7}).status()));
        (*first)->Close();
        EXPECT_TRUE(env.network.Listen({.host = "server", .port = 7}).ok());
        EXPECT_TRUE(
            absl::IsUnavailable(env.network.Listen({.host = "client", .port = 7}).status()));
        auto any = env.network.Listen({.host = "", .port = 0});
        EXPECT_NE((*any)->local().port, 0);
      },
      [](core::Environment&) {});
}

TEST_F(NetworkTest, AReaderSeesEveryByteBeforeACloseThenTheEnd) {
  std::string seen;
  Run(
      [&](core::Environment& env) {
        auto connection = AcceptOne(env);
        seen = ReadToEnd(*connection);
        EXPECT_TRUE(connection->Read(1, MonotonicTime::Never())->empty());
      },
      [&](core::Environment& env) {
        auto connection = MustDial(env, "server");
        for (std::string_view word : {"one ", "two ", "three"}) {
          ASSERT_TRUE(connection->Write(core::Bytes::Copy(word), MonotonicTime::Never()).ok());
        }
        connection->Close();
        EXPECT_TRUE(absl::IsFailedPrecondition(
            connection->Write(core::Bytes::Copy("x"), MonotonicTime::Never())));
        EXPECT_TRUE(
            absl::IsFailedPrecondition(connection->Read(1, MonotonicTime::Never()).status()));
      });
  EXPECT_EQ(seen, "one two three");
}

TEST_F(NetworkTest, WritingToAClosedPeerEndsInAReset) {
  Run(
      [&](core::Environment& env) {
        AcceptOne(env)->Close();
        Idle(env);
      },
      [&](core::Environment& env) {
        auto connection = MustDial(env, "server");
        EXPECT_TRUE(connection->Read(1, MonotonicTime::Never())->empty());
        EXPECT_TRUE(connection->Write(core::Bytes::Copy("x"), MonotonicTime::Never()).ok());
        env.fibers.SleepFor(absl::Seconds(1));
        EXPECT_TRUE(
            absl::IsAborted(connection->Write(core::Bytes::Copy("x"), MonotonicTime::Never())));
      });
}

TEST_F(NetworkTest, AWriterWaitsForRoomUntilThePeerReads) {
  const int64_t window = world.options().network.window_bytes;
  uint64_t received = 0;
  Run(
      [&](core::Environment& env) {
        auto connection = AcceptOne(env);
        env.fibers.SleepFor(absl::Seconds(10));
        while (received < 5 * static_cast<uint64_t>(window)) {
          received += connection->Read(10'000, MonotonicTime::Never())->size();
        }
      },
      [&](core::Environment& env) {
        auto connection = MustDial(env, "server");
        const core::Bytes much = core::Bytes::Zeros(static_cast<size_t>(window) * 5 / 2);
        EXPECT_TRUE(
            absl::IsDeadlineExceeded(connection->Write(much, env.clock.Now() + absl::Seconds(1))));
        EXPECT_LT(world.Elapsed(), absl::Seconds(2));
        // One window was sent; the rest of what is read below comes from this.
        EXPECT_TRUE(
            connection
                ->Write(core::Bytes::Zeros(static_cast<size_t>(window) * 4), MonotonicTime::Never())
                .ok());
        EXPECT_GE(world.Elapsed(), absl::Seconds(10));
      });
  EXPECT_EQ(received, 5 * static_cast<uint64_t>(window));
}

TEST_F(NetworkTest, OnReadableCallsBackOnceForBytesAndForTheEnd) {
  int calls = 0;
  Run(
      [&](core::Environment& env) {
        auto connection = AcceptOne(env);
        connection->OnReadable([&] { ++calls; });
        EXPECT_EQ(calls, 0);
        env.fibers.SleepFor(absl::Seconds(3));
        EXPECT_EQ(calls, 1);
        EXPECT_EQ(connection->TryRead(100)->ToString(), "ab");
        EXPECT_TRUE(connection->TryRead(100)->empty());
        connection->OnReadable([&] { calls += 10; });
        env.fibers.SleepFor(absl::Seconds(7));
        EXPECT_EQ(calls, 11);
        connection->OnReadable([&] { calls += 100; });  // at once, but not from within
        EXPECT_EQ(calls, 11);
        env.fibers.Yield();
        env.fibers.Yield();
        EXPECT_EQ(calls, 111);
      },
      [&](core::Environment& env) {
        auto connection = MustDial(env, "server");
        ASSERT_TRUE(connection->Write(core::Bytes::Copy("a"), MonotonicTime::Never()).ok());
        ASSERT_TRUE(connection->Write(core::Bytes::Copy("b"), MonotonicTime::Never()).ok());
        env.fibers.SleepFor(absl::Seconds(5));
        connection->Close();
        env.fibers.SleepFor(absl::Seconds(15));
      });
}

TEST_F(NetworkTest, CloseWakesAFiberThatReadsHere) {
  Run(ServeEcho, [&](core::Environment& env) {
    auto connection = MustDial(env, "server");
    absl::Status status;
    auto reader = env.fibers.Spawn(
        "reader", [&] { status = connection->Read(1, MonotonicTime::Never()).status(); });
    env.fibers.SleepFor(absl::Seconds(1));
    connection->Close();
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_TRUE(reader.finished());
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  });
}

TEST_F(NetworkTest, AReadThatTimesOutLeavesTheStreamUsable) {
  Run(ServeEcho, [&](core::Environment& env) {
    auto connection = MustDial(env, "server");
    EXPECT_TRUE(
        absl::IsDeadlineExceeded(connection->Read(1, env.clock.Now() + absl::Seconds(1)).status()));
    EXPECT_TRUE(testing::EchoOnce(*connection, core::Bytes::Copy("still here")).ok());
  });
}

TEST_F(NetworkTest, BytesArriveAsTheSlicesThatWereSent) {
  const core::Bytes body = core::Bytes::Zeros(4000);
  Run(
      [&](core::Environment& env) {
        auto connection = AcceptOne(env);
        auto bytes = connection->Read(10'000, MonotonicTime::Never());
        ASSERT_EQ(bytes->size(), 4003u);
        ASSERT_EQ(bytes->slices().size(), 2u);
        EXPECT_EQ(bytes->slices()[1].data(), body.data());  // not a copy
      },
      [&](core::Environment& env) {
        auto connection = MustDial(env, "server");
        core::ByteChain message(core::Bytes::Copy("abc"));
        message.Append(body);
        ASSERT_TRUE(connection->Write(message, MonotonicTime::Never()).ok());
        env.fibers.SleepFor(absl::Seconds(1));
      });
}

class MemoryFile final : public core::File {
 public:
  absl::StatusOr<core::ByteChain> ReadAt(uint64_t offset, size_t length) override {
    if (offset >= 100'000) return core::ByteChain();
    return core::ByteChain(
        core::Bytes::Zeros(std::min<size_t>(length, 100'000 - static_cast<size_t>(offset))));
  }
  absl::Status WriteAt(uint64_t, const core::ByteChain&) override { return absl::OkStatus(); }
  absl::Status Truncate(uint64_t) override { return absl::OkStatus(); }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::StatusOr<uint64_t> Size() override { return 100'000; }
};

TEST_F(NetworkTest, FileRangesAreSentAndAShortOneBreaksTheConnection) {
  size_t received = 0;
  std::string end;
  Run(
      [&](core::Environment& env) {
        auto connection = AcceptOne(env);
        while (true) {
          auto bytes = connection->Read(1 << 20, MonotonicTime::Never());
          if (!bytes.ok() || bytes->empty()) {
            end = std::string(bytes.status().message());
            break;
          }
          received += bytes->size();
        }
      },
      [&](core::Environment& env) {
        auto connection = MustDial(env, "server");
        core::Payload payload(core::Bytes::Copy("head"));
        auto file = std::make_shared<MemoryFile>();
        payload.Append(core::FileRange{.file = file, .offset = 10, .length = 90'000});
        ASSERT_TRUE(connection->Write(payload, MonotonicTime::Never()).ok());
        env.fibers.SleepFor(absl::Seconds(1));
        EXPECT_EQ(received, 90'004u);
        core::Payload wrong;
        wrong.Append(core::FileRange{.file = file, .offset = 99'000, .length = 2'000});
        EXPECT_TRUE(absl::IsDataLoss(connection->Write(wrong, MonotonicTime::Never())));
        env.fibers.SleepFor(absl::Seconds(1));
      });
  EXPECT_EQ(end, "connection reset by peer");
}

TEST_F(NetworkTest, ABacklogThatIsFullMakesDialsAskAgain) {
  WorldOptions options{.seed = 1};
  options.network.backlog = 1;
  World small(options);
  Host& busy = AddHost(small, "busy");
  Host& dialer = AddHost(small, "dialer");
  busy.SetMain([](core::Environment& env) {
    auto listener = env.network.Listen({.host = "", .port = 9092});
    env.fibers.SleepFor(absl::Milliseconds(500));
    while ((*listener)->Accept(MonotonicTime::Never()).ok()) {
    }
  });
  std::vector<int64_t> milliseconds;
  dialer.SetMain([&](core::Environment& env) {
    for (int i = 0; i < 2; ++i) {
      auto connection = env.network.Dial({.host = "busy", .port = 9092}, MonotonicTime::Never());
      EXPECT_TRUE(connection.ok());
      milliseconds.push_back(small.now() / 1'000'000);
    }
  });
  busy.Start();
  dialer.Start();
  small.Run(absl::Seconds(10));
  ASSERT_EQ(milliseconds.size(), 2u);
  EXPECT_LT(milliseconds[0], 100);
  EXPECT_GE(milliseconds[1], 1000);  // asked again after a second
}

// Whatever is written in whatever pieces is read in order and whole.
TEST(NetworkProperty, StreamsKeepOrderAndContent) {
  EXPECT_TRUE(rc::check(
      "streams keep order and content", [](uint64_t seed, const std::vector<uint16_t>& sizes) {
        WorldOptions options{.seed = seed, .strategy = DrawStrategy(seed), .buggify = true};
        options.network.window_bytes = 4096;
        World world(options);
        Host& server = AddHost(world, "server", "az-a");
        Host& client = AddHost(world, "client", "az-b");
        std::string sent;
        std::string received;
        server.SetMain([&](core::Environment& env) { received = ReadToEnd(*AcceptOne(env)); });
        client.SetMain([&](core::Environment& env) {
          auto connection = MustDial(env, "server");
          for (const uint16_t size : sizes) {
            std::string part(size % 6000, static_cast<char>('a' + sent.size() % 26));
            sent += part;
            if (!connection->Write(core::Bytes::Copy(part), MonotonicTime::Never()).ok()) return;
            if (size % 3 == 0) env.fibers.SleepFor(absl::Microseconds(size));
          }
        });
        server.Start();
        client.Start();
        world.RunUntilIdle();
        RC_ASSERT(received == sent);
        RC_ASSERT(world.network().connection_count() == 0u);
      }));
}

}  // namespace
}  // namespace highwater::sim
