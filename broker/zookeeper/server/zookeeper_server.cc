#include "broker/zookeeper/server/zookeeper_server.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "broker/zookeeper/server/broadcast.h"
#include "broker/zookeeper/server/client_connection.h"
#include "broker/zookeeper/server/prep_request_processor.h"
#include "broker/zookeeper/server/request_processor.h"
#include "core/check.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);
// [4.3] How often empty containers are looked for, and how many are deleted at once.
constexpr int64_t kContainerSweepMs = 60'000;
constexpr size_t kContainersAtOnce = 100;
// A client that does not take its answers is not read from beyond this.
constexpr size_t kMaxUnsentBytes = 4 << 20;

SessionId GreatestOf(const DataTree::Sessions& sessions, ServerId server) {
  SessionId greatest = kNoSession;
  for (const auto& [session, timeout_ms] : sessions) {
    const bool ours =
        static_cast<uint64_t>(session.value()) >> 56 == static_cast<uint64_t>(server.value());
    if (ours) greatest = std::max(greatest, session);
  }
  return greatest;
}

}  // namespace

class ZooKeeperServer::Impl final : public ConnectionHost, private BroadcastListener {
 public:
  Impl(core::Environment& env, ServerConfig config, DataTree tree, TxnLog& log,
       FourLetterWords& words)
      : env_(env),
        config_(std::move(config)),
        log_(log),
        words_(words),
        tree_(std::move(tree)),
        sessions_(config_.tick_time_ms, rules_),
        ids_(config_.server_id, absl::ToUnixMillis(env.clock.WallNow()),
             GreatestOf(tree_.sessions(), config_.server_id)),
        prep_(tree_, sessions_, {.extended_types_enabled = config_.extended_types_enabled}, rules_),
        processor_(tree_, ids_, sessions_, config_, rules_),
        broadcast_(log, *this),
        fibers_(env.fibers) {}

  absl::Status Start() {
    HW_ASSIGN_OR_RETURN(listener_, env_.network.Listen(config_.client_address));
    started_ = env_.fibers.Now();
    prep_.Start(tree_.last_processed_zxid(), At().now_ms);
    next_sweep_ms_ = At().now_ms + kContainerSweepMs;
    fibers_.Add(2);
    env_.fibers.Spawn("zk accept", [this] {
      AcceptLoop();
      fibers_.Done();
    });
    ticker_ = env_.fibers.Spawn("zk ticks", [this] {
      TickLoop();
      fibers_.Done();
    });
    return absl::OkStatus();
  }

  absl::Status WaitUntilStopped() {
    while (!stopping_) {
      const core::Wake wake =
          stopped_.Wait(env_.fibers, "the end of a server", core::MonotonicTime::Never());
      if (wake == core::Wake::kCancelled) return absl::CancelledError("the wait was cancelled");
    }
    return status_;
  }

  void Stop() {
    BeginStop();
    fibers_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
  }

  [[nodiscard]] const core::Endpoint& local() const { return listener_->local(); }
  [[nodiscard]] const DataTree& tree() const { return tree_; }

  [[nodiscard]] ServerStats Stats() const {
    ServerStats stats = processor_.Stats();
    stats.mode = stopping_ ? ServerMode::kNotServing : ServerMode::kStandalone;
    stats.connections_refused = refused_;
    stats.uptime = env_.fibers.Now() - started_;
    return stats;
  }

  // ---- ConnectionHost.

  void OnFrame(ClientConnection& connection, core::Bytes frame) override {
    Effects effects;
    processor_.Receive(connection.id(), std::move(frame), At(), effects);
    Perform(std::move(effects));
  }

  bool OnFirstWord(ClientConnection& connection, std::string_view word) override {
    if (!words_.IsWord(word)) return false;
    const FourLetterWords::Answer answer = words_.AnswerTo(word, Stats());
    if (answer.reset) processor_.ResetStats();
    connection.Send(core::Bytes::Copy(answer.text));
    connection.Finish();
    return true;
  }

  // [6.2] Past the limit a connection has to wait for its own requests before it may ask more.
  bool MayRead(const ClientConnection& connection) const override {
    if (connection.unsent_bytes() > kMaxUnsentBytes) return false;
    return processor_.outstanding() <= config_.global_outstanding_limit ||
           processor_.OutstandingOf(connection.id()) == 0;
  }

  void OnClosed(ClientConnection& connection) override {
    processor_.OnDisconnected(connection.id());
    const auto count = by_host_.find(connection.peer().host);
    if (--count->second == 0) by_host_.erase(count);
    clients_.erase(connection.id());
  }

 private:
  using Client = std::shared_ptr<ClientConnection>;

  [[nodiscard]] RequestProcessor::Instant At() const {
    return {.now_ms = env_.fibers.Now().nanos() / 1'000'000,
            .wall_ms = absl::ToUnixMillis(env_.clock.WallNow())};
  }

  void AcceptLoop() {
    while (!stopping_) {
      auto connection = listener_->Accept(core::MonotonicTime::Never());
      if (connection.ok()) {
        Admit(*std::move(connection));
      } else if (absl::IsFailedPrecondition(connection.status()) ||
                 absl::IsCancelled(connection.status())) {
        return;
      } else if (env_.fibers.SleepFor(kAcceptPause) == core::Wake::kCancelled) {
        return;  // out of descriptors, say: others may close some meanwhile
      }
    }
  }

  void Admit(std::unique_ptr<core::Connection> connection) {
    const core::Endpoint peer = connection->peer();
    const auto present = by_host_.find(peer.host);
    const bool full = config_.max_client_cnxns > 0 && present != by_host_.end() &&
                      present->second >= config_.max_client_cnxns;
    if (stopping_ || full) {
      HW_MARK("zk_connection_refused");
      ++refused_;
      return connection->Close();
    }
    const ConnectionId id = ++last_id_;
    ++by_host_[peer.host];
    processor_.OnConnected(id, peer.host, peer.port, At());
    const Client client = std::make_shared<ClientConnection>(
        env_, *this, fibers_, id, std::move(connection), config_.jute_max_buffer);
    clients_.emplace(id, client);
    client->Start();
  }

  void TickLoop() {
    const int64_t tick = config_.tick_time_ms;
    while (!stopping_) {
      const int64_t next_ms = (At().now_ms / tick + 1) * tick;
      const auto next = core::MonotonicTime::FromNanos(next_ms * 1'000'000);
      if (env_.fibers.SleepUntil(next) == core::Wake::kCancelled) return;
      Tick();
    }
  }

  void Tick() {
    const auto at = At();
    for (const SessionId session : sessions_.TakeExpired(at.now_ms)) {
      HW_MARK("zk_session_expired");
      Propose({.session = session, .op = OpCode::kCloseSession, .owner = config_.server_id});
    }
    if (at.now_ms >= next_sweep_ms_) {
      next_sweep_ms_ = at.now_ms + kContainerSweepMs;
      for (std::string& path : tree_.ContainersToDelete(at.wall_ms, kContainersAtOnce)) {
        Propose({.op = OpCode::kDeleteContainer, .body = ToJute(DeleteTxn{std::move(path)})});
      }
    }
    Effects effects;
    processor_.Tick(at, effects);
    Perform(std::move(effects));
  }

  void Propose(const ClientRequest& request) {
    const auto at = At();
    broadcast_.Propose(prep_.Prepare(request, {.wall_ms = at.wall_ms, .now_ms = at.now_ms}));
  }

  // Never waits: what an effect brings about is done behind the effects that are there.
  void Perform(Effects effects) {
    for (size_t i = 0; i < effects.size(); ++i) {
      const Effect effect = std::move(effects[i]);
      std::visit([&](const auto& e) { Do(e, effects); }, effect);
    }
  }

  void Do(const Send& send, Effects&) {
    if (const Client client = Find(send.to)) client->Send(send.frame);
  }
  void Do(const CloseConnection& close, Effects&) {
    if (const Client client = Find(close.connection)) client->Finish();
  }
  void Do(const Revalidate& revalidate, Effects& more) {
    const auto at = At();
    const bool valid = sessions_.Touch(revalidate.session, revalidate.timeout_ms, at.now_ms);
    if (valid) sessions_.SetOwner(revalidate.session, config_.server_id);
    processor_.OnRevalidated(revalidate.connection, valid, at, more);
  }
  void Do(const Submit& submit, Effects& more) {
    if (KindOf(submit.request.op) != OpKind::kSync) return Propose(submit.request);
    // [2.5] Behind everything that is proposed by now.
    syncs_.push_back({prep_.last_proposed(), submit.request.session, submit.request.xid});
    FinishSyncs(more);
  }

  void FinishSyncs(Effects& out) {
    while (!syncs_.empty() && syncs_.front().zxid <= tree_.last_processed_zxid()) {
      const Sync sync = syncs_.front();
      syncs_.pop_front();
      processor_.OnSynced(sync.session, sync.xid, At(), out);
    }
  }

  // ---- BroadcastListener.

  void OnCommitted(const Txn& txn) override {
    Effects effects;
    processor_.OnCommitted(txn, At(), effects);
    prep_.OnApplied(txn.header);
    FinishSyncs(effects);
    Perform(std::move(effects));
    if (log_.SnapshotDue()) log_.TakeSnapshot(tree_);
  }

  void OnBroadcastFailed(const absl::Status& status) override {
    status_ = status;
    BeginStop();
  }

  [[nodiscard]] Client Find(ConnectionId id) const {
    const auto found = clients_.find(id);
    return found == clients_.end() ? nullptr : found->second;
  }

  void BeginStop() {
    if (stopping_) return;
    stopping_ = true;
    if (listener_ != nullptr) listener_->Close();
    ticker_.Cancel();
    std::vector<Client> all;
    for (const auto& [id, client] : clients_) all.push_back(client);
    for (const Client& client : all) client->Close();
    stopped_.WakeAll();
  }

  struct Sync {
    Zxid zxid;
    SessionId session;
    Xid xid;
  };

  core::Environment& env_;
  const ServerConfig config_;
  const ZooKeeperRules rules_;
  TxnLog& log_;
  FourLetterWords& words_;
  DataTree tree_;
  SessionTracker sessions_;
  SessionIds ids_;
  PrepRequestProcessor prep_;
  RequestProcessor processor_;
  LogBroadcast broadcast_;
  std::deque<Sync> syncs_;

  std::unique_ptr<core::Listener> listener_;
  std::map<ConnectionId, Client> clients_;
  std::map<std::string, int32_t> by_host_;
  ConnectionId last_id_;
  core::FiberHandle ticker_;
  core::MonotonicTime started_;
  int64_t next_sweep_ms_ = 0;
  int64_t refused_ = 0;
  bool stopping_ = false;
  absl::Status status_;
  core::WaitQueue stopped_;
  core::WaitGroup fibers_;  // of the loops and of connections
};

ZooKeeperServer::ZooKeeperServer(core::Environment& env, ServerConfig config, DataTree tree,
                                 TxnLog& log, FourLetterWords& words)
    : impl_(std::make_unique<Impl>(env, std::move(config), std::move(tree), log, words)) {}

ZooKeeperServer::~ZooKeeperServer() = default;

absl::Status ZooKeeperServer::Start() { return impl_->Start(); }
absl::Status ZooKeeperServer::WaitUntilStopped() { return impl_->WaitUntilStopped(); }
void ZooKeeperServer::Stop() { impl_->Stop(); }
const core::Endpoint& ZooKeeperServer::local() const { return impl_->local(); }
ServerStats ZooKeeperServer::Stats() const { return impl_->Stats(); }
const DataTree& ZooKeeperServer::tree() const { return impl_->tree(); }

}  // namespace highwater::broker::zookeeper
