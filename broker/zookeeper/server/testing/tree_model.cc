#include "broker/zookeeper/server/testing/tree_model.h"

#include <fmt/format.h>

#include "broker/zookeeper/jute/jute.h"

namespace highwater::broker::zookeeper::testing {

namespace {

std::string DirectoryOf(const std::string& path) {
  const std::string parent = path.substr(0, path.rfind('/'));
  return parent.empty() ? "/" : parent;
}

// Few, so that requests meet.
rc::Gen<std::string> AnyPath() {
  return rc::gen::weightedElement<std::string>({{6, "/a"},
                                                {6, "/a/a"},
                                                {3, "/a/b"},
                                                {4, "/a/a/a"},
                                                {2, "/a/a/a/a"},
                                                {2, "/b"},
                                                {1, "/b/a"}});
}

rc::Gen<int32_t> AnyVersion() {
  return rc::gen::weightedElement<int32_t>({{4, -1}, {3, 0}, {2, 1}});
}

template <typename Record>
MultiOp OpOf(Record record) {
  return MultiOp(std::move(record));
}

rc::Gen<MultiOp> AnyOp() {
  const auto create = rc::gen::apply(
      [](std::string path, CreateMode mode) {
        return OpOf(CreateRequest{.path = std::move(path),
                                  .data = core::Bytes::Copy("0"),
                                  .acl = OpenAcl(),
                                  .mode = mode});
      },
      AnyPath(),
      rc::gen::weightedElement<CreateMode>({{5, CreateMode::kPersistent},
                                            {3, CreateMode::kEphemeral},
                                            {1, CreateMode::kPersistentSequential},
                                            {1, CreateMode::kEphemeralSequential}}));
  const auto remove =
      rc::gen::apply([](std::string path,
                        int32_t version) { return OpOf(DeleteRequest{std::move(path), version}); },
                     AnyPath(), AnyVersion());
  const auto set = rc::gen::apply(
      [](std::string path, int32_t version, int data) {
        return OpOf(
            SetDataRequest{std::move(path), core::Bytes::Copy(fmt::format("{}", data)), version});
      },
      AnyPath(), AnyVersion(), rc::gen::inRange(0, 100));
  return rc::gen::weightedOneOf<MultiOp>({{6, create}, {4, remove}, {2, set}});
}

rc::Gen<MultiOp> AnyOpOfMulti() {
  const auto check =
      rc::gen::apply([](std::string path,
                        int32_t version) { return OpOf(CheckRequest{std::move(path), version}); },
                     AnyPath(), AnyVersion());
  return rc::gen::weightedOneOf<MultiOp>({{5, AnyOp()}, {1, check}});
}

}  // namespace

rc::Gen<ModelRequest> AnyModelRequest() {
  using What = decltype(ModelRequest::what);
  const auto what = rc::gen::weightedOneOf<What>(
      {{40, rc::gen::map(AnyOp(), [](MultiOp op) { return What(std::move(op)); })},
       {12, rc::gen::map(rc::gen::container<std::vector<MultiOp>>(AnyOpOfMulti()),
                         [](std::vector<MultiOp> ops) {
                           ops.resize(std::min<size_t>(ops.size(), 4), MultiOp(CreateRequest{}));
                           return What(std::move(ops));
                         })},
       {1, rc::gen::just(What(CloseRequest{}))}});
  return rc::gen::apply(
      [](int session, What w) { return ModelRequest{SessionId(session), std::move(w)}; },
      rc::gen::inRange(1, kModelSessions + 1), what);
}

ClientRequest ModelRequest::ToRequest() const {
  ClientRequest request{.session = session, .owner = ServerId(1)};
  if (const auto* op = std::get_if<MultiOp>(&what)) {
    request.op = OpCodeOf(*op);
    request.body = std::visit([](const auto& record) { return ToJute(record); }, *op);
  } else if (const auto* ops = std::get_if<std::vector<MultiOp>>(&what)) {
    request.op = OpCode::kMulti;
    request.body = ToJute(MultiRequest{*ops});
  } else {
    request.op = OpCode::kCloseSession;
  }
  return request;
}

std::string ToString(const ModelRequest& request) {
  const auto describe = [](const MultiOp& op) {
    return fmt::format("{} {}", OpCodeName(OpCodeOf(op)), PathOf(op));
  };
  std::string text = fmt::format("{}: ", request.session);
  if (const auto* op = std::get_if<MultiOp>(&request.what)) return text + describe(*op);
  if (std::holds_alternative<CloseRequest>(request.what)) return text + "close";
  text += "multi";
  for (const MultiOp& op : std::get<std::vector<MultiOp>>(request.what)) {
    text += " [" + describe(op) + "]";
  }
  return text;
}

TreeModel::TreeModel() {
  nodes_["/"] = {};
  for (int i = 1; i <= kModelSessions; ++i) sessions_.insert(SessionId(i));
}

int32_t TreeModel::ChildrenOf(const std::string& path) const {
  int32_t count = 0;
  for (const auto& [other, node] : nodes_) {
    if (other != "/" && DirectoryOf(other) == path) ++count;
  }
  return count;
}

std::vector<ErrorCode> TreeModel::Do(const ModelRequest& request, Zxid zxid) {
  if (std::holds_alternative<CloseRequest>(request.what)) {
    std::vector<std::string> gone;
    for (const auto& [path, node] : nodes_) {
      if (node.owner == request.session) gone.push_back(path);
    }
    for (const std::string& path : gone) Remove(path, zxid);
    sessions_.erase(request.session);
    return {ErrorCode::kOk};
  }
  if (const auto* op = std::get_if<MultiOp>(&request.what)) {
    return {DoOp(request.session, *op, zxid)};
  }
  const auto& ops = std::get<std::vector<MultiOp>>(request.what);
  const auto before = nodes_;
  std::vector<ErrorCode> errors;
  bool failed = false;
  for (const MultiOp& op : ops) {
    errors.push_back(failed ? ErrorCode::kRuntimeInconsistency : DoOp(request.session, op, zxid));
    failed = failed || errors.back() != ErrorCode::kOk;
  }
  if (failed) nodes_ = before;
  return errors;
}

ErrorCode TreeModel::DoOp(SessionId session, const MultiOp& op, Zxid zxid) {
  if (!sessions_.contains(session)) return ErrorCode::kSessionExpired;
  if (const auto* create = std::get_if<CreateRequest>(&op)) return Create(session, *create, zxid);
  if (const auto* remove = std::get_if<DeleteRequest>(&op)) return Delete(*remove, zxid);
  const auto found = nodes_.find(PathOf(op));
  if (found == nodes_.end()) return ErrorCode::kNoNode;
  const auto* set = std::get_if<SetDataRequest>(&op);
  const int32_t wanted = set != nullptr ? set->version : std::get<CheckRequest>(op).version;
  if (wanted != -1 && wanted != found->second.version) return ErrorCode::kBadVersion;
  if (set == nullptr) return ErrorCode::kOk;
  found->second.data = set->data->ToString();
  ++found->second.version;
  found->second.mzxid = zxid;
  return ErrorCode::kOk;
}

ErrorCode TreeModel::Create(SessionId session, const CreateRequest& op, Zxid zxid) {
  const auto parent = nodes_.find(DirectoryOf(op.path));
  if (parent == nodes_.end()) return ErrorCode::kNoNode;
  std::string path = op.path;
  if (IsSequential(op.mode)) path += fmt::format("{:010}", parent->second.creates);
  if (nodes_.contains(path)) return ErrorCode::kNodeExists;
  if (parent->second.owner != kNoSession) return ErrorCode::kNoChildrenForEphemerals;
  ++parent->second.creates;
  parent->second.pzxid = zxid;
  nodes_[path] = {.data = op.data->ToString(),
                  .owner = IsEphemeral(op.mode) ? session : kNoSession,
                  .czxid = zxid,
                  .mzxid = zxid,
                  .pzxid = zxid};
  return ErrorCode::kOk;
}

ErrorCode TreeModel::Delete(const DeleteRequest& op, Zxid zxid) {
  if (!nodes_.contains(DirectoryOf(op.path))) return ErrorCode::kNoNode;
  const auto found = nodes_.find(op.path);
  if (found == nodes_.end()) return ErrorCode::kNoNode;
  if (op.version != -1 && op.version != found->second.version) return ErrorCode::kBadVersion;
  if (ChildrenOf(op.path) > 0) return ErrorCode::kNotEmpty;
  Remove(op.path, zxid);
  return ErrorCode::kOk;
}

void TreeModel::Remove(const std::string& path, Zxid zxid) {
  nodes_.erase(path);
  Node& parent = nodes_.at(DirectoryOf(path));
  ++parent.deletes;
  parent.pzxid = zxid;
}

std::string TreeModel::Describe(const std::string& path, const Node& node, int32_t children) {
  return fmt::format("{} {} owner {} c{} m{} p{} version {} cversion {} children {}", path,
                     node.data.value_or(""), node.owner, node.czxid, node.mzxid, node.pzxid,
                     node.version, node.creates + node.deletes, children);
}

std::vector<std::string> TreeModel::Describe() const {
  std::vector<std::string> lines;
  for (const auto& [path, node] : nodes_) lines.push_back(Describe(path, node, ChildrenOf(path)));
  return lines;
}

}  // namespace highwater::broker::zookeeper::testing
