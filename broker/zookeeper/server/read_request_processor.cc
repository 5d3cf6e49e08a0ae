#include "broker/zookeeper/server/read_request_processor.h"

#include "broker/zookeeper/tree/acl.h"
#include "core/check.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr WatchTable::Kind kOneShot = WatchTable::Kind::kOneShot;

std::vector<std::string> ChildrenOf(const Znode& node) {
  return {node.children.begin(), node.children.end()};
}

bool IsWatchMode(AddWatchMode mode) {
  return mode == AddWatchMode::kPersistent || mode == AddWatchMode::kPersistentRecursive;
}

bool IsWatcherType(WatcherType type) {
  return type == WatcherType::kChildren || type == WatcherType::kData || type == WatcherType::kAny;
}

}  // namespace

template <typename Record>
Reply ReadRequestProcessor::Decode(const Caller& caller) {
  JuteReader reader(caller.request.body);
  Record record;
  reader(record);
  if (!reader.status().ok()) return {.error = ErrorCode::kMarshallingError};
  return Read(caller, record);
}

ReadRequestProcessor::Answered ReadRequestProcessor::Answer(const ClientRequest& request,
                                                            ConnectionId connection) {
  Answered answered;
  const Caller caller{request, connection, answered.missed};
  const auto answer = [&]() -> Reply {
    switch (request.op) {
      case OpCode::kExists:
        return Decode<ExistsRequest>(caller);
      case OpCode::kGetData:
        return Decode<GetDataRequest>(caller);
      case OpCode::kGetAcl:
        return Decode<GetAclRequest>(caller);
      case OpCode::kGetChildren:
        return Decode<GetChildrenRequest>(caller);
      case OpCode::kGetChildren2:
        return Decode<GetChildren2Request>(caller);
      case OpCode::kGetEphemerals:
        return Decode<GetEphemeralsRequest>(caller);
      case OpCode::kGetAllChildrenNumber:
        return Decode<GetAllChildrenNumberRequest>(caller);
      case OpCode::kMultiRead:
        return Decode<MultiReadRequest>(caller);
      case OpCode::kPing:
        return Decode<PingRequest>(caller);
      case OpCode::kWhoAmI:
        return Decode<WhoAmIRequest>(caller);
      case OpCode::kSetWatches:
        return Decode<SetWatchesRequest>(caller);
      case OpCode::kSetWatches2:
        return Decode<SetWatches2Request>(caller);
      case OpCode::kAddWatch:
        return Decode<AddWatchRequest>(caller);
      case OpCode::kCheckWatches:
        return Decode<CheckWatchesRequest>(caller);
      case OpCode::kRemoveWatches:
        return Decode<RemoveWatchesRequest>(caller);
      default:
        HW_UNREACHABLE("{} is not a read", OpCodeName(request.op));
    }
  };
  answered.reply = answer();
  return answered;
}

std::variant<const Znode*, ErrorCode> ReadRequestProcessor::Readable(
    const Caller& caller, const std::string& path) const {
  const Znode* node = tree_.Find(path);
  if (node == nullptr) return ErrorCode::kNoNode;
  if (!IsAllowed(*node->acl, kPermRead, caller.request.ids)) return ErrorCode::kNoAuth;
  return node;
}

// [4.4] Watches the path whether or not it is there.
Reply ReadRequestProcessor::Read(const Caller& caller, const ExistsRequest& request) {
  if (request.path.find('\0') != std::string::npos) return {.error = ErrorCode::kBadArguments};
  const auto found = Readable(caller, request.path);
  const ErrorCode* error = std::get_if<ErrorCode>(&found);
  if (error != nullptr && *error != ErrorCode::kNoNode) return {.error = *error};
  if (request.watch) watches_.data().Add(request.path, caller.connection, kOneShot);
  if (error != nullptr) return {.error = *error};
  return {.body = StatResponse{std::get<const Znode*>(found)->ShownStat()}};
}

Reply ReadRequestProcessor::Read(const Caller& caller, const GetDataRequest& request) {
  const auto found = Readable(caller, request.path);
  if (const ErrorCode* error = std::get_if<ErrorCode>(&found)) return {.error = *error};
  if (request.watch) watches_.data().Add(request.path, caller.connection, kOneShot);
  const Znode& node = *std::get<const Znode*>(found);
  return {.body = GetDataResponse{node.data, node.ShownStat()}};
}

// [1.9] READ or ADMIN; without ADMIN no hashes.
Reply ReadRequestProcessor::Read(const Caller& caller, const GetAclRequest& request) {
  const Znode* node = tree_.Find(request.path);
  if (node == nullptr) return {.error = ErrorCode::kNoNode};
  const std::vector<Id>& ids = caller.request.ids;
  if (!IsAllowed(*node->acl, kPermRead | kPermAdmin, ids)) return {.error = ErrorCode::kNoAuth};
  const bool admin = IsAllowed(*node->acl, kPermAdmin, ids);
  return {.body = GetAclResponse{admin ? *node->acl : MaskDigests(*node->acl), node->ShownStat()}};
}

Reply ReadRequestProcessor::Read(const Caller& caller, const GetChildrenRequest& request) {
  const auto found = Readable(caller, request.path);
  if (const ErrorCode* error = std::get_if<ErrorCode>(&found)) return {.error = *error};
  if (request.watch) watches_.children().Add(request.path, caller.connection, kOneShot);
  return {.body = GetChildrenResponse{ChildrenOf(*std::get<const Znode*>(found))}};
}

Reply ReadRequestProcessor::Read(const Caller& caller, const GetChildren2Request& request) {
  const auto found = Readable(caller, request.path);
  if (const ErrorCode* error = std::get_if<ErrorCode>(&found)) return {.error = *error};
  if (request.watch) watches_.children().Add(request.path, caller.connection, kOneShot);
  const Znode& node = *std::get<const Znode*>(found);
  return {.body = GetChildren2Response{ChildrenOf(node), node.ShownStat()}};
}

Reply ReadRequestProcessor::Read(const Caller& caller, const GetEphemeralsRequest& request) {
  const bool all = request.path.empty() || request.path == "/";
  GetChildrenResponse response;
  for (const std::string& path : tree_.EphemeralsOf(caller.request.session)) {
    if (all || path.starts_with(request.path)) response.children.push_back(path);
  }
  return {.body = std::move(response)};
}

Reply ReadRequestProcessor::Read(const Caller& caller, const GetAllChildrenNumberRequest& request) {
  const auto found = Readable(caller, request.path);
  if (const ErrorCode* error = std::get_if<ErrorCode>(&found)) return {.error = *error};
  return {.body = IntResponse{tree_.CountDescendants(request.path)}};
}

// Each by itself: one that fails does not keep the others from being answered. Watches are not set
// here: Apache's server drops what the operations say of them.
Reply ReadRequestProcessor::Read(const Caller& caller, const MultiReadRequest& request) {
  MultiResponse response;
  for (const MultiOp& op : request.ops) {
    Reply reply;
    if (const auto* data = std::get_if<GetDataRequest>(&op)) {
      reply = Read(caller, GetDataRequest{.path = data->path, .watch = false});
    } else {
      const auto& children = std::get<GetChildrenRequest>(op);
      reply = Read(caller, GetChildrenRequest{.path = children.path, .watch = false});
    }
    MultiResult& result = response.results.emplace_back();
    result.error = reply.error;
    if (reply.error != ErrorCode::kOk) continue;
    if (auto* data = std::get_if<GetDataResponse>(&reply.body)) {
      result.body = std::move(*data);
    } else {
      result.body = std::get<GetChildrenResponse>(std::move(reply.body));
    }
  }
  return {.body = std::move(response)};
}

Reply ReadRequestProcessor::Read(const Caller&, const PingRequest&) { return {}; }

Reply ReadRequestProcessor::Read(const Caller& caller, const WhoAmIRequest&) {
  WhoAmIResponse response;
  for (const Id& id : caller.request.ids) {
    response.client_info.push_back({id.scheme, UserNameOf(id)});
  }
  return {.body = std::move(response)};
}

void ReadRequestProcessor::CatchUpData(const Caller& caller, Zxid seen, const std::string& path) {
  const Znode* node = tree_.Find(path);
  if (node == nullptr) {
    caller.missed.push_back({.type = WatchEventType::kNodeDeleted, .path = path});
  } else if (node->stat.mzxid > seen) {
    caller.missed.push_back({.type = WatchEventType::kNodeDataChanged, .path = path});
  } else {
    watches_.data().Add(path, caller.connection, kOneShot);
  }
}

void ReadRequestProcessor::CatchUpExists(const Caller& caller, const std::string& path) {
  if (tree_.Find(path) != nullptr) {
    caller.missed.push_back({.type = WatchEventType::kNodeCreated, .path = path});
  } else {
    watches_.data().Add(path, caller.connection, kOneShot);
  }
}

void ReadRequestProcessor::CatchUpChildren(const Caller& caller, Zxid seen,
                                           const std::string& path) {
  const Znode* node = tree_.Find(path);
  if (node == nullptr) {
    caller.missed.push_back({.type = WatchEventType::kNodeDeleted, .path = path});
  } else if (node->stat.pzxid > seen) {
    caller.missed.push_back({.type = WatchEventType::kNodeChildrenChanged, .path = path});
  } else {
    watches_.children().Add(path, caller.connection, kOneShot);
  }
}

Reply ReadRequestProcessor::Read(const Caller& caller, const SetWatchesRequest& request) {
  const Zxid seen = request.relative_zxid;
  for (const std::string& path : request.data_watches) CatchUpData(caller, seen, path);
  for (const std::string& path : request.exist_watches) CatchUpExists(caller, path);
  for (const std::string& path : request.child_watches) CatchUpChildren(caller, seen, path);
  return {};
}

// [4.5] Persistent watches are set again without catching up.
Reply ReadRequestProcessor::Read(const Caller& caller, const SetWatches2Request& request) {
  const Reply reply = Read(caller, SetWatchesRequest{.relative_zxid = request.relative_zxid,
                                                     .data_watches = request.data_watches,
                                                     .exist_watches = request.exist_watches,
                                                     .child_watches = request.child_watches});
  for (const std::string& path : request.persistent_watches) {
    watches_.AddPersistent(path, caller.connection, AddWatchMode::kPersistent);
  }
  for (const std::string& path : request.persistent_recursive_watches) {
    watches_.AddPersistent(path, caller.connection, AddWatchMode::kPersistentRecursive);
  }
  return reply;
}

Reply ReadRequestProcessor::Read(const Caller& caller, const AddWatchRequest& request) {
  if (!IsWatchMode(request.mode)) return {.error = ErrorCode::kMarshallingError};
  watches_.AddPersistent(request.path, caller.connection, request.mode);
  return {.body = IntResponse{0}};
}

Reply ReadRequestProcessor::Read(const Caller& caller, const CheckWatchesRequest& request) {
  if (!IsWatcherType(request.type)) return {.error = ErrorCode::kMarshallingError};
  if (!watches_.Contains(request.path, caller.connection, request.type)) {
    return {.error = ErrorCode::kNoWatcher};
  }
  return {};
}

Reply ReadRequestProcessor::Read(const Caller& caller, const RemoveWatchesRequest& request) {
  if (!IsWatcherType(request.type)) return {.error = ErrorCode::kMarshallingError};
  if (!watches_.Remove(request.path, caller.connection, request.type)) {
    return {.error = ErrorCode::kNoWatcher};
  }
  return {};
}

}  // namespace highwater::broker::zookeeper
