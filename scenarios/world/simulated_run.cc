#include "scenarios/world/simulated_run.h"

#include <algorithm>
#include <tuple>

#include "core/mark.h"
#include "scenarios/drawn_settings.h"
#include "scenarios/world/fault_plan.h"
#include "scenarios/world/rest_reader.h"
#include "scenarios/world/zone_left_out.h"
#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"

namespace highwater::scenarios {
namespace {

// A halted or exited broker is started again by its supervisor after this long.
constexpr absl::Duration kSupervisorDelay = absl::Seconds(1);

sim::StrategyKind StrategyOf(const Scenario& scenario, uint64_t seed) {
  switch (scenario.run.strategy) {
    case Strategy::kFifo:
      return sim::StrategyKind::kFifo;
    case Strategy::kRandom:
      return sim::StrategyKind::kRandom;
    case Strategy::kPct:
      return sim::StrategyKind::kPct;
    case Strategy::kMixed:
      return sim::DrawStrategy(seed);
  }
  HW_UNREACHABLE();
}

sim::WorldOptions WorldOptionsOf(const Scenario& scenario, uint64_t seed,
                                 sim::StrategyKind strategy) {
  sim::WorldOptions options{.seed = seed, .strategy = strategy, .buggify = true};
  const NetworkSpec& network = scenario.cluster.network;
  if (network.within_zone)
    options.network.within_zone = {network.within_zone->low, network.within_zone->high};
  if (network.between_zones) {
    options.network.between_zones = {network.between_zones->low, network.between_zones->high};
  }
  if (network.bandwidth) options.network.host_bandwidth = *network.bandwidth;
  return options;
}

sim::NanosRange NanosOf(const DurationRange& range) {
  return {absl::ToInt64Nanoseconds(range.low), absl::ToInt64Nanoseconds(range.high)};
}

sim::DiskOptions DiskOptionsOf(const DiskSpec& spec) {
  sim::DiskOptions options;
  if (spec.sync) options.sync = NanosOf(*spec.sync);
  if (spec.read) options.read = NanosOf(*spec.read);
  if (spec.bandwidth) options.bandwidth = *spec.bandwidth;
  if (spec.capacity) options.capacity = static_cast<uint64_t>(*spec.capacity);
  if (spec.dirty_limit) options.dirty_limit = static_cast<uint64_t>(*spec.dirty_limit);
  return options;
}

// What people read of a process that ended by itself.
std::string EndText(const sim::Host& host, sim::ProcessEnd end) {
  if (end != sim::ProcessEnd::kHalted) return fmt::format("is down: {}", sim::ProcessEndName(end));
  return fmt::format("is down: {}: {}", sim::ProcessEndName(end), host.halt_reason());
}

// Whether the victims' disks may from now on hold something else than what was written to them.
bool CorruptsData(std::string_view kind) {
  constexpr std::string_view kKinds[] = {"disk_error", "flip_bits", "lose_write", "misdirect_write",
                                         "tear_write"};
  return std::find(std::begin(kKinds), std::end(kKinds), kind) != std::end(kKinds);
}

}  // namespace

// Hands the points of the hash chain that a HashLog wants to it.
class SimulatedRun::HashRecorder final : public sim::HashSink {
 public:
  HashRecorder(sim::World& world, HashLog& log) : world_(world), log_(log) {}
  void OnPoint(const sim::HashPoint& point) override {
    if (!log_.Wants(point.index)) return;
    log_.points.push_back(
        {.index = point.index,
         .time_ns = point.time,
         .host = point.host == sim::kNoHost ? "world" : world_.host(point.host).name(),
         .kind = std::string(sim::EventKindName(point.kind)),
         .hash = point.hash});
  }

 private:
  sim::World& world_;
  HashLog& log_;
};

SimulatedRun::SimulatedRun(const Scenario& scenario, uint64_t seed, const RunOptions& options,
                           std::optional<RunHooks> hooks)
    : scenario_(scenario),
      seed_(seed),
      options_(options),
      hooks_(hooks.has_value() ? *std::move(hooks) : HooksOf(scenario)),
      strategy_(StrategyOf(scenario, seed)),
      world_(WorldOptionsOf(scenario, seed, strategy_)),
      narrator_(options.trace, options.on_event),
      recorder_(
          scenario, narrator_, [this] { return world_.Elapsed(); },
          [this](const invariants::Violation& violation) { OnViolation(violation); }),
      timeline_(MakeTimeline()),
      workload_{.scenario = scenario,
                .recorder = recorder_,
                .layout = TopicLayout(scenario),
                .bootstrap = {},
                .surges = surges_,
                .now = [this] { return world_.Elapsed(); },
                .load_end = scenario.run.warmup + scenario.run.duration,
                .producer_rules = hooks_.producer_rules,
                .consumer_rules = hooks_.consumer_rules},
      injector_(world_, cast_, recorder_.roles(),
                [this](const faults::FaultOrder& order, const std::vector<sim::Host*>& victims,
                       std::string text) { OnFault(order, victims, std::move(text)); }),
      operators_(
          world_, workload_,
          [this](std::string name) -> sim::Host& { return AddHost(std::move(name), 0, false); }),
      end_(workload_.load_end + scenario.run.heal) {
  core::Mark::ResetCounts();
  if (options.hash_log != nullptr) {
    hash_recorder_ = std::make_unique<HashRecorder>(world_, *options.hash_log);
    world_.hash().SetSink(hash_recorder_.get());
  }
  std::vector<faults::FaultOrder> orders =
      scenario.materialised ? scenario.materialised->orders : MaterialiseFaults(scenario, seed);
  watches_segments_ =
      std::any_of(orders.begin(), orders.end(), [](const faults::FaultOrder& order) {
        return order.when && order.when->event == faults::Moment::Event::kSegmentRolled;
      });
  watches_moments_ = std::any_of(orders.begin(), orders.end(), [](const faults::FaultOrder& order) {
    return order.when.has_value();
  });
  if (const std::string drawn = DescribeDrawnSettings(scenario); !drawn.empty()) {
    recorder_.TellNews(fmt::format("the seed chose {}", drawn));
  }
  AddZooKeepers();
  if (scenario.cluster.vip.has_value()) AddVip();
  while (brokers_ < scenario.cluster.brokers) AddBroker();
  workload_.add_broker = [this] {
    // Not on a fiber of the operator's.
    world_.AfterEvent([this] { AddBroker(); });
    return broker::BrokerId(brokers_);
  };
  workload_.retire_broker = [this](broker::BrokerId id) { return RetireBroker(id); };
  AddClients();
  injector_.OnChange([this] { ConsiderReach(); });
  if (options.trace) {
    injector_.OnFire([this](const faults::FaultOrder& order, const auto& victims,
                            const auto& others) { NoteFired(order, victims, others); });
  }
  for (const std::string& topic : CreatedLater(scenario)) recorder_.TopicGone(topic);
  OrderFaults(std::move(orders));
}

SimulatedRun::~SimulatedRun() = default;

// A list costs each event some calls more: only for those who draw, or wait for an event.
broker::Observer& SimulatedRun::ObserverOfBrokers() {
  if (timeline_ == nullptr && !watches_moments_) return recorder_;
  return observers_;
}

std::vector<broker::Observer*> SimulatedRun::AllObservers() {
  std::vector<broker::Observer*> all = {&recorder_, &moments_};
  if (timeline_ != nullptr) all.push_back(timeline_.get());
  return all;
}

void SimulatedRun::OrderFaults(std::vector<faults::FaultOrder> orders) {
  injector_.SetStage(vip_, &surges_);
  injector_.MakeSham(hooks_.sham_fault);
  operators_.MakeSham(hooks_.sham_fault);
  const auto of_operators = std::stable_partition(
      orders.begin(), orders.end(),
      [](const faults::FaultOrder& order) { return !Operators::Do(order.kind); });
  operators_.Order({std::make_move_iterator(of_operators), std::make_move_iterator(orders.end())});
  orders.erase(of_operators, orders.end());
  injector_.Order(std::move(orders));
}

std::unique_ptr<TimelineRecorder> SimulatedRun::MakeTimeline() {
  if (!options_.timeline_messages.has_value()) return nullptr;
  auto timeline = std::make_unique<TimelineRecorder>(world_, *options_.timeline_messages, [this] {
    return recorder_.availability().partitions_without_leader();
  });
  world_.network().SetMessageSink(timeline.get());
  return timeline;
}

sim::Host& SimulatedRun::AddHost(std::string name, size_t zone, bool with_disk) {
  const auto& zones = scenario_.cluster.zones;
  const std::string& zone_name = zones[zone % zones.size()];
  sim::HostOptions options{.name = std::move(name), .zone = world_.network().AddZone(zone_name)};
  if (with_disk) options.disk = sim::MakeDiskFactory(DiskOptionsOf(scenario_.cluster.disk));
  return world_.AddHost(std::move(options));
}

void SimulatedRun::Supervise(sim::Host& host, std::function<void(sim::ProcessEnd, bool)> told) {
  host.OnProcessEnd([this, &host, told = std::move(told)](sim::ProcessEnd end) {
    const bool by_itself = end == sim::ProcessEnd::kHalted ||
                           (end == sim::ProcessEnd::kExited && !host.stop_requested());
    told(end, by_itself);
    const bool killed = end == sim::ProcessEnd::kCrashed || end == sim::ProcessEnd::kPowerLost;
    if (&host == crash_victim_ && killed) OnEffectCrash(host);
    if (!by_itself || healing_) return;
    world_.At(world_.Elapsed() + kSupervisorDelay, [this, &host] {
      if (!host.running() && !healing_) host.Start();
    });
  });
}

void SimulatedRun::AddZooKeepers() {
  const auto& zones = scenario_.cluster.zones;
  for (int32_t i = 0; i < scenario_.cluster.zookeeper; ++i) {
    const std::string& zone = zones[static_cast<size_t>(i) % zones.size()];
    sim::Host& host = AddHost(ZooKeeperHostName(i), static_cast<size_t>(i), true);
    host.SetProgram([this, i](core::Environment& env) -> std::unique_ptr<sim::Application> {
      return MakeZooKeeperApplication(env, scenario_, hooks_, i, recorder_.zookeeper());
    });
    Supervise(host, [this, &host](sim::ProcessEnd end, bool by_itself) {
      if (!by_itself) return;
      recorder_.Tell(host.name(), EndText(host, end));
    });
    cast_.members.push_back(
        {.host = &host, .zone = zone, .kind = faults::Cast::Kind::kZooKeeper, .number = i});
    host.Start();
  }
}

void SimulatedRun::AddBroker() {
  const int32_t i = brokers_++;
  const auto& zones = scenario_.cluster.zones;
  const std::string& zone = zones[static_cast<size_t>(i) % zones.size()];
  sim::Host& host = AddHost(BrokerHostName(i), static_cast<size_t>(i), true);
  const broker::BrokerConfig config = BrokerConfigOf(scenario_, i, zone);
  const RunHooks& hooks = HooksOfBroker(i);
  host.SetProgram(
      [this, config, &hooks](core::Environment& env) -> std::unique_ptr<sim::Application> {
        return MakeBrokerApplication(env, hooks, config, ObserverOfBrokers());
      });
  Supervise(host, [this, i, &host](sim::ProcessEnd end, bool by_itself) {
    if (end == sim::ProcessEnd::kPowerLost) {
      const auto& loss = static_cast<sim::Disk&>(*host.disk()).last_loss();
      if (loss.survived < loss.pending || loss.cut > 0 ||
          loss.names.survived < loss.names.pending) {
        recorder_.survivability().LostData(broker::BrokerId(i));
      }
    }
    const std::string how = by_itself ? EndText(host, end) : "";
    recorder_.ProcessEnded(i, how);
    if (timeline_ != nullptr) timeline_->ProcessEnded(host, how);
  });
  cast_.members.push_back(
      {.host = &host, .zone = zone, .kind = faults::Cast::Kind::kBroker, .number = i});
  if (vip_ != nullptr) {
    StandBehindVip(host, i);
  } else {
    workload_.bootstrap.push_back({.host = host.name(), .port = kBrokerPort});
  }
  host.Start();
}

bool SimulatedRun::RetireBroker(broker::BrokerId id) {
  sim::Host* host = world_.FindHost(BrokerHostName(id.value()));
  HW_CHECK(host != nullptr, "there is no broker-{}", id);
  if (!host->running() || host->stop_requested()) return false;
  retired_.insert(id.value());
  host->RequestStop();
  return true;
}

void SimulatedRun::StandBehindVip(sim::Host& host, int32_t id) {
  vip_->Forward(VipPortOf(id), host, kBrokerPort);
  vip_->StandsBehind(host);
  workload_.bootstrap.push_back({.host = vip_->name(), .port = VipPortOf(id)});
}

const RunHooks& SimulatedRun::HooksOfBroker(int32_t id) {
  if (!watches_segments_ || hooks_.decorate_files) return hooks_;
  broker_hooks_.push_back(std::make_unique<RunHooks>(hooks_));
  broker_hooks_.back()->decorate_files = [this, id](core::FileSystem& inner, uint64_t) {
    return moments_.WatchSegments(inner, id);
  };
  return *broker_hooks_.back();
}

void SimulatedRun::AddVip() {
  sim::VipOptions options{.name = std::string(kVipName),
                          .drift_time = scenario_.cluster.vip->drift};
  for (const std::string& zone : scenario_.cluster.zones) {
    options.zones.push_back(world_.network().AddZone(zone));
  }
  sim::Vip& vip = world_.network().AddVip(std::move(options));
  for (sim::Host* node : vip.nodes()) {
    cast_.members.push_back({.host = node,
                             .zone = world_.network().zone_name(node->zone()),
                             .kind = faults::Cast::Kind::kVipNode});
    node->Start();
  }
  vip_ = &vip;
}

void SimulatedRun::AddClients() {
  const auto& zones = scenario_.cluster.zones;
  sim::Host& admin = AddHost("admin", 0, false);
  // The world is set up under a fair schedule: a run whose topics never came to be would prove
  // nothing.
  world_.SetFairSchedule(true);
  admin.SetProgram(sim::ProgramOf([this](core::Environment& env) {
    CreateTopics(env, workload_);
    world_.SetFairSchedule(false);
  }));
  admin.Start();
  size_t zone = 0;
  for (const NamedClient& client : ClientsOf(scenario_)) {
    sim::Host& host = AddHost(client.name, zone, false);
    if (client.spec->kind == ClientKind::kProducer) {
      const uint32_t id = recorder_.AddProducer(client.name, PromisesOf(*client.spec));
      surges_.Add(client.name);
      host.SetProgram(sim::ProgramOf(
          [this, client, id](core::Environment& env) { RunProducer(env, workload_, client, id); }));
    } else {
      host.SetProgram(sim::ProgramOf(
          [this, client](core::Environment& env) { RunConsumer(env, workload_, client); }));
    }
    cast_.members.push_back(
        {.host = &host, .zone = zones[zone % zones.size()], .kind = faults::Cast::Kind::kClient});
    host.Start();
    ++zone;
  }
}

void SimulatedRun::OnFault(const faults::FaultOrder& order, const std::vector<sim::Host*>& victims,
                           std::string text) {
  if (timeline_ != nullptr) timeline_->Fault(text, victims, order.length);
  recorder_.Fault(std::move(text), order.place);
  const bool replaces = order.kind == "replace_disk";
  if (!replaces && !CorruptsData(order.kind)) return;
  for (const sim::Host* host : victims) {
    for (const faults::Cast::Member& member : cast_.members) {
      if (member.host != host) continue;
      if (replaces) {
        recorder_.survivability().DiskReplaced(broker::BrokerId(member.number));
      } else if (member.kind == faults::Cast::Kind::kBroker) {
        recorder_.survivability().Corrupted(broker::BrokerId(member.number));
      } else if (member.kind == faults::Cast::Kind::kZooKeeper) {
        recorder_.survivability().CoordinationLost();
      }
    }
  }
}

// A broker can be reached while it is not frozen and exchanges messages with at least half of the
// hosts, itself among them; a client is cut off while it does not.
void SimulatedRun::ConsiderReach() {
  const auto joined = [&](const sim::Host& a, const sim::Host& b) {
    const sim::SimulatedNetwork& network = world_.network();
    return !network.CutsOff(a.id(), b.id()) && !network.CutsOff(b.id(), a.id());
  };
  for (const faults::Cast::Member& member : cast_.members) {
    const bool client = member.kind == faults::Cast::Kind::kClient;
    if (!client && member.kind != faults::Cast::Kind::kBroker) continue;
    size_t reached = 0;
    size_t all = 0;
    for (const faults::Cast::Member& other : cast_.members) {
      if (other.kind == faults::Cast::Kind::kVipNode) continue;  // on the way, not at its end
      ++all;
      if (joined(*member.host, *other.host)) ++reached;
    }
    const bool enough = 2 * reached >= all;
    if (client) {
      recorder_.writes().SetCutOff(member.host->name(), !enough, world_.Elapsed());
    } else {
      recorder_.SetReachable(member.number, enough && !member.host->frozen());
    }
  }
  if (timeline_ != nullptr) timeline_->ReachChanged();
}

std::vector<ZoneTraffic> SimulatedRun::Traffic() {
  std::vector<ZoneTraffic> traffic;
  const sim::SimulatedNetwork& network = world_.network();
  for (uint32_t from = 0; from < network.zone_count(); ++from) {
    for (uint32_t to = 0; to < network.zone_count(); ++to) {
      const sim::ZoneId a(from);
      const sim::ZoneId b(to);
      traffic.push_back({network.zone_name(a), network.zone_name(b), network.bytes_between(a, b)});
    }
  }
  std::sort(traffic.begin(), traffic.end(), [](const ZoneTraffic& a, const ZoneTraffic& b) {
    return std::tie(a.from, a.to) < std::tie(b.from, b.to);
  });
  return traffic;
}

void SimulatedRun::OnViolation(const invariants::Violation& violation) {
  if (timeline_ != nullptr) timeline_->Violated(violation);
  if (options_.break_on.empty() || violation.invariant != options_.break_on) return;
  left_early_ = true;
  if (options_.on_break) options_.on_break();
  world_.Stop();
}

bool SimulatedRun::RunTo(absl::Duration until) {
  const bool cut = options_.until.has_value() && *options_.until < until;
  run_end_ = world_.Run(cut ? *options_.until : until);
  if (left_early_) return false;
  if (cut) {
    left_early_ = true;
    if (options_.on_break) options_.on_break();
    return false;
  }
  return run_end_ == sim::RunEnd::kTime || run_end_ == sim::RunEnd::kIdle;
}

void SimulatedRun::BeginHeal() {
  injector_.Heal();
  if (timeline_ != nullptr) timeline_->Healed();
  world_.SetFairSchedule(true);
  const auto left_out = ZoneLeftOut(scenario_, seed_, cast_.members);
  healing_ = true;
  recorder_.TellNews(left_out ? fmt::format("all faults are withdrawn but one: zone {} stays away, "
                                            "and the others heal",
                                            *left_out)
                              : "all faults are withdrawn: the cluster heals");
  for (const faults::Cast::Member& member : cast_.members) {
    const bool retired =
        member.kind == faults::Cast::Kind::kBroker && retired_.contains(member.number);
    if (member.kind == faults::Cast::Kind::kClient || retired) continue;
    if (member.zone == left_out) {
      LeaveOut(member);
    } else if (!member.host->running()) {
      member.host->Start();
    }
  }
  StartReader();
}

void SimulatedRun::LeaveOut(const faults::Cast::Member& member) {
  HW_MARK("left_out_of_healing");
  if (member.kind == faults::Cast::Kind::kBroker) recorder_.LeftOut(member.number);
  // An address does not drift away from a node that only has no process.
  if (member.kind == faults::Cast::Kind::kVipNode) return member.host->LosePower();
  if (member.host->running()) member.host->Crash();
}

void SimulatedRun::StartReader() {
  sim::Host& reader = AddHost("reader", 0, false);
  reader.SetProgram(sim::ProgramOf([this](core::Environment& env) {
    ReadAtRest(env, workload_, end_, [this](std::vector<invariants::PartitionAtRest> found) {
      at_rest_ = std::move(found);
    });
  }));
  reader.Start();
}

SeedResult SimulatedRun::Run() {
  bool goes_on = true;
  if (scenario_.materialised && scenario_.materialised->effect_crash) {
    goes_on = RunTo(scenario_.run.warmup);
    if (goes_on) ArmEffectCrash();
  }
  if (goes_on && RunTo(workload_.load_end)) {
    if (crash_victim_ != nullptr) victim_effects_ = crash_victim_->effects() - effects_at_warmup_;
    BeginHeal();
    // A little past the end, so that a reader which meets its deadline can say so.
    const bool judged = RunTo(end_ + absl::Seconds(1)) && at_rest_.has_value();
    // Without topics nothing was promised; such a run is vacuous.
    if (judged && workload_.topics_created) recorder_.AtRest(*at_rest_);
  }
  SeedResult result{.scenario = scenario_.name,
                    .seed = seed_,
                    .verdict = Judge(),
                    .trace_hash = world_.hash().value(),
                    .strategy = std::string(sim::StrategyName(strategy_)),
                    .violations = recorder_.Violations(),
                    .simulated = world_.Elapsed()};
  result.metrics = recorder_.Metrics();
  result.checks = recorder_.Checks();
  result.metrics.traffic = Traffic();
  result.metrics.bytes_sent = world_.network().bytes_delivered();
  result.metrics.events = world_.events();
  for (const sim::FaultLedger::Entry& entry : world_.ledger().ByKind()) {
    result.ledger.push_back({.kind = entry.kind,
                             .requested = entry.requested,
                             .applied = entry.applied,
                             .observed = entry.observed});
  }
  for (const core::Mark::Count& mark : core::Mark::Counts()) {
    if (mark.count > 0)
      result.marks.push_back({.name = std::string(mark.name), .count = mark.count});
  }
  if (result.verdict == Verdict::kLivelock || result.verdict == Verdict::kStuck || left_early_) {
    result.dump = world_.DescribeFibers();
  }
  if (options_.trace) result.history = recorder_.HistoryText();
  result.fired = std::move(fired_);
  result.victim_effects = victim_effects_;
  if (timeline_ != nullptr) result.timeline = std::move(*timeline_).Take(recorder_.history());
  return result;
}

Verdict SimulatedRun::Judge() const {
  if (!recorder_.Violations().empty()) return Verdict::kViolated;
  if (run_end_ == sim::RunEnd::kLivelock || run_end_ == sim::RunEnd::kEventLimit)
    return Verdict::kLivelock;
  if (left_early_) return Verdict::kHeld;
  if (!at_rest_.has_value()) return Verdict::kStuck;
  if (recorder_.acked() == 0 && recorder_.excused() == 0) return Verdict::kVacuous;
  return Verdict::kHeld;
}

}  // namespace highwater::scenarios
