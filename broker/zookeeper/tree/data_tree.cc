#include "broker/zookeeper/tree/data_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/check.h"

namespace highwater::broker::zookeeper {

namespace {

std::string_view Normalized(std::string_view path) { return path.empty() ? "/" : path; }

// A copy: a slice would keep the whole frame that it came in.
std::optional<core::Bytes> Kept(const std::optional<core::Bytes>& data) {
  if (!data.has_value()) return std::nullopt;
  return core::Bytes::Copy(data->view());
}

int64_t SizeOf(const std::string& path, const Znode& node) {
  return static_cast<int64_t>(path.size() + (node.data.has_value() ? node.data->size() : 0));
}

bool IsContainerOrTtl(const StatPersisted& stat) {
  const EphemeralType type = EphemeralTypeOf(stat.ephemeral_owner);
  return type == EphemeralType::kContainer || type == EphemeralType::kTtl;
}

// The count of creates wraps around [4.2], so that "later" is a matter of distance.
bool IsLaterCversion(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b)) > 0;
}

// [3.11] Never lowered: the parent may come from a snapshot that was taken later.
void RaiseParent(Znode& parent, int32_t cversion, Zxid zxid) {
  if (IsLaterCversion(cversion, parent.stat.cversion)) parent.stat.cversion = cversion;
  parent.stat.pzxid = std::max(parent.stat.pzxid, zxid);
}

// [4.3]
bool IsToBeDeleted(const Znode& node, int64_t now_ms) {
  if (!node.children.empty()) return false;
  if (EphemeralTypeOf(node.stat.ephemeral_owner) == EphemeralType::kContainer) {
    return node.stat.cversion > 0;
  }
  return now_ms - node.stat.mtime > TtlOf(node.stat.ephemeral_owner);
}

}  // namespace

DataTree::DataTree() {
  const std::vector<Acl> readable = {{.perms = kPermRead, .id = {"world", "anyone"}}};
  AddBuiltIn("/", {}, OpenAcl());
  AddBuiltIn("/zookeeper", {}, OpenAcl());
  AddBuiltIn(std::string(kConfigPath), {.aversion = -1}, readable);
  AddBuiltIn(std::string(kQuotaPath), {}, OpenAcl());
}

void DataTree::AddBuiltIn(const std::string& path, const StatPersisted& stat,
                          std::vector<Acl> acl) {
  Znode node{.data = core::Bytes(), .acl = acls_.Intern(acl), .stat = stat};
  Link(path, node);
  nodes_.emplace(path, std::move(node));
}

const Znode* DataTree::Find(std::string_view path) const {
  const auto found = nodes_.find(Normalized(path));
  return found == nodes_.end() ? nullptr : &found->second;
}

const absl::btree_set<std::string>& DataTree::EphemeralsOf(SessionId session) const {
  static const absl::btree_set<std::string> kNone;
  const auto found = ephemerals_.find(session);
  return found == ephemerals_.end() ? kNone : found->second;
}

size_t DataTree::ephemeral_count() const {
  size_t count = 0;
  for (const auto& [session, paths] : ephemerals_) count += paths.size();
  return count;
}

int32_t DataTree::CountDescendants(std::string_view path) const {
  auto at = nodes_.find(Normalized(path));
  HW_CHECK(at != nodes_.end(), "\"{}\" is not there", path);
  if (at == nodes_.begin()) return static_cast<int32_t>(nodes_.size()) - 1;
  int32_t count = 0;
  const std::string below = at->first + '/';
  for (++at; at != nodes_.end() && at->first.starts_with(below); ++at) ++count;
  return count;
}

std::vector<std::string> DataTree::ContainersToDelete(int64_t now_ms, size_t limit) const {
  std::vector<std::string> paths;
  for (const std::string& path : containers_) {
    if (paths.size() == limit) break;
    if (IsToBeDeleted(*Find(path), now_ms)) paths.push_back(path);
  }
  return paths;
}

ApplyResult DataTree::Apply(const Txn& txn) {
  ApplyResult result;
  ApplyBody(txn.header, txn.body, result);
  last_processed_zxid_ = std::max(last_processed_zxid_, txn.header.zxid);
  return result;
}

void DataTree::ApplyBody(const TxnHeader& header, const TxnBody& body, ApplyResult& result) {
  result.type = header.type;
  struct Visitor {
    void operator()(const CreateTxn& txn) {
      tree.Create(header,
                  {txn.path, txn.data, txn.acl, txn.ephemeral ? header.client_id : kNoSession,
                   txn.parent_cversion},
                  result);
    }
    void operator()(const CreateContainerTxn& txn) {
      tree.Create(header, {txn.path, txn.data, txn.acl, kContainerOwner, txn.parent_cversion},
                  result);
    }
    void operator()(const CreateTtlTxn& txn) {
      tree.Create(header, {txn.path, txn.data, txn.acl, TtlOwner(txn.ttl_ms), txn.parent_cversion},
                  result);
    }
    void operator()(const DeleteTxn& txn) { tree.Delete(header.zxid, txn.path, result); }
    void operator()(const SetDataTxn& txn) { tree.SetData(header, txn, result); }
    void operator()(const SetAclTxn& txn) { tree.SetAcl(txn, result); }
    void operator()(const CheckVersionTxn& txn) { result.path = txn.path; }
    void operator()(const CreateSessionTxn& txn) {
      tree.sessions_[header.client_id] = txn.timeout_ms;
    }
    void operator()(const CloseSessionTxn& txn) { tree.CloseSession(header, txn, result); }
    void operator()(const ErrorTxn& txn) { result.error = txn.error; }
    void operator()(const MultiTxn& txn) { tree.ApplyMulti(header, txn, result); }
    DataTree& tree;
    const TxnHeader& header;
    ApplyResult& result;
  };
  std::visit(Visitor{*this, header, result}, body);
}

void DataTree::ApplyMulti(const TxnHeader& header, const MultiTxn& multi, ApplyResult& result) {
  const bool failed = std::ranges::any_of(
      multi.parts, [](const MultiTxnPart& part) { return part.type == OpCode::kError; });
  // Apache leaves the operations in front of the one that failed as they are, and codes those
  // behind it; ours are all errors.
  bool after_failure = false;
  for (const MultiTxnPart& part : multi.parts) {
    ApplyResult& done = result.parts.emplace_back();
    const auto body = DecodePart(part);
    HW_CHECK(body.ok(), "a part of the multi at {}: {}", header.zxid, body.status().ToString());
    if (failed && part.type != OpCode::kError) {
      done.error = after_failure ? ErrorCode::kRuntimeInconsistency : ErrorCode::kOk;
      continue;
    }
    TxnHeader part_header = header;
    part_header.type = part.type;
    ApplyBody(part_header, *body, done);
    after_failure = after_failure || done.error != ErrorCode::kOk;
    for (TreeEvent& event : done.events) result.events.push_back(std::move(event));
    done.events.clear();
  }
}

void DataTree::Create(const TxnHeader& header, const NewNode& node, ApplyResult& result) {
  result.path = node.path;
  const auto parent = nodes_.find(ParentOf(node.path));
  if (parent == nodes_.end()) {
    result.error = ErrorCode::kNoNode;
    return;
  }
  RaiseParent(parent->second, node.parent_cversion, header.zxid);
  auto [at, inserted] = nodes_.try_emplace(node.path);
  if (!inserted) {
    result.error = ErrorCode::kNodeExists;
    return;
  }
  at->second = {.data = Kept(node.data),
                .acl = acls_.Intern(node.acl),
                .stat = {.czxid = header.zxid,
                         .mzxid = header.zxid,
                         .ctime = header.time,
                         .mtime = header.time,
                         .ephemeral_owner = node.owner,
                         .pzxid = header.zxid}};
  Link(at->first, at->second);
  result.stat = at->second.ShownStat();
  result.events.push_back({WatchEventType::kNodeCreated, node.path, at->second.acl});
  result.events.push_back(
      {WatchEventType::kNodeChildrenChanged, parent->first, parent->second.acl});
}

void DataTree::Link(const std::string& path, const Znode& node) {
  data_size_ += SizeOf(path, node);
  if (path == "/") return;
  nodes_.find(ParentOf(path))->second.children.emplace(NameOf(path));
  if (EphemeralTypeOf(node.stat.ephemeral_owner) == EphemeralType::kNormal) {
    ephemerals_[node.stat.ephemeral_owner].insert(path);
  } else if (IsContainerOrTtl(node.stat)) {
    containers_.insert(path);
  }
}

void DataTree::EraseSubtree(Nodes::iterator root) {
  const std::string path = root->first;
  const std::string below = path + '/';
  auto at = root;
  while (at != nodes_.end() && (at == root || at->first.starts_with(below))) {
    data_size_ -= SizeOf(at->first, at->second);
    const auto owned = ephemerals_.find(at->second.stat.ephemeral_owner);
    if (owned != ephemerals_.end()) {
      owned->second.erase(at->first);
      if (owned->second.empty()) ephemerals_.erase(owned);
    }
    containers_.erase(at->first);
    acls_.Release(std::move(at->second.acl));
    ++at;
  }
  nodes_.erase(root, at);
  nodes_.find(ParentOf(path))->second.children.erase(std::string(NameOf(path)));
}

void DataTree::Delete(Zxid zxid, const std::string& path, ApplyResult& result) {
  result.path = path;
  const auto parent = nodes_.find(ParentOf(path));
  // [3.11] Also where the child is gone already: the parent may come from before its deletion.
  if (parent != nodes_.end()) parent->second.stat.pzxid = std::max(parent->second.stat.pzxid, zxid);
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) {
    result.error = ErrorCode::kNoNode;
    return;
  }
  result.events.push_back({WatchEventType::kNodeDeleted, path, found->second.acl});
  result.events.push_back(
      {WatchEventType::kNodeChildrenChanged, parent->first, parent->second.acl});
  // Children can be there only in a replay: they belong to a later life of this node, whose creates
  // are still to come.
  EraseSubtree(found);
}

void DataTree::SetData(const TxnHeader& header, const SetDataTxn& txn, ApplyResult& result) {
  result.path = txn.path;
  const auto found = nodes_.find(Normalized(txn.path));
  if (found == nodes_.end()) {
    result.error = ErrorCode::kNoNode;
    return;
  }
  Znode& node = found->second;
  data_size_ -= SizeOf(found->first, node);
  node.data = Kept(txn.data);
  data_size_ += SizeOf(found->first, node);
  node.stat.version = txn.version;
  node.stat.mtime = header.time;
  node.stat.mzxid = header.zxid;
  result.stat = node.ShownStat();
  result.events.push_back({WatchEventType::kNodeDataChanged, txn.path, node.acl});
}

void DataTree::SetAcl(const SetAclTxn& txn, ApplyResult& result) {
  result.path = txn.path;
  const auto found = nodes_.find(Normalized(txn.path));
  if (found == nodes_.end()) {
    result.error = ErrorCode::kNoNode;
    return;
  }
  Znode& node = found->second;
  AclPtr old = std::exchange(node.acl, acls_.Intern(txn.acl));
  acls_.Release(std::move(old));
  node.stat.aversion = txn.version;
  result.stat = node.ShownStat();
}

void DataTree::CloseSession(const TxnHeader& header, const CloseSessionTxn& txn,
                            ApplyResult& result) {
  for (const std::string& path : txn.paths_to_delete) {
    ApplyResult deleted;
    Delete(header.zxid, path, deleted);
    for (TreeEvent& event : deleted.events) result.events.push_back(std::move(event));
  }
  // Logs of old servers name no paths. What is named is deleted above, whoever owns it.
  const absl::btree_set<std::string> left = EphemeralsOf(header.client_id);
  for (const std::string& path : left) {
    ApplyResult deleted;
    Delete(header.zxid, path, deleted);
    for (TreeEvent& event : deleted.events) result.events.push_back(std::move(event));
  }
  sessions_.erase(header.client_id);
}

std::vector<ZnodeRecord> DataTree::NodesAfter(std::string_view after, size_t limit) const {
  std::vector<ZnodeRecord> records;
  for (auto at = nodes_.upper_bound(after); at != nodes_.end() && records.size() < limit; ++at) {
    const auto& [path, node] = *at;
    records.push_back({.path = path, .data = node.data, .acl = *node.acl, .stat = node.stat});
  }
  return records;
}

absl::Status DataTreeLoader::AddNode(ZnodeRecord record) {
  if (!IsValidPath(record.path)) {
    return absl::DataLossError(fmt::format("\"{}\" is not the path of a znode", record.path));
  }
  if (record.path != "/" && tree_.Find(ParentOf(record.path)) == nullptr) {
    return absl::DataLossError(fmt::format("the znode {} has no parent in front", record.path));
  }
  auto [at, inserted] = tree_.nodes_.try_emplace(std::move(record.path));
  if (!inserted) {
    return absl::DataLossError(fmt::format("the znode {} is there twice", at->first));
  }
  at->second = {
      .data = Kept(record.data), .acl = tree_.acls_.Intern(record.acl), .stat = record.stat};
  tree_.Link(at->first, at->second);
  return absl::OkStatus();
}

absl::StatusOr<DataTree> DataTreeLoader::Finish(Zxid zxid) && {
  for (const std::string_view path :
       {std::string_view("/"), std::string_view("/zookeeper"), kQuotaPath, kConfigPath}) {
    if (tree_.Find(path) == nullptr) {
      return absl::DataLossError(fmt::format("the znode {} is missing", path));
    }
  }
  tree_.last_processed_zxid_ = zxid;
  return std::move(tree_);
}

}  // namespace highwater::broker::zookeeper
