#include "broker/zookeeper/client/session_rules.h"

#include <algorithm>

namespace highwater::broker::zookeeper {
namespace {

bool IsOver(const ConnectResponse& answer) { return answer.timeout_ms <= 0; }

ErrorCode AnswerOfLost(OpCode) { return ErrorCode::kConnectionLoss; }

WatchKind WatchOf(OpCode op, ErrorCode error) {
  const bool found = error == ErrorCode::kOk;
  switch (op) {
    case OpCode::kExists:
      if (error == ErrorCode::kNoNode) return WatchKind::kExist;
      return found ? WatchKind::kData : WatchKind::kNone;
    case OpCode::kGetData:
      return found ? WatchKind::kData : WatchKind::kNone;
    case OpCode::kGetChildren:
    case OpCode::kGetChildren2:
      return found ? WatchKind::kChild : WatchKind::kNone;
    default:
      return WatchKind::kNone;
  }
}

bool MustSetAgain(WatchKind) { return true; }

bool IsAnswerTo(Xid oldest, Xid answer) { return oldest == answer; }

Zxid LastSeen(Zxid before, Zxid of_answer) { return std::max(before, of_answer); }

}  // namespace

SessionRules::SessionRules()
    : IsOver(zookeeper::IsOver),
      AnswerOfLost(zookeeper::AnswerOfLost),
      WatchOf(zookeeper::WatchOf),
      MustSetAgain(zookeeper::MustSetAgain),
      IsAnswerTo(zookeeper::IsAnswerTo),
      LastSeen(zookeeper::LastSeen) {}

absl::Duration ConnectTimeout(absl::Duration session_timeout, size_t servers) {
  return session_timeout / static_cast<int64_t>(servers);
}

absl::Duration ReadTimeout(absl::Duration session_timeout) { return session_timeout * 2 / 3; }

absl::Duration PingAfter(absl::Duration read_timeout) {
  const absl::Duration half = read_timeout / 2;
  const absl::Duration second = absl::Seconds(1);
  if (half <= second) return half;
  return std::clamp(half - second, second, absl::Seconds(10));
}

}  // namespace highwater::broker::zookeeper
