#pragma once

// ServerStats: what a server tells of itself to those who operate it.
//
// Follows ZooKeeper facts 6.1: everything that `srvr`, `stat`, `mntr`, `cons`, `dump` and `wchs`
// print. A value made for one answer; the texts are four_letter_words' business.

#include <absl/time/time.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/zookeeper/tree/data_tree.h"
#include "broker/zookeeper/tree/watch_manager.h"

namespace highwater::broker::zookeeper {

enum class ServerMode : uint8_t { kNotServing, kStandalone, kLeader, kFollower, kObserver };

// Milliseconds from a request's arrival to its answer.
struct LatencyStats {
  int64_t min_ms = 0;
  int64_t max_ms = 0;
  int64_t total_ms = 0;
  int64_t count = 0;

  void Add(int64_t ms) {
    min_ms = count == 0 ? ms : std::min(min_ms, ms);
    max_ms = std::max(max_ms, ms);
    total_ms += ms;
    ++count;
  }
};

struct ConnectionStats {
  std::string peer;  // host:port
  SessionId session;
  int32_t timeout_ms = 0;
  int64_t outstanding = 0;
  int64_t received = 0;
  int64_t sent = 0;
  OpCode last_op = OpCode::kNotification;
  Xid last_xid;
  Zxid last_zxid;
  int64_t since_ms = 0;  // wall clock of its arrival
  LatencyStats latency;
};

struct ServerStats {
  ServerMode mode = ServerMode::kNotServing;
  LatencyStats latency;
  int64_t packets_received = 0;
  int64_t packets_sent = 0;
  int64_t connections = 0;
  int64_t connections_refused = 0;
  int64_t outstanding = 0;  // requests that are not answered
  Zxid zxid;                // the last one applied
  absl::Duration uptime;
  std::vector<ConnectionStats> clients;  // in order of arrival
  // For counts and lists; valid during the call that hands this value over.
  const DataTree* tree = nullptr;
  const WatchManager* watches = nullptr;
};

}  // namespace highwater::broker::zookeeper
