#pragma once

// ZooConfig: zoo.cfg, under ZooKeeper's own names.
//
//   HW_ASSIGN_OR_RETURN(ZooConfig config, ZooConfig::Parse("zoo.cfg", text));
//   for (const std::string& warning : config.warnings) Log(warning);
//
// Follows ZooKeeper facts 6.2: names, defaults, the `server.N` lines. A value that is wrong, a name
// given twice and what is missing are errors with the line and what was expected. A name that is
// not known is a warning with the one that was perhaps meant: Apache's server takes any and hands
// it on. Names of Apache's server that mean nothing here (its admin server, its metrics, its
// preallocation) are passed over.
//
// Not responsible for: reading files, `myid`.

#include <absl/container/btree_set.h>
#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/zookeeper/server/server_config.h"

namespace highwater::broker::zookeeper {

// server.N=host:peerPort:electionPort[:participant|observer][;[addr:]clientPort]
struct QuorumServer {
  core::Endpoint peer;
  core::Endpoint election;
  bool observer = false;
  std::string client;  // what stands behind ';'
  friend bool operator==(const QuorumServer&, const QuorumServer&) = default;
};

struct ZooConfig {
  ServerConfig server;
  std::string data_dir;
  std::string data_log_dir;  // dataDir unless given
  int64_t snap_count = 100'000;
  uint64_t snap_size_limit_bytes = uint64_t{4} << 30;  // snapSizeLimitInKb
  int32_t snap_retain_count = 3;                       // autopurge.snapRetainCount
  bool autopurge = false;                              // autopurge.purgeInterval is not 0
  absl::btree_set<std::string> allowed_words;          // 4lw.commands.whitelist
  int32_t init_limit = 0;                              // ticks
  int32_t sync_limit = 0;
  bool standalone_enabled = true;
  std::map<ServerId, QuorumServer> servers;
  std::vector<std::string> warnings;  // with file and line

  // InvalidArgument, with file and line.
  [[nodiscard]] static absl::StatusOr<ZooConfig> Parse(std::string_view file,
                                                       std::string_view text);
  // Whether it runs on its own [standaloneEnabled].
  [[nodiscard]] bool IsStandalone() const {
    return servers.empty() || (servers.size() == 1 && standalone_enabled);
  }
  // The lines of `conf` [6.1].
  [[nodiscard]] std::string PrintConf() const;
};

// The content of `myid`. InvalidArgument, with the file.
[[nodiscard]] absl::StatusOr<ServerId> ParseMyId(std::string_view file, std::string_view text);

}  // namespace highwater::broker::zookeeper
