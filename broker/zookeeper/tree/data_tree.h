#pragma once

// DataTree: the znodes and the table of sessions; the one state that transactions change.
//
//   DataTree tree;                                   // the built-in znodes
//   ApplyResult applied = tree.Apply(txn);           // what to answer, and which watches to look
//   at const Znode* node = tree.Find("/controller");
//
// A snapshot is written in slices while transactions go on (fuzzy), and read back by a loader:
//
//   for (std::string at; ; at = slice.back().path) { // "" is in front of the root
//     auto slice = tree.NodesAfter(at, 100);
//     if (slice.empty()) break; ... write; others may Apply meanwhile
//   }
//   DataTreeLoader loader;  loader.AddSession(id, timeout);  loader.AddNode(record) ...
//   HW_ASSIGN_OR_RETURN(DataTree tree, std::move(loader).Finish(zxid));   // then Apply zxid+1 ...
//
// Follows ZooKeeper facts 4.1 (Stat), 4.4 (order of events), 4.6 (multi), 2.2 (closeSession), 3.11
// (idempotence). Not responsible for: deciding a write or its permission (server/), watches
// (watch_manager.h), files (log/).
//
// Invariants:
//   1. Every node but the root has a parent that names it as a child.
//   2. Path order is depth first: an ancestor is before its descendants, a subtree is contiguous.
//   So
//      a node in a fuzzy snapshot has its parent in front of it, whatever was applied meanwhile.
//   3. A fuzzy snapshot begun at zxid z, with the transactions z+1 … applied to it, gives the same
//      tree as those transactions gave the original, provided they reach past the snapshot's end.
//   4. last_processed_zxid moves after all of a transaction, a multi included, is applied.
//   5. A parent's cversion and pzxid never go back while it lives.

#include <absl/container/btree_map.h>
#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/zookeeper/tree/acl_cache.h"
#include "broker/zookeeper/tree/path.h"
#include "broker/zookeeper/tree/znode.h"
#include "broker/zookeeper/txn/records.h"

namespace highwater::broker::zookeeper {

// Something that watchers may want to know, with the ACL that decides whether they may.
struct TreeEvent {
  WatchEventType type = WatchEventType::kNone;
  std::string path;
  AclPtr acl;
};

// What a transaction did.
struct ApplyResult {
  // Of an error transaction, or of a replay that found nothing to do (kNoNode, kNodeExists).
  ErrorCode error = ErrorCode::kOk;
  OpCode type = OpCode::kError;
  std::string path;                // of a create, delete, setData, setACL
  Stat stat;                       // of a create, setData, setACL: as of this step [1.6]
  std::vector<ApplyResult> parts;  // of a multi; their events are in `events` of the whole
  std::vector<TreeEvent> events;   // in 4.4's order
};

class DataTree {
 public:
  using Sessions = std::map<SessionId, int32_t>;  // timeout in milliseconds

  // The built-in znodes, and no session.
  DataTree();

  // The node at `path`, or nullptr. The root is "/" or "".
  [[nodiscard]] const Znode* Find(std::string_view path) const;
  // Sorted; empty if the session has none.
  [[nodiscard]] const absl::btree_set<std::string>& EphemeralsOf(SessionId session) const;
  // Nodes below `path`, at any depth. REQUIRES: it exists.
  [[nodiscard]] int32_t CountDescendants(std::string_view path) const;
  // Containers that ever had a child, and TTL nodes older than their TTL, that are empty [4.3]: at
  // most `limit`.
  [[nodiscard]] std::vector<std::string> ContainersToDelete(int64_t now_ms, size_t limit) const;

  // Carries out a transaction. Idempotent in the sense of invariant 3: a step that finds nothing to
  // do is an error in the result, never a failure.
  ApplyResult Apply(const Txn& txn);

  [[nodiscard]] const Sessions& sessions() const { return sessions_; }
  [[nodiscard]] Zxid last_processed_zxid() const { return last_processed_zxid_; }

  // For snapshots: at most `limit` nodes behind `after` in path order; none at the end.
  [[nodiscard]] std::vector<ZnodeRecord> NodesAfter(std::string_view after, size_t limit) const;

  // For statistics.
  [[nodiscard]] size_t node_count() const { return nodes_.size(); }
  [[nodiscard]] size_t ephemeral_count() const;
  // Bytes of paths and data.
  [[nodiscard]] int64_t approximate_data_size() const { return data_size_; }

 private:
  friend class DataTreeLoader;
  using Nodes = std::map<std::string, Znode, PathLess>;
  struct NoNodes {};
  explicit DataTree(NoNodes) {}

  struct NewNode {
    const std::string& path;
    const std::optional<core::Bytes>& data;
    const std::vector<Acl>& acl;
    SessionId owner;
    int32_t parent_cversion;
  };
  void ApplyBody(const TxnHeader& header, const TxnBody& body, ApplyResult& result);
  void ApplyMulti(const TxnHeader& header, const MultiTxn& multi, ApplyResult& result);
  void Create(const TxnHeader& header, const NewNode& node, ApplyResult& result);
  void Delete(Zxid zxid, const std::string& path, ApplyResult& result);
  void SetData(const TxnHeader& header, const SetDataTxn& txn, ApplyResult& result);
  void SetAcl(const SetAclTxn& txn, ApplyResult& result);
  void CloseSession(const TxnHeader& header, const CloseSessionTxn& txn, ApplyResult& result);

  void AddBuiltIn(const std::string& path, const StatPersisted& stat, std::vector<Acl> acl);
  void Link(const std::string& path, const Znode& node);
  // Removes the node and whatever is below it.
  void EraseSubtree(Nodes::iterator root);

  Nodes nodes_;
  AclCache acls_;
  std::map<SessionId, absl::btree_set<std::string>> ephemerals_;
  absl::btree_set<std::string> containers_;  // and TTL nodes
  Sessions sessions_;
  Zxid last_processed_zxid_;
  int64_t data_size_ = 0;
};

// Builds a tree from the records of a snapshot.
class DataTreeLoader {
 public:
  DataTreeLoader() : tree_(DataTree::NoNodes{}) {}

  void AddSession(SessionId session, int32_t timeout_ms) { tree_.sessions_[session] = timeout_ms; }
  // DataLoss: it is there twice, or its parent is not in front of it.
  [[nodiscard]] absl::Status AddNode(ZnodeRecord record);
  // `zxid` is that of the snapshot's name: the last one applied before it was begun. DataLoss if a
  // built-in node is missing.
  [[nodiscard]] absl::StatusOr<DataTree> Finish(Zxid zxid) &&;

 private:
  DataTree tree_;
};

}  // namespace highwater::broker::zookeeper
