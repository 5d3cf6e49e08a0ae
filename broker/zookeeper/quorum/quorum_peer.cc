#include "broker/zookeeper/quorum/quorum_peer.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

namespace {

// [3.5] How often a leader is dialled, and the pause in between.
constexpr int kDialAttempts = 5;
constexpr absl::Duration kDialPause = absl::Milliseconds(100);
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);
// What came before a deadline is handed over before the deadline counts: whoever was frozen must
// not take its own silence for the others'.
constexpr absl::Duration kInputFirst = absl::Microseconds(100);

}  // namespace

QuorumPeer::QuorumPeer(core::Environment& env, QuorumConfig quorum, ServerConfig config,
                       DataDirectories directories, TransactionLogOptions options,
                       FourLetterWords& words, ZooKeeperObserver& observer)
    : env_(env),
      quorum_(std::move(quorum)),
      config_(std::move(config)),
      observer_(observer),
      fibers_(env.fibers),
      storage_(env, std::move(directories), options, fibers_, *this),
      server_(env, config_, storage_.tree(), words),
      port_(env, quorum_, config_.server_id, fibers_,
            [this](ServerId from, const Notification& n) { OnNotification(from, n); }),
      election_(config_.server_id, quorum_.Voters(), quorum_.Text(), quorum_.election,
                quorum_.rules) {}

QuorumPeer::~QuorumPeer() = default;

absl::Status QuorumPeer::Start() {
  HW_RETURN_IF_ERROR(storage_.Recover());
  observer_.OnZooKeeperRecovered(config_.server_id.value(), storage_.History().last_zxid.value());
  HW_RETURN_IF_ERROR(port_.Start());
  HW_RETURN_IF_ERROR(server_.Start());
  Spawn("zk quorum peer", [this] { RunTerms(); });
  fibers_.Add();
  timer_fiber_ = env_.fibers.Spawn("zk quorum timer", [this] {
    RunTimer();
    fibers_.Done();
  });
  return absl::OkStatus();
}

absl::Status QuorumPeer::WaitUntilStopped() {
  while (!stopping_) {
    const core::Wake wake =
        stopped_.Wait(env_.fibers, "the end of a quorum peer", core::MonotonicTime::Never());
    if (wake == core::Wake::kCancelled) return absl::CancelledError("the wait was cancelled");
  }
  return status_;
}

void QuorumPeer::Stop() {
  BeginStop();
  server_.Stop();
  fibers_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
  storage_.Close();
}

void QuorumPeer::BeginStop() {
  if (stopping_) return;
  stopping_ = true;
  LeaveTerm();
  port_.Stop();
  timer_fiber_.Cancel();
  stopped_.WakeAll();
}

void QuorumPeer::Spawn(std::string_view name, absl::AnyInvocable<void()> body) {
  fibers_.Add();
  env_.fibers.Spawn(name, [this, body = std::move(body)]() mutable {
    body();
    fibers_.Done();
  });
}

// ---- Terms.

void QuorumPeer::RunTerms() {
  while (!stopping_) {
    Look();
    while (in_term_) {
      term_over_.Wait(env_.fibers, "the end of a term", core::MonotonicTime::Never(),
                      core::Cancellation::kIgnored);
    }
    EndTerm();
  }
}

void QuorumPeer::Look() {
  ++term_;
  in_term_ = true;
  observer_.OnZooKeeperLooking(config_.server_id.value());
  const ServerHistory history = storage_.History();
  FastLeaderElection::Effects effects;
  election_.Look(history.last_zxid, history.current_epoch, Now(), effects);
  OnElection(effects);
  ArmTimer();
}

void QuorumPeer::LeaveTerm() {
  if (!in_term_) return;
  in_term_ = false;
  serving_ = false;
  effects_.clear();
  server_.EndServing();
  dial_.Cancel();
  if (learner_listener_ != nullptr) learner_listener_->Close();
  for (auto& [connection, learner] : learners_) learner.link->Close();
  learners_.clear();
  if (to_leader_ != nullptr) to_leader_->Close();
  to_leader_.reset();
  term_over_.WakeAll();
}

void QuorumPeer::EndTerm() {
  storage_.WaitUntilDry();
  leader_upstream_.reset();
  follower_upstream_.reset();
  leader_.reset();
  follower_.reset();
  staged_ = {};
  if (!storage_.failed()) storage_.RollForward();
}

void QuorumPeer::OnNotification(ServerId from, const Notification& notification) {
  if (!in_term_) return;
  FastLeaderElection::Effects effects;
  election_.Receive(from, notification, Now(), effects);
  OnElection(effects);
  ArmTimer();
}

void QuorumPeer::OnElection(FastLeaderElection::Effects& effects) {
  for (const FastLeaderElection::Message& message : effects.messages) {
    port_.Send(message.to, message.content);
  }
  if (!effects.decided.has_value()) return;
  if (*effects.decided == PeerState::kLeading) return Lead();
  fibers_.Add();
  dial_ = env_.fibers.Spawn("zk follow", [this] {
    Follow();
    fibers_.Done();
  });
}

void QuorumPeer::Lead() {
  leader_ = std::make_unique<ZabLeader>(config_.server_id, quorum_.Voters(), storage_.History(),
                                        quorum_.timing, storage_.committed_log(), quorum_.Text(),
                                        quorum_.rules, Now());
  Spawn("zk learner accept", [this] { AcceptLearners(); });
  StepLeader([&](ZabLeader& leader, ZabEffects& out) { leader.Start(Now(), out); });
}

QuorumPeer::LinkPtr QuorumPeer::MakeLink(PeerConnection id,
                                         std::unique_ptr<core::Connection> connection) {
  LinkHost& host = *this;
  return std::make_shared<LearnerLink>(env_, host, fibers_, id, std::move(connection),
                                       quorum_.timing.tick * quorum_.timing.init_limit);
}

void QuorumPeer::AcceptLearners() {
  const uint64_t term = term_;
  auto listener = env_.network.Listen(quorum_.servers.at(config_.server_id).peer);
  if (!InTerm(term)) return;
  if (!listener.ok()) {
    HW_MARK("zk_leader_cannot_listen");
    return LeaveTerm();
  }
  learner_listener_ = listener->get();
  while (InTerm(term)) {
    auto connection = (*listener)->Accept(core::MonotonicTime::Never());
    if (!InTerm(term)) break;
    if (connection.ok()) {
      const PeerConnection id = ++last_connection_;
      const LinkPtr link = MakeLink(id, *std::move(connection));
      learners_.emplace(id, Learner{.link = link, .server = ServerId(-1)});
      link->Start();
    } else if (env_.fibers.SleepFor(kAcceptPause) == core::Wake::kCancelled) {
      break;
    }
  }
  if (learner_listener_ == listener->get()) learner_listener_ = nullptr;
}

absl::StatusOr<std::unique_ptr<core::Connection>> QuorumPeer::DialLeader(uint64_t term) {
  const core::Endpoint leader = quorum_.servers.at(election_.vote().leader).peer;
  const EnsembleTiming& timing = quorum_.timing;
  const core::MonotonicTime last = Now() + timing.tick * timing.init_limit;
  absl::Status status;
  for (int attempt = 0; attempt < kDialAttempts && Now() < last; ++attempt) {
    auto connection =
        env_.network.Dial(leader, std::min(last, Now() + timing.tick * timing.sync_limit));
    if (connection.ok() || !InTerm(term)) return connection;
    status = connection.status();
    if (env_.fibers.SleepFor(kDialPause) == core::Wake::kCancelled) break;
  }
  return status;
}

void QuorumPeer::Follow() {
  const uint64_t term = term_;
  auto connection = DialLeader(term);
  if (!InTerm(term)) return;
  if (!connection.ok()) {
    HW_MARK("zk_leader_not_reached");
    return LeaveTerm();
  }
  to_leader_ = MakeLink(kToLeader, *std::move(connection));
  ServerHistory history = storage_.History();
  history.wants_snapshot = std::exchange(wants_snapshot_, false);
  follower_ = std::make_unique<ZabFollower>(config_.server_id, history, quorum_.timing,
                                            storage_.committed_log(), quorum_.rules, Now());
  StepFollower([](ZabFollower& follower, ZabEffects& out) { follower.Connect(out); });
  if (InTerm(term)) to_leader_->Start();
}

// ---- What comes from others.

void QuorumPeer::OnPacket(LearnerLink& link, const QuorumPacket& packet) {
  if (!in_term_) return;
  if (&link == to_leader_.get()) return ReceiveFromLeader(link, packet);
  const auto learner = learners_.find(link.id());
  if (learner == learners_.end()) return;
  if (packet.type == PacketType::kFollowerInfo) {
    const auto info = DecodeLearnerInfo(packet);
    if (info.ok()) learner->second.server = info->server;
  }
  StepLeader(
      [&](ZabLeader& leader, ZabEffects& out) { leader.Receive(link.id(), packet, Now(), out); });
}

void QuorumPeer::ReceiveFromLeader(LearnerLink& link, const QuorumPacket& packet) {
  if (packet.type == PacketType::kProposal) {
    // What goes to the log must be a transaction, and the one that it says.
    const auto txn = DecodeTxn(packet.data.value_or(core::Bytes()));
    if (!txn.ok() || txn->header.zxid != packet.zxid) {
      HW_MARK("zk_proposal_is_no_transaction");
      link.Close();
      return OnLinkClosed(link);
    }
  }
  StepFollower(
      [&](ZabFollower& follower, ZabEffects& out) { follower.Receive(packet, Now(), out); });
}

void QuorumPeer::OnSnapshot(LearnerLink& link, const QuorumPacket& packet, core::Bytes image) {
  if (!in_term_ || &link != to_leader_.get()) return;
  staged_ = std::move(image);
  ReceiveFromLeader(link, packet);
}

void QuorumPeer::OnLinkClosed(LearnerLink& link) {
  if (!in_term_) return;
  if (&link == to_leader_.get()) {
    return StepFollower(
        [](ZabFollower& follower, ZabEffects& out) { follower.OnDisconnected(out); });
  }
  if (learners_.erase(link.id()) == 0 || leader_ == nullptr) return;
  leader_->OnDisconnected(link.id());
}

void QuorumPeer::OnLogDurable(Zxid through) {
  StepLeader([&](ZabLeader& leader, ZabEffects& out) { leader.OnLogSynced(through, out); });
  StepFollower([&](ZabFollower& follower, ZabEffects& out) { follower.OnLogSynced(through, out); });
}

void QuorumPeer::OnStorageFailed(const absl::Status& status) {
  HW_MARK("zk_quorum_storage_failed");
  status_ = status;
  BeginStop();
}

// ---- Time.

core::MonotonicTime QuorumPeer::Deadline() const {
  if (!in_term_) return core::MonotonicTime::Never();
  core::MonotonicTime deadline = election_.deadline();
  if (leader_ != nullptr) deadline = std::min(deadline, leader_->deadline());
  if (follower_ != nullptr) deadline = std::min(deadline, follower_->deadline());
  return deadline;
}

void QuorumPeer::ArmTimer() {
  if (Deadline() < armed_) timer_.WakeAll();
}

void QuorumPeer::RunTimer() {
  while (!stopping_) {
    armed_ = Deadline();
    const core::Wake wake = timer_.Wait(env_.fibers, "a deadline of a quorum peer", armed_);
    if (wake == core::Wake::kCancelled) return;
    if (wake != core::Wake::kDeadline) continue;
    if (env_.fibers.SleepFor(kInputFirst) == core::Wake::kCancelled) return;
    OnTime();
  }
}

void QuorumPeer::OnTime() {
  if (!in_term_) return;
  StepLeader([&](ZabLeader& leader, ZabEffects& out) { leader.OnTime(Now(), out); });
  StepFollower([&](ZabFollower& follower, ZabEffects& out) { follower.OnTime(Now(), out); });
  if (!in_term_) return;
  FastLeaderElection::Effects effects;
  election_.OnTime(Now(), effects);
  OnElection(effects);
}

}  // namespace highwater::broker::zookeeper
