#include "broker/zookeeper/ensemble/election_connections.h"

#include <utility>

#include "core/mark.h"

namespace highwater::broker::zookeeper {

void ElectionConnections::Send(ServerId server, core::Bytes frame, Effects& effects) {
  if (server == self_) return;
  Peer& peer = peers_[server];
  peer.waiting = std::move(frame);
  if (peer.connection.has_value()) {
    WriteNext(peer, effects);
  } else {
    Connect(server, peer, effects);
  }
}

void ElectionConnections::OnDialed(ServerId server, PeerConnection connection, Effects& effects) {
  Peer& peer = peers_[server];
  peer.dialling = false;
  if (!IsKept(self_, server)) {
    // The peer now knows that it is wanted, and dials back.
    effects.push_back(Close{connection});
    return;
  }
  Keep(peer, connection, effects);
}

void ElectionConnections::OnDialFailed(ServerId server) { peers_[server].dialling = false; }

void ElectionConnections::OnAccepted(ServerId server, PeerConnection connection, Effects& effects) {
  if (server == self_) {
    effects.push_back(Close{connection});
    return;
  }
  Peer& peer = peers_[server];
  if (IsKept(server, self_)) {
    Keep(peer, connection, effects);
    return;
  }
  HW_MARK("zk_election_dialled_back");
  effects.push_back(Close{connection});
  // It would not have dialled if its side of our connection were alive.
  if (peer.connection.has_value()) {
    effects.push_back(Close{*std::exchange(peer.connection, std::nullopt)});
    peer.writing = false;
  }
  Connect(server, peer, effects);
}

void ElectionConnections::OnWritten(PeerConnection connection, Effects& effects) {
  for (auto& [server, peer] : peers_) {
    if (peer.connection != connection) continue;
    peer.writing = false;
    WriteNext(peer, effects);
  }
}

void ElectionConnections::OnClosed(PeerConnection connection) {
  for (auto& [server, peer] : peers_) {
    if (peer.connection != connection) continue;
    peer.connection.reset();
    peer.writing = false;
  }
}

std::optional<PeerConnection> ElectionConnections::ConnectionTo(ServerId server) const {
  const auto found = peers_.find(server);
  return found == peers_.end() ? std::nullopt : found->second.connection;
}

void ElectionConnections::Connect(ServerId server, Peer& peer, Effects& effects) {
  if (peer.dialling) return;
  peer.dialling = true;
  effects.push_back(Dial{server});
}

void ElectionConnections::Keep(Peer& peer, PeerConnection connection, Effects& effects) {
  if (peer.connection.has_value()) effects.push_back(Close{*peer.connection});
  peer.connection = connection;
  peer.writing = false;
  // [3.2] What was sent last may have been lost with the old connection.
  if (!peer.waiting.has_value()) peer.waiting = peer.last_sent;
  WriteNext(peer, effects);
}

void ElectionConnections::WriteNext(Peer& peer, Effects& effects) {
  if (peer.writing || !peer.waiting.has_value()) return;
  peer.writing = true;
  peer.last_sent = std::exchange(peer.waiting, std::nullopt);
  effects.push_back(Write{*peer.connection, *peer.last_sent});
}

}  // namespace highwater::broker::zookeeper
