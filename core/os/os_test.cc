// What the conformance suite cannot see: signals, exits, page cache and workers, descriptors,
// addresses.

#include <fcntl.h>
#include <ftw.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "core/os/file_system.h"
#include "core/os/run.h"

namespace highwater::core::os {
namespace {

int RemoveEntry(const char* path, const struct stat*, int, struct FTW*) { return remove(path); }

class OsTest : public ::testing::Test {
 protected:
  OsTest() {
    HW_CHECK(mkdtemp(root_.data()) != nullptr);
    options_ = {.root_directory = root_, .handle_signals = false};
  }
  ~OsTest() override { nftw(root_.c_str(), RemoveEntry, 16, FTW_DEPTH | FTW_PHYS); }

  static MonotonicTime Soon(Environment& env) { return env.clock.Now() + absl::Seconds(20); }

  // A file of `content` of which no page is in memory, as far as the kernel lets it be evicted.
  static std::shared_ptr<OsFile> ColdFile(Environment& env, const std::string& content) {
    auto file = env.files.Open("cold", OpenMode::kCreate);
    EXPECT_TRUE(file.ok() && (*file)->WriteAt(0, Bytes::Copy(content)).ok() &&
                (*file)->Sync().ok());
    auto cold = std::dynamic_pointer_cast<OsFile>(*file);
    posix_fadvise(cold->fd(), 0, 0, POSIX_FADV_DONTNEED);
    return cold;
  }
  struct Pair {
    std::unique_ptr<Connection> server;
    std::unique_ptr<Connection> client;
  };
  static Pair MakePair(Environment& env) {
    auto listener = env.network.Listen({.host = "127.0.0.1", .port = 0});
    HW_CHECK(listener.ok());
    auto client = env.network.Dial((*listener)->local(), Soon(env));
    auto server = (*listener)->Accept(Soon(env));
    HW_CHECK(client.ok() && server.ok());
    return {*std::move(server), *std::move(client)};
  }

  std::string root_ = "/tmp/highwater-os-test-XXXXXX";
  Options options_;
};

TEST_F(OsTest, RunReturnsWhatMainReturns) {
  EXPECT_EQ(os::Run(options_,
                    [](Environment& env) {
                      env.fibers.Spawn("left behind",
                                       [&env] { env.fibers.SleepFor(absl::Hours(1)); });
                      env.fibers.SleepFor(absl::Milliseconds(1));
                      return 17;
                    }),
            17);
}

TEST_F(OsTest, AMissingRootIsAnError) {
  EXPECT_TRUE(absl::IsNotFound(World::Create({.root_directory = "/no/such/root"}).status()));
  EXPECT_EQ(os::Run({.root_directory = "/no/such/root"}, [](Environment&) { return 0; }), 1);
}

TEST_F(OsTest, HaltEndsTheProcessAtOnce) {
  EXPECT_EXIT(os::Run(options_,
                      [](Environment& env) {
                        env.process.Halt("the last log directory failed");
                        return 0;
                      }),
              ::testing::ExitedWithCode(1), "halted: the last log directory failed");
}

TEST_F(OsTest, TheFirstSignalAsksAndTheSecondEnds) {
  options_.handle_signals = true;
  EXPECT_EQ(os::Run(options_,
                    [](Environment& env) {
                      bool asked = false;
                      env.process.OnStopRequested([&asked] { asked = true; });
                      kill(getpid(), SIGTERM);
                      for (int i = 0; i < 1000 && !asked; ++i)
                        env.fibers.SleepFor(absl::Milliseconds(1));
                      return asked && env.process.StopRequested() ? 3 : 4;
                    }),
            3);
  EXPECT_EXIT(os::Run(options_,
                      [](Environment& env) {
                        kill(getpid(), SIGINT);
                        while (!env.process.StopRequested())
                          env.fibers.SleepFor(absl::Milliseconds(1));
                        kill(getpid(), SIGTERM);
                        env.fibers.SleepFor(absl::Hours(1));
                        return 0;
                      }),
              ::testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST_F(OsTest, ColdPagesAreReadByWorkersAndWarmOnesInline) {
  os::Run(options_, [](Environment& env) {
    std::string content;
    for (int i = 0; content.size() < 300'000; ++i) content += fmt::format("{};", i);
    auto file = ColdFile(env, content);
    // Some file systems cannot evict (tmpfs): then there is nothing to see here.
    const bool cold = !file->IsResident(100'000, 1);
    bool others_ran = false;
    env.fibers.Spawn("other", [&others_ran] { others_ran = true; });
    auto read = ReadExactly(*file, 0, content.size());
    EXPECT_TRUE(read.ok() && read->ToString() == content);
    EXPECT_EQ(others_ran, cold) << "a read that waits lets others run";
    if (cold) {
      EXPECT_TRUE(file->IsResident(0, content.size()));
      bool ran_again = false;
      env.fibers.Spawn("other", [&ran_again] { ran_again = true; });
      auto again = ReadExactly(*file, 0, content.size());
      EXPECT_TRUE(again.ok() && again->ToString() == content);
      EXPECT_FALSE(ran_again) << "a read from memory does not wait";
    }
    return 0;
  });
}

TEST_F(OsTest, ColdFileRangesAreSentByWorkers) {
  os::Run(options_, [](Environment& env) {
    std::string content;
    for (int i = 0; content.size() < 5'000'000; ++i) content += fmt::format("{},", i);
    auto file = ColdFile(env, content);
    Pair pair = MakePair(env);
    bool sent = false;
    env.fibers.Spawn("sender", [&] {
      Payload payload;
      payload.Append(FileRange{.file = file, .offset = 77, .length = content.size() - 77});
      EXPECT_TRUE(pair.server->Write(payload, Soon(env)).ok());
      pair.server->Close();
      sent = true;
    });
    std::string read;
    while (true) {
      auto part = pair.client->Read(1 << 20, Soon(env));
      EXPECT_TRUE(part.ok()) << part.status().ToString();
      if (!part.ok() || part->empty()) break;
      read += part->ToString();
    }
    EXPECT_TRUE(read == content.substr(77));
    EXPECT_TRUE(sent);
    return 0;
  });
}

// Close while a worker sends from a file: the descriptor must stay the worker's until it is done.
TEST_F(OsTest, ClosingUnderASendThatAWorkerDoes) {
  os::Run(options_, [](Environment& env) {
    for (int round = 0; round < 20; ++round) {
      auto file = ColdFile(env, std::string(3'000'000, 'x'));
      Pair pair = MakePair(env);
      absl::Status status;
      FiberHandle sender = env.fibers.Spawn("sender", [&] {
        Payload payload;
        payload.Append(FileRange{.file = file, .offset = 0, .length = 3'000'000});
        status = pair.server->Write(payload, Soon(env));
      });
      for (int i = 0; i <= round % 3; ++i) env.fibers.Yield();
      pair.server->Close();
      while (!sender.finished()) env.fibers.SleepFor(absl::Milliseconds(1));
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status.ToString();
    }
    return 0;
  });
}

// Wraps a file, as a decorator between the log and the disk does.
class DecoratedFile final : public File {
 public:
  explicit DecoratedFile(std::shared_ptr<File> file) : file_(std::move(file)) {}
  absl::StatusOr<ByteChain> ReadAt(uint64_t offset, size_t length) override {
    return file_->ReadAt(offset, std::min<size_t>(length, 1000));
  }
  absl::Status WriteAt(uint64_t, const ByteChain&) override { return absl::OkStatus(); }
  absl::Status Truncate(uint64_t) override { return absl::OkStatus(); }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::StatusOr<uint64_t> Size() override { return file_->Size(); }

 private:
  std::shared_ptr<File> file_;
};

TEST_F(OsTest, RangesOfDecoratedFilesGoThroughMemory) {
  os::Run(options_, [](Environment& env) {
    const std::string content(10'000, 'd');
    auto file = std::make_shared<DecoratedFile>(ColdFile(env, content));
    Pair pair = MakePair(env);
    Payload payload;
    payload.Append(FileRange{.file = file, .offset = 0, .length = content.size()});
    EXPECT_TRUE(pair.server->Write(payload, Soon(env)).ok());
    Payload too_long;
    too_long.Append(FileRange{.file = file, .offset = 9'000, .length = 2'000});
    EXPECT_TRUE(absl::IsDataLoss(pair.server->Write(too_long, Soon(env))));
    std::string read;
    while (read.size() < content.size()) {
      auto part = pair.client->Read(1 << 20, Soon(env));
      if (!part.ok() || part->empty()) break;
      read += part->ToString();
    }
    EXPECT_TRUE(read.substr(0, content.size()) == content);
    return 0;
  });
}

TEST_F(OsTest, AcceptBacksOffWhileThereAreNoDescriptors) {
  os::Run(options_, [](Environment& env) {
    auto listener = env.network.Listen({.host = "127.0.0.1", .port = 0});
    auto client = env.network.Dial((*listener)->local(), Soon(env));
    EXPECT_TRUE(client.ok());
    rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    std::vector<int> hogs;
    rlimit tight = before;
    tight.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &tight);
    while (true) {
      const int hog = open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (hog < 0) break;
      hogs.push_back(hog);
    }
    auto refused = (*listener)->Accept(env.clock.Now() + absl::Milliseconds(50));
    EXPECT_TRUE(absl::IsDeadlineExceeded(refused.status())) << refused.status().ToString();
    auto file = env.files.Open("file", OpenMode::kCreate);
    EXPECT_TRUE(absl::IsResourceExhausted(file.status())) << file.status().ToString();
    env.fibers.Spawn("relief", [&] {
      env.fibers.SleepFor(absl::Milliseconds(30));
      for (const int hog : hogs) close(hog);
    });
    auto accepted = (*listener)->Accept(Soon(env));
    EXPECT_TRUE(accepted.ok()) << accepted.status().ToString();
    setrlimit(RLIMIT_NOFILE, &before);
    return 0;
  });
}

TEST_F(OsTest, NamesAndBothKindsOfAddressesWork) {
  os::Run(options_, [](Environment& env) {
    auto any = env.network.Listen({.host = "", .port = 0});
    EXPECT_TRUE(any.ok());
    const uint16_t port = (*any)->local().port;
    for (const char* host : {"127.0.0.1", "localhost", "::1"}) {
      auto client = env.network.Dial({.host = host, .port = port}, Soon(env));
      // A machine without an IPv6 loopback address refuses.
      if (!client.ok() && std::string_view(host) == "::1") continue;
      EXPECT_TRUE(client.ok()) << host << ": " << client.status().ToString();
      auto server = (*any)->Accept(Soon(env));
      EXPECT_TRUE(server.ok());
      EXPECT_EQ((*server)->local().port, port);
      if (std::string_view(host) == "127.0.0.1") {
        EXPECT_EQ((*server)->peer().host, "127.0.0.1") << "not as an IPv6 address with IPv4 inside";
      }
    }
    return 0;
  });
}

TEST_F(OsTest, ALookUpThatNobodyWaitsForEndsAlone) {
  os::Run(options_, [](Environment& env) {
    FiberHandle handle = env.fibers.Spawn("dialler", [&env] {
      static_cast<void>(env.network.Dial({.host = "localhost", .port = 1}, MonotonicTime::Never()));
    });
    env.fibers.Yield();
    handle.Cancel();
    while (!handle.finished()) env.fibers.Yield();
    for (int i = 0; i < 20; ++i) {
      env.fibers.Spawn("left behind", [&env] {
        static_cast<void>(
            env.network.Dial({.host = "localhost", .port = 1}, MonotonicTime::Never()));
      });
    }
    env.fibers.Yield();
    return 0;
  });
}

// Many turns of fibers that are always ready must not keep events and timers from being seen.
TEST_F(OsTest, BusyFibersDoNotStarveTimers) {
  os::Run(options_, [](Environment& env) {
    bool stop = false;
    for (int i = 0; i < 4; ++i) {
      env.fibers.Spawn("busy", [&] {
        while (!stop) env.fibers.Yield();
      });
    }
    env.fibers.SleepFor(absl::Milliseconds(5));
    auto file = env.files.Open("file", OpenMode::kCreate);
    EXPECT_TRUE(file.ok());
    stop = true;
    return 0;
  });
}

TEST_F(OsTest, ALinkOutOfTheRootIsFollowed) {
  os::Run(options_, [this](Environment& env) {
    EXPECT_EQ(symlink(root_.c_str(), (root_ + "/link").c_str()), 0);
    EXPECT_TRUE(env.files.Open("link/file", OpenMode::kCreate).ok());
    EXPECT_TRUE(env.files.Stat("file").ok());
    return 0;
  });
}

TEST_F(OsTest, LanesAreOfMountedFileSystems) {
  const std::unique_ptr<Loop> loop = *Loop::Create();
  Fibers fibers(*loop, 1);
  Workers workers(fibers, *loop->mailbox(), 2);
  EXPECT_EQ(&workers.LaneOf("/"), &workers.LaneOf("/no-mount-point"));
  EXPECT_EQ(&workers.LaneOf("/proc/self"), &workers.LaneOf("/proc"));
  EXPECT_NE(&workers.LaneOf("/proc/self"), &workers.LaneOf("/"));
  EXPECT_EQ(&workers.LaneOf("/process"), &workers.LaneOf("/"));
}

}  // namespace
}  // namespace highwater::core::os
