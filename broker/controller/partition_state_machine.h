#pragma once

// PartitionStateMachine: moves partitions between their states: makes the first leader, elects the
// next ones, writes what was decided and collects the requests that tell it.
//
//   HW_ASSIGN_OR_RETURN(auto results, partitions.Elect(offline, ElectionKind::kOffline));
//
// Follows [C20], [C22]-[C24], [C30]-[C32]. Decisions are those of the rule table; this carries them
// out, in straight lines, on the controller's fiber.
//
// Each call collects requests and sends them at its end [C22]. Errors are of ZooKeeper as a whole
// (moved, session over); what fails for one partition is logged in its result and skipped.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <vector>

#include "broker/controller/controller_parts.h"
#include "broker/protocol/error_code.h"

namespace highwater::broker::controller {

enum class ElectionKind : uint8_t {
  kOffline,         // [C32], unclean if the topic allows it
  kUncleanOffline,  // [C32], unclean because somebody asked for it
  kReassigned,      // [C34]
  kPreferred,       // [C35]
  kAtShutdown,      // [C36]
};

class PartitionStateMachine {
 public:
  using Results = std::map<TopicPartition, protocol::ErrorCode>;

  explicit PartitionStateMachine(ControllerParts& parts) : parts_(parts) {}

  // [C12]
  [[nodiscard]] absl::Status Startup();
  // [C12] Tries to bring all New and Offline partitions online, but those of topics to be deleted.
  [[nodiscard]] absl::Status TriggerOnline();

  // To New, Offline or NonExistent. What may not go there is skipped.
  void Change(const std::vector<TopicPartition>& partitions, PartitionState to);
  // New ones get their first leader [C23], others an election [C24]; a result for each that may.
  [[nodiscard]] absl::StatusOr<Results> ToOnline(const std::vector<TopicPartition>& partitions,
                                                 ElectionKind kind);
  // [W1] Partitions of which the ends of all logs are known. Who got no leader stays Offline.
  [[nodiscard]] absl::Status ElectByLogEnds(
      const std::map<TopicPartition, std::map<BrokerId, LogEnd>>& ends);

 private:
  [[nodiscard]] absl::Status MakeFirstLeaders(const std::vector<TopicPartition>& partitions,
                                              Results& results);
  [[nodiscard]] absl::Status Elect(std::vector<TopicPartition> partitions, ElectionKind kind,
                                   Results& results);
  [[nodiscard]] Elected Decide(const TopicPartition& id, const PartitionContext& partition,
                               const LeaderAndIsr& state, ElectionKind kind) const;
  [[nodiscard]] ElectionFacts FactsOf(const TopicPartition& id, const PartitionContext& partition,
                                      const LeaderAndIsr& state) const;
  void WentOnline(const TopicPartition& id, const std::vector<BrokerId>& recipients);

  ControllerParts& parts_;
};

}  // namespace highwater::broker::controller
