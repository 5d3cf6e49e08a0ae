// What the model's driver makes of each effect.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/zookeeper/ensemble/zab_cluster_model.h"

namespace highwater::broker::zookeeper {

void ZabClusterModel::Do(Server& s, const zab::Send& e) {
  const bool to_leader = s.follower != nullptr;
  if (e.packet.type == PacketType::kAckEpoch && DecodeInt(e.packet).value_or(-1) >= 0) {
    s.promised = std::max(s.promised, s.follower->epoch());
  }
  if (e.packet.type == PacketType::kDiff) ++result_.diffs;
  if (e.packet.type == PacketType::kTrunc) ++result_.truncs;
  Transmit(to_leader ? *s.to_leader : e.to, to_leader, {.packet = e.packet});
}

void ZabClusterModel::Do(Server& s, const zab::SendSnapshot& e) {
  ++result_.snaps;
  Transmit(e.to, false,
           {.packet = {.type = PacketType::kSnap, .zxid = e.zxid},
            .snapshot = Snapshot{e.zxid, s.tree}});
}

void ZabClusterModel::Do(Server& s, const zab::Close& e) {
  Note("drop", s.id, e.connection.value());
  Break(e.connection);
}

void ZabClusterModel::Do(Server& s, const zab::StoreAcceptedEpoch& e) {
  const uint64_t term = s.term;
  QueueDisk(s, [this, &s, term, epoch = e.epoch] {
    Note("accepted epoch", s.id, epoch.value());
    if (epoch < s.disk.accepted)
      Violate(fmt::format("server {} accepts epoch {} after {}", s.id, epoch, s.disk.accepted));
    s.disk.accepted = epoch;
    if (s.term != term) return;
    StepLeader(s, [&](ZabEffects& out) { s.leader->OnAcceptedEpochStored(now_, out); });
    StepFollower(s, [&](ZabEffects& out) { s.follower->OnAcceptedEpochStored(out); });
  });
}

void ZabClusterModel::Do(Server& s, const zab::StoreCurrentEpoch& e) {
  const uint64_t term = s.term;
  QueueDisk(s, [this, &s, term, epoch = e.epoch] {
    Note("current epoch", s.id, epoch.value());
    if (epoch < s.disk.current)
      Violate(fmt::format("server {} goes back to epoch {} from {}", s.id, epoch, s.disk.current));
    s.disk.current = epoch;
    if (s.term != term) return;
    StepLeader(s, [&](ZabEffects& out) { s.leader->OnCurrentEpochStored(out); });
    StepFollower(s, [&](ZabEffects& out) { s.follower->OnCurrentEpochStored(out); });
  });
}

void ZabClusterModel::Do(Server& s, const zab::Append& e) {
  QueueDisk(s, [&s, txn = e.txn] { s.disk.log.push_back(txn); });
}

void ZabClusterModel::Do(Server& s, const zab::SyncLog& e) {
  const uint64_t term = s.term;
  QueueDisk(s, [this, &s, term, through = e.through] {
    s.disk.synced = s.disk.log.size();
    if (s.term != term) return;
    StepLeader(s, [&](ZabEffects& out) { s.leader->OnLogSynced(through, out); });
    StepFollower(s, [&](ZabEffects& out) { s.follower->OnLogSynced(through, out); });
  });
}

void ZabClusterModel::Do(Server& s, const zab::TruncateLog& e) {
  const uint64_t term = s.term;
  QueueDisk(s, [this, &s, term, zxid = e.zxid] {
    Note("truncate", s.id, zxid.value());
    // [3.6] A server that joined its epoch by a SNAP has nothing left from before it.
    if (ZabEpochOf(zxid) != ZabEpochOf(s.disk.last_zxid())) {
      return Violate(fmt::format("server {} is to cut {:#x} back across an epoch to {:#x}", s.id,
                                 s.disk.last_zxid().value(), zxid.value()));
    }
    if (s.disk.snapshots.front().zxid > zxid) {
      ++result_.failed_cuts;
      s.wants_snapshot = true;
      if (s.term != term) return;
      return StepFollower(s, [&](ZabEffects& out) { s.follower->OnCutFailed(out); });
    }
    while (s.disk.snapshots.back().zxid > zxid) s.disk.snapshots.pop_back();
    while (!s.disk.log.empty() && s.disk.log.back().zxid > zxid) s.disk.log.pop_back();
    s.disk.synced = s.disk.log.size();
    s.tree = s.disk.Load();
    s.last_zxid = zxid;
    if (s.term != term) return;
    StepFollower(s, [&](ZabEffects& out) { s.follower->OnBaseInstalled(out); });
  });
}

void ZabClusterModel::Do(Server& s, const zab::InstallSnapshot& e) {
  const uint64_t term = s.term;
  QueueDisk(s, [this, &s, term, zxid = e.zxid, staged = *s.staged] {
    Note("install", s.id, zxid.value());
    s.disk.snapshots = {staged};
    s.disk.log.clear();
    s.disk.synced = 0;
    s.tree = staged.state;
    s.last_zxid = zxid;
    if (s.term != term) return;
    StepFollower(s, [&](ZabEffects& out) { s.follower->OnBaseInstalled(out); });
  });
}

void ZabClusterModel::Do(Server& s, const zab::ReadLog& e) {
  const uint64_t term = s.term;
  After(Millis(1, 50), [this, &slot = SlotOf(s), term, learner = e.learner, from = e.from] {
    if (!slot->up || slot->term != term) return;
    std::optional<std::vector<LoggedTxn>> behind;
    if (from == Zxid(0) && slot->disk.snapshots.front().zxid == Zxid(0)) behind.emplace();
    for (size_t i = 0; i < slot->disk.synced && slot->leader != nullptr; ++i) {
      const LoggedTxn& txn = slot->disk.log[i];
      if (txn.zxid > slot->leader->last_committed()) break;
      if (behind.has_value()) behind->push_back(txn);
      if (txn.zxid == from) behind.emplace();
    }
    if (Chance(3)) behind.reset();  // the snapshot is smaller
    if (behind.has_value()) ++result_.disk_diffs;
    StepLeader(*slot,
               [&](ZabEffects& out) { slot->leader->OnLogRead(learner, std::move(behind), out); });
  });
}

void ZabClusterModel::Do(Server& s, const zab::Apply& e) { OnApplied(s, e.txn); }

void ZabClusterModel::Do(Server& s, const zab::StartServing& e) {
  Note("serves", s.id, e.last.value());
  s.serving = true;
  s.last_zxid = std::max(s.last_zxid, e.last);
  s.election->SetVoteEpoch(e.epoch);
  if (s.leader != nullptr) OnEstablished(s);
  OnServing(s);
}

void ZabClusterModel::Do(Server& s, const zab::HandleRequest& e) {
  const uint64_t term = s.term;
  // The driver hands it on at once; what comes of it is a step of its own.
  const zab::HandleRequest handle = e;
  At(now_, [this, &slot = SlotOf(s), term, handle] {
    if (!slot->up || slot->term != term || slot->leader == nullptr) return;
    StepLeader(*slot, [&](ZabEffects& out) {
      if (!slot->leader->leading()) return;
      if (handle.request.type == OpCode::kSync) return slot->leader->Sync(handle.from, out);
      const Zxid zxid = slot->leader->next_zxid();
      const auto [known, is_new] = proposed_.emplace(zxid, handle.request.record);
      if (!is_new && known->second != handle.request.record) {
        Violate(fmt::format("two transactions were proposed as {:#x}", zxid.value()));
      }
      slot->leader->Propose({zxid, handle.request.record}, now_, out);
    });
  });
}

void ZabClusterModel::Do(Server& s, const zab::CompleteSync&) {
  ++result_.syncs;
  if (s.syncs.empty()) return Violate("a sync was answered that nobody asked for");
  if (s.tree.size() < s.syncs.front()) {
    Violate(fmt::format("server {} answers a sync at {} of {} transactions", s.id, s.tree.size(),
                        s.syncs.front()));
  }
  s.syncs.pop_front();
}

void ZabClusterModel::Do(Server& s, const zab::GiveUp& e) {
  const uint64_t term = s.term;
  if (options_.trace) fmt::print("            {}  {}\n", s.id, e.why);
  Note("gives up", s.id, 0);
  s.ending = true;
  s.serving = false;
  s.syncs.clear();
  s.waiting.clear();
  At(now_, [this, &slot = SlotOf(s), term] {
    if (slot->up && slot->term == term) EndTerm(*slot);
  });
}

}  // namespace highwater::broker::zookeeper
