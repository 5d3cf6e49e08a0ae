#pragma once

// AlterPartitionManager: collects the changes of ISRs that this broker's leaders want, and asks the
// controller for them.
//
//   AlterPartitionManager changes(env, self, channel);
//   if (!changes.Submit(id, proposal, [](const IsrAnswer& answer) { ... })) ...;  // not attempted
//
// Follows replication facts H20-H23. Invariants:
//   1. At most one request is in flight; what is submitted meanwhile goes with the next one.
//   2. At most one change per partition; it stays until it is answered [H21b].
//   3. Nothing runs while nothing is queued.
//
// Not responsible for: finding the controller (ControllerChannel), what an answer means.

#include <absl/container/btree_map.h>
#include <absl/functional/any_invocable.h>

#include "broker/replication/controller_channel.h"
#include "broker/replication/partition_leader.h"
#include "broker/types.h"
#include "core/environment.h"
#include "core/wait_group.h"
#include "core/wait_queue.h"

namespace highwater::broker {

class AlterPartitionManager {
 public:
  using Answered = absl::AnyInvocable<void(const IsrAnswer&)>;

  // `env` and `channel` outlive it.
  AlterPartitionManager(core::Environment& env, BrokerId self, ControllerChannel& channel)
      : env_(env), self_(self), channel_(channel), running_fibers_(env.fibers) {}

  // False: a change of this partition is queued already, or the broker stops. `answered` must not
  // wait; it may submit.
  [[nodiscard]] bool Submit(const TopicPartition& id, const IsrProposal& proposal,
                            Answered answered);
  // [H21] Filled in when a request is built.
  void SetBrokerEpoch(BrokerEpoch epoch) { broker_epoch_ = epoch; }
  // Drops what is queued and waits for the request in flight to end. REQUIRES: on a fiber; the
  // channel is closed.
  void Stop();

 private:
  struct Item {
    IsrProposal proposal;
    Answered answered;
  };

  void Run();
  [[nodiscard]] protocol::AlterPartitionRequest BuildRequest() const;
  void Deliver(const protocol::AlterPartitionResponse& response);

  core::Environment& env_;
  BrokerId self_;
  ControllerChannel& channel_;
  BrokerEpoch broker_epoch_ = kNoBrokerEpoch;
  absl::btree_map<TopicPartition, Item> queue_;
  bool running_ = false;
  bool stopping_ = false;
  core::WaitQueue stop_;
  core::WaitGroup running_fibers_;
};

}  // namespace highwater::broker
