#pragma once

// What the client sends and reads as bytes: a Request as a frame, the body of an answer as a
// Response.
//
// Follows ZooKeeper facts 1.3, 1.5, 1.6.

#include <absl/status/statusor.h>

#include "broker/zookeeper/client/zookeeper_client.h"
#include "broker/zookeeper/wire/frame.h"

namespace highwater::broker::zookeeper {

// The whole frame, with its length in front. `watch` is sent as it stands in the request.
[[nodiscard]] core::Bytes EncodeRequest(Xid xid, const Request& request);

// The answer to an `op` whose header was `header`; `reader` stands behind it. An error leaves the
// body empty, except that a failed multi keeps its results and has the first error among them
// [1.6]. InvalidArgument if it does not parse.
[[nodiscard]] absl::StatusOr<Response> DecodeResponse(OpCode op, const ReplyHeader& header,
                                                      JuteReader& reader);

}  // namespace highwater::broker::zookeeper
