#pragma once

// ControllerChannelManager: carries the controller's requests to brokers: for each broker a queue
// and a fiber that sends one request at a time, the same bytes again until it is answered or the
// broker is removed.
//
//   ControllerChannelManager channels(env, config, [&](const Outgoing& request, const
//       ControllerResponse& response) { events.Put(...); });
//   channels.AddBroker(registration);
//   channels.Send({.to = id, .request = UpdateMetadataRequest{...}, .version = 7});
//
// Follows [C61]. A broker may thus get a request long after newer ZooKeeper state, or twice: only
// the epochs in it protect the receiver (W18).
//
// Invariants:
//   1. A broker gets requests in the order of Send; the next one leaves after the answer to the one
//      before.
//   2. After RemoveBroker nothing more is sent to that incarnation, and none of its answers are
//      reported.
//   3. Send never waits.

#include <absl/functional/any_invocable.h>
#include <absl/time/time.h>

#include <map>
#include <memory>
#include <variant>

#include "broker/controller/request_batch.h"
#include "broker/types.h"
#include "broker/zk/broker_registration.h"
#include "core/environment.h"

namespace highwater::broker::controller {

using ControllerResponse =
    std::variant<protocol::LeaderAndIsrResponse, protocol::UpdateMetadataResponse,
                 protocol::StopReplicaResponse, protocol::OffsetForLeaderEpochResponse>;

struct ChannelConfig {
  BrokerId controller;
  absl::Duration socket_timeout = absl::Seconds(30);  // controller.socket.timeout.ms
  absl::Duration retry_backoff = absl::Milliseconds(100);
  std::string listener;  // of the brokers; "" is their first one
};

class ControllerChannelManager {
 public:
  using OnResponse = absl::AnyInvocable<void(const Outgoing&, const ControllerResponse&)>;

  // `env` outlives it. `on_response` is called on the sending fiber and must not wait.
  ControllerChannelManager(core::Environment& env, ChannelConfig config, OnResponse on_response);
  ~ControllerChannelManager();
  ControllerChannelManager(const ControllerChannelManager&) = delete;
  ControllerChannelManager& operator=(const ControllerChannelManager&) = delete;

  // Opens a queue. REQUIRES: it has none.
  void AddBroker(const zk::BrokerRegistration& broker);
  // Drops the queue with all that is in it. No effect if there is none.
  void RemoveBroker(BrokerId id);
  // Dropped if the broker has no queue.
  void Send(Outgoing request);
  void RemoveAll();

  [[nodiscard]] size_t queued(BrokerId id) const;

 private:
  struct Peer;
  void Run(const std::shared_ptr<Peer>& peer);
  // nullopt: not answered, and the connection is of no more use.
  std::optional<ControllerResponse> Exchange(Peer& peer, const Outgoing& request);

  core::Environment& env_;
  const ChannelConfig config_;
  OnResponse on_response_;
  std::map<BrokerId, std::shared_ptr<Peer>> peers_;
};

}  // namespace highwater::broker::controller
