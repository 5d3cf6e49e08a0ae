#pragma once

// AutoTopicCreationManager: asks the active controller for topics that a client has named and that
// nobody knows, on behalf of a broker that is not the controller.
//
//   AutoTopicCreationManager creation(env, config, view);
//   auto results = creation.CreateTopics({"orders"}, deadline);
//
// One question on a connection of its own: what the broker asks the controller for otherwise never
// waits behind it. Nothing is tried again: the client asks again, and perhaps another broker is the
// controller by then.
//
// Follows: [C114] (unknown topics may be made), [Z26] (by whom), and KIP-590's way, which sends
// what changes a cluster to its controller. Kafka 3.2.3 with ZooKeeper writes the topic's znode at
// the broker that was asked; here a topic is made by the controller only.
//
// Invariants:
//   1. A name is under way once at a time: a thousand clients of a new topic are one question.
//   2. It never waits past the deadline.
//
// Not responsible for: what makes a topic legal, and placing it (the controller:
// cluster_controller.h).

#include <set>
#include <string>
#include <vector>

#include "broker/controller/controller.h"
#include "broker/server/broker_config.h"
#include "core/environment.h"

namespace highwater::broker::controller {

class AutoTopicCreationManager {
 public:
  // All outlive it. `view`: what this broker knows of its cluster. Topics get the numbers of
  // partitions and replicas of `config`.
  AutoTopicCreationManager(core::Environment& env, const BrokerConfig& config,
                           const Controller& view)
      : env_(env), config_(config), view_(view) {}

  // In the order of `names`, which differ. REQUEST_TIMED_OUT: it is being made, perhaps for
  // somebody else, or the controller has not answered. NOT_CONTROLLER: no controller is known, or
  // it was another by then. REQUIRES: on a fiber.
  [[nodiscard]] std::vector<TopicResult> CreateTopics(const std::vector<std::string>& names,
                                                      core::MonotonicTime deadline);

 private:
  std::vector<TopicResult> AskController(const std::vector<std::string>& names,
                                         core::MonotonicTime deadline);

  core::Environment& env_;
  const BrokerConfig& config_;
  const Controller& view_;
  std::set<std::string> under_way_;
};

}  // namespace highwater::broker::controller
