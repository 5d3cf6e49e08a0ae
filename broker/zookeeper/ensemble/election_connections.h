#pragma once

// ElectionConnections: which of the connections between two servers' election ports is kept, and
// what is sent on it. A state machine without I/O.
//
//   ElectionConnections connections(self);
//   connections.Send(peer, frame, effects);           // dials if there is no connection
//   connections.OnDialed(peer, connection, effects);  // or OnDialFailed
//   connections.OnAccepted(peer, connection, effects);   // its initial message has come
//   connections.OnWritten(connection, effects);
//   connections.OnClosed(connection);
//
// Follows ZooKeeper facts 3.2. Not responsible for: the initial message of an outgoing connection
// (the driver writes it before OnDialed), reading, addresses, time-outs of dialling.
//
// Invariants:
//   1. At most one connection per peer is kept, and it was dialled by the one of greater sid, so
//      that two servers that dial each other at once end with one connection, the same on both
//      sides.
//   2. Per peer at most one unsent message waits: the newest.
//   3. At most one write is in flight per connection, and at most one dial per peer.

#include <absl/container/btree_map.h>

#include <optional>
#include <variant>
#include <vector>

#include "broker/zookeeper/ensemble/ids.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

class ElectionConnections {
 public:
  struct Dial {
    ServerId peer;
  };
  struct Write {
    PeerConnection connection;
    core::Bytes frame;
  };
  struct Close {
    PeerConnection connection;
  };
  using Effect = std::variant<Dial, Write, Close>;
  using Effects = std::vector<Effect>;

  explicit ElectionConnections(ServerId self) : self_(self) {}

  // [3.2] Whether `self` keeps a connection that `dialler` dialled to `acceptor`.
  [[nodiscard]] static bool IsKept(ServerId dialler, ServerId acceptor) {
    return dialler > acceptor;
  }

  // Replaces what has not been sent to `peer` yet.
  void Send(ServerId peer, core::Bytes frame, Effects& effects);
  void OnDialed(ServerId peer, PeerConnection connection, Effects& effects);
  // Nothing is tried again before the next Send: the election resends by itself.
  void OnDialFailed(ServerId peer);
  // `peer` dialled us and said who it is.
  void OnAccepted(ServerId peer, PeerConnection connection, Effects& effects);
  void OnWritten(PeerConnection connection, Effects& effects);
  void OnClosed(PeerConnection connection);

  [[nodiscard]] std::optional<PeerConnection> ConnectionTo(ServerId peer) const;

 private:
  struct Peer {
    bool dialling = false;
    std::optional<PeerConnection> connection;
    bool writing = false;
    std::optional<core::Bytes> waiting;
    std::optional<core::Bytes> last_sent;
  };

  void Connect(ServerId server, Peer& peer, Effects& effects);
  void Keep(Peer& peer, PeerConnection connection, Effects& effects);
  void WriteNext(Peer& peer, Effects& effects);

  ServerId self_;
  absl::btree_map<ServerId, Peer> peers_;
};

}  // namespace highwater::broker::zookeeper
