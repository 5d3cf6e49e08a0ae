#include "broker/zookeeper/server/reply.h"

#include "core/check.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr Zxid kNoZxid{-1};

MultiResult ResultOf(const ApplyResult& part) {
  switch (part.type) {
    case OpCode::kCreate:
      return {.body = PathResponse{part.path}};
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
      return {.body = PathAndStatResponse{part.path, part.stat}};
    case OpCode::kSetData:
      return {.body = StatResponse{part.stat}};
    case OpCode::kCheck:
      return {.body = Checked{}};
    default:
      return {.error = part.error};
  }
}

}  // namespace

core::Bytes EncodeReply(Xid xid, Zxid zxid, const Reply& reply) {
  const ReplyHeader header{.xid = xid, .zxid = zxid, .error = reply.error};
  if (reply.error != ErrorCode::kOk) return EncodeFrame(header);
  return std::visit([&](const auto& body) { return EncodeFrame(header, body); }, reply.body);
}

core::Bytes EncodeNotification(WatchEventType type, const std::string& path) {
  return EncodeFrame(
      ReplyHeader{.xid = kNotificationXid, .zxid = kNoZxid},
      WatcherEvent{.type = type, .state = KeeperState::kSyncConnected, .path = path});
}

Reply ReplyTo(OpCode op, const ApplyResult& applied) {
  if (applied.error != ErrorCode::kOk) return {.error = applied.error};
  switch (op) {
    case OpCode::kCreate:
      return {.body = PathResponse{applied.path}};
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
      return {.body = PathAndStatResponse{applied.path, applied.stat}};
    case OpCode::kSetData:
    case OpCode::kSetAcl:
      return {.body = StatResponse{applied.stat}};
    case OpCode::kMulti: {
      MultiResponse response;
      for (const ApplyResult& part : applied.parts) response.results.push_back(ResultOf(part));
      return {.body = std::move(response)};
    }
    case OpCode::kDelete:
    case OpCode::kCloseSession:
      return {};
    default:
      HW_UNREACHABLE("{} is not answered by a transaction", OpCodeName(op));
  }
}

}  // namespace highwater::broker::zookeeper
