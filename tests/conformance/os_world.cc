// The suite's world on Linux: one process, a fresh root directory, the loopback interface.

#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "core/os/run.h"
#include "core/wait_group.h"
#include "tests/conformance/world_under_test.h"

namespace highwater::conformance {
namespace {

int RemoveEntry(const char* path, const struct stat*, int, struct FTW*) { return remove(path); }

class OsWorldUnderTest final : public WorldUnderTest {
 public:
  OsWorldUnderTest() {
    const char* base = std::getenv("TEST_TMPDIR");
    root_ = std::string(base != nullptr ? base : "/tmp") + "/highwater-conformance-XXXXXX";
    HW_CHECK(mkdtemp(root_.data()) != nullptr, "cannot make {}", root_);
  }
  ~OsWorldUnderTest() override {
    for (const int fd : silent_) close(fd);
    nftw(root_.c_str(), RemoveEntry, 16, FTW_DEPTH | FTW_PHYS);
  }

  // All nodes are one process here: only what they say over the network would tell them apart.
  void RunNodes(std::vector<Body> bodies) override {
    auto world = Start();
    running_ = world.get();
    world->Run([&bodies](core::Environment& env) {
      core::WaitGroup group(env.fibers);
      for (const Body& body : bodies) {
        group.Add();
        env.fibers.Spawn("node", [&] {
          body(env);
          group.Done();
        });
      }
      group.Wait();
      return 0;
    });
    running_ = nullptr;
  }

  void RunAndKill(Death, std::function<void(core::Environment&, Die)> body) override {
    const pid_t child = fork();
    HW_CHECK(child >= 0, "cannot fork");
    if (child == 0) {
      Start()->Run([&body](core::Environment& env) {
        body(env, [] { kill(getpid(), SIGKILL); });
        return 0;
      });
      _exit(1);
    }
    ++run_id_;  // the child's
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the node ended before it was killed";
  }
  bool CanDie(Death death) const override { return death == Death::kProcess; }

  std::string HostOf(size_t) const override { return "127.0.0.1"; }

  // A socket whose backlog is full: Linux drops further connection requests.
  core::Endpoint SilentEndpoint() override {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    silent_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int listener = silent_.front();
    HW_CHECK(bind(listener, any, length) == 0 && listen(listener, 0) == 0);
    HW_CHECK(getsockname(listener, any, &length) == 0);
    for (int i = 0; i < 4; ++i) {
      silent_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      static_cast<void>(connect(silent_.back(), any, length));
    }
    return {.host = "127.0.0.1", .port = ntohs(address.sin_port)};
  }

  void RequestStop() override { running_->RequestStop(); }

 private:
  std::unique_ptr<core::os::World> Start() {
    auto world = core::os::World::Create(
        {.root_directory = root_, .handle_signals = false, .run_id = ++run_id_});
    HW_CHECK(world.ok(), "{}", world.status().ToString());
    return *std::move(world);
  }

  std::string root_;
  uint64_t run_id_ = 0;
  core::os::World* running_ = nullptr;
  std::vector<int> silent_;
};

}  // namespace

std::unique_ptr<WorldUnderTest> MakeOsWorld() { return std::make_unique<OsWorldUnderTest>(); }

}  // namespace highwater::conformance
