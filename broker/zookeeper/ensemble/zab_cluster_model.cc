#include "broker/zookeeper/ensemble/zab_cluster_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "broker/zookeeper/ensemble/recover_history.h"
#include "core/check.h"
#include "core/mix.h"

namespace highwater::broker::zookeeper {

using core::MonotonicTime;

namespace {

constexpr EnsembleTiming kTiming{
    .tick = absl::Milliseconds(200), .init_limit = 10, .sync_limit = 4};
constexpr ElectionTiming kElectionTiming{.settle = absl::Milliseconds(50),
                                         .first_resend = absl::Milliseconds(50),
                                         .max_resend = absl::Milliseconds(400)};
constexpr size_t kCommittedCapacity = 6;

}  // namespace

struct ZabClusterModel::Server {
  explicit Server(ServerId id) : id(id) {}

  ServerId id;
  bool up = false;
  uint64_t incarnation = 0;
  uint64_t term = 0;  // counts elections, so that late events know that they are late
  Disk disk;
  std::deque<Action> disk_queue;
  bool disk_busy = false;
  MonotonicTime disk_stalled_until;
  ZabEpoch promised;  // the greatest epoch that it ever sent an ACKEPOCH for

  // Lost in a crash.
  std::vector<LoggedTxn> tree;
  Zxid last_zxid;
  bool serving = false;
  bool ending = false;
  bool wants_snapshot = false;
  CommittedLog committed_log{kCommittedCapacity};
  std::unique_ptr<FastLeaderElection> election;
  std::unique_ptr<ZabLeader> leader;
  std::unique_ptr<ZabFollower> follower;
  std::optional<PeerConnection> to_leader;
  std::optional<Snapshot> staged;
  MonotonicTime timer = MonotonicTime::Never();
  // Positions in committed_ that syncs in flight must see, oldest first.
  std::deque<size_t> syncs;
  // Writes of this server's clients that were not answered yet.
  absl::btree_map<int64_t, bool> waiting;
};

Zxid ZabClusterModel::Disk::last_zxid() const {
  const Zxid of_snapshot = snapshots.back().zxid;
  return log.empty() ? of_snapshot : std::max(of_snapshot, log.back().zxid);
}

std::vector<LoggedTxn> ZabClusterModel::Disk::Load() const {
  std::vector<LoggedTxn> state = snapshots.back().state;
  for (const LoggedTxn& txn : log) {
    if (txn.zxid > snapshots.back().zxid) state.push_back(txn);
  }
  return state;
}

void ZabClusterModel::Result::Add(const Result& other) {
  committed += other.committed;
  acknowledged += other.acknowledged;
  terms += other.terms;
  crashes += other.crashes;
  diffs += other.diffs;
  truncs += other.truncs;
  snaps += other.snaps;
  disk_diffs += other.disk_diffs;
  failed_cuts += other.failed_cuts;
  epochs_taken_from_log += other.epochs_taken_from_log;
  syncs += other.syncs;
}

ZabClusterModel::ZabClusterModel(Options options) : options_(options) {
  for (int64_t i = 1; i <= options_.servers; ++i) {
    voters_.push_back(ServerId(i));
    servers_.push_back(std::make_unique<Server>(ServerId(i)));
  }
}

ZabClusterModel::~ZabClusterModel() = default;

// ---- Time and chance.

uint64_t ZabClusterModel::Draw(uint64_t below) {
  return core::Mix(core::Mix(options_.seed, ++draws_), 0x5eed) % below;
}

absl::Duration ZabClusterModel::Millis(uint64_t from, uint64_t to) {
  return absl::Microseconds(static_cast<int64_t>(from * 1000 + Draw((to - from) * 1000 + 1)));
}

void ZabClusterModel::At(MonotonicTime when, Action action) {
  events_.emplace(std::make_pair(std::max(when, now_), ++sequence_), std::move(action));
}

ZabClusterModel::Result ZabClusterModel::Run() {
  // An epoch may have been promised and never begun.
  for (auto& s : servers_) s->disk.accepted = ZabEpoch(static_cast<int64_t>(Draw(3)));
  for (auto& s : servers_) StartServer(*s);
  const MonotonicTime faults_end = now_ + options_.faults_for;
  const MonotonicTime end = faults_end + options_.rest;
  std::function<void()> fault = [&] {
    if (now_ >= faults_end) return;
    OneFault();
    After(Millis(50, 600), fault);
  };
  std::function<void()> write = [&] {
    OneWrite(*servers_[Draw(servers_.size())]);
    After(Millis(5, 80), write);
  };
  After(absl::Seconds(1), fault);
  After(absl::Milliseconds(300), write);
  At(faults_end, [&] { Heal(); });
  std::string why = "the run ended";
  while (!events_.empty() && result_.violation.empty()) {
    auto first = events_.begin();
    now_ = first->first.first;
    if (now_ > end) {
      Violate(fmt::format("no rest after {}: {}", absl::FormatDuration(options_.rest), why));
      break;
    }
    const Action action = std::move(first->second);
    events_.erase(first);
    action();
    if (resting_ && Chance(20) && AtRest(why)) break;
  }
  result_.committed = static_cast<int64_t>(committed_.size());
  return result_;
}

void ZabClusterModel::Note(std::string_view what, ServerId who, int64_t detail) {
  result_.digest = core::Mix(
      core::MixName(what, result_.digest),
      core::Mix(static_cast<uint64_t>(who.value()), static_cast<uint64_t>(detail ^ now_.nanos())));
  if (options_.trace) {
    fmt::print("{:>10} us  {}  {} {:#x}\n", now_.nanos() / 1000, who, what, detail);
  }
}

void ZabClusterModel::Violate(std::string what) {
  if (!result_.violation.empty()) return;
  result_.violation = std::move(what);
  if (options_.trace) fmt::print("VIOLATION {}\n", result_.violation);
}

// ---- Servers.

void ZabClusterModel::StartServer(Server& s) {
  if (s.up) return;
  s.up = true;
  ++s.incarnation;
  const auto history = RecoverHistory(s.disk.accepted, s.disk.current, s.disk.last_zxid());
  if (!history.ok()) return Violate(std::string(history.status().message()));
  if (s.disk.accepted < s.promised) {
    return Violate(fmt::format("server {} forgot that it promised epoch {}", s.id, s.promised));
  }
  if (history->current_epoch > s.disk.current) ++result_.epochs_taken_from_log;
  s.disk.current = history->current_epoch;
  s.last_zxid = s.disk.last_zxid();
  s.tree = s.disk.Load();
  s.election = std::make_unique<FastLeaderElection>(s.id, voters_, core::Bytes(), kElectionTiming,
                                                    options_.rules);
  s.committed_log.Clear();
  for (const LoggedTxn& txn : s.disk.log) {
    if (txn.zxid > s.disk.snapshots.back().zxid) s.committed_log.Add(txn);
  }
  Note("start", s.id, s.last_zxid.value());
  Look(s);
}

void ZabClusterModel::Crash(Server& s) {
  if (!s.up) return;
  ++result_.crashes;
  // A prefix of what was appended and not synced may have reached the disk.
  const size_t kept = s.disk.synced + Draw(s.disk.log.size() - s.disk.synced + 1);
  Note("crash", s.id, static_cast<int64_t>(s.disk.log.size() - kept));
  s.disk.log.resize(kept);
  s.disk.synced = kept;
  for (auto& [id, connection] : connections_) {
    if (connection.open && (connection.follower == s.id || connection.leader == s.id)) Break(id);
  }
  const Disk disk = s.disk;
  const ZabEpoch promised = s.promised;
  const uint64_t incarnation = s.incarnation;
  const uint64_t term = s.term;
  const ServerId id = s.id;
  auto& slot = servers_[static_cast<size_t>(id.value() - 1)];
  slot = std::make_unique<Server>(id);
  slot->disk = disk;
  slot->promised = promised;
  slot->incarnation = incarnation;
  slot->term = term + 1;
}

void ZabClusterModel::Look(Server& s) {
  ++s.term;
  FastLeaderElection::Effects effects;
  s.election->Look(s.last_zxid, s.disk.current, now_, effects);
  OnElection(s, effects);
}

void ZabClusterModel::OnElection(Server& s, FastLeaderElection::Effects& effects) {
  for (FastLeaderElection::Message& m : effects.messages) {
    // One message per pair waits: the newest.
    const auto pair = std::make_pair(s.id, m.to);
    const bool under_way = in_flight_.contains(pair);
    in_flight_[pair] = m.content;
    if (!under_way) {
      After(Millis(1, 20), [this, pair] { DeliverElection(pair.first, pair.second); });
    }
  }
  if (effects.decided.has_value()) {
    Note("elected", s.id, s.election->vote().leader.value());
    if (*effects.decided == PeerState::kLeading) {
      ++result_.terms;
      const ServerHistory history{s.disk.accepted, s.disk.current, s.last_zxid};
      s.leader = std::make_unique<ZabLeader>(s.id, voters_, history, kTiming, s.committed_log,
                                             core::Bytes::Copy("version=0"), options_.rules, now_);
      StepLeader(s, [&](ZabEffects& out) { s.leader->Start(now_, out); });
    } else {
      Dial(s, 0);
    }
  }
  ArmTimer(s);
}

void ZabClusterModel::DeliverElection(ServerId from, ServerId to) {
  const auto pair = std::make_pair(from, to);
  const Notification content = in_flight_.at(pair);
  in_flight_.erase(pair);
  if (Blocked(from, to) || !server(to).up || server(to).ending) return;
  last_sent_[pair] = content;
  FastLeaderElection::Effects effects;
  server(to).election->Receive(from, content, now_, effects);
  OnElection(server(to), effects);
}

void ZabClusterModel::Dial(Server& s, int attempt) {
  const uint64_t term = s.term;
  if (attempt == 5) {
    s.ending = true;
    return EndTerm(s);
  }
  After(Millis(1, 30), [this, &slot = servers_[static_cast<size_t>(s.id.value() - 1)], term,
                        attempt] {
    Server& s = *slot;
    if (!s.up || s.term != term || s.ending) return;
    Server& leader = server(s.election->vote().leader);
    if (!leader.up || leader.leader == nullptr || leader.ending || Blocked(s.id, leader.id)) {
      return After(absl::Milliseconds(100), [this, &slot, term, attempt] {
        if (slot->up && slot->term == term && !slot->ending) Dial(*slot, attempt + 1);
      });
    }
    const PeerConnection id(next_connection_++);
    connections_[id] = {
        .follower = s.id, .leader = leader.id, .follower_term = s.term, .leader_term = leader.term};
    s.to_leader = id;
    const ServerHistory history{s.disk.accepted, s.disk.current, s.last_zxid,
                                std::exchange(s.wants_snapshot, false)};
    s.follower = std::make_unique<ZabFollower>(s.id, history, kTiming, s.committed_log,
                                               options_.rules, now_);
    StepFollower(s, [&](ZabEffects& out) { s.follower->Connect(out); });
  });
}

template <typename Step>
void ZabClusterModel::StepLeader(Server& s, Step step) {
  if (s.leader == nullptr || s.ending) return;
  ZabEffects effects;
  step(effects);
  Carry(s, effects);
}

template <typename Step>
void ZabClusterModel::StepFollower(Server& s, Step step) {
  if (s.follower == nullptr || s.ending) return;
  ZabEffects effects;
  step(effects);
  Carry(s, effects);
}

void ZabClusterModel::Carry(Server& s, ZabEffects& effects) {
  const uint64_t incarnation = s.incarnation;
  for (ZabEffect& effect : effects) {
    if (!s.up || s.incarnation != incarnation) return;
    CarryOne(s, effect);
  }
  ArmTimer(s);
}

void ZabClusterModel::CarryOne(Server& s, ZabEffect& effect) {
  const uint64_t term = s.term;
  if (auto* send = std::get_if<zab::Send>(&effect)) {
    const bool to_leader = s.follower != nullptr;
    if (send->packet.type == PacketType::kAckEpoch && DecodeInt(send->packet).value_or(-1) >= 0) {
      s.promised = std::max(s.promised, s.follower->epoch());
    }
    if (send->packet.type == PacketType::kDiff) ++result_.diffs;
    if (send->packet.type == PacketType::kTrunc) ++result_.truncs;
    Transmit(to_leader ? *s.to_leader : send->to, to_leader, {.packet = send->packet});
  } else if (auto* snapshot = std::get_if<zab::SendSnapshot>(&effect)) {
    ++result_.snaps;
    Transmit(snapshot->to, false,
             {.packet = {.type = PacketType::kSnap, .zxid = snapshot->zxid},
              .snapshot = Snapshot{snapshot->zxid, s.tree}});
  } else if (auto* close = std::get_if<zab::Close>(&effect)) {
    Note("drop", s.id, close->connection.value());
    Break(close->connection);
  } else if (auto* store = std::get_if<zab::StoreAcceptedEpoch>(&effect)) {
    QueueDisk(s, [this, &s, term, epoch = store->epoch] {
      Note("accepted epoch", s.id, epoch.value());
      if (epoch < s.disk.accepted)
        Violate(fmt::format("server {} accepts epoch {} after {}", s.id, epoch, s.disk.accepted));
      s.disk.accepted = epoch;
      if (s.term != term) return;
      StepLeader(s, [&](ZabEffects& out) { s.leader->OnAcceptedEpochStored(now_, out); });
      StepFollower(s, [&](ZabEffects& out) { s.follower->OnAcceptedEpochStored(out); });
    });
  } else if (auto* store = std::get_if<zab::StoreCurrentEpoch>(&effect)) {
    QueueDisk(s, [this, &s, term, epoch = store->epoch] {
      Note("current epoch", s.id, epoch.value());
      if (epoch < s.disk.current)
        Violate(
            fmt::format("server {} goes back to epoch {} from {}", s.id, epoch, s.disk.current));
      s.disk.current = epoch;
      if (s.term != term) return;
      StepLeader(s, [&](ZabEffects& out) { s.leader->OnCurrentEpochStored(out); });
      StepFollower(s, [&](ZabEffects& out) { s.follower->OnCurrentEpochStored(out); });
    });
  } else if (auto* append = std::get_if<zab::Append>(&effect)) {
    QueueDisk(s, [&s, txn = append->txn] { s.disk.log.push_back(txn); });
  } else if (auto* sync = std::get_if<zab::SyncLog>(&effect)) {
    QueueDisk(s, [this, &s, term, through = sync->through] {
      s.disk.synced = s.disk.log.size();
      if (s.term != term) return;
      StepLeader(s, [&](ZabEffects& out) { s.leader->OnLogSynced(through, out); });
      StepFollower(s, [&](ZabEffects& out) { s.follower->OnLogSynced(through, out); });
    });
  } else if (auto* cut = std::get_if<zab::TruncateLog>(&effect)) {
    QueueDisk(s, [this, &s, term, zxid = cut->zxid] {
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
  } else if (auto* install = std::get_if<zab::InstallSnapshot>(&effect)) {
    QueueDisk(s, [this, &s, term, zxid = install->zxid, staged = *s.staged] {
      Note("install", s.id, zxid.value());
      s.disk.snapshots = {staged};
      s.disk.log.clear();
      s.disk.synced = 0;
      s.tree = staged.state;
      s.last_zxid = zxid;
      if (s.term != term) return;
      StepFollower(s, [&](ZabEffects& out) { s.follower->OnBaseInstalled(out); });
    });
  } else if (auto* read = std::get_if<zab::ReadLog>(&effect)) {
    After(Millis(1, 50), [this, &slot = servers_[static_cast<size_t>(s.id.value() - 1)], term,
                          learner = read->learner, from = read->from] {
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
      StepLeader(*slot, [&](ZabEffects& out) {
        slot->leader->OnLogRead(learner, std::move(behind), out);
      });
    });
  } else if (auto* apply = std::get_if<zab::Apply>(&effect)) {
    OnApplied(s, apply->txn);
  } else if (auto* serve = std::get_if<zab::StartServing>(&effect)) {
    Note("serves", s.id, serve->last.value());
    s.serving = true;
    s.last_zxid = std::max(s.last_zxid, serve->last);
    s.election->SetVoteEpoch(serve->epoch);
    if (s.leader != nullptr) OnEstablished(s);
    OnServing(s);
  } else if (auto* request = std::get_if<zab::HandleRequest>(&effect)) {
    // The driver hands it on at once; what comes of it is a step of its own.
    const zab::HandleRequest handle = *request;
    At(now_, [this, &slot = servers_[static_cast<size_t>(s.id.value() - 1)], term, handle] {
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
  } else if (std::holds_alternative<zab::CompleteSync>(effect)) {
    ++result_.syncs;
    if (s.syncs.empty()) return Violate("a sync was answered that nobody asked for");
    if (s.tree.size() < s.syncs.front()) {
      Violate(fmt::format("server {} answers a sync at {} of {} transactions", s.id, s.tree.size(),
                          s.syncs.front()));
    }
    s.syncs.pop_front();
  } else if (auto* give_up = std::get_if<zab::GiveUp>(&effect)) {
    if (options_.trace) fmt::print("            {}  {}\n", s.id, give_up->why);
    Note("gives up", s.id, 0);
    s.ending = true;
    s.serving = false;
    s.syncs.clear();
    s.waiting.clear();
    At(now_, [this, &slot = servers_[static_cast<size_t>(s.id.value() - 1)], term] {
      if (slot->up && slot->term == term) EndTerm(*slot);
    });
  }
}

// [3.9] Clients and connections are closed; the disk queue runs dry; the tree is rolled forward.
void ZabClusterModel::EndTerm(Server& s) {
  for (auto& [id, connection] : connections_) {
    if (connection.open && (connection.follower == s.id || connection.leader == s.id)) Break(id);
  }
  const uint64_t term = s.term;
  if (s.disk_busy || !s.disk_queue.empty()) {
    After(absl::Milliseconds(1),
          [this, &slot = servers_[static_cast<size_t>(s.id.value() - 1)], term] {
            if (slot->up && slot->term == term) EndTerm(*slot);
          });
    return;
  }
  const Zxid led = s.leader != nullptr ? s.leader->last_committed() : Zxid(0);
  s.leader.reset();
  s.follower.reset();
  s.to_leader.reset();
  s.staged.reset();
  s.ending = false;
  s.disk.synced = s.disk.log.size();
  s.tree = s.disk.Load();
  // A leader without a transaction still knows that its epoch began.
  s.last_zxid = std::max(s.disk.last_zxid(), CounterOf(led) == 0 ? led : Zxid(0));
  const auto history = RecoverHistory(s.disk.accepted, s.disk.current, s.disk.last_zxid());
  if (!history.ok()) return Violate(std::string(history.status().message()));
  s.disk.current = history->current_epoch;
  s.committed_log.Clear();
  for (const LoggedTxn& txn : s.disk.log) {
    if (txn.zxid > s.disk.snapshots.back().zxid) s.committed_log.Add(txn);
  }
  Look(s);
}

void ZabClusterModel::ArmTimer(Server& s) {
  if (!s.up || s.ending) return;
  MonotonicTime deadline = s.election->deadline();
  if (s.leader != nullptr) deadline = std::min(deadline, s.leader->deadline());
  if (s.follower != nullptr) deadline = std::min(deadline, s.follower->deadline());
  if (deadline == MonotonicTime::Never() || s.timer <= deadline) return;
  s.timer = deadline;
  const uint64_t incarnation = s.incarnation;
  At(deadline,
     [this, &slot = servers_[static_cast<size_t>(s.id.value() - 1)], incarnation, deadline] {
       if (!slot->up || slot->incarnation != incarnation || slot->timer != deadline) return;
       slot->timer = MonotonicTime::Never();
       OnTimer(*slot);
     });
}

void ZabClusterModel::OnTimer(Server& s) {
  if (s.ending) return;
  StepLeader(s, [&](ZabEffects& out) { s.leader->OnTime(now_, out); });
  StepFollower(s, [&](ZabEffects& out) { s.follower->OnTime(now_, out); });
  FastLeaderElection::Effects effects;
  s.election->OnTime(now_, effects);
  OnElection(s, effects);
}

// ---- Disk, network.

void ZabClusterModel::QueueDisk(Server& s, Action operation) {
  s.disk_queue.push_back(std::move(operation));
  if (!s.disk_busy) RunDisk(s);
}

void ZabClusterModel::RunDisk(Server& s) {
  s.disk_busy = true;
  const uint64_t incarnation = s.incarnation;
  const MonotonicTime at = std::max(s.disk_stalled_until, now_) + Millis(0, 12);
  At(at, [this, &slot = servers_[static_cast<size_t>(s.id.value() - 1)], incarnation] {
    if (!slot->up || slot->incarnation != incarnation) return;
    if (!resting_ && Chance(150)) {
      Crash(*slot);
      After(Millis(50, 3000), [this, &slot] { StartServer(*slot); });
      return;
    }
    const Action operation = std::move(slot->disk_queue.front());
    slot->disk_queue.pop_front();
    operation();
    slot->disk_busy = false;
    if (!slot->disk_queue.empty()) RunDisk(*slot);
  });
}

void ZabClusterModel::Transmit(PeerConnection id, bool to_leader, Message message) {
  Connection& connection = connections_[id];
  if (!connection.open) return;
  (to_leader ? connection.to_leader : connection.to_follower).push_back(std::move(message));
  MonotonicTime& until = to_leader ? connection.to_leader_until : connection.to_follower_until;
  until = std::max(until, now_ + Millis(1, 15));
  At(until, [this, id, to_leader] { Deliver(id, to_leader); });
}

void ZabClusterModel::Deliver(PeerConnection id, bool to_leader) {
  Connection& connection = connections_[id];
  if (!connection.open) return;
  if (Blocked(connection.follower, connection.leader)) {
    // Retransmitted until the link is back: one event per message, so their number stays right.
    At(blocked_until_.at(std::minmax(connection.follower, connection.leader)) +
           absl::Microseconds(1),
       [this, id, to_leader] { Deliver(id, to_leader); });
    return;
  }
  std::deque<Message>& queue = to_leader ? connection.to_leader : connection.to_follower;
  Message message = std::move(queue.front());
  queue.pop_front();
  Server& to = server(to_leader ? connection.leader : connection.follower);
  const uint64_t term = to_leader ? connection.leader_term : connection.follower_term;
  if (!to.up || to.term != term || to.ending) return;
  Note(PacketTypeName(message.packet.type), to.id, message.packet.zxid.value());
  if (message.snapshot.has_value()) to.staged = std::move(message.snapshot);
  // The codec is part of the test.
  PacketAssembler assembler(1 << 20);
  assembler.Add(core::ByteChain(EncodePacket(message.packet)));
  const std::optional<QuorumPacket> packet = assembler.Next();
  HW_CHECK(packet.has_value() && *packet == message.packet, "a packet changed on its way");
  StepLeader(to, [&](ZabEffects& out) { to.leader->Receive(id, *packet, now_, out); });
  StepFollower(to, [&](ZabEffects& out) { to.follower->Receive(*packet, now_, out); });
}

void ZabClusterModel::Break(PeerConnection id) {
  Connection& connection = connections_[id];
  if (!connection.open) return;
  connection.open = false;
  connection.to_leader.clear();
  connection.to_follower.clear();
  // Each side hears of it when it hears of it, or not at all before its own time-out.
  const Connection ended = connection;
  if (!Chance(4)) {
    After(Millis(0, 300), [this, ended, id] {
      Server& s = server(ended.leader);
      if (s.up && s.term == ended.leader_term && s.leader != nullptr) s.leader->OnDisconnected(id);
    });
  }
  if (!Chance(4)) {
    After(Millis(0, 300), [this, ended] {
      Server& s = server(ended.follower);
      if (!s.up || s.term != ended.follower_term) return;
      StepFollower(s, [&](ZabEffects& out) { s.follower->OnDisconnected(out); });
    });
  }
}

bool ZabClusterModel::Blocked(ServerId a, ServerId b) const {
  const auto found = blocked_until_.find(std::minmax(a, b));
  return found != blocked_until_.end() && found->second > now_;
}

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
