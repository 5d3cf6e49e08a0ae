#pragma once

// SimulatedRun: one seed of one scenario as a simulated region: brokers, clients, their load, the
// faults, and the phases of a run.
//
//   warmup     topics are created, the load begins
//   duration   load and faults
//   heal       faults are withdrawn and dead hosts started once, or all but one zone's
//              (zone_left_out.h); then nothing is started, killed or reconfigured. A reader reads
//              every partition to its end; what must hold at rest is judged.
//
// Everything in it is a function of scenario, seed and build.

#include <memory>
#include <optional>
#include <set>

#include "broker/observer_list.h"
#include "faults/injector.h"
#include "scenarios/seed_runner.h"
#include "scenarios/world/applications.h"
#include "scenarios/world/load_surges.h"
#include "scenarios/world/moments.h"
#include "scenarios/world/operators.h"
#include "scenarios/world/recorder.h"
#include "scenarios/world/timeline_recorder.h"
#include "scenarios/world/workload.h"
#include "sim/world.h"

namespace highwater::scenarios {

class SimulatedRun {
 public:
  // `hooks`: instead of those that the scenario itself asks for (HooksOf).
  SimulatedRun(const Scenario& scenario, uint64_t seed, const RunOptions& options,
               std::optional<RunHooks> hooks = std::nullopt);
  ~SimulatedRun();
  SimulatedRun(const SimulatedRun&) = delete;
  SimulatedRun& operator=(const SimulatedRun&) = delete;

  // Runs it to its end (or to what the options say) and tells what happened. Once.
  [[nodiscard]] SeedResult Run();

 private:
  class HashRecorder;

  [[nodiscard]] std::unique_ptr<TimelineRecorder> MakeTimeline();
  void AddZooKeepers();
  // The next broker's host, running.
  void AddBroker();
  // Its process is asked to stop and never started again; false if it does not run.
  bool RetireBroker(broker::BrokerId id);
  // The address in front of the brokers that clients know.
  void AddVip();
  void StandBehindVip(sim::Host& host, int32_t id);
  void OrderFaults(std::vector<faults::FaultOrder> orders);
  [[nodiscard]] broker::Observer& ObserverOfBrokers();
  [[nodiscard]] std::vector<broker::Observer*> AllObservers();
  // The run's hooks, with an eye on the segments of this broker's logs where a fault waits for one.
  [[nodiscard]] const RunHooks& HooksOfBroker(int32_t id);
  // A process that ends by itself is started again after a while. `told` hears of every end.
  void Supervise(sim::Host& host, std::function<void(sim::ProcessEnd, bool by_itself)> told);
  void AddClients();
  void StartReader();
  void BeginHeal();
  // Ends a host of the zone that stays away.
  void LeaveOut(const faults::Cast::Member& member);
  void OnFault(const faults::FaultOrder& order, const std::vector<sim::Host*>& victims,
               std::string text);
  // Plans the crash of Materialised::effect_crash.
  void ArmEffectCrash();
  void OnEffectCrash(sim::Host& host);
  void NoteFired(const faults::FaultOrder& order, const std::vector<sim::Host*>& victims,
                 const std::vector<sim::Host*>& others);
  // Which brokers can be reached now.
  void ConsiderReach();
  [[nodiscard]] std::vector<ZoneTraffic> Traffic();
  void OnViolation(const invariants::Violation& violation);
  // Runs the world up to `until`, or less far if the options say so. False: the run is over.
  [[nodiscard]] bool RunTo(absl::Duration until);
  [[nodiscard]] Verdict Judge() const;
  [[nodiscard]] sim::Host& AddHost(std::string name, size_t zone, bool with_disk);

  const Scenario& scenario_;
  uint64_t seed_;
  const RunOptions& options_;
  RunHooks hooks_;
  sim::StrategyKind strategy_;
  sim::World world_;
  Narrator narrator_;
  Recorder recorder_;
  std::unique_ptr<TimelineRecorder> timeline_;  // null: nobody wants it
  WorkloadContext workload_;
  faults::Cast cast_;
  LoadSurges surges_{world_};
  faults::Injector injector_;
  Moments moments_{injector_};
  broker::ObserverList observers_{AllObservers()};
  sim::Vip* vip_ = nullptr;
  bool watches_moments_ = false;                         // a fault waits for an event
  bool watches_segments_ = false;                        // a fault waits for a new one
  int32_t brokers_ = 0;                                  // so many were ever added
  std::set<int32_t> retired_;                            // and these are not started any more
  std::vector<std::unique_ptr<RunHooks>> broker_hooks_;  // each broker's own, where they differ
  Operators operators_;
  std::unique_ptr<HashRecorder> hash_recorder_;
  absl::Duration end_;
  sim::RunEnd run_end_ = sim::RunEnd::kTime;
  bool left_early_ = false;  // by --until or --break-on
  bool healing_ = false;
  std::vector<FiredFault> fired_;
  sim::Host* crash_victim_ = nullptr;
  uint64_t effects_at_warmup_ = 0;
  uint64_t victim_effects_ = 0;
  std::optional<std::vector<invariants::PartitionAtRest>> at_rest_;
};

}  // namespace highwater::scenarios
