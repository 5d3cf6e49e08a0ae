// The ZooKeeper client in a simulated network, against servers that follow a script [Z40-Z45].

#include "broker/zookeeper/client/session_client.h"

#include "tests/zookeeper_client/client_world.h"

namespace highwater::tests {
namespace {

using namespace broker::zookeeper;  // NOLINT: the whole vocabulary
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

CreateRequest Create(std::string path, CreateMode mode = CreateMode::kPersistent) {
  return {.path = std::move(path), .data = core::Bytes::Copy("x"), .acl = OpenAcl(), .mode = mode};
}
SetDataRequest Set(std::string path, std::string_view data) {
  return {.path = std::move(path), .data = core::Bytes::Copy(data)};
}
Response One(ZooKeeperClient& zk, Request request) {
  return zk.RetryUntilConnected({std::move(request)})[0];
}
std::vector<ErrorCode> ErrorsOf(const std::vector<Response>& responses) {
  std::vector<ErrorCode> errors;
  for (const Response& response : responses) errors.push_back(response.error);
  return errors;
}

// [Z40]
TEST(SessionClientTest, ServesEveryRequestInOrder) {
  ZooKeeperClientWorld w;
  w.RunConnected([](core::Environment&, ZooKeeperClient& zk) {
    MultiRequest multi;
    multi.ops = {CheckRequest{.path = "/a", .version = 1}, CreateRequest{.path = "/a/m"}};
    const auto got =
        zk.HandleRequests({Create("/a"), Set("/a", "2"), GetDataRequest{.path = "/a"}, multi, multi,
                           GetChildren2Request{.path = "/a"}, DeleteRequest{.path = "/a/m"},
                           ExistsRequest{.path = "/a/m"}});
    EXPECT_THAT(ErrorsOf(got), ElementsAre(ErrorCode::kOk, ErrorCode::kOk, ErrorCode::kOk,
                                           ErrorCode::kOk, ErrorCode::kNodeExists, ErrorCode::kOk,
                                           ErrorCode::kOk, ErrorCode::kNoNode));
    EXPECT_EQ(std::get<GetDataResponse>(got[2].body).data, core::Bytes::Copy("2"));
    EXPECT_THAT(std::get<GetChildren2Response>(got[5].body).children, ElementsAre("m"));
  });
}

TEST(SessionClientTest, ConnectGivesUpAfterTheConnectionTimeOut) {
  ZooKeeperClientWorld w;
  w.options.servers = {{"nowhere", 2181}};
  w.options.connection_timeout = absl::Seconds(4);
  w.Run([&](core::Environment& env) {
    const auto zk = MakeZooKeeperClient(env, w.options);
    const absl::Status status = zk->Connect();
    EXPECT_TRUE(absl::IsDeadlineExceeded(status));
    EXPECT_THAT(std::string(status.message()), HasSubstr("nowhere:2181"));
    EXPECT_THAT(ErrorsOf(zk->HandleRequests({Create("/a")})),
                ElementsAre(ErrorCode::kSessionExpired));
  });
  EXPECT_EQ(w.world.LiveFibers(), 3u);  // the three servers'
}

TEST(SessionClientTest, AtMostSoManyRequestsAreInFlight) {
  ZooKeeperClientWorld w;
  w.options.max_in_flight = 4;
  w.RunConnected([&](core::Environment&, ZooKeeperClient& zk) {
    // The first connection never answers: what was sent on it is what may be in flight.
    const int first = w.ServerOf(zk);
    size_t on_first = 0;
    w.ensemble.script = [&](int server, OpCode op, const std::string&) {
      if (server != first || op != OpCode::kExists) return Fate::kServed;
      ++on_first;
      return Fate::kSilent;
    };
    const auto got = zk.HandleRequests(std::vector<Request>(20, ExistsRequest{.path = "/"}));
    EXPECT_EQ(on_first, 4u);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].error, i < 4 ? ErrorCode::kConnectionLoss : ErrorCode::kOk) << i;
    }
  });
}

TEST(SessionClientTest, ALostRequestMayHaveBeenApplied) {
  ZooKeeperClientWorld w;
  w.RunConnected([&](core::Environment&, ZooKeeperClient& zk) {
    for (const Fate fate : {Fate::kClosedBefore, Fate::kClosedAfter}) {
      const std::string path = fate == Fate::kClosedAfter ? "/after" : "/before";
      bool once = true;
      w.ensemble.script = [&](int, OpCode op, const std::string&) {
        return op == OpCode::kCreate && std::exchange(once, false) ? fate : Fate::kServed;
      };
      EXPECT_EQ(zk.HandleRequests({Create(path)})[0].error, ErrorCode::kConnectionLoss);
      EXPECT_EQ(w.ensemble.nodes.contains(path), fate == Fate::kClosedAfter);
    }
  });
}

TEST(SessionClientTest, ARetryMeetsItsOwnFirstTry) {
  ZooKeeperClientWorld w;
  w.RunConnected([&](core::Environment&, ZooKeeperClient& zk) {
    bool once = true;
    w.ensemble.script = [&](int, OpCode op, const std::string&) {
      return op == OpCode::kCreate && std::exchange(once, false) ? Fate::kClosedAfter
                                                                 : Fate::kServed;
    };
    EXPECT_EQ(One(zk, Create("/a")).error, ErrorCode::kNodeExists);
    EXPECT_EQ(w.ensemble.CountOf(OpCode::kCreate), 2);
  });
}

TEST(SessionClientTest, OnlyWhatWasLostIsSentAgain) {
  ZooKeeperClientWorld w;
  w.RunConnected([&](core::Environment&, ZooKeeperClient& zk) {
    bool once = true;
    w.ensemble.script = [&](int, OpCode, const std::string& path) {
      return path == "/b" && std::exchange(once, false) ? Fate::kClosedBefore : Fate::kServed;
    };
    const auto got = zk.RetryUntilConnected({Create("/a"), Create("/b"), Create("/c")});
    // The first was answered before the connection went, or lost with it: then it was applied.
    EXPECT_THAT(got[0].error, ::testing::AnyOf(ErrorCode::kOk, ErrorCode::kNodeExists));
    EXPECT_EQ(got[1].error, ErrorCode::kOk);
    EXPECT_EQ(got[2].error, ErrorCode::kOk);
    EXPECT_EQ(std::get<PathResponse>(got[2].body).path, "/c");
  });
}

TEST(SessionClientTest, AReadSetsAWatchOnlyWhereThereIsAHandler) {
  ZooKeeperClientWorld w;
  std::vector<std::string> log;
  RecordingHandler handler("/a", log);
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterZNodeChangeHandler(handler);
    static_cast<void>(One(zk, ExistsRequest{.path = "/a"}));
    static_cast<void>(One(zk, ExistsRequest{.path = "/b"}));
    static_cast<void>(One(zk, GetDataRequest{.path = "/"}));
    static_cast<void>(One(zk, GetChildren2Request{.path = "/"}));
    EXPECT_EQ(w.ensemble.Watches(), 1u);
    w.ensemble.Put("/a", "1");
    w.ensemble.Put("/b", "1");
    w.ensemble.Put("/a", "2");  // nobody has read since
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(log, ElementsAre("created /a"));
    static_cast<void>(One(zk, GetDataRequest{.path = "/a"}));
    w.ensemble.Put("/a", "3");
    env.fibers.SleepFor(absl::Seconds(1));
    static_cast<void>(One(zk, GetDataRequest{.path = "/a"}));
    zk.UnregisterZNodeChangeHandler("/a");
    w.ensemble.Remove("/a");
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(log, ElementsAre("created /a", "data /a"));
  });
}

TEST(SessionClientTest, ChildHandlersHearOfChildrenOnly) {
  ZooKeeperClientWorld w;
  std::vector<std::string> log;
  RecordingHandler handler("/a", log);
  w.ensemble.Put("/a", "1");
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterZNodeChildChangeHandler(handler);
    static_cast<void>(One(zk, GetDataRequest{.path = "/a"}));
    static_cast<void>(One(zk, GetChildren2Request{.path = "/a"}));
    w.ensemble.Put("/a", "2");
    w.ensemble.Put("/a/b", "1");
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(log, ElementsAre("children /a"));
  });
}

TEST(SessionClientTest, AHandlerMayAskAndWait) {
  ZooKeeperClientWorld w;
  struct Reader final : ZNodeChangeHandler {
    std::string_view path() const override { return "/a"; }
    void OnDataChanged() override {
      const Response got = One(*zk, GetDataRequest{.path = "/a"});
      values.push_back(std::get<GetDataResponse>(got.body).data->ToString());
    }
    ZooKeeperClient* zk = nullptr;
    std::vector<std::string> values;
  } reader;
  w.ensemble.Put("/a", "0");
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    reader.zk = &zk;
    zk.RegisterZNodeChangeHandler(reader);
    static_cast<void>(One(zk, GetDataRequest{.path = "/a"}));
    for (int i = 1; i <= 20; ++i) {
      w.ensemble.Put("/a", fmt::format("{}", i));
      env.fibers.SleepFor(absl::Milliseconds(i * 10));
    }
    env.fibers.SleepFor(absl::Seconds(1));
  });
  // Some values may be missed, never the last; and none comes twice or out of order.
  EXPECT_EQ(reader.values.back(), "20");
  EXPECT_TRUE(std::is_sorted(reader.values.begin(), reader.values.end(),
                             [](const auto& a, const auto& b) { return stoi(a) <= stoi(b); }) ||
              reader.values.size() == 1);
}

TEST(SessionClientTest, ASessionOutlivesItsServerAndSoDoItsWatches) {
  ZooKeeperClientWorld w;
  std::vector<std::string> log;
  RecordingHandler handler("/a", log);
  RecordingHandler missing("/missing", log);
  RecordingSessionHandler sessions(log);
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterSessionStateHandler(sessions);
    zk.RegisterZNodeChangeHandler(handler);
    zk.RegisterZNodeChangeHandler(missing);
    EXPECT_THAT(
        zk.HandleRequests({Create("/a"), Create("/e", CreateMode::kEphemeral),
                           GetDataRequest{.path = "/a"}, ExistsRequest{.path = "/missing"}}),
        SizeIs(4));
    const SessionId session = zk.session_id();
    const int first = w.ServerOf(zk);
    w.ensemble.host(first).Crash();
    w.ensemble.Put("/a", "changed while nobody was connected");
    EXPECT_EQ(One(zk, ExistsRequest{.path = "/e"}).error, ErrorCode::kOk);
    EXPECT_THAT(log, ElementsAre("data /a"));
    EXPECT_NE(w.ServerOf(zk), first);
    EXPECT_EQ(zk.session_id(), session);
    w.ensemble.Put("/missing", "x");
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(log, ElementsAre("data /a", "created /missing"));
  });
}

TEST(SessionClientTest, ASilentServerIsLeftInTimeToKeepTheSession) {
  ZooKeeperClientWorld w;
  std::vector<std::string> log;
  RecordingSessionHandler sessions(log);
  w.RunConnected([&](core::Environment&, ZooKeeperClient& zk) {
    zk.RegisterSessionStateHandler(sessions);
    const SessionId session = zk.session_id();
    for (int round = 0; round < 5; ++round) {
      const int first = w.ServerOf(zk);
      w.ensemble.host(first).Freeze();
      EXPECT_EQ(One(zk, ExistsRequest{.path = "/"}).error, ErrorCode::kOk);
      w.ensemble.host(first).Thaw();
    }
    EXPECT_EQ(zk.session_id(), session);
    EXPECT_THAT(log, IsEmpty());
  });
}

TEST(SessionClientTest, AServerThatLagsIsLeftForOneThatDoesNot) {
  ZooKeeperClientWorld w;
  w.RunConnected([&](core::Environment&, ZooKeeperClient& zk) {
    static_cast<void>(One(zk, Create("/a")));
    const int first = w.ServerOf(zk);
    const int behind = (first + 1) % 3;
    w.ensemble.behind[behind] = Zxid(5);
    for (int i = 0; i < 6; ++i) {
      w.ensemble.CloseConnectionsOf(w.ServerOf(zk));
      static_cast<void>(One(zk, ExistsRequest{.path = "/a"}));
      EXPECT_NE(w.ServerOf(zk), behind);
    }
  });
}

// [2.3]
TEST(SessionClientTest, AMovedSessionComesBack) {
  ZooKeeperClientWorld w;
  w.RunConnected([&](core::Environment&, ZooKeeperClient& zk) {
    const SessionId session = zk.session_id();
    w.ensemble.MoveElsewhere(session);
    EXPECT_EQ(One(zk, ExistsRequest{.path = "/"}).error, ErrorCode::kOk);  // reads go on
    EXPECT_EQ(zk.HandleRequests({Create("/a")})[0].error, ErrorCode::kConnectionLoss);
    EXPECT_EQ(One(zk, Create("/a")).error, ErrorCode::kOk);
    EXPECT_EQ(zk.session_id(), session);
  });
}

// [2.4]
TEST(SessionClientTest, AnExpiredSessionIsFollowedByANewOne) {
  ZooKeeperClientWorld w;
  std::vector<std::string> log;
  RecordingHandler handler("/e", log);
  RecordingSessionHandler one(log, " 1");
  RecordingSessionHandler two(log, " 2");
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterSessionStateHandler(one);
    zk.RegisterSessionStateHandler(two);
    zk.RegisterZNodeChangeHandler(handler);
    EXPECT_THAT(
        zk.HandleRequests({Create("/e", CreateMode::kEphemeral), ExistsRequest{.path = "/e"}}),
        SizeIs(2));
    const SessionId first = zk.session_id();
    w.world.At(w.world.Elapsed() + absl::Milliseconds(1), [&] { w.client.Freeze(); });
    w.world.At(w.world.Elapsed() + absl::Seconds(8), [&] { w.client.Thaw(); });
    env.fibers.SleepFor(absl::Seconds(1));
    // What came before the freeze, and what was read from the socket after it, comes first.
    EXPECT_EQ(One(zk, ExistsRequest{.path = "/e"}).error, ErrorCode::kSessionExpired);
    while (log.empty() || log.back() != "after 2") env.fibers.SleepFor(absl::Milliseconds(10));
    EXPECT_EQ(One(zk, ExistsRequest{.path = "/e"}).error, ErrorCode::kNoNode);
    EXPECT_NE(zk.session_id(), first);
    EXPECT_NE(zk.session_id(), kNoSession);
    std::erase(log, "deleted /e");
    EXPECT_THAT(log, ElementsAre("before 1", "before 2", "after 1", "after 2"));
    // The watch of the old session is gone; a read makes another.
    w.ensemble.Put("/e", "x");
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(log.back(), "created /e");
  });
}

TEST(SessionClientTest, ARetryNeverCrossesSessions) {
  ZooKeeperClientWorld w;
  w.RunConnected([&](core::Environment&, ZooKeeperClient& zk) {
    // The create is not even looked at before the session is over.
    w.ensemble.script = [&](int, OpCode op, const std::string&) {
      if (op != OpCode::kCreate) return Fate::kServed;
      w.ensemble.Expire(zk.session_id());
      return Fate::kClosedBefore;
    };
    EXPECT_EQ(One(zk, Create("/e", CreateMode::kEphemeral)).error, ErrorCode::kSessionExpired);
    EXPECT_EQ(w.ensemble.CountOf(OpCode::kCreate), 1);
  });
}

TEST(SessionClientTest, ANewSessionDoesNotGoBackBehindWhatTheLastOneSaw) {
  ZooKeeperClientWorld w;
  // The only server that knows everything is away when the new session begins.
  struct Crashes final : SessionStateHandler {
    explicit Crashes(ZooKeeperClientWorld& world) : w(world) {}
    void BeforeInitializingSession() override {
      w.ensemble.host(2).Crash();
      w.world.At(w.world.Elapsed() + absl::Seconds(10), [this] { w.ensemble.host(2).Start(); });
    }
    ZooKeeperClientWorld& w;
  } handler(w);
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterSessionStateHandler(handler);
    static_cast<void>(One(zk, Create("/a")));
    const SessionId first = zk.session_id();
    for (int i = 0; i < 2; ++i) w.ensemble.behind[i] = Zxid(5);
    w.ensemble.Expire(first);
    for (int i = 0; i < 3; ++i) w.ensemble.CloseConnectionsOf(i);
    while (zk.session_id() == first || w.ServerOf(zk) < 0) {
      env.fibers.SleepFor(absl::Milliseconds(100));
    }
    EXPECT_EQ(w.ServerOf(zk), 2);
  });
}

TEST(SessionClientTest, ReconnectsLongBeforeItsNextPing) {
  ZooKeeperClientWorld w;
  w.options.session_timeout = absl::Minutes(1);
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    env.fibers.SleepFor(absl::Seconds(1));
    const core::MonotonicTime before = env.clock.Now();
    w.ensemble.CloseConnectionsOf(w.ServerOf(zk));
    env.fibers.SleepFor(absl::Milliseconds(50));
    EXPECT_EQ(One(zk, ExistsRequest{.path = "/"}).error, ErrorCode::kOk);
    EXPECT_LT(env.clock.Now() - before, absl::Seconds(2));
  });
}

TEST(SessionClientTest, AnAttemptThatIsGivenUpLeavesNothingBehind) {
  ZooKeeperClientWorld w;
  w.options.connection_timeout = absl::Seconds(30);
  w.world.network().Apply(
      {.id = w.world.ledger().Request("link"),
       .from = {w.client.id()},
       .to = {w.ensemble.host(0).id(), w.ensemble.host(1).id(), w.ensemble.host(2).id()}});
  w.Run([&](core::Environment& env) {
    const auto zk = MakeZooKeeperClient(env, w.options);
    EXPECT_TRUE(absl::IsDeadlineExceeded(zk->Connect()));
    static_cast<void>(env.fibers.Yield());
    EXPECT_EQ(env.fibers.live(), 1u);
  });
}

TEST(SessionClientTest, CloseWaitsForTheHandlerAndNoOtherIsCalled) {
  ZooKeeperClientWorld w;
  struct Slow final : ZNodeChangeHandler {
    std::string_view path() const override { return "/a"; }
    void OnDataChanged() override {
      ++begun;
      static_cast<void>(One(*zk, GetDataRequest{.path = "/a"}));
      env->fibers.SleepFor(absl::Seconds(3));
      ++ended;
    }
    core::Environment* env = nullptr;
    ZooKeeperClient* zk = nullptr;
    int begun = 0;
    int ended = 0;
  } slow;
  w.ensemble.Put("/a", "0");
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    slow.env = &env;
    slow.zk = &zk;
    zk.RegisterZNodeChangeHandler(slow);
    static_cast<void>(One(zk, GetDataRequest{.path = "/a"}));
    w.ensemble.Put("/a", "1");
    env.fibers.SleepFor(absl::Seconds(1));
    w.ensemble.Put("/a", "2");  // queued behind the handler that sleeps
    env.fibers.SleepFor(absl::Seconds(1));
    zk.Close(absl::Seconds(10));
    EXPECT_EQ(slow.begun, 1);
    EXPECT_EQ(slow.ended, 1);
    env.fibers.SleepFor(absl::Seconds(10));
    EXPECT_EQ(slow.begun, 1);
  });
}

TEST(SessionClientTest, ASessionHandlerMayAskOnTheNewSession) {
  ZooKeeperClientWorld w;
  struct Registers final : SessionStateHandler {
    void BeforeInitializingSession() override {
      before = One(*zk, ExistsRequest{.path = "/"}).error;
    }
    void AfterInitializingSession() override {
      after = One(*zk, Create("/me", CreateMode::kEphemeral)).error;
    }
    ZooKeeperClient* zk = nullptr;
    ErrorCode before = ErrorCode::kOk;
    ErrorCode after = ErrorCode::kSystemError;
  } handler;
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    handler.zk = &zk;
    zk.RegisterSessionStateHandler(handler);
    w.ensemble.Expire(zk.session_id());
    static_cast<void>(One(zk, ExistsRequest{.path = "/"}));
    env.fibers.SleepFor(absl::Seconds(5));
    EXPECT_EQ(handler.before, ErrorCode::kSessionExpired);
    EXPECT_EQ(handler.after, ErrorCode::kOk);
    EXPECT_EQ(w.ensemble.nodes.at("/me").stat.ephemeral_owner, zk.session_id());
  });
}

TEST(SessionClientTest, ARefusedAuthenticationIsTriedAgainWithANewSession) {
  ZooKeeperClientWorld w;
  std::vector<std::string> log;
  RecordingSessionHandler sessions(log);
  w.options.auths = {{"digest", core::Bytes::Copy("me:secret")}};
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterSessionStateHandler(sessions);
    int refusals = 2;
    w.ensemble.script = [&](int, OpCode op, const std::string&) {
      return op == OpCode::kAuth && refusals-- > 0 ? Fate::kRefused : Fate::kServed;
    };
    w.ensemble.CloseConnectionsOf(w.ServerOf(zk));
    while (log.size() < 4) env.fibers.SleepFor(absl::Milliseconds(100));
    EXPECT_THAT(log, ElementsAre("before", "after", "before", "after"));
    EXPECT_EQ(One(zk, ExistsRequest{.path = "/"}).error, ErrorCode::kOk);
  });
}

TEST(SessionClientTest, TheChrootIsMadeAndNeverSeen) {
  ZooKeeperClientWorld w;
  std::vector<std::string> log;
  RecordingHandler handler("/a", log);
  w.options.chroot = "/clusters/one";
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    zk.RegisterZNodeChangeHandler(handler);
    static_cast<void>(One(zk, ExistsRequest{.path = "/a"}));
    const Response made = One(zk, Create("/a"));
    EXPECT_EQ(std::get<PathResponse>(made.body).path, "/a");
    EXPECT_TRUE(w.ensemble.nodes.contains("/clusters/one/a"));
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_THAT(log, ElementsAre("created /a"));
  });
}

TEST(SessionClientTest, CloseEndsTheSessionAtOnce) {
  ZooKeeperClientWorld w;
  w.RunConnected([&](core::Environment&, ZooKeeperClient& zk) {
    static_cast<void>(One(zk, Create("/e", CreateMode::kEphemeral)));
    zk.Close(absl::Seconds(5));
    EXPECT_FALSE(w.ensemble.nodes.contains("/e"));
    EXPECT_THAT(w.ensemble.sessions, IsEmpty());
    EXPECT_EQ(One(zk, Create("/a")).error, ErrorCode::kSessionExpired);
  });
}

TEST(SessionClientTest, CloseWaitsNoLongerThanItsPatience) {
  ZooKeeperClientWorld w;
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    for (int i = 0; i < 3; ++i) w.ensemble.host(i).Freeze();
    std::vector<ErrorCode> errors;
    core::WaitQueue done;
    env.fibers.Spawn("asks", [&] {
      errors.push_back(One(zk, Create("/a")).error);
      done.WakeAll();
    });
    static_cast<void>(env.fibers.Yield());
    const core::MonotonicTime before = env.clock.Now();
    zk.Close(absl::Seconds(2));
    EXPECT_EQ(env.clock.Now() - before, absl::Seconds(2));
    if (errors.empty()) done.Wait(env.fibers, "an answer", core::MonotonicTime::Never());
    EXPECT_THAT(errors, ElementsAre(ErrorCode::kSessionExpired));
  });
}

TEST(SessionClientTest, ACancelledCallerLeavesItsRequestInFlight) {
  ZooKeeperClientWorld w;
  w.options.max_in_flight = 1;
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    std::vector<ErrorCode> errors;
    auto caller = env.fibers.Spawn(
        "asks", [&] { errors = ErrorsOf(zk.RetryUntilConnected({Create("/a"), Create("/b")})); });
    static_cast<void>(env.fibers.Yield());
    caller.Cancel();
    EXPECT_EQ(One(zk, ExistsRequest{.path = "/a"}).error, ErrorCode::kOk);
    EXPECT_THAT(errors, ElementsAre(ErrorCode::kConnectionLoss, ErrorCode::kConnectionLoss));
    EXPECT_FALSE(w.ensemble.nodes.contains("/b"));
  });
}

TEST(SessionClientTest, AClientMayGoWithoutClose) {
  ZooKeeperClientWorld w;
  std::vector<std::string> log;
  RecordingHandler handler("/a", log);
  w.Run([&](core::Environment& env) {
    {
      const auto zk = MakeZooKeeperClient(env, w.options);
      EXPECT_TRUE(zk->Connect().ok());
      zk->RegisterZNodeChangeHandler(handler);
      static_cast<void>(One(*zk, ExistsRequest{.path = "/a"}));
      w.ensemble.Put("/a", "x");
    }
    env.fibers.SleepFor(absl::Seconds(3));
    EXPECT_EQ(w.ensemble.sessions.size(), 1u);  // until its time-out
    env.fibers.SleepFor(absl::Seconds(6));
    EXPECT_THAT(w.ensemble.sessions, IsEmpty());
  });
  EXPECT_THAT(log, IsEmpty());
}

TEST(SessionClientTest, AnIdleClientKeepsItsSession) {
  ZooKeeperClientWorld w;
  w.RunConnected([&](core::Environment& env, ZooKeeperClient& zk) {
    const SessionId session = zk.session_id();
    const uint64_t before = w.world.events();
    env.fibers.SleepFor(absl::Minutes(5));
    EXPECT_EQ(One(zk, ExistsRequest{.path = "/"}).error, ErrorCode::kOk);
    EXPECT_EQ(zk.session_id(), session);
    EXPECT_LT(w.world.events() - before, 10'000u);  // pings, and the ensemble's own looks
  });
}

}  // namespace
}  // namespace highwater::tests
