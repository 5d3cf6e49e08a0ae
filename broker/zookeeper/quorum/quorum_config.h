#pragma once

// QuorumConfig: who belongs to an ensemble, where they are found, how patient they are.
//
// Follows ZooKeeper facts 3.2, 3.4, 6.2 (the server.N lines). Voters only.

#include <fmt/format.h>

#include <map>
#include <vector>

#include "broker/zookeeper/ensemble/ensemble_timing.h"
#include "broker/zookeeper/ensemble/fast_leader_election.h"
#include "core/network.h"

namespace highwater::broker::zookeeper {

struct QuorumAddress {
  core::Endpoint peer;      // where it is followed when it leads
  core::Endpoint election;  // where votes are told
};

struct QuorumConfig {
  std::map<ServerId, QuorumAddress> servers;
  EnsembleTiming timing;
  ElectionTiming election;
  ZabRules rules;

  [[nodiscard]] std::vector<ServerId> Voters() const {
    std::vector<ServerId> voters;
    for (const auto& [server, address] : servers) voters.push_back(server);
    return voters;
  }
  // As it stands in notifications and in NEWLEADER.
  [[nodiscard]] core::Bytes Text() const {
    std::string text;
    for (const auto& [server, address] : servers) {
      text += fmt::format("server.{}={}:{}:{}:participant\n", server, address.peer.host,
                          address.peer.port, address.election.port);
    }
    return core::Bytes::Copy(text + "version=0");
  }
};

}  // namespace highwater::broker::zookeeper
