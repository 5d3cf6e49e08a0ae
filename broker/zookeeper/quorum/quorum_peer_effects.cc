// What a QuorumPeer makes of each effect of Zab's machines.

#include <utility>

#include "broker/zookeeper/log/snapshot_image.h"
#include "broker/zookeeper/quorum/quorum_peer.h"
#include "core/check.h"
#include "core/mark.h"
#include "core/mix.h"

namespace highwater::broker::zookeeper {

namespace {

uint64_t DigestOf(const core::Bytes& txn) {
  const std::string_view bytes = txn.view();
  return core::MixName(bytes, bytes.size());
}

}  // namespace

// Steps may follow from effects: theirs are carried out behind those that are there.
void QuorumPeer::Carry(ZabEffects effects) {
  for (ZabEffect& effect : effects) effects_.push_back(std::move(effect));
  if (carrying_) return;
  carrying_ = true;
  while (!effects_.empty()) {
    const ZabEffect effect = std::move(effects_.front());
    effects_.pop_front();
    std::visit([this](const auto& e) { Do(e); }, effect);
  }
  carrying_ = false;
  ArmTimer();
}

std::function<void()> QuorumPeer::WhenDone(std::function<void()> action) {
  return [this, term = term_, action = std::move(action)] {
    if (InTerm(term)) action();
  };
}

// ---- To other servers.

void QuorumPeer::Do(const zab::Send& e) {
  if (follower_ != nullptr) return to_leader_->Send(e.packet);
  const auto learner = learners_.find(e.to);
  if (learner != learners_.end()) learner->second.link->Send(e.packet);
}

void QuorumPeer::Do(const zab::SendSnapshot& e) {
  const auto learner = learners_.find(e.to);
  if (learner == learners_.end()) return;
  HW_MARK("zk_snapshot_sent");
  learner->second.link->SendSnapshot(e.zxid, EncodeTree(storage_.tree()));
}

void QuorumPeer::Do(const zab::Close& e) {
  const auto learner = learners_.find(e.connection);
  if (learner == learners_.end()) return;
  learner->second.link->Close();
  learners_.erase(learner);
}

// ---- To the disk.

void QuorumPeer::Do(const zab::StoreAcceptedEpoch& e) {
  storage_.StoreAcceptedEpoch(e.epoch, WhenDone([this] {
                                StepLeader([&](ZabLeader& leader, ZabEffects& out) {
                                  leader.OnAcceptedEpochStored(Now(), out);
                                });
                                StepFollower([&](ZabFollower& follower, ZabEffects& out) {
                                  follower.OnAcceptedEpochStored(out);
                                });
                              }));
}

void QuorumPeer::Do(const zab::StoreCurrentEpoch& e) {
  storage_.StoreCurrentEpoch(
      e.epoch, WhenDone([this] {
        StepLeader([&](ZabLeader& leader, ZabEffects& out) { leader.OnCurrentEpochStored(out); });
        StepFollower(
            [&](ZabFollower& follower, ZabEffects& out) { follower.OnCurrentEpochStored(out); });
      }));
}

void QuorumPeer::Do(const zab::TruncateLog& e) {
  storage_.Truncate(e.zxid, [this, term = term_, zxid = e.zxid](bool done) {
    // Also of a former term: nothing but a snapshot helps.
    wants_snapshot_ = !done;
    if (done) observer_.OnZooKeeperTruncated(config_.server_id.value(), zxid.value());
    if (!InTerm(term)) return;
    StepFollower([&](ZabFollower& follower, ZabEffects& out) {
      done ? follower.OnBaseInstalled(out) : follower.OnCutFailed(out);
    });
  });
}

void QuorumPeer::Do(const zab::InstallSnapshot& e) {
  observer_.OnZooKeeperInstalling(config_.server_id.value(), e.zxid.value());
  storage_.Install(e.zxid, std::exchange(staged_, {}), [this, term = term_, zxid = e.zxid] {
    observer_.OnZooKeeperInstalled(config_.server_id.value(), zxid.value());
    if (!InTerm(term)) return;
    StepFollower([&](ZabFollower& follower, ZabEffects& out) { follower.OnBaseInstalled(out); });
  });
}

void QuorumPeer::Do(const zab::Append& e) {
  auto txn = DecodeTxn(e.txn.txn);
  HW_CHECK(txn.ok(), "{:#x} is no transaction", e.txn.zxid.value());
  observer_.OnZooKeeperLogged(config_.server_id.value(), e.txn.zxid.value(), DigestOf(e.txn.txn));
  storage_.Append(*std::move(txn));
}

void QuorumPeer::Do(const zab::ReadLog& e) {
  storage_.ReadHistory(
      e.from, leader_->last_committed(),
      [this, term = term_, learner = e.learner](std::optional<std::vector<LoggedTxn>> behind) {
        if (!InTerm(term)) return;
        StepLeader([&](ZabLeader& leader, ZabEffects& out) {
          leader.OnLogRead(learner, std::move(behind), out);
        });
      });
}

// ---- To the server.

void QuorumPeer::Do(const zab::Apply& e) {
  const Txn txn = storage_.TakeLogged(e.txn.zxid);
  observer_.OnZooKeeperCommitted(config_.server_id.value(), e.txn.zxid.value(),
                                 DigestOf(e.txn.txn));
  if (!serving_) {
    storage_.tree().Apply(txn);
  } else if (leader_upstream_ != nullptr) {
    leader_upstream_->OnCommitted(txn);
  } else {
    follower_upstream_->OnCommitted(txn);
  }
  storage_.MaybeTakeSnapshot();
}

void QuorumPeer::Do(const zab::StartServing& e) {
  election_.SetVoteEpoch(e.epoch);
  serving_ = true;
  const auto carry = [this](ZabEffects effects) { Carry(std::move(effects)); };
  if (leader_ != nullptr) {
    observer_.OnZooKeeperLeading(config_.server_id.value(), e.epoch.value());
    leader_upstream_ = std::make_unique<LeaderUpstream>(env_, storage_.tree(), config_, rules_,
                                                        *leader_, carry, server_.listener());
    leader_upstream_->Start(e.epoch);
    server_.BeginServing(*leader_upstream_);
  } else {
    observer_.OnZooKeeperFollowing(config_.server_id.value(), e.epoch.value());
    follower_upstream_ = std::make_unique<FollowerUpstream>(*follower_, carry, server_.listener());
    server_.BeginServing(*follower_upstream_);
  }
}

void QuorumPeer::Do(const zab::GiveUp& e) {
  (void)e;
  LeaveTerm();
}

void QuorumPeer::Do(const zab::HandleRequest& e) {
  const auto learner = learners_.find(e.from);
  if (learner == learners_.end()) return;
  leader_upstream_->Handle(e.from, learner->second.server, e.request, e.authinfo);
}

void QuorumPeer::Do(const zab::TouchSession& e) {
  if (leader_upstream_ != nullptr) leader_upstream_->Touch(e.touch);
}

void QuorumPeer::Do(const zab::RevalidateSession& e) {
  const auto learner = learners_.find(e.from);
  if (learner == learners_.end()) return;
  leader_upstream_->Revalidate(e.from, learner->second.server, e.question);
}

void QuorumPeer::Do(const zab::SessionRevalidated& e) {
  if (follower_upstream_ != nullptr) follower_upstream_->OnRevalidated(e.answer);
}

void QuorumPeer::Do(const zab::CompleteSync&) {
  if (leader_upstream_ != nullptr) return leader_upstream_->OnSyncDue();
  if (follower_upstream_ != nullptr) follower_upstream_->OnSyncDue();
}

}  // namespace highwater::broker::zookeeper
