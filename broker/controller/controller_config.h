#pragma once

// ControllerConfig: the settings that a controller heeds.

#include <absl/time/time.h>

#include <string>

#include "broker/controller/request_batch.h"
#include "broker/types.h"

namespace highwater::broker::controller {

struct ControllerConfig {
  BrokerId broker_id;
  // What topics without a setting of their own have [D11], [D13].
  int32_t min_insync_replicas = 1;
  bool unclean_leader_election_enable = false;
  bool delete_topic_enable = true;
  // [D14]
  bool auto_leader_rebalance_enable = true;
  absl::Duration leader_imbalance_check_interval = absl::Seconds(300);
  int32_t leader_imbalance_per_broker_percentage = 10;
  absl::Duration first_rebalance_delay = absl::Seconds(5);  // [C110]
  absl::Duration socket_timeout = absl::Seconds(30);        // [D16]
  std::string inter_broker_listener;                        // "" is the brokers' first
  InterBrokerVersions versions;                             // [C66]
};

}  // namespace highwater::broker::controller
