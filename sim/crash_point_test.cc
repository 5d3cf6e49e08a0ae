// A host is crashed before every effect in turn, by both kinds of crash, while hostile destructors
// write, send, draw and spawn: the world must become what it becomes without those destructors.

#include "core/wait_queue.h"
#include "sim/divergence.h"
#include "sim/testing/echo.h"

namespace highwater::sim {
namespace {

using core::MonotonicTime;
using testing::AddHost;
using testing::EchoOnce;
using testing::MustDial;

// Does everything that a destructor could do to a world.
struct Hostile {
  core::Environment* env = nullptr;  // nullptr: harmless
  core::Connection* connection = nullptr;
  core::Listener* listener = nullptr;
  core::WaitQueue* queue = nullptr;
  core::TimerNode* timer = nullptr;

  ~Hostile() {
    // Outside a crash, destructors of this program behave.
    if (env == nullptr || !env->fibers.unwinding()) return;
    static_cast<void>(env->random.Next());
    static_cast<void>(env->buggify.Fires("hostile"));
    static_cast<void>(env->clock.WallNow());
    env->fibers.Spawn("ghost", [] { std::abort(); });
    if (queue != nullptr) queue->WakeAll();
    if (timer != nullptr) env->fibers.SetTimer(*timer, env->clock.Now());
    env->process.OnStopRequested([] { std::abort(); });
    if (connection != nullptr) {
      static_cast<void>(
          connection->Write(core::Bytes::Copy("from the grave"), MonotonicTime::Never()));
      static_cast<void>(connection->TryRead(1000));
      connection->OnReadable([] { std::abort(); });
      connection->Close();
    }
    if (listener != nullptr) listener->Close();
    static_cast<void>(env->network.Dial({.host = "client", .port = 1}, MonotonicTime::Never()));
    static_cast<void>(env->network.Listen({.host = "", .port = 5}));
    static_cast<void>(env->files.Open("a", core::OpenMode::kCreate));
  }
};

struct NoTimer final : core::TimerNode {
  void OnTimer() override { std::abort(); }
};

void Serve(core::Environment& env, bool hostile) {
  NoTimer timer;
  core::WaitQueue queue;
  auto listener = env.network.Listen({.host = "", .port = 9092});
  if (!listener.ok()) return;
  Hostile at_top{hostile ? &env : nullptr, nullptr, listener->get(), &queue, &timer};
  env.fibers.Spawn("sleeper", [&] { queue.Wait(env.fibers, "ever", MonotonicTime::Never()); });
  while (true) {
    auto accepted = (*listener)->Accept(MonotonicTime::Never());
    if (!accepted.ok()) return;
    env.fibers.Spawn("echo", [&env, &queue, hostile, connection = std::move(*accepted)] {
      Hostile in_fiber{hostile ? &env : nullptr, connection.get(), nullptr, &queue, nullptr};
      while (true) {
        auto bytes = connection->Read(1000, MonotonicTime::Never());
        if (!bytes.ok() || bytes->empty()) return;
        // Two effects without time between them.
        if (!connection->Write(core::Bytes::Copy("<"), MonotonicTime::Never()).ok()) return;
        if (!connection->Write(*bytes, MonotonicTime::Never()).ok()) return;
      }
    });
  }
}

struct Outcome {
  uint64_t hash = 0;
  uint64_t effects = 0;
  std::string heard;
  bool server_runs = false;
};

Outcome Play(uint64_t crash_at, CrashKind kind, bool hostile, HashSink* sink = nullptr) {
  World world({.seed = 9, .buggify = true});
  world.hash().SetSink(sink);
  Host& server = AddHost(world, "server");
  Host& client = AddHost(world, "client", "az-b");
  Outcome outcome;
  server.SetMain([hostile](core::Environment& env) { Serve(env, hostile); });
  client.SetMain([&](core::Environment& env) {
    env.fibers.SleepFor(absl::Milliseconds(1));
    for (int i = 0; i < 3; ++i) {
      auto connection =
          env.network.Dial({.host = "server", .port = 9092}, env.clock.Now() + absl::Seconds(1));
      if (!connection.ok()) return;
      static_cast<void>((*connection)->Write(core::Bytes::Copy("abc"), MonotonicTime::Never()));
      while (outcome.heard.size() < static_cast<size_t>(4 * (i + 1))) {
        auto bytes = (*connection)->Read(100, env.clock.Now() + absl::Seconds(1));
        if (!bytes.ok() || bytes->empty()) return;
        outcome.heard += bytes->ToString();
      }
    }
  });
  server.CrashAtPoint(crash_at, kind);
  server.Start();
  client.Start();
  world.Run(absl::Seconds(30));
  outcome.hash = world.hash().value();
  outcome.effects = server.effects();
  outcome.server_runs = server.running();
  return outcome;
}

TEST(CrashPointTest, HostileDestructorsDoNotChangeTheWorld) {
  const Outcome whole = Play(0, CrashKind::kProcess, false);
  EXPECT_EQ(whole.heard, "<abc<abc<abc");
  ASSERT_GE(whole.effects, 7u);  // a listen, and six writes
  std::vector<uint64_t> hashes;
  for (const CrashKind kind : {CrashKind::kProcess, CrashKind::kPowerLoss}) {
    for (uint64_t n = 1; n <= whole.effects; ++n) {
      const Outcome calm = Play(n, kind, false);
      const Outcome hostile = Play(n, kind, true);
      EXPECT_FALSE(hostile.server_runs);
      EXPECT_EQ(calm.heard, hostile.heard);
      if (calm.hash != hostile.hash) {
        ADD_FAILURE() << "crash point " << n << ": "
                      << FindDivergence([&](HashSink* s) { Play(n, kind, false, s); },
                                        [&](HashSink* s) { Play(n, kind, true, s); })
                             ->ToString();
      }
      hashes.push_back(calm.hash);
    }
  }
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(std::unique(hashes.begin(), hashes.end()), hashes.end());  // each point is another
}

TEST(CrashPointTest, TwoWritesWithoutTimeBetweenThemCanBeSplit) {
  bool split = false;
  for (uint64_t n = 1; n <= 10; ++n) {
    split |= Play(n, CrashKind::kProcess, false).heard == "<abc<";
  }
  EXPECT_TRUE(split);
}

TEST(CrashPointTest, ACrashInADestructorsCloseEndsTheProcess) {
  World world({.seed = 1});
  Host& server = AddHost(world, "server");
  int after = 0;
  server.SetMain([&](core::Environment& env) {
    {
      auto listener = env.network.Listen({.host = "", .port = 1});
    }         // effects 1 and 2
    ++after;  // the port was dead, the fiber had not waited yet
    env.fibers.SleepFor(absl::Seconds(1));
    ++after;
  });
  server.CrashAtPoint(2, CrashKind::kProcess);
  server.Start();
  world.RunUntilIdle();
  EXPECT_EQ(after, 1);
  EXPECT_FALSE(server.running());
}

}  // namespace
}  // namespace highwater::sim
