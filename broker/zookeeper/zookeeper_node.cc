#include "broker/zookeeper/zookeeper_node.h"

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

ZooKeeperNode::ZooKeeperNode(core::Environment& env, ZooKeeperNodeOptions options,
                             FourLetterWords& words)
    : env_(env), options_(std::move(options)), words_(words) {}

ZooKeeperNode::~ZooKeeperNode() = default;

absl::Status ZooKeeperNode::Start() {
  const DataDirectories directories =
      DataDirectories::For(options_.data_dir, options_.data_log_dir);
  HW_RETURN_IF_ERROR(CreateDataDirectories(env_.files, directories));
  HW_ASSIGN_OR_RETURN(RecoveredDatabase database, RecoverDatabase(env_, directories));
  notes_ = database.notes;
  log_ = std::make_unique<TransactionLog>(env_, directories, options_.log, database);
  server_ = std::make_unique<ZooKeeperServer>(env_, options_.server, std::move(database.tree),
                                              *log_, words_);
  return server_->Start();
}

absl::Status ZooKeeperNode::Run() {
  // The callback may come after this node has gone with its fibers: it shares the queue.
  auto stop = std::make_shared<core::WaitQueue>();
  env_.process.OnStopRequested([stop] { stop->WakeAll(); });
  env_.fibers.Spawn("zookeeper stop", [this, stop] {
    while (!env_.process.StopRequested()) {
      const core::Wake wake =
          stop->Wait(env_.fibers, "a request to stop", core::MonotonicTime::Never());
      if (wake == core::Wake::kCancelled) return;
    }
    server_->Stop();
  });
  const absl::Status status = server_->WaitUntilStopped();
  if (status.ok()) log_->Close();
  return status;
}

}  // namespace highwater::broker::zookeeper
