#include "broker/zookeeper/zookeeper_node.h"

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

ZooKeeperNode::ZooKeeperNode(core::Environment& env, ZooKeeperNodeOptions options,
                             FourLetterWords& words, ZooKeeperObserver& observer)
    : env_(env), options_(std::move(options)), words_(words), observer_(observer) {}

ZooKeeperNode::~ZooKeeperNode() = default;

absl::Status ZooKeeperNode::Start() {
  const DataDirectories directories =
      DataDirectories::For(options_.data_dir, options_.data_log_dir);
  if (!options_.quorum.has_value()) return StartStandalone(directories);
  peer_ = std::make_unique<QuorumPeer>(env_, *options_.quorum, options_.server, directories,
                                       options_.log, words_, observer_);
  const absl::Status status = peer_->Start();
  notes_ = peer_->notes();
  return status;
}

absl::Status ZooKeeperNode::StartStandalone(const DataDirectories& directories) {
  HW_RETURN_IF_ERROR(CreateDataDirectories(env_.files, directories));
  HW_ASSIGN_OR_RETURN(RecoveredDatabase database, RecoverDatabase(env_, directories));
  notes_ = database.notes;
  log_ = std::make_unique<TransactionLog>(env_, directories, options_.log, database);
  server_ = std::make_unique<ZooKeeperServer>(env_, options_.server, std::move(database.tree),
                                              *log_, words_);
  return server_->Start();
}

void ZooKeeperNode::Stop() { peer_ != nullptr ? peer_->Stop() : server_->Stop(); }

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
    Stop();
  });
  if (peer_ != nullptr) {
    HW_RETURN_IF_ERROR(peer_->WaitUntilStopped());
    peer_->Stop();
    return absl::OkStatus();
  }
  const absl::Status status = server_->WaitUntilStopped();
  if (status.ok()) log_->Close();
  return status;
}

}  // namespace highwater::broker::zookeeper
