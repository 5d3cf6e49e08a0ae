#include "broker/zookeeper/server/prep_request_processor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/zookeeper/server/testing/machine.h"

namespace highwater::broker::zookeeper {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Machine;

CreateRequest Create(std::string path, CreateMode mode = CreateMode::kPersistent) {
  return {.path = std::move(path), .data = core::Bytes(), .acl = OpenAcl(), .mode = mode};
}
std::vector<Acl> For(int32_t perms) { return {{.perms = perms, .id = {"world", "anyone"}}}; }
CreateRequest CreateFor(std::string path, int32_t perms) {
  return {.path = std::move(path), .acl = For(perms)};
}

// What one request is answered when everything before it is applied.
template <typename Request>
ErrorCode ErrorOf(Machine& m, const Request& request) {
  m.CommitAll();
  m.Ask(1, request);
  const TxnBody body = m.proposed.back().body;
  m.CommitAll();
  const auto* error = std::get_if<ErrorTxn>(&body);
  return error == nullptr ? ErrorCode::kOk : error->error;
}

struct PrepTest : ::testing::Test {
  PrepTest() { m.Connect(1); }
  template <typename Request>
  ErrorCode Error(const Request& request) {
    return ErrorOf(m, request);
  }
  // The last proposal's record.
  template <typename Body>
  const Body& Proposed() {
    return std::get<Body>(m.proposed.back().body);
  }
  Machine m;
};

// ---- Order of the checks [1.7].

TEST_F(PrepTest, CreateLooksAtTheFlagsFirst) {
  CreateRequest request = Create("nonsense", CreateMode(9));
  request.acl = {};
  EXPECT_EQ(Error(request), ErrorCode::kBadArguments);
}

TEST_F(PrepTest, CreateLooksAtTheAclBeforeTheParent) {
  EXPECT_EQ(Error(CreateRequest{.path = "/x/y", .acl = {}}), ErrorCode::kInvalidAcl);
  EXPECT_EQ(Error(Create("/x/y")), ErrorCode::kNoNode);
}

TEST_F(PrepTest, CreateLooksAtTheParentBeforeTheWholePath) {
  EXPECT_EQ(Error(Create("/a//b")), ErrorCode::kNoNode);
  EXPECT_EQ(Error(Create("/a/")), ErrorCode::kNoNode);
  EXPECT_EQ(Error(Create("/a")), ErrorCode::kOk);
  EXPECT_EQ(Error(Create("/a/")), ErrorCode::kBadArguments);
  EXPECT_EQ(Error(Create("/a/.")), ErrorCode::kBadArguments);
}

TEST_F(PrepTest, CreateLooksAtThePermissionBeforeThePath) {
  EXPECT_EQ(Error(CreateFor("/a", kPermRead)), ErrorCode::kOk);
  EXPECT_EQ(Error(Create("/a/.")), ErrorCode::kNoAuth);
}

TEST_F(PrepTest, CreateLooksForTheNodeBeforeTheEphemeralParent) {
  EXPECT_EQ(Error(Create("/e", CreateMode::kEphemeral)), ErrorCode::kOk);
  EXPECT_EQ(Error(Create("/e/x")), ErrorCode::kNoChildrenForEphemerals);
  EXPECT_EQ(Error(Create("/e")), ErrorCode::kNodeExists);
  EXPECT_EQ(Error(Create("/")), ErrorCode::kNodeExists);
}

TEST_F(PrepTest, DeleteLooksAtParentPermissionNodeVersionAndChildrenInThisOrder) {
  EXPECT_EQ(Error(DeleteRequest{"/zookeeper/quota"}), ErrorCode::kBadArguments);
  EXPECT_EQ(Error(DeleteRequest{"/x/y"}), ErrorCode::kNoNode);
  EXPECT_EQ(Error(CreateFor("/a", kPermAll & ~kPermDelete)), ErrorCode::kOk);
  EXPECT_EQ(Error(DeleteRequest{"/a/missing"}), ErrorCode::kNoAuth);
  EXPECT_EQ(Error(DeleteRequest{"/b"}), ErrorCode::kNoNode);
  EXPECT_EQ(Error(Create("/a/x")), ErrorCode::kOk);
  EXPECT_EQ(Error(DeleteRequest{"/a", 7}), ErrorCode::kBadVersion);
  EXPECT_EQ(Error(DeleteRequest{"/a", 0}), ErrorCode::kNotEmpty);
}

TEST_F(PrepTest, SetDataNeedsWriteAndItsVersion) {
  EXPECT_EQ(Error(CreateFor("/a", kPermRead)), ErrorCode::kOk);
  EXPECT_EQ(Error(SetDataRequest{.path = "/a", .version = 7}), ErrorCode::kNoAuth);
  EXPECT_EQ(Error(Create("/b")), ErrorCode::kOk);
  EXPECT_EQ(Error(SetDataRequest{.path = "/b", .version = 1}), ErrorCode::kBadVersion);
  EXPECT_EQ(Error(SetDataRequest{.path = "/b", .version = -2}), ErrorCode::kBadVersion);
  EXPECT_EQ(Error(SetDataRequest{.path = "/b", .version = 0}), ErrorCode::kOk);
  EXPECT_EQ(Error(SetDataRequest{.path = "/b", .version = -1}), ErrorCode::kOk);
  EXPECT_EQ(m.tree.Find("/b")->stat.version, 2);
  EXPECT_EQ(Error(SetDataRequest{.path = "/b/"}), ErrorCode::kBadArguments);
}

TEST_F(PrepTest, SetAclNeedsAdminAndCountsItsOwnVersion) {
  EXPECT_EQ(Error(CreateFor("/a", kPermAll & ~kPermAdmin)), ErrorCode::kOk);
  EXPECT_EQ(Error(SetAclRequest{"/a", OpenAcl(), -1}), ErrorCode::kNoAuth);
  EXPECT_EQ(Error(Create("/b")), ErrorCode::kOk);
  EXPECT_EQ(Error(SetAclRequest{"/b", {}, -1}), ErrorCode::kInvalidAcl);
  EXPECT_EQ(Error(SetAclRequest{"/b", OpenAcl(), 1}), ErrorCode::kBadVersion);
  EXPECT_EQ(Error(SetAclRequest{"/b", For(kPermRead | kPermAdmin), 0}), ErrorCode::kOk);
  EXPECT_EQ(m.tree.Find("/b")->stat.aversion, 1);
  EXPECT_EQ(Error(SetDataRequest{.path = "/b"}), ErrorCode::kNoAuth);
}

TEST_F(PrepTest, ReconfigurationIsDisabled) {
  m.Frame(1, Xid(1), OpCode::kReconfig, {});
  EXPECT_EQ(Proposed<ErrorTxn>().error, ErrorCode::kReconfigDisabled);
}

// ---- Names [4.2].

TEST_F(PrepTest, SequentialNamesCountEveryCreateAndNoDelete) {
  m.Ask(1, Create("/q"));
  m.Ask(1, Create("/q/", CreateMode::kPersistentSequential));
  EXPECT_EQ(Proposed<CreateTxn>().path, "/q/0000000000");
  m.Ask(1, Create("/q/plain"));
  m.Ask(1, DeleteRequest{"/q/plain"});
  m.Ask(1, Create("/q/s-", CreateMode::kEphemeralSequential));
  EXPECT_EQ(Proposed<CreateTxn>().path, "/q/s-0000000002");
  EXPECT_EQ(Proposed<CreateTxn>().parent_cversion, 3);
}

TEST_F(PrepTest, TheCounterWrapsToNegativeNumbers) {
  DataTree tree;
  tree.Apply({.header = {.zxid = Zxid(1), .type = OpCode::kCreate},
              .body = CreateTxn{"/q", {}, OpenAcl(), false, 1}});
  tree.Apply({.header = {.zxid = Zxid(2), .type = OpCode::kCreate},
              .body = CreateTxn{"/q/a", {}, OpenAcl(), false, INT32_MAX}});
  SessionTracker sessions(1000, m.rules);
  sessions.Add(SessionId(1), 1000, 0);
  PrepRequestProcessor prep(tree, sessions, {}, m.rules);
  prep.Start(Zxid(2), 0);
  std::vector<std::string> names;
  for (int i = 0; i < 3; ++i) {
    const Txn txn = prep.Prepare({.session = SessionId(1),
                                  .op = OpCode::kCreate,
                                  .body = ToJute(Create("/q/", CreateMode::kPersistentSequential))},
                                 {});
    names.push_back(tree.Apply(txn).path);
    prep.OnApplied(txn.header);
  }
  EXPECT_THAT(names, ElementsAre("/q/2147483647", "/q/-2147483648", "/q/-2147483647"));
}

// ---- Containers and TTL [1.5, 4.3].

TEST_F(PrepTest, OnlyItsOwnOperationMakesAContainer) {
  EXPECT_EQ(Error(Create("/c", CreateMode::kContainer)), ErrorCode::kBadArguments);
  EXPECT_EQ(Error(CreateContainerRequest{"/c", {}, OpenAcl(), CreateMode::kPersistent}),
            ErrorCode::kBadArguments);
  EXPECT_EQ(Error(CreateContainerRequest{"/c", {}, OpenAcl(), CreateMode::kContainer}),
            ErrorCode::kOk);
  EXPECT_EQ(m.tree.Find("/c")->stat.ephemeral_owner, kContainerOwner);
  EXPECT_EQ(Error(Create("/c/x")), ErrorCode::kOk);
}

TEST_F(PrepTest, TtlNodesAreUnimplementedUnlessExtendedTypesAreEnabled) {
  const CreateTtlRequest request{.path = "/t", .acl = OpenAcl(), .ttl_ms = 500};
  EXPECT_EQ(Error(request), ErrorCode::kUnimplemented);
  EXPECT_EQ(Error(Create("/t", CreateMode::kPersistentWithTtl)), ErrorCode::kUnimplemented);
  Machine extended({.tick_time_ms = 1000, .extended_types_enabled = true});
  extended.Connect(1);
  EXPECT_EQ(ErrorOf(extended, Create("/t", CreateMode::kPersistentWithTtl)),
            ErrorCode::kBadArguments);
  EXPECT_EQ(ErrorOf(extended, CreateTtlRequest{.path = "/t", .acl = OpenAcl(), .ttl_ms = 0}),
            ErrorCode::kBadArguments);
  EXPECT_EQ(ErrorOf(extended, request), ErrorCode::kOk);
  EXPECT_EQ(TtlOf(extended.tree.Find("/t")->stat.ephemeral_owner), 500);
}

TEST_F(PrepTest, ASweptContainerIsLookedAtOnceMore) {
  const auto sweep = [&](const std::string& path) {
    return m.prep.Prepare({.op = OpCode::kDeleteContainer, .body = ToJute(DeleteTxn{path})}, {});
  };
  m.Ask(1, CreateContainerRequest{"/c", {}, OpenAcl(), CreateMode::kContainer});
  m.Ask(1, Create("/plain"));
  m.Ask(1, Create("/c/x"));
  EXPECT_EQ(std::get<ErrorTxn>(sweep("/c").body).error, ErrorCode::kNotEmpty);
  EXPECT_EQ(std::get<ErrorTxn>(sweep("/plain").body).error, ErrorCode::kBadVersion);
  EXPECT_EQ(std::get<ErrorTxn>(sweep("/gone").body).error, ErrorCode::kNoNode);
  m.Ask(1, DeleteRequest{"/c/x"});
  EXPECT_EQ(std::get<DeleteTxn>(sweep("/c").body).path, "/c");
}

// ---- Pending changes [3.7].

TEST_F(PrepTest, ARequestIsDecidedAgainstWhatIsProposed) {
  m.Ask(1, Create("/a"));
  m.Ask(1, Create("/a/b"));
  m.Ask(1, SetDataRequest{.path = "/a/b", .version = 0});
  m.Ask(1, DeleteRequest{"/a"});
  EXPECT_EQ(Proposed<ErrorTxn>().error, ErrorCode::kNotEmpty);
  m.Ask(1, DeleteRequest{"/a/b", 1});
  m.Ask(1, DeleteRequest{"/a"});
  EXPECT_EQ(Proposed<DeleteTxn>().path, "/a");
  EXPECT_GT(m.prep.pending(), 0u);
  m.CommitAll();
  EXPECT_EQ(m.prep.pending(), 0u);
}

// [4.6]
TEST_F(PrepTest, AFailedMultiLeavesWhatWasPendingBeforeItThePartsParentIncluded) {
  m.Ask(1, Create("/p"));
  m.Ask(1, Create("/p/s-", CreateMode::kPersistentSequential));
  m.Ask(1, MultiRequest{{Create("/p/s-", CreateMode::kPersistentSequential), Create("/p/x"),
                         CheckRequest{"/p", 9}}});
  m.Ask(1, Create("/p/s-", CreateMode::kPersistentSequential));
  EXPECT_EQ(Proposed<CreateTxn>().path, "/p/s-0000000001");
  m.Ask(1, Create("/p/x"));
  EXPECT_EQ(Proposed<CreateTxn>().path, "/p/x");
}

// [1.6]
TEST_F(PrepTest, AFailedMultiSaysForEachOperationWhatBecameOfIt) {
  m.Ask(1, MultiRequest{{Create("/a"), CheckRequest{"/a", 3}, Create("/b")}});
  m.CommitAll();
  const auto response = m.Last<MultiResponse>(1);
  ASSERT_EQ(response.results.size(), 3u);
  EXPECT_EQ(response.results[0].error, ErrorCode::kOk);
  EXPECT_EQ(response.results[1].error, ErrorCode::kBadVersion);
  EXPECT_EQ(response.results[2].error, ErrorCode::kRuntimeInconsistency);
  EXPECT_EQ(m.tree.Find("/a"), nullptr);
}

TEST_F(PrepTest, AnEmptyMultiSucceeds) {
  m.Ask(1, MultiRequest{});
  m.CommitAll();
  EXPECT_THAT(m.Last<MultiResponse>(1).results, IsEmpty());
}

TEST_F(PrepTest, EachReadOfAMultiReadFailsByItself) {
  m.Ask(1, Create("/a"));
  m.CommitAll();
  m.Ask(1, MultiReadRequest{
               {GetDataRequest{"/a"}, GetChildrenRequest{"/x"}, GetChildrenRequest{"/"}}});
  const auto response = m.Last<MultiResponse>(1);
  ASSERT_EQ(response.results.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<GetDataResponse>(response.results[0].body));
  EXPECT_EQ(response.results[1].error, ErrorCode::kNoNode);
  EXPECT_THAT(std::get<GetChildrenResponse>(response.results[2].body).children,
              ElementsAre("a", "zookeeper"));
}

TEST_F(PrepTest, AMultiWithAReadInItIsAMarshallingError) {
  EXPECT_EQ(Error(MultiRequest{{Create("/a"), GetDataRequest{"/a"}}}),
            ErrorCode::kMarshallingError);
}

// ---- The end of a session [2.2].

TEST_F(PrepTest, ClosingNamesEphemeralsThatAreStillUnderWay) {
  m.Ask(1, Create("/applied", CreateMode::kEphemeral));
  m.Ask(1, Create("/deleted", CreateMode::kEphemeral));
  m.CommitAll();
  m.Ask(1, Create("/pending", CreateMode::kEphemeral));
  m.Ask(1, DeleteRequest{"/deleted"});
  m.Ask(1, CloseSessionRequest{});
  EXPECT_THAT(Proposed<CloseSessionTxn>().paths_to_delete, ElementsAre("/applied", "/pending"));
}

TEST_F(PrepTest, ClosingLeavesANodeThatSomebodyElseMadeMeanwhile) {
  m.Connect(2);
  m.Ask(1, Create("/e", CreateMode::kEphemeral));
  m.CommitAll();
  m.Ask(2, DeleteRequest{"/e"});
  m.Ask(2, Create("/e", CreateMode::kEphemeral));
  m.Ask(1, CloseSessionRequest{});
  EXPECT_THAT(Proposed<CloseSessionTxn>().paths_to_delete, IsEmpty());
}

TEST_F(PrepTest, ASessionWritesNothingBehindItsClose) {
  m.Ask(1, CloseSessionRequest{});
  const auto refused = [&](const ClientRequest& request) {
    return std::get<ErrorTxn>(m.prep.Prepare(request, {}).body).error;
  };
  const SessionId session = m.SessionOf(1);
  EXPECT_EQ(refused({.session = session,
                     .op = OpCode::kCreate,
                     .body = ToJute(Create("/e", CreateMode::kEphemeral)),
                     .owner = ServerId(1)}),
            ErrorCode::kSessionExpired);
  EXPECT_EQ(refused({.session = session,
                     .op = OpCode::kDelete,
                     .body = ToJute(DeleteRequest{"/x"}),
                     .owner = ServerId(1)}),
            ErrorCode::kSessionExpired);
}

TEST_F(PrepTest, AParentIsEmptyOnceTheCloseOfItsLastEphemeralIsProposed) {
  m.Connect(2);
  m.Ask(2, Create("/p"));
  m.Ask(1, Create("/p/e", CreateMode::kEphemeral));
  m.CommitAll();
  m.Ask(1, CloseSessionRequest{});
  m.Ask(2, DeleteRequest{"/p"});
  EXPECT_EQ(Proposed<DeleteTxn>().path, "/p");
}

// [2.1]
TEST_F(PrepTest, ANewTermGivesEverySessionAWholeTimeOut) {
  SessionTracker sessions(1000, m.rules);
  PrepRequestProcessor prep(m.tree, sessions, {}, m.rules);
  prep.Start(FirstZxidOf(7), 500'000);
  EXPECT_EQ(sessions.NextDeadline(), 505'000);
  EXPECT_EQ(prep.Prepare({.op = OpCode::kCloseSession}, {}).header.zxid, FirstZxidOf(7) + 1);
}

}  // namespace
}  // namespace highwater::broker::zookeeper
