#include "sim/world.h"

#include <fmt/format.h>

#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/simulated_process.h"

namespace highwater::sim {
namespace {

std::string Seconds(int64_t nanos) {
  return fmt::format("{}.{:09} s", nanos / 1'000'000'000, nanos % 1'000'000'000);
}

}  // namespace

// A control action; its slot is used again once it ran.
class World::Action final : public core::TimerNode {
 public:
  explicit Action(World& world) : world_(world) {}
  void OnTimer() override {
    auto body = std::exchange(body_, nullptr);
    world_.free_actions_.push_back(this);
    body();
  }
  void Take(absl::AnyInvocable<void()> body) { body_ = std::move(body); }

 private:
  World& world_;
  absl::AnyInvocable<void()> body_;
};

std::string_view RunEndName(RunEnd end) {
  switch (end) {
    case RunEnd::kTime:
      return "time";
    case RunEnd::kIdle:
      return "idle";
    case RunEnd::kStopped:
      return "stopped";
    case RunEnd::kEventLimit:
      return "event limit";
    case RunEnd::kLivelock:
      return "livelock";
  }
  return "unknown";
}

World::World(WorldOptions options)
    : options_(options),
      hash_(options.seed),
      strategy_(MakeStrategy(options.strategy, options.seed)),
      ready_(*this),
      network_(std::make_unique<SimulatedNetwork>(*this)) {}

World::~World() {
  // Processes first: what their destructors reach must still be there.
  for (auto& host : hosts_) host.reset();
}

Host& World::AddHost(HostOptions options) {
  HW_CHECK(FindHost(options.name) == nullptr, "two hosts are named {}", options.name);
  const HostId id(static_cast<uint32_t>(hosts_.size()));
  hosts_.push_back(std::make_unique<Host>(*this, id, std::move(options)));
  network_->OnHostAdded(*hosts_.back());
  return *hosts_.back();
}

Host* World::FindHost(std::string_view name) { return network_->Find(name); }

void World::At(absl::Duration since_start, absl::AnyInvocable<void()> action) {
  if (free_actions_.empty()) {
    free_actions_.push_back(actions_.emplace_back(std::make_unique<Action>(*this)).get());
  }
  Action* slot = free_actions_.back();
  free_actions_.pop_back();
  slot->Take(std::move(action));
  wheel_.Set(*slot, absl::ToInt64Nanoseconds(since_start));
}

RunEnd World::Run(absl::Duration until) {
  const int64_t nanos = absl::ToInt64Nanoseconds(until);
  HW_CHECK(nanos >= now(), "a run until {} at {}", nanos, now());
  return RunEvents(nanos);
}

RunEnd World::RunUntilIdle() {
  while (!wheel_.empty()) {
    // In steps, so that time stops at the last event.
    const RunEnd end = RunEvents(std::max(now(), wheel_.NextTimeBound()));
    if (end != RunEnd::kTime && end != RunEnd::kIdle) return end;
  }
  return RunEnd::kIdle;
}

RunEnd World::RunEvents(int64_t until) {
  core::ScopedCheckFailureHandler handler(*this);
  stopped_ = false;
  int64_t instant = now();
  uint64_t livelock_at = events_ + options_.max_events_per_instant;
  while (core::TimerNode* node = wheel_.PopDue(until)) {
    if (now() != instant) {
      instant = now();
      livelock_at = events_ + options_.max_events_per_instant;
    }
    Execute(*node);
    if (!after_event_.empty()) [[unlikely]]
      FinishEvent();
    if (stopped_ || hash_.count() >= stop_at_point_) [[unlikely]]
      return RunEnd::kStopped;
    if (events_ >= livelock_at) [[unlikely]]
      return RunEnd::kLivelock;
    if (events_ >= options_.max_events) [[unlikely]]
      return RunEnd::kEventLimit;
  }
  return wheel_.empty() ? RunEnd::kIdle : RunEnd::kTime;
}

void World::FinishEvent() {
  // What they do may ask for more.
  for (size_t i = 0; i < after_event_.size(); ++i) {
    absl::AnyInvocable<void()> action = std::move(after_event_[i]);
    action();
  }
  after_event_.clear();
}

void World::Execute(core::TimerNode& node) {
  ++events_;
  const uint32_t owner = node.owner();
  if (owner == 0) return node.OnTimer();
  if (SimulatedProcess* process = hosts_[owner - 1]->process()) process->OnOwnedTimer(node);
}

size_t World::LiveFibers() const {
  size_t live = 0;
  for (const auto& host : hosts_) {
    if (host->running()) live += host->process()->live_fibers();
  }
  return live;
}

std::string World::DescribeFibers() const {
  std::string result;
  for (const auto& host : hosts_) {
    if (!host->running()) continue;
    const int64_t clock_now = host->clock().At(now()).nanos();
    for (const core::FiberInfo& fiber : host->process()->DescribeFibers()) {
      // The process's own clock means nothing to a reader: print the world's time.
      const int64_t since = now() - (clock_now - fiber.since.nanos());
      const std::string until = fiber.deadline == core::MonotonicTime::Never()
                                    ? "for ever"
                                    : "until " + Seconds(host->clock().WorldTimeOf(fiber.deadline));
      result += fmt::format("{}{}  \"{}\" {}, since {}, {}\n", host->name(),
                            host->frozen() ? " (frozen)" : "", fiber.name, fiber.state,
                            Seconds(since), until);
    }
  }
  return result;
}

std::string World::NameOf(HostId id) const {
  return id == kNoHost ? "world" : hosts_[id.value()]->name();
}

std::string World::DescribeLastEvents() const {
  return hash_.DescribeLast([this](HostId id) { return NameOf(id); });
}

void World::OnFailedCheck(const core::FailedCheck& check) {
  check.story +=
      fmt::format("seed {}, at {}, in {}, event {}, hash {:016x}\nlast events:\n{}fibers:\n{}",
                  seed(), Seconds(now()), running_ != nullptr ? running_->name() : "the world",
                  events_, hash_.value(), DescribeLastEvents(), DescribeFibers());
}

}  // namespace highwater::sim
