#pragma once

// ZabClusterModel: a whole ensemble of the pure machines in one small world of its own, for tests:
// seeded delays, ordered connections that break, links that block, disks that lose what was not
// synced, crashes before any disk operation. It judges what it sees.
//
//   ZabClusterModel model({.servers = 3, .seed = 7, .rules = rules});
//   const ZabClusterModel::Result result = model.Run();
//   EXPECT_EQ(result.violation, "");
//
// A run has two parts: faults and load, then rest, in which nothing more breaks. It judges: one
// leader per epoch; one transaction per zxid; what was ever committed is in the history of every
// later leader and, in the same order, of every server that serves; what a client was told is
// committed; a sync sees what was committed before it was asked for; epochs on disk never go back;
// at rest, all serve, agree, and take writes.
//
// Not responsible for: sessions and trees (a server's state is the list of what it applied), the
// election's connections (messages between two servers may be lost, replaced by newer ones or
// repeated).

#include <absl/container/btree_map.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/zookeeper/ensemble/fast_leader_election.h"
#include "broker/zookeeper/ensemble/zab_follower.h"
#include "broker/zookeeper/ensemble/zab_leader.h"

namespace highwater::broker::zookeeper {

class ZabClusterModel {
 public:
  struct Options {
    int64_t servers = 3;
    uint64_t seed = 1;
    ZabRules rules;
    absl::Duration faults_for = absl::Seconds(12);
    absl::Duration rest = absl::Seconds(20);
    bool trace = false;
  };
  struct Result {
    std::string violation;  // the first; empty if all held
    int64_t committed = 0;
    int64_t acknowledged = 0;
    int64_t terms = 0;
    int64_t crashes = 0;
    int64_t diffs = 0;
    int64_t truncs = 0;
    int64_t snaps = 0;
    int64_t disk_diffs = 0;
    int64_t failed_cuts = 0;
    int64_t epochs_taken_from_log = 0;  // a crash between sync data and the epoch file
    int64_t syncs = 0;
    uint64_t digest = 0;  // of everything that happened

    // Sums the counts.
    void Add(const Result& other);
  };

  explicit ZabClusterModel(Options options);
  ~ZabClusterModel();
  Result Run();

 private:
  using Action = std::function<void()>;
  struct Snapshot {
    Zxid zxid;
    std::vector<LoggedTxn> state;
  };
  struct Disk {
    ZabEpoch accepted;
    ZabEpoch current;
    std::vector<Snapshot> snapshots = {Snapshot{}};
    std::vector<LoggedTxn> log;
    size_t synced = 0;  // records of the log

    [[nodiscard]] Zxid last_zxid() const;
    // What a start-up would load.
    [[nodiscard]] std::vector<LoggedTxn> Load() const;
  };
  // A packet, or a snapshot that is sent as one.
  struct Message {
    QuorumPacket packet;
    std::optional<Snapshot> snapshot;
  };
  struct Connection {
    ServerId follower;
    ServerId leader;
    uint64_t follower_term = 0;
    uint64_t leader_term = 0;
    bool open = true;
    // The instant at which the last message of each direction arrives.
    core::MonotonicTime to_leader_until;
    core::MonotonicTime to_follower_until;
    std::deque<Message> to_leader;
    std::deque<Message> to_follower;
  };

  struct Server {
    explicit Server(ServerId id) : id(id) {}

    ServerId id;
    bool up = false;
    uint64_t incarnation = 0;
    uint64_t term = 0;  // counts elections, so that late events know that they are late
    Disk disk;
    std::deque<Action> disk_queue;
    bool disk_busy = false;
    core::MonotonicTime disk_stalled_until;
    ZabEpoch promised;  // the greatest epoch that it ever sent an ACKEPOCH for

    // Lost in a crash.
    std::vector<LoggedTxn> tree;
    Zxid last_zxid;
    bool serving = false;
    bool ending = false;
    bool wants_snapshot = false;
    CommittedLog committed_log{6};
    std::unique_ptr<FastLeaderElection> election;
    std::unique_ptr<ZabLeader> leader;
    std::unique_ptr<ZabFollower> follower;
    std::optional<PeerConnection> to_leader;
    std::optional<Snapshot> staged;
    core::MonotonicTime timer = core::MonotonicTime::Never();
    // Positions in committed_ that syncs in flight must see, oldest first.
    std::deque<size_t> syncs;
    // Writes of this server's clients that were not answered yet.
    absl::btree_map<int64_t, bool> waiting;
  };

  // ---- Time and chance.
  uint64_t Draw(uint64_t below);
  bool Chance(uint64_t one_in) { return Draw(one_in) == 0; }
  void At(core::MonotonicTime when, Action action);
  void After(absl::Duration delay, Action action) { At(now_ + delay, std::move(action)); }
  absl::Duration Millis(uint64_t from, uint64_t to);

  // ---- Servers.
  Server& server(ServerId id) { return *servers_[static_cast<size_t>(id.value() - 1)]; }
  // Where a server stands, also after a crash has replaced it.
  std::unique_ptr<Server>& SlotOf(const Server& s) {
    return servers_[static_cast<size_t>(s.id.value() - 1)];
  }
  void StartServer(Server& s);
  void Crash(Server& s);
  void Look(Server& s);
  void OnElection(Server& s, FastLeaderElection::Effects& effects);
  void Dial(Server& s, int attempt);
  void Carry(Server& s, ZabEffects& effects);
  void Do(Server& s, const zab::Send& e);
  void Do(Server& s, const zab::SendSnapshot& e);
  void Do(Server& s, const zab::Close& e);
  void Do(Server& s, const zab::StoreAcceptedEpoch& e);
  void Do(Server& s, const zab::StoreCurrentEpoch& e);
  void Do(Server& s, const zab::Append& e);
  void Do(Server& s, const zab::SyncLog& e);
  void Do(Server& s, const zab::TruncateLog& e);
  void Do(Server& s, const zab::InstallSnapshot& e);
  void Do(Server& s, const zab::ReadLog& e);
  void Do(Server& s, const zab::Apply& e);
  void Do(Server& s, const zab::StartServing& e);
  void Do(Server& s, const zab::HandleRequest& e);
  void Do(Server& s, const zab::CompleteSync& e);
  void Do(Server& s, const zab::GiveUp& e);
  // Sessions are not part of it.
  void Do(Server&, const zab::TouchSession&) {}
  void Do(Server&, const zab::RevalidateSession&) {}
  void Do(Server&, const zab::SessionRevalidated&) {}
  void EndTerm(Server& s);
  void ArmTimer(Server& s);
  void OnTimer(Server& s);
  // A step of the role that the server has, if it has it, and its effects.
  template <typename Step>
  void StepLeader(Server& s, Step step) {
    if (s.leader == nullptr || s.ending) return;
    ZabEffects effects;
    step(effects);
    Carry(s, effects);
  }
  template <typename Step>
  void StepFollower(Server& s, Step step) {
    if (s.follower == nullptr || s.ending) return;
    ZabEffects effects;
    step(effects);
    Carry(s, effects);
  }

  // ---- Disk, network.
  void QueueDisk(Server& s, Action operation);
  void RunDisk(Server& s);
  void DeliverElection(ServerId from, ServerId to);
  void Transmit(PeerConnection id, bool to_leader, Message message);
  void Deliver(PeerConnection id, bool to_leader);
  void Break(PeerConnection id);
  [[nodiscard]] bool Blocked(ServerId a, ServerId b) const;

  // ---- What happens to it.
  void OneFault();
  void OneWrite(Server& s);
  void Heal();
  bool AtRest(std::string& why);

  // ---- Judgement.
  void OnEstablished(Server& s);
  void OnServing(Server& s);
  void OnApplied(Server& s, const LoggedTxn& txn);
  void Violate(std::string what);
  void Note(std::string_view what, ServerId who, int64_t detail);

  Options options_;
  uint64_t draws_ = 0;
  core::MonotonicTime now_;
  uint64_t sequence_ = 0;
  absl::btree_map<std::pair<core::MonotonicTime, uint64_t>, Action> events_;
  std::vector<std::unique_ptr<Server>> servers_;
  std::vector<ServerId> voters_;
  absl::btree_map<PeerConnection, Connection> connections_;
  int64_t next_connection_ = 1;
  absl::btree_map<std::pair<ServerId, ServerId>, core::MonotonicTime> blocked_until_;
  absl::btree_map<std::pair<ServerId, ServerId>, Notification> in_flight_;
  absl::btree_map<std::pair<ServerId, ServerId>, Notification> last_sent_;
  bool resting_ = false;

  std::vector<LoggedTxn> committed_;
  absl::btree_map<Zxid, core::Bytes> proposed_;
  absl::btree_map<ZabEpoch, std::pair<ServerId, uint64_t>> leaders_;
  int64_t next_write_ = 1;
  Result result_;
};

}  // namespace highwater::broker::zookeeper
