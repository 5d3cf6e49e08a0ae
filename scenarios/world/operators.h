#pragma once

// Operators: what people and their tools do to a running cluster: topics created, grown and
// deleted, replicas moved, leaders elected, settings changed, while everything else goes on.
//
//   Operators operators(world, context, add_host);
//   operators.Order(orders);     // before the world runs
//
// Each order is a tool that somebody starts at its time: a process on a host of its own that speaks
// to the brokers through the product's Admin, tries again as a patient operator does, and then
// looks whether it took effect. In the ledger an operation is *requested* when it is ordered,
// *applied* when the cluster accepted it, *observed* when a broker told that it is done.
//
// An operation begins only while the load lasts. What it owes afterwards (to create anew a topic
// that it deleted, to change back a setting) it does at the latest as the heal phase begins.
//
// Not responsible for: what is judged of a topic meanwhile (Recorder::TopicGone).

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "faults/fault_order.h"
#include "scenarios/world/workload.h"
#include "sim/host.h"
#include "sim/world.h"

namespace highwater::scenarios {

// What a tool tells of itself.
struct OperationReport {
  std::function<void(std::string text)> applied;  // the cluster accepted it: `text` says what
  std::function<void()> observed;
};

class Operators {
 public:
  // All outlive it.
  Operators(sim::World& world, WorkloadContext& context,
            std::function<sim::Host&(std::string name)> add_host)
      : world_(world), context_(context), add_host_(std::move(add_host)) {}

  // Whether faults of this kind are done by operators.
  [[nodiscard]] static bool Do(std::string_view kind);
  void Order(std::vector<faults::FaultOrder> orders);
  // As Injector::MakeSham.
  void MakeSham(std::string kind) { sham_ = std::move(kind); }

 private:
  void Start(const faults::FaultOrder& order, sim::FaultId id);

  sim::World& world_;
  WorkloadContext& context_;
  std::function<sim::Host&(std::string)> add_host_;
  std::vector<std::unique_ptr<faults::FaultOrder>> orders_;
  std::string sham_;
  int32_t started_ = 0;
};

}  // namespace highwater::scenarios
