#pragma once

// ReadRequestProcessor: answers what needs no transaction, from the tree, and sets watches.
//
//   auto [reply, events] = reads.Answer(request, connection);
//
// Follows ZooKeeper facts 1.5 (records), 1.9 (who may read), 4.4 and 4.5 (which watch an operation
// sets, catching up). Not responsible for: order (request_processor.h).

#include <vector>

#include "broker/zookeeper/jute/jute.h"
#include "broker/zookeeper/server/client_request.h"
#include "broker/zookeeper/server/reply.h"
#include "broker/zookeeper/tree/data_tree.h"
#include "broker/zookeeper/tree/watch_manager.h"

namespace highwater::broker::zookeeper {

class ReadRequestProcessor {
 public:
  // Both outlive it.
  ReadRequestProcessor(const DataTree& tree, WatchManager& watches)
      : tree_(tree), watches_(watches) {}

  struct Answered {
    Reply reply;
    // What the client missed [4.4]: to be sent before the reply.
    std::vector<WatcherEvent> missed;
  };
  // REQUIRES: KindOf(request.op) == OpKind::kRead.
  [[nodiscard]] Answered Answer(const ClientRequest& request, ConnectionId connection);

 private:
  struct Caller {
    const ClientRequest& request;
    ConnectionId connection;
    std::vector<WatcherEvent>& missed;
  };
  template <typename Record>
  [[nodiscard]] Reply Decode(const Caller& caller);

  [[nodiscard]] Reply Read(const Caller& caller, const ExistsRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const GetDataRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const GetAclRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const GetChildrenRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const GetChildren2Request& request);
  [[nodiscard]] Reply Read(const Caller& caller, const GetEphemeralsRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const GetAllChildrenNumberRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const MultiReadRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const PingRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const WhoAmIRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const SetWatchesRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const SetWatches2Request& request);
  [[nodiscard]] Reply Read(const Caller& caller, const AddWatchRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const CheckWatchesRequest& request);
  [[nodiscard]] Reply Read(const Caller& caller, const RemoveWatchesRequest& request);

  // A node that the caller may read; otherwise the error.
  [[nodiscard]] std::variant<const Znode*, ErrorCode> Readable(const Caller& caller,
                                                               const std::string& path) const;
  void CatchUpData(const Caller& caller, Zxid seen, const std::string& path);
  void CatchUpExists(const Caller& caller, const std::string& path);
  void CatchUpChildren(const Caller& caller, Zxid seen, const std::string& path);

  const DataTree& tree_;
  WatchManager& watches_;
};

}  // namespace highwater::broker::zookeeper
