#pragma once

// ZooKeeperLogs: what the log of every server of a ZooKeeper ensemble holds, and what was ever
// committed, from what the servers report (broker/zookeeper_observer.h).
//
//   logs.OnLogged(1, zxid, digest);  logs.OnCommitted(1, zxid, digest);
//   logs.LogOf(2), logs.committed()
//
// Servers are named by their ids, transactions by zxid and a digest. What a power loss took is
// known from where a server's history ends when it recovers: it loses an end, nothing else.

#include <cstdint>
#include <map>
#include <optional>

namespace highwater::invariants {

class ZooKeeperLogs {
 public:
  using Log = std::map<int64_t, uint64_t>;  // zxid to digest

  void OnRecovered(int64_t server, int64_t last_zxid);
  // Its tree has been rolled forward through its whole log.
  void OnLooking(int64_t server);
  void OnLogged(int64_t server, int64_t zxid, uint64_t digest);
  void OnTruncated(int64_t server, int64_t zxid);
  void OnInstalling(int64_t server, int64_t zxid) { servers_[server].installing = zxid; }
  void OnInstalled(int64_t server, int64_t zxid);
  // Everything in its log is committed.
  void OnLeading(int64_t server);
  void OnCommitted(int64_t server, int64_t zxid, uint64_t digest);

  [[nodiscard]] const Log& LogOf(int64_t server) const;
  [[nodiscard]] const Log& committed() const { return committed_; }
  // Up to where its tree has applied.
  [[nodiscard]] int64_t AppliedBy(int64_t server) const;

 private:
  struct Server {
    Log log;
    int64_t end = 0;  // of its history: the log's, or an installed snapshot's
    int64_t applied = 0;
    std::optional<int64_t> installing;
  };
  std::map<int64_t, Server> servers_;
  Log committed_;
};

}  // namespace highwater::invariants
