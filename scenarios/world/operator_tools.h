#pragma once

// The operators' tools: one function for each operation, straight-line code on the main fiber of a
// process of its own. And what they share: an administrator who tries again, draws, and reports.
//
// A tool knows of the cluster only what brokers tell it. Draws are keyed by the order.

#include <optional>
#include <string>
#include <vector>

#include "broker/client/admin.h"
#include "core/environment.h"
#include "faults/fault_order.h"
#include "scenarios/world/operators.h"
#include "scenarios/world/workload.h"

namespace highwater::scenarios {

class OperatorShift {
 public:
  OperatorShift(core::Environment& env, WorkloadContext& context, const faults::FaultOrder& order,
                OperationReport report, std::string_view name);

  [[nodiscard]] const faults::FaultOrder& order() const { return order_; }
  [[nodiscard]] WorkloadContext& context() { return context_; }
  [[nodiscard]] broker::client::Admin& admin() { return admin_; }
  [[nodiscard]] const OperationReport& report() const { return report_; }

  // When nothing new is begun any more; when the run is over.
  [[nodiscard]] core::MonotonicTime load_end() const { return load_end_; }
  [[nodiscard]] core::MonotonicTime run_end() const { return run_end_; }
  // Calls `step` until it says true, a little later each time. False once `until` has come.
  [[nodiscard]] bool Retry(core::MonotonicTime until, const std::function<bool()>& step);
  // For as long as the order says, at most until the load ends.
  void WaitItsLength();

  // The topic that the order means, drawn among the scenario's where it does not say.
  [[nodiscard]] const TopicSpec& Topic() const;
  // The same for a partition.
  [[nodiscard]] broker::TopicPartition Partition() const;
  // Below `limit`, another draw for each name.
  [[nodiscard]] uint64_t Draw(std::string_view name, uint64_t limit) const;

  // As some broker has it; nullopt if none answers in time or it does not know the topic.
  [[nodiscard]] std::optional<broker::client::ClusterDescription> Describe(
      const std::vector<std::string>& topics);
  // The same of one topic.
  [[nodiscard]] std::optional<broker::client::TopicDescription> DescribeTopic(
      const std::string& topic);

 private:
  core::Environment& env_;
  WorkloadContext& context_;
  const faults::FaultOrder& order_;
  OperationReport report_;
  core::MonotonicTime load_end_;
  core::MonotonicTime run_end_;
  broker::client::Admin admin_;
};

void AddBroker(OperatorShift& shift);
void AlterConfig(OperatorShift& shift);
void CancelReassignment(OperatorShift& shift);
void CreatePartitions(OperatorShift& shift);
void CreateTopic(OperatorShift& shift);
void DeleteTopic(OperatorShift& shift);
void ElectLeaders(OperatorShift& shift);
void MigrateZone(OperatorShift& shift);
void ReassignPartition(OperatorShift& shift);
void RemoveBroker(OperatorShift& shift);

}  // namespace highwater::scenarios
