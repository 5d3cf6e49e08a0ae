// What happens to the model's servers, and how they are judged.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "broker/zookeeper/ensemble/zab_cluster_model.h"

namespace highwater::broker::zookeeper {

using core::MonotonicTime;

// ---- What happens to it.

void ZabClusterModel::OneFault() {
  auto& slot = servers_[Draw(servers_.size())];
  switch (Draw(8)) {
    case 0:
    case 1:
      Crash(*slot);
      After(Millis(50, 3000), [this, &slot] { StartServer(*slot); });
      return;
    case 2: {  // power loss of all
      if (!Chance(3)) return;
      for (auto& each : servers_) {
        Crash(*each);
        After(Millis(50, 1500), [this, &each] { StartServer(*each); });
      }
      return;
    }
    case 3: {  // one is cut off
      const MonotonicTime until = now_ + Millis(100, 2500);
      for (const ServerId other : voters_) {
        if (other != slot->id) blocked_until_[std::minmax(slot->id, other)] = until;
      }
      return;
    }
    case 4: {  // one link
      const ServerId other(static_cast<int64_t>(Draw(servers_.size()) + 1));
      if (other != slot->id) {
        const MonotonicTime until = now_ + Millis(100, 2500);
        blocked_until_[std::minmax(slot->id, other)] = until;
      }
      return;
    }
    case 5:
      if (slot->to_leader.has_value()) Break(*slot->to_leader);
      return;
    case 6:
      slot->disk_stalled_until = now_ + Millis(50, 1500);
      return;
    default: {
      if (!slot->up) return;
      // A snapshot of what is applied, and a repeated election message.
      if (slot->serving && slot->last_zxid > slot->disk.snapshots.back().zxid &&
          slot->disk.last_zxid() >= slot->last_zxid) {
        slot->disk.snapshots.push_back({slot->last_zxid, slot->tree});
      }
      const auto pair =
          std::make_pair(ServerId(static_cast<int64_t>(Draw(servers_.size()) + 1)), slot->id);
      const auto last = last_sent_.find(pair);
      if (last != last_sent_.end() && !in_flight_.contains(pair)) {
        in_flight_[pair] = last->second;
        After(Millis(1, 20), [this, pair] { DeliverElection(pair.first, pair.second); });
      }
      return;
    }
  }
}

void ZabClusterModel::OneWrite(Server& s) {
  if (!s.up || !s.serving || s.ending) return;
  const bool is_sync = Chance(6);
  const int64_t id = next_write_++;
  const ForwardedRequest request{.session = SessionId(s.id.value()),
                                 .cxid = Xid(static_cast<int32_t>(id)),
                                 .type = is_sync ? OpCode::kSync : OpCode::kSetData,
                                 .record = core::Bytes::Copy(fmt::format("{}:{}", s.id, id))};
  if (is_sync) {
    // [2.5] A leader does not check that it is still leader: what a later one committed may be
    // missing.
    const auto seen = std::find_if(committed_.begin(), committed_.end(), [&](const LoggedTxn& txn) {
      return ZabEpochOf(txn.zxid) > s.disk.current;
    });
    s.syncs.push_back(static_cast<size_t>(seen - committed_.begin()));
  } else {
    s.waiting[id] = true;
  }
  StepFollower(s, [&](ZabEffects& out) { s.follower->Forward(request, {}, out); });
  StepLeader(s, [&](ZabEffects& out) {
    if (is_sync) {
      s.leader->Sync(std::nullopt, out);
    } else {
      out.emplace_back(zab::HandleRequest{PeerConnection(0), request, {}});
    }
  });
}

void ZabClusterModel::Heal() {
  resting_ = true;
  blocked_until_.clear();
  for (auto& s : servers_) {
    s->disk_stalled_until = now_;
    StartServer(*s);
  }
}

bool ZabClusterModel::AtRest(std::string& why) {
  int leaders = 0;
  for (auto& s : servers_) {
    why = fmt::format("server {} does not serve", s->id);
    if (!s->up || !s->serving) return false;
    if (s->leader != nullptr) ++leaders;
    why = fmt::format("server {} has {} of {} transactions", s->id, s->tree.size(),
                      committed_.size());
    if (s->tree.size() != committed_.size()) return false;
  }
  why = "no write was taken at rest";
  return leaders == 1 && !committed_.empty() &&
         ZabEpochOf(committed_.back().zxid) == leaders_.rbegin()->first;
}

// ---- Judgement.

void ZabClusterModel::OnEstablished(Server& s) {
  const ZabEpoch epoch = s.leader->epoch();
  const auto leader = std::make_pair(s.id, s.term);
  if (!leaders_.emplace(epoch, leader).second) {
    return Violate(fmt::format("server {} is a second leader of epoch {}", s.id, epoch));
  }
  // The last acknowledgements may come when a later leader has long begun. It can commit nothing
  // more, and what it has is judged like a follower's.
  if (epoch < leaders_.rbegin()->first) return;
  // Everything in its log counts as committed.
  if (s.tree.size() < committed_.size()) {
    return Violate(fmt::format("leader {} of epoch {} lacks the committed {:#x}", s.id, epoch,
                               committed_[s.tree.size()].zxid.value()));
  }
  for (size_t i = committed_.size(); i < s.tree.size(); ++i) committed_.push_back(s.tree[i]);
}

void ZabClusterModel::OnServing(Server& s) {
  if (s.tree.size() > committed_.size()) {
    return Violate(fmt::format("server {} serves {:#x}, which nobody committed", s.id,
                               s.tree.back().zxid.value()));
  }
  for (size_t i = 0; i < s.tree.size(); ++i) {
    if (s.tree[i] == committed_[i]) continue;
    return Violate(fmt::format("server {} serves {:#x} '{}' where {:#x} '{}' is committed", s.id,
                               s.tree[i].zxid.value(), s.tree[i].txn.view(),
                               committed_[i].zxid.value(), committed_[i].txn.view()));
  }
}

void ZabClusterModel::OnApplied(Server& s, const LoggedTxn& txn) {
  // The first step of serving brings what was synchronised; it is judged by OnServing.
  const size_t index = s.tree.size();
  s.tree.push_back(txn);
  s.last_zxid = std::max(s.last_zxid, txn.zxid);
  if (s.leader != nullptr && index == committed_.size()) committed_.push_back(txn);
  if (s.serving && (index >= committed_.size() || committed_[index] != txn)) {
    return Violate(
        fmt::format("server {} applies {:#x} where {} is committed", s.id, txn.zxid.value(),
                    index < committed_.size() ? fmt::format("{:#x}", committed_[index].zxid.value())
                                              : "nothing"));
  }
  const std::string_view text = txn.txn.view();
  int64_t id = 0;
  std::from_chars(text.data() + text.find(':') + 1, text.data() + text.size(), id);
  if (s.waiting.erase(id) > 0) ++result_.acknowledged;
}

}  // namespace highwater::broker::zookeeper
