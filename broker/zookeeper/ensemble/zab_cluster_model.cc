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

}  // namespace

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
  After(Millis(1, 30), [this, &slot = SlotOf(s), term, attempt] {
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

void ZabClusterModel::Carry(Server& s, ZabEffects& effects) {
  const uint64_t incarnation = s.incarnation;
  for (ZabEffect& effect : effects) {
    if (!s.up || s.incarnation != incarnation) return;
    std::visit([&](const auto& e) { Do(s, e); }, effect);
  }
  ArmTimer(s);
}

// [3.9] Clients and connections are closed; the disk queue runs dry; the tree is rolled forward.
void ZabClusterModel::EndTerm(Server& s) {
  for (auto& [id, connection] : connections_) {
    if (connection.open && (connection.follower == s.id || connection.leader == s.id)) Break(id);
  }
  const uint64_t term = s.term;
  if (s.disk_busy || !s.disk_queue.empty()) {
    After(absl::Milliseconds(1), [this, &slot = SlotOf(s), term] {
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
  At(deadline, [this, &slot = SlotOf(s), incarnation, deadline] {
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
  At(at, [this, &slot = SlotOf(s), incarnation] {
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

}  // namespace highwater::broker::zookeeper
