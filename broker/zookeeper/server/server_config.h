#pragma once

// What a server of ZooKeeper is told: the settings of zoo.cfg that it needs itself.
//
// Follows ZooKeeper facts 6.2 (names and defaults), 1.2 (how session time-outs are bounded).

#include <absl/time/time.h>

#include <cstdint>

#include "broker/zookeeper/types.h"
#include "broker/zookeeper/wire/frame.h"
#include "core/network.h"

namespace highwater::broker::zookeeper {

struct ServerConfig {
  core::Endpoint client_address{.host = "", .port = 2181};  // clientPortAddress, clientPort
  int32_t tick_time_ms = 3000;                              // tickTime
  int32_t min_session_timeout_ms = -1;                      // -1: twice the tick
  int32_t max_session_timeout_ms = -1;                      // -1: twenty ticks
  int32_t max_client_cnxns = 60;                            // of one address; 0: any number
  int32_t jute_max_buffer = kDefaultMaxBuffer;              // jute.maxbuffer
  int32_t global_outstanding_limit = 1000;                  // globalOutstandingLimit
  bool extended_types_enabled = false;                      // extendedTypesEnabled: TTL nodes
  ServerId server_id{1};                                    // myid; at most kMaxServerId

  [[nodiscard]] int32_t MinSessionTimeoutMs() const {
    return min_session_timeout_ms == -1 ? 2 * tick_time_ms : min_session_timeout_ms;
  }
  [[nodiscard]] int32_t MaxSessionTimeoutMs() const {
    return max_session_timeout_ms == -1 ? 20 * tick_time_ms : max_session_timeout_ms;
  }
};

}  // namespace highwater::broker::zookeeper
