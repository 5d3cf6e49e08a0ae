#pragma once

// MakeZooKeeperClient: the ZooKeeperClient that speaks the protocol.
//
//   HW_ASSIGN_OR_RETURN(const ConnectString where, ParseConnectString(config.zookeeper_connect));
//   auto client = MakeZooKeeperClient(env, {.servers = where.servers, .chroot = where.chroot});
//   HW_RETURN_IF_ERROR(client->Connect());
//
// Follows replication facts Z40-Z45 and ZooKeeper facts 5. When a session is over: every
// BeforeInitializingSession, a new session, every AfterInitializingSession, in that order on the
// fiber of events. The new session need not be connected by then: what the handlers ask waits for
// it. A session whose authentication failed is followed by another after retry_backoff, in the same
// way [Z44].

#include <absl/time/time.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/zookeeper/client/connect_string.h"
#include "broker/zookeeper/client/session_rules.h"
#include "broker/zookeeper/client/zookeeper_client.h"
#include "broker/zookeeper/client/zookeeper_session.h"
#include "core/environment.h"

namespace highwater::broker::zookeeper {

// With Kafka's names and defaults.
struct ZooKeeperClientOptions {
  std::vector<core::Endpoint> servers;  // at least one
  std::string chroot;                   // "" or a path; created by Connect if it is missing
  absl::Duration session_timeout = absl::Seconds(18);     // zookeeper.session.timeout.ms
  absl::Duration connection_timeout = absl::Seconds(18);  // zookeeper.connection.timeout.ms
  int64_t max_in_flight = 10;                             // zookeeper.max.in.flight.requests
  int32_t max_buffer = 4 << 20;                           // jute.maxbuffer of Kafka's client
  std::vector<AuthInfo> auths;
  absl::Duration retry_backoff = absl::Seconds(1);
  absl::Duration reconnect_jitter = absl::Seconds(1);
  absl::Duration round_delay = absl::Seconds(1);
  SessionRules rules;
};

// `env` outlives the client. Destroying it without Close leaves the session to its time-out.
// REQUIRES: on a fiber (it draws).
[[nodiscard]] std::unique_ptr<ZooKeeperClient> MakeZooKeeperClient(core::Environment& env,
                                                                   ZooKeeperClientOptions options);

}  // namespace highwater::broker::zookeeper
