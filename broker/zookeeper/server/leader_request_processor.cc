#include "broker/zookeeper/server/leader_request_processor.h"

#include "core/mark.h"

namespace highwater::broker::zookeeper {

namespace {

// [4.3] How often empty containers are looked for, and how many are deleted at once.
constexpr int64_t kContainerSweepMs = 60'000;
constexpr size_t kContainersAtOnce = 100;

}  // namespace

LeaderRequestProcessor::LeaderRequestProcessor(const DataTree& tree, const ServerConfig& config,
                                               const ZooKeeperRules& rules)
    : tree_(tree),
      config_(config),
      sessions_(config.tick_time_ms, rules),
      prep_(tree, sessions_, {.extended_types_enabled = config.extended_types_enabled}, rules) {}

void LeaderRequestProcessor::Start(Zxid last, const Instant& at) {
  prep_.Start(last, at.now_ms);
  next_sweep_ms_ = at.now_ms + kContainerSweepMs;
}

std::vector<ClientRequest> LeaderRequestProcessor::TakeDue(const Instant& at) {
  std::vector<ClientRequest> due;
  for (const SessionId session : sessions_.TakeExpired(at.now_ms)) {
    HW_MARK("zk_session_expired");
    due.push_back({.session = session, .op = OpCode::kCloseSession, .owner = config_.server_id});
  }
  if (at.now_ms >= next_sweep_ms_) {
    next_sweep_ms_ = at.now_ms + kContainerSweepMs;
    for (std::string& path : tree_.ContainersToDelete(at.wall_ms, kContainersAtOnce)) {
      due.push_back({.op = OpCode::kDeleteContainer, .body = ToJute(DeleteTxn{std::move(path)})});
    }
  }
  return due;
}

bool LeaderRequestProcessor::Revalidate(SessionId session, int32_t timeout_ms, ServerId owner,
                                        int64_t now_ms) {
  const bool valid = sessions_.Touch(session, timeout_ms, now_ms);
  if (valid) sessions_.SetOwner(session, owner);
  return valid;
}

}  // namespace highwater::broker::zookeeper
