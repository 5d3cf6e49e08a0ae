#pragma once

// SimulatedRun: one seed of one scenario as a simulated region: brokers, clients, their load, the
// faults, and the phases of a run.
//
//   warmup     topics are created, the load begins
//   duration   load and faults
//   heal       faults are withdrawn and dead hosts started once; then nothing is started, killed or
//   reconfigured. A reader reads
//              every partition to its end; what must hold at rest is judged.
//
// Everything in it is a function of scenario, seed and build.

#include <memory>
#include <optional>

#include "broker/client/producer_rules.h"
#include "broker/server/broker.h"
#include "faults/injector.h"
#include "scenarios/seed_runner.h"
#include "scenarios/world/recorder.h"
#include "scenarios/world/workload.h"
#include "sim/world.h"

namespace highwater::scenarios {

// Where a mutant may be planted: a decorator of the brokers' file system, a decision of a broker or
// of a producer.
struct RunHooks {
  std::function<std::unique_ptr<core::FileSystem>(core::FileSystem& inner, uint64_t run_id)>
      decorate_files;
  broker::BrokerRules broker_rules;
  broker::client::ProducerRules producer_rules;
};

class SimulatedRun {
 public:
  SimulatedRun(const Scenario& scenario, uint64_t seed, const RunOptions& options,
               RunHooks hooks = {});
  ~SimulatedRun();
  SimulatedRun(const SimulatedRun&) = delete;
  SimulatedRun& operator=(const SimulatedRun&) = delete;

  // Runs it to its end (or to what the options say) and tells what happened. Once.
  [[nodiscard]] SeedResult Run();

 private:
  class HashRecorder;

  void AddBrokers();
  void AddClients();
  void StartReader();
  void BeginHeal();
  // Whether the run has left what one replica can guarantee: a disk lost data that was not synced,
  // or was corrupted. Taken from the faults and the disks' real contents, never from what the
  // broker believes.
  [[nodiscard]] bool BeyondGuarantee();
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
  WorkloadContext workload_;
  faults::Cast cast_;
  faults::Injector injector_;
  std::unique_ptr<HashRecorder> hash_recorder_;
  absl::Duration end_;
  sim::RunEnd run_end_ = sim::RunEnd::kTime;
  bool left_early_ = false;  // by --until or --break-on
  bool healing_ = false;
  bool data_lost_ = false;  // by a power loss
  std::optional<std::vector<invariants::PartitionAtRest>> at_rest_;
};

}  // namespace highwater::scenarios
