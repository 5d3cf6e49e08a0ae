#pragma once

// LearnerLink: the connection between a leader and one of its learners, seen from either side:
// packets in both directions, and snapshots.
//
//   auto link = std::make_shared<LearnerLink>(env, host, fibers, id, std::move(connection),
//   timing); link->Start(); link->Send(packet);  link->SendSnapshot(zxid, EncodeTree(tree));
//   link->Close();
//
// Follows ZooKeeper facts 3.4. A snapshot's body has no length in front of it: it ends where the
// signature stands and what is before it is a whole snapshot.
//
// Invariants:
//   1. What is sent leaves in the order of the calls, which never wait.
//   2. After Close or OnLinkClosed the host hears nothing more of it.

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "broker/zookeeper/ensemble/ensemble_timing.h"
#include "broker/zookeeper/ensemble/quorum_packet.h"
#include "core/environment.h"
#include "core/wait_group.h"

namespace highwater::broker::zookeeper {

class LearnerLink;

// None of these waits.
class LinkHost {
 public:
  virtual ~LinkHost() = default;
  virtual void OnPacket(LearnerLink& link, const QuorumPacket& packet) = 0;
  // A SNAP with its body.
  virtual void OnSnapshot(LearnerLink& link, const QuorumPacket& packet, core::Bytes image) = 0;
  // The other side ended it, or it failed.
  virtual void OnLinkClosed(LearnerLink& link) = 0;
};

class LearnerLink final : public std::enable_shared_from_this<LearnerLink> {
 public:
  // All outlive its fibers, which `fibers` counts. `patience`: for what it sends to leave.
  LearnerLink(core::Environment& env, LinkHost& host, core::WaitGroup& fibers, PeerConnection id,
              std::unique_ptr<core::Connection> connection, absl::Duration patience);

  void Start();
  void Send(const QuorumPacket& packet) { SendBytes(core::ByteChain(EncodePacket(packet))); }
  void SendSnapshot(Zxid zxid, const core::ByteChain& image);
  void Close();

  [[nodiscard]] PeerConnection id() const { return id_; }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  void SendBytes(const core::ByteChain& bytes);
  void Read();
  // Hands over what has come whole; false: it is of no use any more.
  [[nodiscard]] bool HandOver();
  // Whether the body has come whole and was handed over.
  [[nodiscard]] bool TakeBody();
  void Write();
  void Fail();

  core::Environment& env_;
  LinkHost& host_;
  core::WaitGroup& fibers_;
  const PeerConnection id_;
  std::unique_ptr<core::Connection> connection_;
  const absl::Duration patience_;
  PacketAssembler assembler_;
  // A snapshot that is being received.
  std::optional<QuorumPacket> snapshot_;
  std::string body_;
  size_t searched_ = 0;  // no signature begins before this place
  core::Payload output_;
  bool writing_ = false;
  bool closed_ = false;
};

}  // namespace highwater::broker::zookeeper
