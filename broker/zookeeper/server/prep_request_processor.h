#pragma once

// PrepRequestProcessor: decides writes. A request becomes a transaction, checked against the tree
// as it will be once everything that is already proposed has been applied.
//
//   PrepRequestProcessor prep(tree, sessions, options, rules);
//   prep.Start(tree.last_processed_zxid(), now_ms);
//   Txn txn = prep.Prepare(request, {.wall_ms = ..., .now_ms = ...});    // an error is one too
//   ... propose it; once it is applied to the tree:
//   prep.OnApplied(txn.header);
//
// The leader's, or that of a server on its own. Follows ZooKeeper facts 1.7 (order of the checks,
// failed writes take a zxid), 2.2 (closing a session), 3.7 (pending changes), 4 (znodes). Pure.
//
// Invariants:
//   1. Zxids are consecutive, from the one behind the tree's.
//   2. A change record says what a path will be like after the last proposed transaction that
//      touches it; it is forgotten when that one has been applied, not before.
//   3. A failed request, a multi above all, leaves the records as they were.

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/zookeeper/server/client_request.h"
#include "broker/zookeeper/server/rules.h"
#include "broker/zookeeper/server/session_tracker.h"
#include "broker/zookeeper/tree/data_tree.h"
#include "broker/zookeeper/wire/multi.h"

namespace highwater::broker::zookeeper {

struct PrepOptions {
  bool extended_types_enabled = false;
};

class PrepRequestProcessor {
 public:
  // Both clocks' milliseconds: the first is for Stat, the second for deadlines.
  struct Instant {
    int64_t wall_ms = 0;
    int64_t now_ms = 0;
  };

  // `tree`, `sessions` and `rules` outlive it.
  PrepRequestProcessor(const DataTree& tree, SessionTracker& sessions, PrepOptions options,
                       const ZooKeeperRules& rules);

  // Begins a term: nothing is pending, the next zxid is behind `last`, every session of the tree
  // has a whole time-out [2.1].
  void Start(Zxid last, int64_t now_ms);
  // REQUIRES: Start was called; a write, createSession or deleteContainer.
  [[nodiscard]] Txn Prepare(const ClientRequest& request, const Instant& at);
  // The tree has applied this transaction. One after the other.
  void OnApplied(const TxnHeader& header);

  [[nodiscard]] Zxid last_proposed() const { return last_proposed_; }
  // Change records, of paths with proposed transactions.
  [[nodiscard]] size_t pending() const { return records_.size(); }

 private:
  // A node as it will be.
  struct ChangeRecord {
    Zxid zxid;
    bool exists = true;
    StatPersisted stat;
    int32_t child_count = 0;
    AclPtr acl;
  };
  struct Undo {
    std::string path;
    std::optional<ChangeRecord> before;
  };
  // Who asks, and where the transaction will stand.
  struct Context {
    const ClientRequest& request;
    const TxnHeader& header;
  };
  using Decided = std::variant<TxnBody, ErrorCode>;
  struct NewNode {
    const std::string& path;
    const std::optional<core::Bytes>& data;
    const std::vector<Acl>& acl;
    CreateMode mode;
    int64_t ttl_ms;
  };

  [[nodiscard]] Decided DecideBody(const Context& context, const Instant& at);
  template <typename Record>
  [[nodiscard]] Decided Decode(const Context& context);

  [[nodiscard]] Decided Decide(const Context& context, const CreateRequest& request);
  [[nodiscard]] Decided Decide(const Context& context, const Create2Request& request);
  [[nodiscard]] Decided Decide(const Context& context, const CreateContainerRequest& request);
  [[nodiscard]] Decided Decide(const Context& context, const CreateTtlRequest& request);
  [[nodiscard]] Decided Decide(const Context& context, const DeleteRequest& request);
  [[nodiscard]] Decided Decide(const Context& context, const SetDataRequest& request);
  [[nodiscard]] Decided Decide(const Context& context, const SetAclRequest& request);
  [[nodiscard]] Decided Decide(const Context& context, const CheckRequest& request);
  [[nodiscard]] Decided Decide(const Context& context, const MultiRequest& request);
  // What only a multiRead may hold.
  [[nodiscard]] Decided Decide(const Context&, const GetDataRequest&);
  [[nodiscard]] Decided Decide(const Context&, const GetChildrenRequest&);
  [[nodiscard]] Decided DecideCreate(const Context& context, const NewNode& node);
  [[nodiscard]] Decided DecideCreateSession(const Context& context, const Instant& at);
  [[nodiscard]] Decided DecideCloseSession(const Context& context);
  [[nodiscard]] Decided DecideDeleteContainer(const Context& context);

  [[nodiscard]] ErrorCode CheckMode(const NewNode& node) const;
  [[nodiscard]] ErrorCode CheckSession(const Context& context);
  // The path at which a node is made; an error if it may not be.
  [[nodiscard]] std::variant<std::string, ErrorCode> CheckNewPath(const NewNode& node,
                                                                  const ChangeRecord& parent) const;
  void RecordCreate(const Context& context, const std::string& path, ChangeRecord parent,
                    SessionId owner, AclPtr acl);
  void RecordDelete(const Context& context, const std::string& path);

  // The node after what is proposed; nullopt if it is not there.
  [[nodiscard]] std::optional<ChangeRecord> RecordOf(std::string_view path) const;
  void SetRecord(const Context& context, std::string_view path, ChangeRecord record);
  void RollBack();
  [[nodiscard]] std::vector<std::string> EphemeralsOf(SessionId session) const;

  const DataTree& tree_;
  SessionTracker& sessions_;
  PrepOptions options_;
  const ZooKeeperRules& rules_;
  Zxid last_proposed_;
  std::map<std::string, ChangeRecord, std::less<>> records_;
  // Which path was changed by which transaction, for OnApplied.
  std::deque<std::pair<Zxid, std::string>> outstanding_;
  // Of the request at hand.
  std::vector<Undo> undo_;
  size_t outstanding_before_ = 0;
};

}  // namespace highwater::broker::zookeeper
