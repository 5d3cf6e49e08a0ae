#include "sim/ready_queue.h"

#include <algorithm>

#include "core/mix.h"
#include "sim/simulated_process.h"
#include "sim/world.h"

namespace highwater::sim {

void ReadyQueue::Add(core::Fiber& fiber, SimulatedProcess& process) {
  if (Strategy* strategy = world_.strategy()) return AddToStrategy(fiber, process, *strategy);
  world_.wheel().Set(fiber.ready_node(), world_.now());
}

void ReadyQueue::AddToStrategy(core::Fiber& fiber, SimulatedProcess& process, Strategy& strategy) {
  const Candidate candidate{.host = process.host().id(),
                            .role = core::MixName(fiber.name()),
                            .path = core::Mix(fiber.path(), process.run_id()),
                            .wakes = fiber.wakes()};
  const int64_t when = strategy.WhenReady(candidate, world_.now());
  entries_.push_back({.fiber = &fiber,
                      .process = &process,
                      .candidate = candidate,
                      .rank = strategy.Rank(candidate),
                      .due = false});
  world_.wheel().Set(fiber.ready_node(), when);
}

void ReadyQueue::OnReady(core::Fiber& fiber, SimulatedProcess& process) {
  if (world_.strategy() == nullptr) return process.RunChosen(fiber);
  Entry* entry = Find(fiber);
  if (entry == nullptr) {  // it was held by a freeze
    AddToStrategy(fiber, process, *world_.strategy());
    world_.wheel().Cancel(fiber.ready_node());
    entry = &entries_.back();
  }
  entry->due = true;
  PickLaterIfDue();
}

ReadyQueue::Entry* ReadyQueue::Find(const core::Fiber& fiber) {
  for (Entry& entry : entries_) {
    if (entry.fiber == &fiber) return &entry;
  }
  return nullptr;
}

void ReadyQueue::PickLaterIfDue() {
  // After all else that is due now, so that everything ready at this instant is a candidate.
  if (!pick_.pending()) world_.wheel().Set(pick_, world_.now());
}

void ReadyQueue::Pick() {
  auto best = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->due && (best == entries_.end() || entry->rank < best->rank)) best = entry;
  }
  if (best == entries_.end()) return;
  Strategy& strategy = *world_.strategy();
  const int64_t until = strategy.HoldChosen(best->candidate, world_.now());
  const bool held = until > world_.now();
  if (entries_.size() > 1 || held) ++world_.ledger().choices.with_two_candidates;
  if (best != entries_.begin() || held) ++world_.ledger().choices.differed_from_fifo;
  if (held) {
    best->due = false;
    best->rank = strategy.Rank(best->candidate);
    world_.wheel().Set(best->fiber->ready_node(), until);
    return PickLaterIfDue();
  }
  const Entry chosen = *best;
  entries_.erase(best);
  if (std::any_of(entries_.begin(), entries_.end(), [](const Entry& e) { return e.due; })) {
    PickLaterIfDue();
  }
  chosen.process->RunChosen(*chosen.fiber);
}

void ReadyQueue::Forget(const SimulatedProcess& process) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.process == &process; });
}

}  // namespace highwater::sim
