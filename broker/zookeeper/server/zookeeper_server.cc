#include "broker/zookeeper/server/zookeeper_server.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "broker/zookeeper/server/client_connection.h"
#include "broker/zookeeper/server/request_processor.h"
#include "broker/zookeeper/server/standalone_upstream.h"
#include "core/check.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);
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

// What lives from BeginServing to EndServing.
struct Serving {
  Serving(DataTree& tree, Upstream& by, const ServerConfig& config, const ZooKeeperRules& rules,
          int64_t clock_ms)
      : upstream(by),
        ids(config.server_id, clock_ms, GreatestOf(tree.sessions(), config.server_id)),
        processor(tree, ids, by, config, rules) {}

  Upstream& upstream;
  SessionIds ids;
  RequestProcessor processor;
};

}  // namespace

class ZooKeeperServer::Impl final : public ConnectionHost, public UpstreamListener {
 public:
  Impl(core::Environment& env, ServerConfig config, DataTree tree, TxnLog& log,
       FourLetterWords& words)
      : env_(env),
        config_(std::move(config)),
        words_(words),
        own_tree_(std::move(tree)),
        tree_(own_tree_),
        standalone_(std::make_unique<StandaloneUpstream>(env, tree_, log, config_, rules_, *this)),
        fibers_(env.fibers) {}

  Impl(core::Environment& env, ServerConfig config, DataTree& tree, FourLetterWords& words)
      : env_(env), config_(std::move(config)), words_(words), tree_(tree), fibers_(env.fibers) {}

  absl::Status Start() {
    HW_ASSIGN_OR_RETURN(listener_, env_.network.Listen(config_.client_address));
    started_ = env_.fibers.Now();
    if (standalone_ != nullptr) {
      standalone_->Start();
      BeginServing(*standalone_);
    }
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

  void BeginServing(Upstream& upstream) {
    // Those that came while nobody was served are nobody's clients.
    CloseClients();
    serving_ = std::make_unique<Serving>(tree_, upstream, config_, rules_, At().wall_ms);
  }

  void EndServing() {
    CloseClients();
    effects_.clear();
    serving_.reset();
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
    ServerStats stats;
    stats.tree = &tree_;
    if (serving_ != nullptr) {
      stats = serving_->processor.Stats();
      if (!stopping_) stats.mode = serving_->upstream.mode();
    }
    stats.connections_refused = refused_;
    stats.uptime = env_.fibers.Now() - started_;
    return stats;
  }

  // ---- ConnectionHost.

  void OnFrame(ClientConnection& connection, core::Bytes frame) override {
    if (serving_ == nullptr) return connection.Close();
    Effects effects;
    serving_->processor.Receive(connection.id(), std::move(frame), At(), effects);
    Perform(std::move(effects));
  }

  bool OnFirstWord(ClientConnection& connection, std::string_view word) override {
    if (!words_.IsWord(word)) {
      if (serving_ != nullptr) return false;
      HW_MARK("zk_client_came_while_looking");
      connection.Close();
      return true;
    }
    const FourLetterWords::Answer answer = words_.AnswerTo(word, Stats());
    if (answer.reset && serving_ != nullptr) serving_->processor.ResetStats();
    connection.Send(core::Bytes::Copy(answer.text));
    connection.Finish();
    return true;
  }

  // [6.2] Past the limit a connection has to wait for its own requests before it may ask more.
  bool MayRead(const ClientConnection& connection) const override {
    if (connection.unsent_bytes() > kMaxUnsentBytes) return false;
    if (serving_ == nullptr) return true;
    const RequestProcessor& processor = serving_->processor;
    return processor.outstanding() <= config_.global_outstanding_limit ||
           processor.OutstandingOf(connection.id()) == 0;
  }

  void OnClosed(ClientConnection& connection) override {
    if (serving_ != nullptr) serving_->processor.OnDisconnected(connection.id());
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
    if (serving_ != nullptr) serving_->processor.OnConnected(id, peer.host, peer.port, At());
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
    if (serving_ == nullptr) return;
    serving_->upstream.Tick();
    if (serving_ == nullptr) return;
    Effects effects;
    serving_->processor.Tick(At(), effects);
    Perform(std::move(effects));
  }

  // Never waits: what an effect brings about is done behind the effects that are there.
  void Perform(Effects effects) {
    for (Effect& effect : effects) effects_.push_back(std::move(effect));
    if (performing_) return;
    performing_ = true;
    while (!effects_.empty()) {
      const Effect effect = std::move(effects_.front());
      effects_.pop_front();
      std::visit([&](const auto& e) { Do(e); }, effect);
    }
    performing_ = false;
  }

  void Do(const Send& send) {
    if (const Client client = Find(send.to)) client->Send(send.frame);
  }
  void Do(const CloseConnection& close) {
    if (const Client client = Find(close.connection)) client->Finish();
  }
  void Do(const Revalidate& revalidate) {
    serving_->upstream.Revalidate(revalidate.connection, revalidate.session, revalidate.timeout_ms);
  }
  void Do(const Submit& submit) { serving_->upstream.Submit(submit.request); }

  // ---- UpstreamListener.

  void OnCommitted(const Txn& txn) override {
    Effects effects;
    serving_->processor.OnCommitted(txn, At(), effects);
    Perform(std::move(effects));
  }

  void OnSynced(SessionId session, Xid xid) override {
    Effects effects;
    serving_->processor.OnSynced(session, xid, At(), effects);
    Perform(std::move(effects));
  }

  void OnRevalidated(ConnectionId connection, bool valid) override {
    Effects effects;
    serving_->processor.OnRevalidated(connection, valid, At(), effects);
    Perform(std::move(effects));
  }

  void OnUpstreamFailed(const absl::Status& status) override {
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
    CloseClients();
    stopped_.WakeAll();
  }

  void CloseClients() {
    std::vector<Client> all;
    for (const auto& [id, client] : clients_) all.push_back(client);
    for (const Client& client : all) client->Close();
  }

  core::Environment& env_;
  const ServerConfig config_;
  const ZooKeeperRules rules_;
  FourLetterWords& words_;
  DataTree own_tree_;  // of a server on its own
  DataTree& tree_;
  std::unique_ptr<StandaloneUpstream> standalone_;
  std::unique_ptr<Serving> serving_;
  std::deque<Effect> effects_;  // to be performed, in this order
  bool performing_ = false;

  std::unique_ptr<core::Listener> listener_;
  std::map<ConnectionId, Client> clients_;
  std::map<std::string, int32_t> by_host_;
  ConnectionId last_id_;
  core::FiberHandle ticker_;
  core::MonotonicTime started_;
  int64_t refused_ = 0;
  bool stopping_ = false;
  absl::Status status_;
  core::WaitQueue stopped_;
  core::WaitGroup fibers_;  // of the loops and of connections
};

ZooKeeperServer::ZooKeeperServer(core::Environment& env, ServerConfig config, DataTree tree,
                                 TxnLog& log, FourLetterWords& words)
    : impl_(std::make_unique<Impl>(env, std::move(config), std::move(tree), log, words)) {}

ZooKeeperServer::ZooKeeperServer(core::Environment& env, ServerConfig config, DataTree& tree,
                                 FourLetterWords& words)
    : impl_(std::make_unique<Impl>(env, std::move(config), tree, words)) {}

ZooKeeperServer::~ZooKeeperServer() = default;

absl::Status ZooKeeperServer::Start() { return impl_->Start(); }
void ZooKeeperServer::BeginServing(Upstream& upstream) { impl_->BeginServing(upstream); }
void ZooKeeperServer::EndServing() { impl_->EndServing(); }
UpstreamListener& ZooKeeperServer::listener() { return *impl_; }
absl::Status ZooKeeperServer::WaitUntilStopped() { return impl_->WaitUntilStopped(); }
void ZooKeeperServer::Stop() { impl_->Stop(); }
const core::Endpoint& ZooKeeperServer::local() const { return impl_->local(); }
ServerStats ZooKeeperServer::Stats() const { return impl_->Stats(); }
const DataTree& ZooKeeperServer::tree() const { return impl_->tree(); }

}  // namespace highwater::broker::zookeeper
