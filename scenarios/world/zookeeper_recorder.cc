#include "scenarios/world/zookeeper_recorder.h"

#include <fmt/format.h>

namespace highwater::scenarios {

namespace {

// Hosts count from 0, servers' ids from 1: 0 is no myid.
int32_t NumberOf(int64_t server) { return static_cast<int32_t>(server - 1); }

}  // namespace

void ZooKeeperRecorder::Tell(int64_t server, std::string text) {
  narrator_.Tell(now_(), Narrator::Kind::kLifecycle, fmt::format("zookeeper-{}", NumberOf(server)),
                 std::move(text));
}

void ZooKeeperRecorder::OnZooKeeperRecovered(int64_t server, int64_t last_zxid) {
  logs_.OnRecovered(server, last_zxid);
  Tell(server, fmt::format("is started; its history ends at zxid 0x{:x}", last_zxid));
}

void ZooKeeperRecorder::OnZooKeeperLooking(int64_t server) {
  logs_.OnLooking(server);
  Tell(server, "looks for a leader");
}

void ZooKeeperRecorder::OnZooKeeperLeading(int64_t server, int64_t epoch) {
  roles_.BecameZooKeeperLeader(NumberOf(server));
  Tell(server, fmt::format("leads in epoch {}", epoch));
  const invariants::ZooKeeperLeadership leading{
      .server = server, .epoch = epoch, .logs = logs_, .at = now_()};
  for (const auto& invariant : invariants_) invariant->OnZooKeeperLeading(leading);
  logs_.OnLeading(server);
}

void ZooKeeperRecorder::OnZooKeeperFollowing(int64_t server, int64_t epoch) {
  Tell(server, fmt::format("follows in epoch {}", epoch));
}

void ZooKeeperRecorder::OnZooKeeperLogged(int64_t server, int64_t zxid, uint64_t digest) {
  logs_.OnLogged(server, zxid, digest);
}

void ZooKeeperRecorder::OnZooKeeperTruncated(int64_t server, int64_t zxid) {
  logs_.OnTruncated(server, zxid);
  Tell(server, fmt::format("has cut its log back to zxid 0x{:x}", zxid));
}

void ZooKeeperRecorder::OnZooKeeperInstalling(int64_t server, int64_t zxid) {
  logs_.OnInstalling(server, zxid);
}

void ZooKeeperRecorder::OnZooKeeperInstalled(int64_t server, int64_t zxid) {
  logs_.OnInstalled(server, zxid);
  Tell(server, fmt::format("has taken its leader's snapshot at zxid 0x{:x}", zxid));
}

void ZooKeeperRecorder::OnZooKeeperCommitted(int64_t server, int64_t zxid, uint64_t digest) {
  const invariants::ZooKeeperCommit commit{
      .server = server, .zxid = zxid, .digest = digest, .logs = logs_, .at = now_()};
  for (const auto& invariant : invariants_) invariant->OnZooKeeperCommitted(commit);
  logs_.OnCommitted(server, zxid, digest);
}

}  // namespace highwater::scenarios
