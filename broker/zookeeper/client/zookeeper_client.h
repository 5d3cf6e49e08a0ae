#pragma once

// ZooKeeperClient: how a broker talks to ZooKeeper, whatever becomes of connections and sessions.
// The interface; MakeZooKeeperClient (session_client.h) gives the one that speaks the protocol.
//
//   HW_RETURN_IF_ERROR(client.Connect());
//   std::vector<Response> got = client.RetryUntilConnected({GetDataRequest{.path =
//   "/controller"}}); if (got[0].error == ErrorCode::kNoNode) ...
//   client.RegisterZNodeChangeHandler(handler);       // fires for reads of its path from now on
//
// Follows replication facts Z40-Z45 and ZooKeeper facts 2.4 and 5: requests are pipelined, at most
// max_in_flight at a time; a watch is set by any exists, getData or getChildren of a path that has
// a handler; only expiry, not disconnection, ends a session, and then a new one is opened.
//
// Invariants:
//   1. Requests of one call are sent in order, and answered in order.
//   2. An answer of kConnectionLoss means that the request may or may not have been applied [Z41].
//   One of kSessionExpired from RetryUntilConnected says nothing of an earlier try of the same
//   request. A request is never tried again in another session than its first.
//   3. Handlers are called one after another, on a fiber of the client, never while the caller's
//      own step runs; they may wait. Events of one session come in the order of the server's. An
//      event is queued before any answer that shows its change is given, but its handler may run
//      after the caller has gone on with that answer.
//   4. Between the old session's last event and AfterInitializingSession no handler of a znode is
//      called.

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/zookeeper/types.h"
#include "broker/zookeeper/wire/multi.h"
#include "broker/zookeeper/wire/records.h"

namespace highwater::broker::zookeeper {

// What a broker asks. `watch` is ignored: the client sets it where a handler is registered.
using Request =
    std::variant<CreateRequest, DeleteRequest, ExistsRequest, GetDataRequest, SetDataRequest,
                 GetAclRequest, SetAclRequest, GetChildren2Request, MultiRequest, SyncRequest>;
[[nodiscard]] OpCode OpCodeOf(const Request& request);

struct Response {
  ErrorCode error = ErrorCode::kOk;
  Zxid zxid;  // of the answering server
  // Empty if there is an error, except that a failed multi keeps its results (`error` is the first
  // among them); of the type that the request names as its Response.
  std::variant<Empty, PathResponse, StatResponse, GetDataResponse, GetAclResponse,
               GetChildren2Response, MultiResponse>
      body;

  [[nodiscard]] bool ok() const { return error == ErrorCode::kOk; }
};

// What became of one path [Z43]. Events say "go and read", not what happened: two changes may give
// one event.
class ZNodeChangeHandler {
 public:
  virtual ~ZNodeChangeHandler() = default;
  [[nodiscard]] virtual std::string_view path() const = 0;
  virtual void OnCreated() {}
  virtual void OnDeleted() {}
  virtual void OnDataChanged() {}
};

class ZNodeChildChangeHandler {
 public:
  virtual ~ZNodeChildChangeHandler() = default;
  [[nodiscard]] virtual std::string_view path() const = 0;
  virtual void OnChildrenChanged() = 0;
};

// [Z44] The end of a session and the start of the next.
class SessionStateHandler {
 public:
  virtual ~SessionStateHandler() = default;
  virtual void BeforeInitializingSession() {}
  virtual void AfterInitializingSession() {}
};

class ZooKeeperClient {
 public:
  virtual ~ZooKeeperClient() = default;

  // Opens the first session. DeadlineExceeded after the connection time-out. REQUIRES: on a fiber.
  [[nodiscard]] virtual absl::Status Connect() = 0;
  // Ends the session (ephemerals go at once) and all waiting calls, with kSessionExpired unless
  // they are answered by then. Waits for the server's answer at most as long as `patience`, and
  // for the handler that is being called, unless that is the caller. No handler is called
  // afterwards.
  virtual void Close(absl::Duration patience) = 0;

  // Sends all and waits for all answers; some may be kConnectionLoss or kSessionExpired. Answers
  // that a cancelled fiber did not wait for are kConnectionLoss. REQUIRES: on a fiber.
  [[nodiscard]] virtual std::vector<Response> HandleRequests(std::vector<Request> requests) = 0;
  // [Z41] As HandleRequests, but what was lost with a connection is sent again once there is one,
  // without limit. What was lost may have been applied. REQUIRES: on a fiber.
  [[nodiscard]] virtual std::vector<Response> RetryUntilConnected(
      std::vector<Request> requests) = 0;

  // A handler a path. It has to outlive its registration. Registering sets no watch: a read does.
  virtual void RegisterZNodeChangeHandler(ZNodeChangeHandler& handler) = 0;
  virtual void UnregisterZNodeChangeHandler(std::string_view path) = 0;
  virtual void RegisterZNodeChildChangeHandler(ZNodeChildChangeHandler& handler) = 0;
  virtual void UnregisterZNodeChildChangeHandler(std::string_view path) = 0;
  // Called in the order of registration. It has to outlive the client, or its Close.
  virtual void RegisterSessionStateHandler(SessionStateHandler& handler) = 0;

  // The present session; kNoSession before the first, and from the end of one until a server has
  // granted the next.
  [[nodiscard]] virtual SessionId session_id() const = 0;
};

}  // namespace highwater::broker::zookeeper
