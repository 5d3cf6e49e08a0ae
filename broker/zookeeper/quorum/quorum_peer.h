#pragma once

// QuorumPeer: a server of an ensemble: looks for a leader, leads or follows, and lets its
// ZooKeeperServer serve clients meanwhile. Drives the machines of ensemble/ over the seam.
//
//   QuorumPeer peer(env, quorum, config, directories, options, words, observer);
//   HW_RETURN_IF_ERROR(peer.Start());
//   peer.WaitUntilStopped();
//   peer.Stop();
//
// Follows ZooKeeper facts 3.3–3.9. Everything that happens — a packet, a completion of the disk, a
// client's request, a deadline — is a step of a machine, whose effects are carried out at once and
// in order, behind those that are being carried out.
//
// Invariants:
//   1. A term begins when the disk queue of the one before has run dry and the tree was rolled
//      forward through the whole log [ZOOKEEPER-4712]: the vote is the log's end.
//   2. No wait is between a step and its effects.
//   3. What belongs to a former term (a completion, a packet, a dialled connection) changes
//   nothing.
//   4. Clients are served between StartServing and the end of the term, and never else.

#include <absl/status/status.h>

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "broker/zookeeper/ensemble/fast_leader_election.h"
#include "broker/zookeeper/ensemble/zab_follower.h"
#include "broker/zookeeper/ensemble/zab_leader.h"
#include "broker/zookeeper/quorum/election_port.h"
#include "broker/zookeeper/quorum/follower_upstream.h"
#include "broker/zookeeper/quorum/leader_upstream.h"
#include "broker/zookeeper/quorum/learner_link.h"
#include "broker/zookeeper/quorum/quorum_storage.h"
#include "broker/zookeeper/server/zookeeper_server.h"
#include "broker/zookeeper_observer.h"

namespace highwater::broker::zookeeper {

class QuorumPeer final : private LinkHost, private QuorumStorageListener {
 public:
  // config.server_id says who it is among quorum.servers. All references outlive it.
  QuorumPeer(core::Environment& env, QuorumConfig quorum, ServerConfig config,
             DataDirectories directories, TransactionLogOptions options, FourLetterWords& words,
             ZooKeeperObserver& observer);
  // REQUIRES: Stop was called, or the process's fibers are unwound.
  ~QuorumPeer() override;

  // Recovers, listens, looks. An error: the files are damaged or an address is taken. REQUIRES: on
  // a fiber.
  [[nodiscard]] absl::Status Start();
  // Until Stop is called (OK) or the disk failed. REQUIRES: on a fiber.
  [[nodiscard]] absl::Status WaitUntilStopped();
  // Ends its fibers and makes its log durable. REQUIRES: on a fiber; Start said OK.
  void Stop();

  [[nodiscard]] const ZooKeeperServer& server() const { return server_; }
  [[nodiscard]] const std::vector<std::string>& notes() const { return storage_.notes(); }

 private:
  using LinkPtr = std::shared_ptr<LearnerLink>;
  // A learner that is connected to this leader.
  struct Learner {
    LinkPtr link;
    ServerId server;
  };

  // ---- Terms.
  void RunTerms();
  void Look();
  void EndTerm();
  // The term is over: nobody is served, nothing of it counts any more; EndTerm does the rest.
  void LeaveTerm();
  void OnNotification(ServerId from, const Notification& notification);
  void OnElection(FastLeaderElection::Effects& effects);
  void Lead();
  void AcceptLearners();
  void Follow();
  [[nodiscard]] absl::StatusOr<std::unique_ptr<core::Connection>> DialLeader(uint64_t term);
  [[nodiscard]] bool InTerm(uint64_t term) const { return term == term_ && in_term_; }

  // ---- LinkHost, QuorumStorageListener.
  void OnPacket(LearnerLink& link, const QuorumPacket& packet) override;
  void OnSnapshot(LearnerLink& link, const QuorumPacket& packet, core::Bytes image) override;
  void OnLinkClosed(LearnerLink& link) override;
  void OnLogDurable(Zxid through) override;
  void OnStorageFailed(const absl::Status& status) override;
  void ReceiveFromLeader(LearnerLink& link, const QuorumPacket& packet);

  // ---- Steps and their effects. A step of a role that it has not does nothing.
  template <typename Step>
  void StepLeader(Step step) {
    if (leader_ == nullptr || !in_term_) return;
    ZabEffects effects;
    step(*leader_, effects);
    Carry(std::move(effects));
  }
  template <typename Step>
  void StepFollower(Step step) {
    if (follower_ == nullptr || !in_term_) return;
    ZabEffects effects;
    step(*follower_, effects);
    Carry(std::move(effects));
  }
  void Carry(ZabEffects effects);
  // quorum_peer_effects.cc
  void Do(const zab::Send& e);
  void Do(const zab::SendSnapshot& e);
  void Do(const zab::Close& e);
  void Do(const zab::StoreAcceptedEpoch& e);
  void Do(const zab::StoreCurrentEpoch& e);
  void Do(const zab::TruncateLog& e);
  void Do(const zab::InstallSnapshot& e);
  void Do(const zab::Append& e);
  void Do(const zab::SyncLog&) {}  // whatever is appended is synced, in groups
  void Do(const zab::ReadLog& e);
  void Do(const zab::Apply& e);
  void Do(const zab::StartServing& e);
  void Do(const zab::GiveUp& e);
  void Do(const zab::HandleRequest& e);
  void Do(const zab::TouchSession& e);
  void Do(const zab::RevalidateSession& e);
  void Do(const zab::SessionRevalidated& e);
  void Do(const zab::CompleteSync& e);
  // What was asked of the disk is done, if it is still of interest.
  [[nodiscard]] std::function<void()> WhenDone(std::function<void()> action);

  [[nodiscard]] LinkPtr MakeLink(PeerConnection id, std::unique_ptr<core::Connection> connection);

  // ---- Time.
  void RunTimer();
  void OnTime();
  [[nodiscard]] core::MonotonicTime Deadline() const;
  void ArmTimer();

  [[nodiscard]] core::MonotonicTime Now() const { return env_.fibers.Now(); }
  void Spawn(std::string_view name, absl::AnyInvocable<void()> body);
  void BeginStop();

  core::Environment& env_;
  const QuorumConfig quorum_;
  const ServerConfig config_;
  const ZooKeeperRules rules_;
  ZooKeeperObserver& observer_;
  core::WaitGroup fibers_;
  QuorumStorage storage_;
  ZooKeeperServer server_;
  ElectionPort port_;
  FastLeaderElection election_;

  uint64_t term_ = 0;
  bool in_term_ = false;
  std::unique_ptr<ZabLeader> leader_;
  std::unique_ptr<ZabFollower> follower_;
  std::unique_ptr<LeaderUpstream> leader_upstream_;
  std::unique_ptr<FollowerUpstream> follower_upstream_;
  core::Listener* learner_listener_ = nullptr;  // while it leads; its fiber's
  std::map<PeerConnection, Learner> learners_;
  LinkPtr to_leader_;
  core::FiberHandle dial_;
  core::Bytes staged_;  // a snapshot that has come
  bool serving_ = false;
  bool wants_snapshot_ = false;
  PeerConnection last_connection_;

  std::deque<ZabEffect> effects_;
  bool carrying_ = false;
  core::MonotonicTime armed_ = core::MonotonicTime::Never();
  core::FiberHandle timer_fiber_;
  core::WaitQueue timer_;

  bool stopping_ = false;
  absl::Status status_;
  core::WaitQueue term_over_;
  core::WaitQueue stopped_;
};

}  // namespace highwater::broker::zookeeper
