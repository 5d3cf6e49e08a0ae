#include "tests/zookeeper/log_world.h"

#include <fmt/format.h>

#include "core/random.h"

namespace highwater::broker::zookeeper::testing {

Txn AnyTxn(Zxid zxid, uint64_t draw) {
  core::KeyedRandom random(draw);
  Txn txn{.header = {.client_id = SessionId(0x100 + static_cast<int64_t>(random.Below(3))),
                     .cxid = Xid(1),
                     .zxid = zxid,
                     .time = 1'600'000'000'000 + zxid.value()}};
  const std::string top = fmt::format("/n{}", random.Below(6));
  const std::string path = random.Chance(1, 2) ? top : fmt::format("{}/c{}", top, random.Below(4));
  const core::Bytes data = core::Bytes::Copy(std::string(random.Below(300), 'x'));
  const auto of = [&](OpCode type, TxnBody body) {
    txn.header.type = type;
    txn.body = std::move(body);
  };
  const std::vector<Acl> acl =
      random.Chance(3, 4)
          ? OpenAcl()
          : std::vector<Acl>{{.perms = 1, .id = {"ip", fmt::format("10.0.0.{}", zxid)}}};
  const CreateTxn create{.path = path,
                         .data = data,
                         .acl = acl,
                         .ephemeral = random.Chance(1, 4),
                         .parent_cversion = static_cast<int32_t>(zxid.value())};
  switch (random.Below(9)) {
    case 0:
      of(OpCode::kCreateSession, CreateSessionTxn{.timeout_ms = 4000});
      break;
    case 1:
      of(OpCode::kCloseSession, CloseSessionTxn{.paths_to_delete = {path}});
      break;
    case 2:
      of(OpCode::kDelete, DeleteTxn{.path = path});
      break;
    case 3:
      of(OpCode::kSetData,
         SetDataTxn{.path = path, .data = data, .version = static_cast<int32_t>(zxid.value())});
      break;
    case 4:
      of(OpCode::kSetAcl,
         SetAclTxn{.path = path, .acl = acl, .version = static_cast<int32_t>(zxid.value())});
      break;
    case 5:
      of(OpCode::kMulti,
         MultiTxn{.parts = {EncodePart(OpCode::kCreate, create),
                            EncodePart(OpCode::kSetData, SetDataTxn{.path = top, .data = data})}});
      break;
    case 6:
      of(OpCode::kError, ErrorTxn{.error = ErrorCode::kNoNode});
      break;
    default:
      of(OpCode::kCreate, create);
  }
  return txn;
}

DataTree TreeOf(const std::vector<Txn>& txns) {
  DataTree tree;
  for (const Txn& txn : txns) tree.Apply(txn);
  return tree;
}

std::string Difference(const DataTree& a, const DataTree& b) {
  if (a.last_processed_zxid() != b.last_processed_zxid()) {
    return fmt::format("zxid {} and {}", a.last_processed_zxid(), b.last_processed_zxid());
  }
  if (a.sessions() != b.sessions()) return "the sessions";
  const std::vector<ZnodeRecord> in_a = a.NodesAfter("", 1 << 20);
  const std::vector<ZnodeRecord> in_b = b.NodesAfter("", 1 << 20);
  for (size_t i = 0; i < std::max(in_a.size(), in_b.size()); ++i) {
    if (i == in_a.size()) return fmt::format("{} is missing", in_b[i].path);
    if (i == in_b.size()) return fmt::format("{} is too many", in_a[i].path);
    if (in_a[i] != in_b[i]) return fmt::format("{} differs from {}", in_a[i].path, in_b[i].path);
  }
  return "";
}

LogWorld::LogWorld(const LogWorldOptions& options)
    : options_(options), world_({.seed = options.seed, .buggify = options.buggify}) {
  host_ = &world_.AddHost({.name = "server",
                           .zone = world_.network().AddZone("az-a"),
                           .disk = sim::MakeDiskFactory(options.disk)});
}

// Applies what is durable and no more, as a standalone server does.
class LogWorld::Server final : public TxnLogListener {
 public:
  Server(LogWorld& world, TransactionLog& log, DataTree tree)
      : world_(world), log_(log), tree_(std::move(tree)) {
    log_.SetListener(*this);
  }
  void OnDurable(Zxid up_to) override {
    if (up_to <= world_.durable_) world_.Problem("durable zxids went back");
    world_.durable_ = up_to;
    ApplyUpTo(up_to);
  }
  void ApplyUpTo(Zxid up_to) {
    while (tree_.last_processed_zxid() < up_to) {
      tree_.Apply(world_.txns_[static_cast<size_t>(tree_.last_processed_zxid().value())]);
    }
    if (log_.SnapshotDue()) log_.TakeSnapshot(tree_);
  }
  void OnFailed(const absl::Status& status) override {
    world_.Problem(std::string(status.message()));
  }
  void Append() {
    const Zxid zxid(static_cast<int64_t>(world_.txns_.size()) + 1);
    world_.txns_.push_back(AnyTxn(zxid, core::Mix(world_.options_.seed, ++world_.draws_)));
    log_.Append(world_.txns_.back());
    if (world_.options_.applies_early) ApplyUpTo(zxid);
  }

 private:
  LogWorld& world_;
  TransactionLog& log_;
  DataTree tree_;
};

bool LogWorld::Check(const absl::StatusOr<RecoveredDatabase>& database) {
  if (!database.ok()) {
    Problem(fmt::format("refused: {}", std::string(database.status().message())));
    return false;
  }
  const auto last = static_cast<size_t>(database->last_logged.value());
  if (database->last_logged < durable_) {
    Problem(fmt::format("durable up to {}, recovered up to {}", durable_, last));
  }
  if (last > txns_.size()) {
    Problem(fmt::format("{} were written, {} recovered", txns_.size(), last));
    return false;
  }
  if (database->snapshot > Zxid(0)) ++snapshots_loaded_;
  lost_ += txns_.size() - last;
  txns_.resize(last);
  durable_ = database->last_logged;
  if (const std::string d = Difference(database->tree, TreeOf(txns_)); !d.empty()) Problem(d);
  return problem_.empty();
}

void LogWorld::Serve(core::Environment& env, const Incarnation& incarnation) {
  absl::StatusOr<RecoveredDatabase> database = RecoverDatabase(env, kDirectories);
  if (!Check(database)) return;
  TransactionLog log(env, kDirectories,
                     {.limits = {.transactions = options_.snap_count},
                      .retain_snapshots = options_.retain_snapshots,
                      .max_group_records = 5},
                     *database);
  Server server(*this, log, std::move(database->tree));
  for (int i = 0; i < incarnation.steps; ++i) {
    const uint64_t burst = 1 + env.random.Below(6);
    for (uint64_t j = 0; j < burst; ++j) server.Append();
    env.fibers.SleepFor(absl::Milliseconds(static_cast<int64_t>(env.random.Below(30))));
  }
  if (!incarnation.close) {
    host_->LosePower();
    env.fibers.SleepFor(absl::Hours(1));
  }
  log.Close();
  if (log.last_durable() != log.last_appended()) Problem("closed before all was durable");
}

void LogWorld::Run(const Incarnation& incarnation) {
  const uint64_t before = host_->effects();
  if (incarnation.power_fails_at != 0) {
    host_->CrashAtPoint(before + incarnation.power_fails_at, incarnation.how);
  }
  WithFiles([&](core::Environment& env) { Serve(env, incarnation); });
  effects_ = host_->effects() - before;
}

void LogWorld::WithFiles(std::function<void(core::Environment&)> body) {
  host_->SetMain(std::move(body));
  host_->Start();
  world_.RunUntilIdle();
  if (host_->running()) Problem("stuck:\n" + world_.DescribeFibers());
}

}  // namespace highwater::broker::zookeeper::testing
