// PrepRequestProcessor's single operations: the checks of each in the order of facts 1.7, then its
// transaction and what it leaves behind for the requests after it.

#include <utility>

#include "broker/zookeeper/jute/jute.h"
#include "broker/zookeeper/server/prep_request_processor.h"
#include "broker/zookeeper/tree/acl.h"

namespace highwater::broker::zookeeper {

namespace {

bool IsTtlMode(CreateMode mode) {
  return mode == CreateMode::kPersistentWithTtl || mode == CreateMode::kPersistentSequentialWithTtl;
}

// Whether an operation may make nodes of this mode. Apache lets create make a "container" that is
// none; ours refuses [1.5].
bool MayMake(OpCode op, CreateMode mode) {
  if (op == OpCode::kCreateContainer) return mode == CreateMode::kContainer;
  if (op == OpCode::kCreateTtl) return IsTtlMode(mode);
  return mode >= CreateMode::kPersistent && mode <= CreateMode::kEphemeralSequential;
}

constexpr int64_t kNoTtl = -1;

}  // namespace

ErrorCode PrepRequestProcessor::CheckSession(const Context& context) {
  return sessions_.CheckSession(context.request.session, context.request.owner);
}

ErrorCode PrepRequestProcessor::CheckMode(const NewNode& node) const {
  if (node.mode < CreateMode::kPersistent || node.mode > CreateMode::kPersistentSequentialWithTtl) {
    return ErrorCode::kBadArguments;
  }
  if (IsTtlMode(node.mode)) {
    if (!options_.extended_types_enabled) return ErrorCode::kUnimplemented;
    return node.ttl_ms > 0 && node.ttl_ms <= kMaxTtlMs ? ErrorCode::kOk : ErrorCode::kBadArguments;
  }
  return node.ttl_ms == kNoTtl ? ErrorCode::kOk : ErrorCode::kBadArguments;
}

std::variant<std::string, ErrorCode> PrepRequestProcessor::CheckNewPath(
    const NewNode& node, const ChangeRecord& parent) const {
  std::string path = node.path;
  if (IsSequential(node.mode)) path += SequenceSuffix(parent.stat.cversion);
  if (!IsValidPath(path)) return ErrorCode::kBadArguments;
  if (RecordOf(path).has_value()) return ErrorCode::kNodeExists;
  if (EphemeralTypeOf(parent.stat.ephemeral_owner) == EphemeralType::kNormal) {
    return ErrorCode::kNoChildrenForEphemerals;
  }
  return path;
}

void PrepRequestProcessor::RecordCreate(const Context& context, const std::string& path,
                                        ChangeRecord parent, SessionId owner, AclPtr acl) {
  const TxnHeader& header = context.header;
  ++parent.child_count;
  parent.stat.pzxid = header.zxid;
  SetRecord(context, ParentOf(path), std::move(parent));
  SetRecord(context, path,
            {.stat = {.czxid = header.zxid,
                      .mzxid = header.zxid,
                      .ctime = header.time,
                      .mtime = header.time,
                      .ephemeral_owner = owner,
                      .pzxid = header.zxid},
             .acl = std::move(acl)});
}

PrepRequestProcessor::Decided PrepRequestProcessor::DecideCreate(const Context& context,
                                                                 const NewNode& node) {
  if (const ErrorCode error = CheckMode(node); error != ErrorCode::kOk) return error;
  if (const ErrorCode error = CheckSession(context); error != ErrorCode::kOk) return error;
  if (node.path.find('/') == std::string::npos || node.path.find('\0') != std::string::npos) {
    return ErrorCode::kBadArguments;
  }
  auto acl = FixUpAcl(node.acl, context.request.ids);
  if (!acl.has_value()) return ErrorCode::kInvalidAcl;
  auto parent = RecordOf(ParentOf(node.path));
  if (!parent.has_value()) return ErrorCode::kNoNode;
  if (!IsAllowed(*parent->acl, kPermCreate, context.request.ids)) return ErrorCode::kNoAuth;
  auto checked = CheckNewPath(node, *parent);
  if (const ErrorCode* error = std::get_if<ErrorCode>(&checked)) return *error;

  const std::string path = std::get<std::string>(std::move(checked));
  parent->stat.cversion =
      static_cast<int32_t>(static_cast<uint32_t>(parent->stat.cversion) + 1);  // wraps [4.2]
  const int32_t parent_cversion = parent->stat.cversion;
  const SessionId owner = IsEphemeral(node.mode)                ? context.request.session
                          : node.mode == CreateMode::kContainer ? kContainerOwner
                          : IsTtlMode(node.mode)                ? TtlOwner(node.ttl_ms)
                                                                : kNoSession;
  RecordCreate(context, path, *std::move(parent), owner,
               std::make_shared<const std::vector<Acl>>(*acl));
  if (node.mode == CreateMode::kContainer) {
    return TxnBody(CreateContainerTxn{path, node.data, *std::move(acl), parent_cversion});
  }
  if (IsTtlMode(node.mode)) {
    return TxnBody(CreateTtlTxn{path, node.data, *std::move(acl), parent_cversion, node.ttl_ms});
  }
  return TxnBody(
      CreateTxn{path, node.data, *std::move(acl), IsEphemeral(node.mode), parent_cversion});
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context& context,
                                                           const CreateRequest& request) {
  const NewNode node{request.path, request.data, request.acl, request.mode, kNoTtl};
  // The mode's own errors come first: TTL modes are unimplemented rather than wrong [1.5].
  if (const ErrorCode error = CheckMode(node); error != ErrorCode::kOk) return error;
  if (!MayMake(OpCode::kCreate, request.mode)) return ErrorCode::kBadArguments;
  return DecideCreate(context, node);
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context& context,
                                                           const Create2Request& request) {
  return Decide(context, CreateRequest{request.path, request.data, request.acl, request.mode});
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context& context,
                                                           const CreateContainerRequest& request) {
  if (!MayMake(OpCode::kCreateContainer, request.mode)) return ErrorCode::kBadArguments;
  return DecideCreate(context, {request.path, request.data, request.acl, request.mode, kNoTtl});
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context& context,
                                                           const CreateTtlRequest& request) {
  const NewNode node{request.path, request.data, request.acl, request.mode, request.ttl_ms};
  if (const ErrorCode error = CheckMode(node); error != ErrorCode::kOk) return error;
  if (!MayMake(OpCode::kCreateTtl, request.mode)) return ErrorCode::kBadArguments;
  return DecideCreate(context, node);
}

void PrepRequestProcessor::RecordDelete(const Context& context, const std::string& path) {
  if (auto parent = RecordOf(ParentOf(path))) {
    --parent->child_count;
    parent->stat.pzxid = context.header.zxid;
    SetRecord(context, ParentOf(path), *std::move(parent));
  }
  SetRecord(context, path, {.exists = false});
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context& context,
                                                           const DeleteRequest& request) {
  if (const ErrorCode error = CheckSession(context); error != ErrorCode::kOk) return error;
  const std::string& path = request.path;
  if (path.find('/') == std::string::npos || path.find('\0') != std::string::npos ||
      IsSpecialPath(path)) {
    return ErrorCode::kBadArguments;
  }
  const auto parent = RecordOf(ParentOf(path));
  if (!parent.has_value()) return ErrorCode::kNoNode;
  if (!IsAllowed(*parent->acl, kPermDelete, context.request.ids)) return ErrorCode::kNoAuth;
  const auto node = RecordOf(path);
  if (!node.has_value()) return ErrorCode::kNoNode;
  if (!rules_.version_matches(node->stat.version, request.version)) return ErrorCode::kBadVersion;
  if (node->child_count > 0) return ErrorCode::kNotEmpty;
  RecordDelete(context, path);
  return TxnBody(DeleteTxn{path});
}

// [4.3] Asked by the server's own sweep: what was empty then may not be any more.
PrepRequestProcessor::Decided PrepRequestProcessor::DecideDeleteContainer(const Context& context) {
  JuteReader reader(context.request.body);
  DeleteTxn txn;
  reader(txn);
  if (!reader.status().ok()) return ErrorCode::kMarshallingError;
  const auto node = RecordOf(txn.path);
  if (!node.has_value()) return ErrorCode::kNoNode;
  if (node->child_count > 0) return ErrorCode::kNotEmpty;
  const EphemeralType type = EphemeralTypeOf(node->stat.ephemeral_owner);
  if (type == EphemeralType::kTtl &&
      context.header.time - node->stat.mtime <= TtlOf(node->stat.ephemeral_owner)) {
    return ErrorCode::kBadVersion;
  }
  if (type == EphemeralType::kNormal || type == EphemeralType::kVoid) {
    return ErrorCode::kBadVersion;
  }
  RecordDelete(context, txn.path);
  return TxnBody(std::move(txn));
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context& context,
                                                           const SetDataRequest& request) {
  if (const ErrorCode error = CheckSession(context); error != ErrorCode::kOk) return error;
  if (!IsValidPath(request.path)) return ErrorCode::kBadArguments;
  auto node = RecordOf(request.path);
  if (!node.has_value()) return ErrorCode::kNoNode;
  if (!IsAllowed(*node->acl, kPermWrite, context.request.ids)) return ErrorCode::kNoAuth;
  if (!rules_.version_matches(node->stat.version, request.version)) return ErrorCode::kBadVersion;
  const auto version = static_cast<int32_t>(static_cast<uint32_t>(node->stat.version) + 1);
  node->stat.version = version;
  node->stat.mzxid = context.header.zxid;
  node->stat.mtime = context.header.time;
  SetRecord(context, request.path, *std::move(node));
  return TxnBody(SetDataTxn{request.path, request.data, version});
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context& context,
                                                           const SetAclRequest& request) {
  if (const ErrorCode error = CheckSession(context); error != ErrorCode::kOk) return error;
  if (!IsValidPath(request.path)) return ErrorCode::kBadArguments;
  auto acl = FixUpAcl(request.acl, context.request.ids);
  if (!acl.has_value()) return ErrorCode::kInvalidAcl;
  auto node = RecordOf(request.path);
  if (!node.has_value()) return ErrorCode::kNoNode;
  if (!IsAllowed(*node->acl, kPermAdmin, context.request.ids)) return ErrorCode::kNoAuth;
  if (!rules_.version_matches(node->stat.aversion, request.version)) return ErrorCode::kBadVersion;
  const auto version = static_cast<int32_t>(static_cast<uint32_t>(node->stat.aversion) + 1);
  node->stat.aversion = version;
  node->acl = std::make_shared<const std::vector<Acl>>(*acl);
  SetRecord(context, request.path, *std::move(node));
  return TxnBody(SetAclTxn{request.path, *std::move(acl), version});
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context& context,
                                                           const CheckRequest& request) {
  if (const ErrorCode error = CheckSession(context); error != ErrorCode::kOk) return error;
  if (!IsValidPath(request.path)) return ErrorCode::kBadArguments;
  const auto node = RecordOf(request.path);
  if (!node.has_value()) return ErrorCode::kNoNode;
  if (!IsAllowed(*node->acl, kPermRead, context.request.ids)) return ErrorCode::kNoAuth;
  if (!rules_.version_matches(node->stat.version, request.version)) return ErrorCode::kBadVersion;
  return TxnBody(CheckVersionTxn{request.path, node->stat.version});
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context&, const GetDataRequest&) {
  return ErrorCode::kMarshallingError;
}

PrepRequestProcessor::Decided PrepRequestProcessor::Decide(const Context&,
                                                           const GetChildrenRequest&) {
  return ErrorCode::kMarshallingError;
}

}  // namespace highwater::broker::zookeeper
