#pragma once

// ReadyQueue: the fibers of a world that could run, and the order in which they do.
//
// Under fifo a woken fiber goes straight into the timer wheel at the present instant: first-in
// first-out costs nothing. With a strategy every ready fiber has an entry; those whose time has
// come are ranked, and the ledger counts the choices among two or more and those that differed from
// fifo.
//
// Invariant: an entry is gone before its fiber runs and before its fiber is unwound.

#include <cstdint>
#include <vector>

#include "core/fibers.h"
#include "core/timer_wheel.h"
#include "sim/strategy.h"

namespace highwater::sim {

class SimulatedProcess;
class World;

class ReadyQueue {
 public:
  explicit ReadyQueue(World& world) : world_(world), pick_(*this) {}

  // `fiber` of `process` was woken.
  void Add(core::Fiber& fiber, SimulatedProcess& process);
  // The time of a fiber's ready node has come.
  void OnReady(core::Fiber& fiber, SimulatedProcess& process);
  // Forgets all fibers of a process that is being unwound.
  void Forget(const SimulatedProcess& process);

 private:
  struct Entry {
    core::Fiber* fiber;
    SimulatedProcess* process;
    Candidate candidate;
    uint64_t rank;
    bool due;
  };
  struct PickNode final : core::TimerNode {
    explicit PickNode(ReadyQueue& q) : queue(q) {}
    void OnTimer() override { queue.Pick(); }
    ReadyQueue& queue;
  };
  void AddToStrategy(core::Fiber& fiber, SimulatedProcess& process, Strategy& strategy);
  [[nodiscard]] Entry* Find(const core::Fiber& fiber);
  void Pick();
  void PickLaterIfDue();

  World& world_;
  PickNode pick_;
  std::vector<Entry> entries_;  // in the order in which they were woken
};

}  // namespace highwater::sim
