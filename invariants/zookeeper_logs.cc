#include "invariants/zookeeper_logs.h"

#include <algorithm>

namespace highwater::invariants {

void ZooKeeperLogs::OnRecovered(int64_t id, int64_t last_zxid) {
  Server& server = servers_[id];
  // It ended while a snapshot was installed: which of the two it has, the end of it says.
  if (server.installing == last_zxid) OnInstalled(id, last_zxid);
  server.installing.reset();
  OnTruncated(id, last_zxid);
}

void ZooKeeperLogs::OnLooking(int64_t id) {
  Server& server = servers_[id];
  server.applied = server.end;
}

void ZooKeeperLogs::OnLogged(int64_t id, int64_t zxid, uint64_t digest) {
  Server& server = servers_[id];
  server.log[zxid] = digest;
  server.end = std::max(server.end, zxid);
}

void ZooKeeperLogs::OnTruncated(int64_t id, int64_t zxid) {
  Server& server = servers_[id];
  server.log.erase(server.log.upper_bound(zxid), server.log.end());
  server.end = zxid;
  server.applied = zxid;
}

void ZooKeeperLogs::OnInstalled(int64_t id, int64_t zxid) {
  // A leader sends what it holds before it is established: its last proposals are committed only
  // when it leads, and until then they stand in logs alone.
  const Log* source = &committed_;
  for (const auto& [other, candidate] : servers_) {
    if (source->contains(zxid)) break;
    if (other != id && candidate.log.contains(zxid)) source = &candidate.log;
  }
  Log installed(source->begin(), source->upper_bound(zxid));
  Server& server = servers_[id];
  server.log = std::move(installed);
  server.end = zxid;
  server.applied = zxid;
  server.installing.reset();
}

void ZooKeeperLogs::OnLeading(int64_t id) {
  const Log& log = servers_[id].log;
  committed_.insert(log.begin(), log.end());
}

void ZooKeeperLogs::OnCommitted(int64_t id, int64_t zxid, uint64_t digest) {
  committed_.emplace(zxid, digest);
  servers_[id].applied = zxid;
}

const ZooKeeperLogs::Log& ZooKeeperLogs::LogOf(int64_t id) const {
  static const Log kNothing;
  const auto found = servers_.find(id);
  return found == servers_.end() ? kNothing : found->second.log;
}

int64_t ZooKeeperLogs::AppliedBy(int64_t id) const {
  const auto found = servers_.find(id);
  return found == servers_.end() ? 0 : found->second.applied;
}

}  // namespace highwater::invariants
