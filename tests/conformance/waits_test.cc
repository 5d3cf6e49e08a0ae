// Waits on the network: listening and dialling, deadlines, cancellation, closing, OnReadable.

#include "core/wait_queue.h"
#include "tests/conformance/streams.h"

namespace highwater::conformance {
namespace {

using core::Connection;
using core::Environment;

class WaitsTest : public StreamTest {
 protected:
  // Runs `wait` on a fiber of its own, cancels it a little later and returns what it returned.
  static absl::Status Cancelled(Environment& env, std::function<absl::Status()> wait) {
    absl::Status status = absl::UnknownError("has not returned");
    core::FiberHandle handle = env.fibers.Spawn("waiter", [&] { status = wait(); });
    env.fibers.SleepFor(absl::Milliseconds(20));
    EXPECT_FALSE(handle.finished()) << "it did not wait: " << status.ToString();
    handle.Cancel();
    Await(env, [&handle] { return handle.finished(); });
    return status;
  }
  // A peer that neither reads nor writes until its end of the connection ends.
  static void StaySilent(Environment& env, Connection& connection) {
    bool ended = false;
    connection.OnReadable([&ended] { ended = true; });
    Await(env, [&ended] { return ended; });
  }
};

TEST_P(WaitsTest, DiallingAPortWithoutAListenerIsRefused) {
  world_->RunNodes({[](Environment&) {},
                    [this](Environment& env) {
                      uint16_t port = 0;
                      {
                        auto listener = env.network.Listen({.host = "", .port = 0});
                        HW_ASSERT_OK(listener);
                        port = (*listener)->local().port;
                      }
                      HW_EXPECT_CODE(env.network.Dial({.host = world_->HostOf(1), .port = port},
                                                      In(env, absl::Seconds(20))),
                                     kUnavailable);
                    }});
}

TEST_P(WaitsTest, AnUnknownNameIsUnavailable) {
  world_->Run([](Environment& env) {
    HW_EXPECT_CODE(env.network.Dial({.host = "no-such-host.invalid", .port = 9092},
                                    In(env, absl::Seconds(60))),
                   kUnavailable);
  });
}

TEST_P(WaitsTest, AnEmptyEndpointIsInvalid) {
  world_->Run([this](Environment& env) {
    HW_EXPECT_CODE(env.network.Dial({.host = "", .port = 9092}, In(env, absl::Seconds(20))),
                   kInvalidArgument);
    HW_EXPECT_CODE(
        env.network.Dial({.host = world_->HostOf(0), .port = 0}, In(env, absl::Seconds(20))),
        kInvalidArgument);
  });
}

TEST_P(WaitsTest, APortHasOneListener) {
  world_->Run([](Environment& env) {
    auto first = env.network.Listen({.host = "", .port = 0});
    auto second = env.network.Listen({.host = "", .port = 0});
    HW_ASSERT_OK(first);
    HW_ASSERT_OK(second);
    EXPECT_NE((*first)->local().port, 0);
    EXPECT_NE((*first)->local().port, (*second)->local().port);
    const core::Endpoint taken{.host = "", .port = (*first)->local().port};
    HW_EXPECT_CODE(env.network.Listen(taken), kAlreadyExists);
    (*first)->Close();
    HW_EXPECT_OK(env.network.Listen(taken));
  });
}

TEST_P(WaitsTest, ClosingAListenerWakesAccept) {
  world_->Run([](Environment& env) {
    auto listener = env.network.Listen({.host = "", .port = 0});
    HW_ASSERT_OK(listener);
    absl::Status status;
    core::FiberHandle accepter = env.fibers.Spawn(
        "accept", [&] { status = (*listener)->Accept(core::MonotonicTime::Never()).status(); });
    env.fibers.SleepFor(absl::Milliseconds(5));
    (*listener)->Close();
    Await(env, [&] { return accepter.finished(); });
    HW_EXPECT_CODE(status, kFailedPrecondition);
    HW_EXPECT_CODE((*listener)->Accept(core::MonotonicTime::Never()), kFailedPrecondition);
  });
}

TEST_P(WaitsTest, ConnectionsWaitToBeAccepted) {
  uint16_t port = 0;
  bool dialled = false;
  world_->RunNodes({[&](Environment& env) {
                      auto listener = env.network.Listen({.host = "", .port = 0});
                      HW_ASSERT_OK(listener);
                      port = (*listener)->local().port;
                      Await(env, [&] { return dialled; });
                      env.fibers.SleepFor(absl::Milliseconds(100));
                      for (int i = 0; i < 3; ++i) {
                        auto accepted = (*listener)->Accept(In(env, absl::Seconds(20)));
                        HW_ASSERT_OK(accepted);
                        auto read = ReadUpTo(**accepted, 100, In(env, absl::Seconds(20)));
                        HW_ASSERT_OK(read);
                        EXPECT_EQ(*read, "early");
                      }
                    },
                    [&](Environment& env) {
                      Await(env, [&port] { return port != 0; });
                      for (int i = 0; i < 3; ++i) {
                        auto c = env.network.Dial({.host = world_->HostOf(0), .port = port},
                                                  In(env, absl::Seconds(20)));
                        HW_ASSERT_OK(c);
                        HW_EXPECT_OK((*c)->Write(ToPayload("early"), In(env, absl::Seconds(20))));
                      }
                      dialled = true;
                    }});
}

TEST_P(WaitsTest, EachWaitEndsAtItsDeadline) {
  RunPair(
      [this](Environment& env, Connection& connection) {
        const auto ends_in_time =
            [&env](const std::function<absl::Status(core::MonotonicTime)>& wait) {
              const core::MonotonicTime deadline = In(env, absl::Milliseconds(30));
              HW_EXPECT_CODE(wait(deadline), kDeadlineExceeded);
              EXPECT_GE(env.clock.Now(), deadline);
              HW_EXPECT_CODE(wait(env.clock.Now() - absl::Milliseconds(1)), kDeadlineExceeded);
            };
        ends_in_time([&](auto deadline) { return connection.Read(1, deadline).status(); });
        auto listener = env.network.Listen({.host = "", .port = 0});
        HW_ASSERT_OK(listener);
        ends_in_time([&](auto deadline) { return (*listener)->Accept(deadline).status(); });
        const core::Endpoint silent = world_->SilentEndpoint();
        ends_in_time([&](auto deadline) { return env.network.Dial(silent, deadline).status(); });
        const std::string block(8 << 20, 'b');
        absl::Status written;
        for (int i = 0; i < 32 && written.ok(); ++i) {
          written = connection.Write(ToPayload(block), In(env, absl::Milliseconds(30)));
        }
        HW_EXPECT_CODE(written, kDeadlineExceeded);
      },
      [](Environment& env, Connection& connection) {
        env.fibers.SleepFor(absl::Seconds(1));
        static_cast<void>(connection);
      });
}

TEST_P(WaitsTest, AReadGoesOnAfterItsDeadlineOrCancellation) {
  bool ready = false;
  RunPair(
      [&](Environment& env, Connection& connection) {
        HW_EXPECT_CODE(connection.Read(5, In(env, absl::Milliseconds(5))), kDeadlineExceeded);
        HW_EXPECT_CODE(
            Cancelled(env,
                      [&] { return connection.Read(5, core::MonotonicTime::Never()).status(); }),
            kCancelled);
        ready = true;
        auto read = ReadUpTo(connection, 5, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(read);
        EXPECT_EQ(*read, "hello");
      },
      [&](Environment& env, Connection& connection) {
        Await(env, [&ready] { return ready; });
        HW_EXPECT_OK(connection.Write(ToPayload("hello"), In(env, absl::Seconds(20))));
      });
}

TEST_P(WaitsTest, EachWaitCanBeCancelled) {
  bool done = false;
  RunPair(
      [&](Environment& env, Connection& connection) {
        const auto never = core::MonotonicTime::Never();
        auto listener = env.network.Listen({.host = "", .port = 0});
        HW_ASSERT_OK(listener);
        HW_EXPECT_CODE(Cancelled(env, [&] { return (*listener)->Accept(never).status(); }),
                       kCancelled);
        const core::Endpoint silent = world_->SilentEndpoint();
        HW_EXPECT_CODE(Cancelled(env, [&] { return env.network.Dial(silent, never).status(); }),
                       kCancelled);
        const std::string block(64 << 20, 'b');
        HW_EXPECT_CODE(Cancelled(env, [&] { return connection.Write(ToPayload(block), never); }),
                       kCancelled);
        done = true;
      },
      [&](Environment& env, Connection&) { Await(env, [&done] { return done; }); });
}

TEST_P(WaitsTest, CloseWakesItsOwnReaderAndWriter) {
  bool done = false;
  RunPair(
      [&](Environment& env, Connection& connection) {
        absl::Status read, written;
        const auto never = core::MonotonicTime::Never();
        auto reader =
            env.fibers.Spawn("reader", [&] { read = connection.Read(1, never).status(); });
        auto writer = env.fibers.Spawn("writer", [&] {
          written = connection.Write(ToPayload(std::string(64 << 20, 'w')), never);
        });
        env.fibers.SleepFor(absl::Milliseconds(50));
        EXPECT_FALSE(reader.finished());
        EXPECT_FALSE(writer.finished());
        connection.Close();
        Await(env, [&] { return reader.finished() && writer.finished(); });
        HW_EXPECT_CODE(read, kFailedPrecondition);
        HW_EXPECT_CODE(written, kFailedPrecondition);
        done = true;
      },
      [&](Environment& env, Connection&) { Await(env, [&done] { return done; }); });
}

TEST_P(WaitsTest, OnReadableCallsOnceForBytesThatCome) {
  int step = 0;
  RunPair(
      [&](Environment& env, Connection& connection) {
        int calls = 0;
        bool on_a_fiber = false;
        connection.OnReadable([&] {
          ++calls;
          on_a_fiber = env.fibers.current() != nullptr;
        });
        EXPECT_EQ(calls, 0);
        env.fibers.SleepFor(absl::Milliseconds(20));
        EXPECT_EQ(calls, 0);
        step = 1;
        Await(env, [&] { return calls > 0; });
        EXPECT_FALSE(on_a_fiber);
        auto read = connection.TryRead(100);
        HW_ASSERT_OK(read);
        EXPECT_EQ(read->ToString(), "first");
        step = 2;
        auto next = connection.Read(100, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(next);
        EXPECT_EQ(next->ToString(), "second");
        EXPECT_EQ(calls, 1);
      },
      [&](Environment& env, Connection& connection) {
        Await(env, [&] { return step == 1; });
        HW_EXPECT_OK(connection.Write(ToPayload("first"), In(env, absl::Seconds(20))));
        Await(env, [&] { return step == 2; });
        HW_EXPECT_OK(connection.Write(ToPayload("second"), In(env, absl::Seconds(20))));
      });
}

TEST_P(WaitsTest, OnReadableCallsForWhatIsAlreadyThereButNeverFromWithin) {
  RunPair(
      [](Environment& env, Connection& connection) {
        auto first = connection.Read(1, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(first);
        EXPECT_EQ(first->ToString(), "a");
        env.fibers.SleepFor(absl::Milliseconds(20));
        int calls = 0;
        connection.OnReadable([&calls] { ++calls; });
        EXPECT_EQ(calls, 0);
        Await(env, [&calls] { return calls == 1; });
        auto rest = ReadUpTo(connection, 100, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(rest);
        EXPECT_EQ(*rest, "bc");
        // At the end of the stream a read would not wait either.
        connection.OnReadable([&calls] { ++calls; });
        EXPECT_EQ(calls, 1);
        Await(env, [&calls] { return calls == 2; });
        auto end = connection.TryRead(1);
        HW_ASSERT_OK(end);
        EXPECT_TRUE(end->empty());
      },
      [](Environment& env, Connection& connection) {
        HW_EXPECT_OK(connection.Write(ToPayload("abc"), In(env, absl::Seconds(20))));
      });
}

TEST_P(WaitsTest, OnReadableCallsAtTheEndOfAnIdleStream) {
  RunPair([](Environment& env, Connection& connection) { StaySilent(env, connection); },
          [](Environment& env, Connection&) { env.fibers.SleepFor(absl::Milliseconds(30)); });
}

TEST_P(WaitsTest, OnReadableCallsWhenTheConnectionIsClosedHere) {
  bool done = false;
  RunPair(
      [&](Environment& env, Connection& connection) {
        int calls = 0;
        connection.OnReadable([&calls] { ++calls; });
        env.fibers.SleepFor(absl::Milliseconds(5));
        connection.Close();
        EXPECT_EQ(calls, 0) << "not from within Close";
        Await(env, [&calls] { return calls == 1; });
        HW_EXPECT_CODE(connection.TryRead(1), kFailedPrecondition);
        done = true;
      },
      [&](Environment& env, Connection&) { Await(env, [&done] { return done; }); });
}

TEST_P(WaitsTest, OnReadableIsReplacedAndWithdrawn) {
  int step = 0;
  RunPair(
      [&](Environment& env, Connection& connection) {
        int first = 0, second = 0;
        connection.OnReadable([&first] { ++first; });
        connection.OnReadable([&second] { ++second; });
        step = 1;
        Await(env, [&second] { return second == 1; });
        auto read = ReadUpTo(connection, 1, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(read);
        connection.OnReadable([&second] { ++second; });
        connection.OnReadable(nullptr);
        step = 2;
        auto rest = ReadUpTo(connection, 1, In(env, absl::Seconds(20)));
        HW_ASSERT_OK(rest);
        EXPECT_EQ(first, 0);
        EXPECT_EQ(second, 1);
      },
      [&](Environment& env, Connection& connection) {
        for (int i = 1; i <= 2; ++i) {
          Await(env, [&] { return step == i; });
          HW_EXPECT_OK(connection.Write(ToPayload("x"), In(env, absl::Seconds(20))));
        }
      });
}

TEST_P(WaitsTest, TryReadNeverWaits) {
  bool looked = false;
  RunPair(
      [&](Environment& env, Connection& connection) {
        auto nothing = connection.TryRead(10);
        HW_ASSERT_OK(nothing);
        EXPECT_TRUE(nothing->empty());
        looked = true;
        std::string got;
        for (int i = 0; i < 20'000 && got.size() < 5; ++i) {
          auto part = connection.TryRead(2);
          HW_ASSERT_OK(part);
          EXPECT_LE(part->size(), 2u);
          got += part->ToString();
          env.fibers.SleepFor(absl::Milliseconds(1));
        }
        EXPECT_EQ(got, "hello");
      },
      [&](Environment& env, Connection& connection) {
        Await(env, [&looked] { return looked; });
        HW_EXPECT_OK(connection.Write(ToPayload("hello"), In(env, absl::Seconds(20))));
      });
}

HW_CONFORMANCE_SUITE(WaitsTest);

}  // namespace
}  // namespace highwater::conformance
