// The suite's world in the simulator: a host with a disk for each node, in two zones.

#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"
#include "tests/conformance/world_under_test.h"

namespace highwater::conformance {
namespace {

class SimulatedWorldUnderTest final : public WorldUnderTest {
 public:
  void RunNodes(std::vector<Body> bodies) override {
    size_t returned = 0;
    size_t ended = 0;
    for (size_t i = 0; i < bodies.size(); ++i) {
      sim::Host& host = HostAt(i);
      host.SetMain([&, i](core::Environment& env) {
        bodies[i](env);
        ++returned;
        while (returned < bodies.size()) env.fibers.SleepFor(absl::Milliseconds(1));
      });
      host.OnProcessEnd([&](sim::ProcessEnd) {
        if (++ended == bodies.size()) world_.Stop();
      });
      host.Start();
    }
    RunTheWorld([&] { return ended == bodies.size(); });
    for (size_t i = 0; i < bodies.size(); ++i) HostAt(i).OnProcessEnd(nullptr);
  }

  void RunAndKill(Death death, std::function<void(core::Environment&, Die)> body) override {
    sim::Host& host = HostAt(0);
    bool ended = false;
    host.SetMain([&](core::Environment& env) {
      body(env, [&] {
        death == Death::kProcess ? host.Crash() : host.LosePower();
        env.fibers.SleepFor(absl::Hours(1));
      });
      ADD_FAILURE() << "the node ended before it was killed";
    });
    host.OnProcessEnd([&](sim::ProcessEnd) {
      ended = true;
      world_.Stop();
    });
    host.Start();
    RunTheWorld([&] { return ended; });
    host.OnProcessEnd(nullptr);
  }
  bool CanDie(Death) const override { return true; }

  std::string HostOf(size_t node) const override { return fmt::format("node-{}", node); }

  // A host without power.
  core::Endpoint SilentEndpoint() override {
    if (world_.FindHost("silent") == nullptr) {
      world_.AddHost({.name = "silent", .zone = world_.network().AddZone("az-a")}).LosePower();
    }
    return {.host = "silent", .port = 9092};
  }

  void RequestStop() override { HostAt(0).RequestStop(); }

 private:
  sim::Host& HostAt(size_t node) {
    const std::string name = HostOf(node);
    if (sim::Host* host = world_.FindHost(name)) return *host;
    return world_.AddHost({.name = name,
                           .zone = world_.network().AddZone(node == 0 ? "az-a" : "az-b"),
                           .disk = sim::MakeDiskFactory(sim::DiskOptions{})});
  }
  void RunTheWorld(const std::function<bool()>& done) {
    const sim::RunEnd end = world_.Run(world_.Elapsed() + absl::Hours(2));
    HW_CHECK(done(), "the world ended ({}) before its nodes did:\n{}", sim::RunEndName(end),
             world_.DescribeFibers());
  }

  sim::World world_{sim::WorldOptions{.seed = 1}};
};

}  // namespace

std::unique_ptr<WorldUnderTest> MakeSimulatedWorld() {
  return std::make_unique<SimulatedWorldUnderTest>();
}

}  // namespace highwater::conformance
