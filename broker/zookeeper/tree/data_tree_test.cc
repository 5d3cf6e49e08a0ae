#include "broker/zookeeper/tree/data_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace highwater::broker::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr SessionId kSession{77};

// Transactions one after the other, with the zxids 1, 2, 3, …
class Writer {
 public:
  explicit Writer(DataTree& tree, int64_t zxid = 0) : tree_(tree), zxid_(zxid) {}
  ApplyResult Apply(OpCode type, TxnBody body) {
    ++zxid_;
    txns.push_back(
        {.header = {.client_id = kSession, .zxid = Zxid(zxid_), .time = 1000 + zxid_, .type = type},
         .body = std::move(body)});
    return tree_.Apply(txns.back());
  }
  ApplyResult Create(const std::string& path, int32_t parent_cversion, bool ephemeral = false) {
    return Apply(OpCode::kCreate,
                 CreateTxn{path, core::Bytes::Copy("d"), OpenAcl(), ephemeral, parent_cversion});
  }
  ApplyResult Delete(const std::string& path) { return Apply(OpCode::kDelete, DeleteTxn{path}); }
  std::vector<Txn> txns;

 private:
  DataTree& tree_;
  int64_t zxid_;
};

std::vector<std::string> Describe(const std::vector<TreeEvent>& events) {
  std::vector<std::string> lines;
  for (const TreeEvent& event : events) {
    lines.push_back(std::string(WatchEventTypeName(event.type)) + " " + event.path);
  }
  return lines;
}

// [4.1]
TEST(DataTreeTest, BeginsWithTheBuiltInNodes) {
  const DataTree tree;
  EXPECT_EQ(tree.node_count(), 4u);
  EXPECT_EQ(tree.Find("/")->ShownStat().cversion, -1);
  EXPECT_EQ(tree.Find("/zookeeper")->ShownStat().cversion, -2);
  EXPECT_EQ(tree.Find("/zookeeper/config")->ShownStat().aversion, -1);
  EXPECT_EQ(*tree.Find("/zookeeper/config")->acl,
            (std::vector<Acl>{{.perms = kPermRead, .id = {"world", "anyone"}}}));
  EXPECT_EQ(tree.CountDescendants("/"), 3);
}

// [4.1]
TEST(DataTreeTest, ACreateSetsItsOwnStatAndItsParents) {
  DataTree tree;
  Writer writer(tree);
  const ApplyResult applied = writer.Create("/a", 1);
  EXPECT_EQ(applied.error, ErrorCode::kOk);
  EXPECT_EQ(applied.stat, (Stat{.czxid = Zxid(1),
                                .mzxid = Zxid(1),
                                .ctime = 1001,
                                .mtime = 1001,
                                .data_length = 1,
                                .pzxid = Zxid(1)}));
  EXPECT_EQ(tree.Find("/")->stat.pzxid, Zxid(1));
  EXPECT_EQ(tree.Find("/")->stat.cversion, 1);
  EXPECT_EQ(tree.last_processed_zxid(), Zxid(1));
}

// [4.1]
TEST(DataTreeTest, ShownCversionCountsCreatesAndDeletes) {
  DataTree tree;
  Writer writer(tree);
  writer.Create("/a", 1);
  writer.Create("/a/x", 1);
  writer.Create("/a/y", 2);
  writer.Delete("/a/x");
  EXPECT_EQ(tree.Find("/a")->ShownStat().cversion, 3);
  EXPECT_EQ(tree.Find("/a")->ShownStat().num_children, 1);
  EXPECT_EQ(tree.Find("/a")->stat.pzxid, Zxid(4));
}

TEST(DataTreeTest, SettingDataDoesNotTouchTheParent) {
  DataTree tree;
  Writer writer(tree);
  writer.Create("/a", 1);
  const ApplyResult applied =
      writer.Apply(OpCode::kSetData, SetDataTxn{"/a", core::Bytes::Copy("xyz"), 1});
  EXPECT_EQ(applied.stat.version, 1);
  EXPECT_EQ(applied.stat.mzxid, Zxid(2));
  EXPECT_EQ(applied.stat.mtime, 1002);
  EXPECT_EQ(applied.stat.data_length, 3);
  EXPECT_EQ(tree.Find("/")->stat.pzxid, Zxid(1));
}

// [4.1]
TEST(DataTreeTest, SettingAnAclChangesNeitherMzxidNorFiresAnything) {
  DataTree tree;
  Writer writer(tree);
  writer.Create("/a", 1);
  const ApplyResult applied =
      writer.Apply(OpCode::kSetAcl, SetAclTxn{"/a", {{1, {"world", "anyone"}}}, 1});
  EXPECT_EQ(applied.stat.aversion, 1);
  EXPECT_EQ(applied.stat.mzxid, Zxid(1));
  EXPECT_THAT(applied.events, IsEmpty());
}

TEST(DataTreeTest, NullAndEmptyDataStayApart) {
  DataTree tree;
  Writer writer(tree);
  writer.Apply(OpCode::kCreate, CreateTxn{"/n", std::nullopt, OpenAcl(), false, 1});
  writer.Apply(OpCode::kCreate, CreateTxn{"/e", core::Bytes(), OpenAcl(), false, 2});
  EXPECT_FALSE(tree.Find("/n")->data.has_value());
  EXPECT_TRUE(tree.Find("/e")->data.has_value());
}

// [4.4]
TEST(DataTreeTest, EventsNameTheNodeFirstAndThenItsParent) {
  DataTree tree;
  Writer writer(tree);
  EXPECT_THAT(Describe(writer.Create("/a", 1).events),
              ElementsAre("NodeCreated /a", "NodeChildrenChanged /"));
  EXPECT_THAT(Describe(writer.Apply(OpCode::kSetData, SetDataTxn{"/a", std::nullopt, 1}).events),
              ElementsAre("NodeDataChanged /a"));
  EXPECT_THAT(Describe(writer.Delete("/a").events),
              ElementsAre("NodeDeleted /a", "NodeChildrenChanged /"));
}

// [4.6]
TEST(DataTreeTest, AMultiHasOneZxidAndEventsOperationByOperation) {
  DataTree tree;
  Writer writer(tree);
  const ApplyResult applied = writer.Apply(
      OpCode::kMulti,
      MultiTxn{{EncodePart(OpCode::kCreate2, CreateTxn{"/a", {}, OpenAcl(), false, 1}),
                EncodePart(OpCode::kCheck, CheckVersionTxn{"/a", 0}),
                EncodePart(OpCode::kSetData, SetDataTxn{"/a", core::Bytes::Copy("x"), 1}),
                EncodePart(OpCode::kDelete, DeleteTxn{"/a"})}});
  EXPECT_THAT(Describe(applied.events),
              ElementsAre("NodeCreated /a", "NodeChildrenChanged /", "NodeDataChanged /a",
                          "NodeDeleted /a", "NodeChildrenChanged /"));
  ASSERT_EQ(applied.parts.size(), 4u);
  // As of its own step.
  EXPECT_EQ(applied.parts[0].stat.version, 0);
  EXPECT_EQ(applied.parts[2].stat.version, 1);
  EXPECT_EQ(applied.parts[2].stat.mzxid, Zxid(1));
}

// [4.6]
TEST(DataTreeTest, AFailedMultiFiresNothingAndMovesTheLastZxid) {
  DataTree tree;
  Writer writer(tree);
  // As Apache writes it: what stood in front of the failure is still there.
  const ApplyResult applied = writer.Apply(
      OpCode::kMulti,
      MultiTxn{{EncodePart(OpCode::kCreate, CreateTxn{"/a", {}, OpenAcl(), false, 1}),
                EncodePart(OpCode::kError, ErrorTxn{ErrorCode::kBadVersion}),
                EncodePart(OpCode::kCreate, CreateTxn{"/b", {}, OpenAcl(), false, 1})}});
  EXPECT_THAT(applied.events, IsEmpty());
  EXPECT_EQ(tree.Find("/a"), nullptr);
  EXPECT_EQ(applied.parts[0].error, ErrorCode::kOk);
  EXPECT_EQ(applied.parts[1].error, ErrorCode::kBadVersion);
  EXPECT_EQ(applied.parts[2].error, ErrorCode::kRuntimeInconsistency);
  EXPECT_EQ(tree.last_processed_zxid(), Zxid(1));
}

TEST(DataTreeTest, AnErrorTransactionMovesTheLastZxidOnly) {
  DataTree tree;
  Writer writer(tree, 41);
  EXPECT_EQ(writer.Apply(OpCode::kError, ErrorTxn{ErrorCode::kNoNode}).error, ErrorCode::kNoNode);
  EXPECT_EQ(tree.last_processed_zxid(), Zxid(42));
  EXPECT_EQ(tree.node_count(), 4u);
}

TEST(DataTreeTest, ClosingASessionDeletesItsEphemeralsUnderOneZxid) {
  DataTree tree;
  Writer writer(tree);
  writer.Apply(OpCode::kCreateSession, CreateSessionTxn{5000});
  writer.Create("/e1", 1, true);
  writer.Create("/e2", 2, true);
  writer.Create("/p", 3);
  EXPECT_THAT(tree.EphemeralsOf(kSession), ElementsAre("/e1", "/e2"));
  EXPECT_EQ(tree.Find("/e1")->ShownStat().ephemeral_owner, kSession);
  const ApplyResult applied = writer.Apply(OpCode::kCloseSession, CloseSessionTxn{{"/e2", "/e1"}});
  EXPECT_THAT(Describe(applied.events), ElementsAre("NodeDeleted /e2", "NodeChildrenChanged /",
                                                    "NodeDeleted /e1", "NodeChildrenChanged /"));
  EXPECT_EQ(tree.Find("/")->stat.pzxid, Zxid(5));
  EXPECT_TRUE(tree.sessions().empty());
  EXPECT_NE(tree.Find("/p"), nullptr);
}

TEST(DataTreeTest, AnOldLogsClosingWithoutPathsDeletesThemAll) {
  DataTree tree;
  Writer writer(tree);
  writer.Create("/e1", 1, true);
  writer.Apply(OpCode::kCloseSession, CloseSessionTxn{});
  EXPECT_EQ(tree.Find("/e1"), nullptr);
}

TEST(DataTreeTest, ReplayingACreateOfAnExistingNodeRaisesItsParentOnly) {
  DataTree tree;
  Writer writer(tree);
  writer.Create("/p", 1);
  writer.Create("/p/a", 1);
  // As if the parent came from a snapshot in which the child was there already.
  DataTree again;
  Writer other(again);
  other.Create("/p", 1);
  const ApplyResult applied = again.Apply(writer.txns[1]);
  EXPECT_EQ(again.Apply(writer.txns[1]).error, ErrorCode::kNodeExists);
  EXPECT_EQ(applied.error, ErrorCode::kOk);
  EXPECT_EQ(again.Find("/p")->stat, tree.Find("/p")->stat);
}

TEST(DataTreeTest, ReplayingADeleteOfAMissingNodeRaisesItsParentsPzxid) {
  DataTree tree;
  Writer writer(tree);
  writer.Create("/p", 1);
  const ApplyResult applied = writer.Delete("/p/gone");
  EXPECT_EQ(applied.error, ErrorCode::kNoNode);
  EXPECT_THAT(applied.events, IsEmpty());
  EXPECT_EQ(tree.Find("/p")->stat.pzxid, Zxid(2));
}

// The snapshot holds /a's second life with a child; the log tells of the end of its first.
TEST(DataTreeTest, ReplayingADeleteOfANodeThatLivesAgainTakesItsChildrenAlong) {
  DataTree tree;
  Writer writer(tree);
  writer.Create("/a", 1);
  writer.Delete("/a");
  writer.Create("/a", 2);
  writer.Create("/a/b", 1);
  DataTree again = tree;
  for (const Txn& txn : writer.txns) again.Apply(txn);
  EXPECT_EQ(again.NodesAfter("", 100), tree.NodesAfter("", 100));
  EXPECT_THAT(again.Find("/a")->children, ElementsAre("b"));
  EXPECT_EQ(again.approximate_data_size(), tree.approximate_data_size());
}

TEST(DataTreeTest, CversionAndPzxidNeverGoBack) {
  DataTree tree;
  Writer writer(tree);
  writer.Create("/p", 1);
  writer.Create("/p/a", 1);
  writer.Create("/p/b", 2);
  tree.Apply(writer.txns[1]);
  EXPECT_EQ(tree.Find("/p")->stat.cversion, 2);
  EXPECT_EQ(tree.Find("/p")->stat.pzxid, Zxid(3));
  EXPECT_EQ(tree.last_processed_zxid(), Zxid(3));
}

// [4.3]
TEST(DataTreeTest, ContainersAreDueOnceTheyHadAChildAndTtlNodesOnceTheyAreOld) {
  DataTree tree;
  Writer writer(tree);
  writer.Apply(OpCode::kCreateContainer, CreateContainerTxn{"/c", {}, OpenAcl(), 1});
  writer.Apply(OpCode::kCreateContainer, CreateContainerTxn{"/d", {}, OpenAcl(), 2});
  writer.Apply(OpCode::kCreateTtl, CreateTtlTxn{"/t", {}, OpenAcl(), 3, 500});
  EXPECT_EQ(tree.Find("/c")->ShownStat().ephemeral_owner, kNoSession);
  EXPECT_EQ(tree.Find("/t")->ShownStat().ephemeral_owner, kNoSession);
  EXPECT_THAT(tree.ContainersToDelete(1003 + 500, 10), IsEmpty());
  EXPECT_THAT(tree.ContainersToDelete(1003 + 501, 10), ElementsAre("/t"));
  writer.Create("/c/x", 1);
  EXPECT_THAT(tree.ContainersToDelete(0, 10), IsEmpty());
  writer.Delete("/c/x");
  EXPECT_THAT(tree.ContainersToDelete(0, 10), ElementsAre("/c"));
}

TEST(DataTreeTest, WalksInPathOrderInSlices) {
  DataTree tree;
  Writer writer(tree);
  writer.Create("/a", 1);
  writer.Create("/a-", 2);
  writer.Create("/a/b", 1);
  std::vector<std::string> paths;
  for (std::string at;;) {
    const auto slice = tree.NodesAfter(at, 2);
    if (slice.empty()) break;
    for (const ZnodeRecord& record : slice) paths.push_back(record.path);
    at = paths.back();
  }
  EXPECT_THAT(paths, ElementsAre("/", "/a", "/a/b", "/a-", "/zookeeper", "/zookeeper/config",
                                 "/zookeeper/quota"));
}

TEST(DataTreeLoaderTest, RefusesNodesWithoutParentTwiceOrWithoutTheBuiltIns) {
  {
    DataTreeLoader loader;
    EXPECT_TRUE(absl::IsDataLoss(loader.AddNode({.path = "/a"})));
    EXPECT_TRUE(loader.AddNode({.path = "/"}).ok());
    EXPECT_TRUE(absl::IsDataLoss(loader.AddNode({.path = "/"})));
    EXPECT_TRUE(absl::IsDataLoss(loader.AddNode({.path = "/a//b"})));
    EXPECT_TRUE(absl::IsDataLoss(std::move(loader).Finish(Zxid(1)).status()));
  }
}

}  // namespace
}  // namespace highwater::broker::zookeeper
