// The invariants of a ZooKeeper ensemble, each seen to hold and to be violated.

#include <gmock/gmock.h>

#include "invariants/history.h"
#include "invariants/invariant.h"

namespace highwater::invariants {
namespace {

using ::testing::HasSubstr;

class Collector final : public ViolationSink {
 public:
  void Report(Violation violation) override { violations.push_back(std::move(violation)); }
  std::vector<Violation> violations;
};

class ZooKeeperInvariantsTest : public ::testing::Test {
 protected:
  void Use(std::string_view id) {
    for (const InvariantInfo& info : CatalogOfInvariants()) {
      if (info.id == id) invariant_ = info.make(facts_, sink_);
    }
    ASSERT_NE(invariant_, nullptr);
    EXPECT_EQ(invariant_->id(), id);
  }
  void Log(int64_t server, int64_t zxid, uint64_t digest) { logs_.OnLogged(server, zxid, digest); }
  void Commit(int64_t server, int64_t zxid, uint64_t digest) {
    invariant_->OnZooKeeperCommitted(
        {.server = server, .zxid = zxid, .digest = digest, .logs = logs_, .at = absl::Seconds(1)});
    logs_.OnCommitted(server, zxid, digest);
  }
  void Lead(int64_t server, int64_t epoch) {
    invariant_->OnZooKeeperLeading(
        {.server = server, .epoch = epoch, .logs = logs_, .at = absl::Seconds(2)});
    logs_.OnLeading(server);
  }
  void ExpectHeld() { EXPECT_EQ(sink_.violations.size(), 0u); }
  void ExpectViolated(std::string_view witness) {
    ASSERT_EQ(sink_.violations.size(), 1u);
    EXPECT_THAT(sink_.violations[0].witnesses, ::testing::Contains(HasSubstr(witness)));
  }

  ClientHistory history_;
  ReplicaLogs replicas_;
  ZooKeeperLogs logs_;
  RunFacts facts_{.history = history_, .logs = replicas_};
  Collector sink_;
  std::unique_ptr<Invariant> invariant_;
};

TEST_F(ZooKeeperInvariantsTest, AnEpochBelongsToOneServer) {
  Use("zookeeper-one-leader-per-epoch");
  Lead(1, 1);
  Lead(2, 2);
  Lead(1, 3);
  ExpectHeld();
  Lead(3, 2);
  ExpectViolated("server 3 leads in epoch 2, as server 2 has");
}

TEST_F(ZooKeeperInvariantsTest, ALeaderHasWhatWasCommitted) {
  Use("zookeeper-committed-kept");
  for (const int64_t server : {1, 2}) {
    Log(server, 11, 5);
    Log(server, 12, 6);
  }
  Log(3, 11, 5);
  Commit(1, 11, 5);
  Lead(3, 2);
  ExpectHeld();
  Commit(1, 12, 6);
  Lead(2, 3);
  ExpectHeld();
  Lead(3, 4);
  ExpectViolated("lacks 0xc");
}

TEST_F(ZooKeeperInvariantsTest, ALeadersWholeLogIsCommittedWithIt) {
  Use("zookeeper-committed-kept");
  Log(1, 11, 5);
  Lead(1, 2);
  ExpectHeld();
  Log(2, 11, 7);
  Lead(2, 3);
  ExpectViolated("something else");
}

TEST_F(ZooKeeperInvariantsTest, APowerLossTakesAnEndAndAnInstalledSnapshotIsWhatWasCommitted) {
  Use("zookeeper-committed-kept");
  Log(1, 11, 5);
  Log(1, 12, 6);
  Commit(1, 11, 5);
  Log(2, 12, 9);
  logs_.OnInstalling(2, 11);
  logs_.OnRecovered(2, 11);
  Lead(2, 3);
  ExpectHeld();
  logs_.OnRecovered(1, 0);
  Lead(1, 4);
  ExpectViolated("lacks 0xb");
}

TEST_F(ZooKeeperInvariantsTest, ASnapshotHoldsWhatItsLeaderHasNotCommittedYet) {
  Use("zookeeper-committed-kept");
  Log(1, 11, 5);
  Log(1, 12, 6);
  Commit(1, 11, 5);
  logs_.OnInstalled(2, 12);
  Lead(1, 2);  // now 12 is committed, too
  Lead(2, 3);
  ExpectHeld();
}

TEST_F(ZooKeeperInvariantsTest, AllServersApplyOneHistory) {
  Use("zookeeper-one-history");
  Commit(1, 11, 5);
  Commit(1, 12, 6);
  Commit(2, 11, 5);
  ExpectHeld();
  Commit(2, 12, 7);
  ExpectViolated("another");
}

TEST_F(ZooKeeperInvariantsTest, NoServerSkipsATransaction) {
  Use("zookeeper-one-history");
  Commit(1, 11, 5);
  Commit(1, 12, 6);
  Commit(2, 12, 6);
  ExpectViolated("had committed 0xb");
}

TEST_F(ZooKeeperInvariantsTest, NoServerAppliesATransactionTwice) {
  Use("zookeeper-one-history");
  Commit(1, 11, 5);
  Commit(1, 11, 5);
  ExpectViolated("already");
}

}  // namespace
}  // namespace highwater::invariants
