#pragma once

// ElectionPort: the connections over which servers tell each other their votes (QuorumCnxManager).
//
//   ElectionPort port(env, config, self, fibers, [&](ServerId from, const Notification& n) {...});
//   HW_RETURN_IF_ERROR(port.Start());
//   port.Send(peer, notification);        // dials if need be; a newer one replaces it unsent
//   port.Stop();
//
// Drives ElectionConnections. Follows ZooKeeper facts 3.2. What was sent may be lost, come late or
// twice: the election resends.

#include <functional>
#include <map>
#include <memory>

#include "broker/zookeeper/ensemble/election_connections.h"
#include "broker/zookeeper/ensemble/election_messages.h"
#include "broker/zookeeper/quorum/quorum_config.h"
#include "core/environment.h"
#include "core/wait_group.h"

namespace highwater::broker::zookeeper {

class ElectionPort {
 public:
  using Handler = std::function<void(ServerId from, const Notification& notification)>;

  // All outlive it; `fibers` counts its fibers. `handler` must not wait.
  ElectionPort(core::Environment& env, const QuorumConfig& config, ServerId self,
               core::WaitGroup& fibers, Handler handler);

  // REQUIRES: on a fiber.
  [[nodiscard]] absl::Status Start();
  void Send(ServerId to, const Notification& notification);
  // Its fibers end soon.
  void Stop();

 private:
  struct Link {
    PeerConnection id;
    std::unique_ptr<core::Connection> connection;
    ServerId peer;
    bool closed = false;
  };
  using LinkPtr = std::shared_ptr<Link>;

  void AcceptLoop();
  // Who has dialled us.
  [[nodiscard]] absl::StatusOr<ServerId> Greet(core::Connection& connection, core::ByteChain& rest);
  void Admit(std::unique_ptr<core::Connection> connection);
  void Dial(ServerId peer);
  [[nodiscard]] LinkPtr AddLink(ServerId peer, std::unique_ptr<core::Connection> connection);
  void ReadFrom(const LinkPtr& link, core::ByteChain first);
  void WriteTo(const LinkPtr& link, const core::Bytes& frame);
  void CloseLink(const LinkPtr& link);
  void Carry(const ElectionConnections::Effects& effects);
  void Do(const ElectionConnections::Dial& dial);
  void Do(const ElectionConnections::Write& write);
  void Do(const ElectionConnections::Close& close);
  // On a fiber of its own.
  void Spawn(std::string_view name, absl::AnyInvocable<void()> body);

  core::Environment& env_;
  const QuorumConfig& config_;
  const ServerId self_;
  core::WaitGroup& fibers_;
  Handler handler_;
  ElectionConnections connections_;
  std::unique_ptr<core::Listener> listener_;
  std::map<PeerConnection, LinkPtr> links_;
  std::map<ServerId, core::FiberHandle> dials_;
  PeerConnection last_id_;
  bool stopping_ = false;
};

}  // namespace highwater::broker::zookeeper
