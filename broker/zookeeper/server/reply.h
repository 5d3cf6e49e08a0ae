#pragma once

// Reply: what a request is answered, and its frame.
//
// Follows ZooKeeper facts 1.3 (no body behind an error), 1.5 (bodies), 1.6 (multi).

#include <variant>

#include "broker/zookeeper/tree/data_tree.h"
#include "broker/zookeeper/wire/frame.h"
#include "broker/zookeeper/wire/multi.h"
#include "broker/zookeeper/wire/records.h"

namespace highwater::broker::zookeeper {

using ResponseBody =
    std::variant<Empty, PathResponse, PathAndStatResponse, StatResponse, GetDataResponse,
                 GetAclResponse, GetChildrenResponse, GetChildren2Response, IntResponse,
                 WhoAmIResponse, SaslResponse, MultiResponse>;

struct Reply {
  ErrorCode error = ErrorCode::kOk;
  ResponseBody body;

  friend bool operator==(const Reply&, const Reply&) = default;
};

// The whole frame.
[[nodiscard]] core::Bytes EncodeReply(Xid xid, Zxid zxid, const Reply& reply);
[[nodiscard]] core::Bytes EncodeNotification(WatchEventType type, const std::string& path);

// What a write that asked for `op` is answered, once its transaction was applied.
[[nodiscard]] Reply ReplyTo(OpCode op, const ApplyResult& applied);

}  // namespace highwater::broker::zookeeper
