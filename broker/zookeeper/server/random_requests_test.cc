// Arbitrary requests: against a naive model, pipelined, replayed over fuzzy snapshots.

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>

#include "broker/zookeeper/server/prep_request_processor.h"
#include "broker/zookeeper/server/reply.h"
#include "broker/zookeeper/server/testing/tree_model.h"
#include "broker/zookeeper/tree/data_tree.h"

namespace highwater::broker::zookeeper {
namespace {

using testing::AnyModelRequest;
using testing::ModelRequest;
using testing::TreeModel;

// A server without connections: sessions 1, 2, 3 are there.
struct Server {
  Server() {
    for (int i = 1; i <= testing::kModelSessions; ++i) {
      tree.Apply({.header = {.client_id = SessionId(i), .type = OpCode::kCreateSession},
                  .body = CreateSessionTxn{1'000'000}});
    }
    prep.Start(tree.last_processed_zxid(), 0);
  }
  Txn Prepare(const ClientRequest& request) {
    return prep.Prepare(request, {.wall_ms = 5, .now_ms = 5});
  }
  ApplyResult Apply(const Txn& txn) {
    ApplyResult applied = tree.Apply(txn);
    prep.OnApplied(txn.header);
    return applied;
  }

  ZooKeeperRules rules;
  DataTree tree;
  SessionTracker sessions{1000, rules};
  PrepRequestProcessor prep{tree, sessions, {}, rules};
};

rc::Gen<std::vector<ModelRequest>> AnyRequests() {
  return rc::gen::scale(2, rc::gen::container<std::vector<ModelRequest>>(AnyModelRequest()));
}

std::vector<ErrorCode> ErrorsOf(const Reply& reply) {
  const auto* multi = std::get_if<MultiResponse>(&reply.body);
  if (multi == nullptr) return {reply.error};
  std::vector<ErrorCode> errors;
  for (const MultiResult& result : multi->results) errors.push_back(result.error);
  return errors;
}

// As TreeModel describes itself.
std::vector<std::string> Describe(const DataTree& tree) {
  std::vector<std::string> lines;
  for (const ZnodeRecord& record : tree.NodesAfter("", SIZE_MAX)) {
    if (record.path.starts_with("/zookeeper")) continue;
    const Stat shown = tree.Find(record.path)->ShownStat();
    // The root's child /zookeeper was never created.
    const int built_in = record.path == "/" ? 1 : 0;
    const int32_t creates = record.stat.cversion;
    lines.push_back(TreeModel::Describe(
        record.path,
        {.data = record.data.has_value() ? std::optional(record.data->ToString()) : std::nullopt,
         .owner = shown.ephemeral_owner,
         .czxid = shown.czxid,
         .mzxid = shown.mzxid,
         .pzxid = shown.pzxid,
         .version = shown.version,
         .creates = creates,
         .deletes = shown.cversion + built_in - creates},
        shown.num_children - built_in));
  }
  std::ranges::sort(lines);
  return lines;
}

RC_GTEST_PROP(RandomRequestsTest, DoWhatTheModelSays, ()) {
  const auto requests = *AnyRequests();
  Server server;
  TreeModel model;
  for (const ModelRequest& request : requests) {
    const ClientRequest asked = request.ToRequest();
    const Txn txn = server.Prepare(asked);
    const auto errors = model.Do(request, txn.header.zxid);
    RC_ASSERT(ErrorsOf(ReplyTo(asked.op, server.Apply(txn))) == errors);
    auto expected = model.Describe();
    std::ranges::sort(expected);
    RC_ASSERT(Describe(server.tree) == expected);
    RC_ASSERT(server.prep.pending() == 0u);
  }
}

// Everything that a tree holds.
struct Everything {
  explicit Everything(const DataTree& tree)
      : nodes(tree.NodesAfter("", SIZE_MAX)),
        sessions(tree.sessions()),
        zxid(tree.last_processed_zxid()),
        ephemerals(tree.ephemeral_count()),
        size(tree.approximate_data_size()) {
    for (const ZnodeRecord& record : nodes) children.push_back(tree.Find(record.path)->children);
  }
  friend bool operator==(const Everything&, const Everything&) = default;
  std::vector<ZnodeRecord> nodes;
  std::vector<absl::btree_set<std::string>> children;
  DataTree::Sessions sessions;
  Zxid zxid;
  size_t ephemerals;
  int64_t size;
};

// [3.7] Decided while others are still under way, requests end as they would one at a time.
RC_GTEST_PROP(RandomRequestsTest, PipelinedGiveTheSameTransactionsAsOneAtATime, ()) {
  const auto requests = *AnyRequests();
  Server one_by_one;
  Server pipelined;
  std::deque<Txn> under_way;
  for (const ModelRequest& request : requests) {
    const Txn expected = one_by_one.Prepare(request.ToRequest());
    one_by_one.Apply(expected);
    under_way.push_back(pipelined.Prepare(request.ToRequest()));
    RC_ASSERT(under_way.back() == expected);
    for (int n = *rc::gen::inRange(0, 4); n > 0 && !under_way.empty(); --n) {
      pipelined.Apply(under_way.front());
      under_way.pop_front();
    }
  }
  for (; !under_way.empty(); under_way.pop_front()) pipelined.Apply(under_way.front());
  RC_ASSERT(pipelined.prep.pending() == 0u);
  RC_ASSERT(Everything(pipelined.tree) == Everything(one_by_one.tree));
}

// [3.11] A snapshot that was begun at some transaction and written while others were applied, with
// everything behind that transaction applied to it once more, is the tree.
RC_GTEST_PROP(RandomRequestsTest, AFuzzySnapshotAndTheLogBehindItGiveTheTree, ()) {
  const auto requests = *AnyRequests();
  Server server;
  std::vector<Txn> log;
  const size_t begun = *rc::gen::inRange<size_t>(0, requests.size() + 1);
  size_t done = 0;
  const auto apply = [&](size_t until) {
    for (; done < std::min(until, requests.size()); ++done) {
      log.push_back(server.Prepare(requests[done].ToRequest()));
      server.Apply(log.back());
    }
  };
  apply(begun);
  DataTreeLoader loader;
  for (const auto& [session, timeout] : server.tree.sessions()) loader.AddSession(session, timeout);
  const Zxid zxid = server.tree.last_processed_zxid();
  for (std::string at;;) {
    apply(done + *rc::gen::inRange<size_t>(0, 30));
    const auto slice = server.tree.NodesAfter(at, *rc::gen::inRange<size_t>(1, 4));
    if (slice.empty()) break;
    for (const ZnodeRecord& record : slice) RC_ASSERT(loader.AddNode(record).ok());
    at = slice.back().path;
  }
  apply(done + *rc::gen::inRange<size_t>(0, 4));

  auto recovered = std::move(loader).Finish(zxid);
  RC_ASSERT(recovered.ok());
  for (const Txn& txn : log) {
    if (txn.header.zxid > zxid) recovered->Apply(txn);
  }
  RC_ASSERT(Everything(*recovered) == Everything(server.tree));
}

}  // namespace
}  // namespace highwater::broker::zookeeper
