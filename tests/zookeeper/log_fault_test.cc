// A server's log on a disk that fails.

#include <gtest/gtest.h>

#include "tests/zookeeper/log_world.h"

namespace highwater::broker::zookeeper::testing {
namespace {

struct Listener final : TxnLogListener {
  void OnDurable(Zxid up_to) override {
    EXPECT_TRUE(failures.empty()) << "said after the log had failed";
    durable.push_back(up_to);
  }
  void OnFailed(const absl::Status& status) override { failures.push_back(status); }
  std::vector<Zxid> durable;
  std::vector<absl::Status> failures;
};

class LogFaultTest : public ::testing::Test {
 protected:
  // A new server's log; `body` has it, and what it said.
  void Run(std::function<void(core::Environment&, TransactionLog&, Listener&)> body) {
    bool ran = false;
    world_.WithFiles([&](core::Environment& env) {
      auto database = RecoverDatabase(env, kDirectories);
      ASSERT_TRUE(database.ok()) << database.status();
      TransactionLog log(env, kDirectories, {}, *database);
      Listener listener;
      log.SetListener(listener);
      body(env, log, listener);
      log.Close();
      ran = true;
    });
    EXPECT_TRUE(ran);
    EXPECT_EQ(world_.problem(), "");
  }
  static void Append(TransactionLog& log, int64_t first, int64_t last) {
    for (int64_t zxid = first; zxid <= last; ++zxid) {
      log.Append(AnyTxn(Zxid(zxid), static_cast<uint64_t>(zxid)));
    }
  }
  void Break(sim::DiskFault::Kind kind) {
    static_cast<sim::Disk*>(world_.host().disk())->Begin({.id = fault_, .kind = kind});
  }
  void Mend() { static_cast<sim::Disk*>(world_.host().disk())->End(fault_); }

  LogWorld world_{{}};
  sim::FaultId fault_ = world_.world().ledger().Request("disk");
};

TEST_F(LogFaultTest, WhatIsAppendedAtOnceHasOneSync) {
  Run([&](core::Environment& env, TransactionLog& log, Listener& listener) {
    Append(log, 1, 900);
    EXPECT_TRUE(listener.durable.empty()) << "never inside Append";
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(listener.durable, std::vector{Zxid(900)});
    EXPECT_EQ(log.syncs(), 1);
    Append(log, 901, 3100);
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(listener.durable, (std::vector{Zxid(900), Zxid(1900), Zxid(2900), Zxid(3100)}))
        << "1000 at most";
  });
}

TEST_F(LogFaultTest, NothingIsDurableAfterASyncThatFailed) {
  Run([&](core::Environment& env, TransactionLog& log, Listener& listener) {
    Append(log, 1, 2);
    env.fibers.SleepFor(absl::Seconds(1));
    Break(sim::DiskFault::Kind::kSyncErrors);
    Append(log, 3, 5);
    env.fibers.SleepFor(absl::Seconds(1));
    ASSERT_EQ(listener.failures.size(), 1u);
    EXPECT_TRUE(absl::IsDataLoss(listener.failures[0]));
    // The device is well again: what it took in vain, it must not be said to have.
    Mend();
    Append(log, 6, 7);
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ(listener.durable, std::vector{Zxid(2)});
    EXPECT_EQ(listener.failures.size(), 1u);
    EXPECT_FALSE(log.SnapshotDue());
  });
}

TEST_F(LogFaultTest, AFailedWriteEndsTheLogToo) {
  for (const auto kind : {sim::DiskFault::Kind::kWriteErrors, sim::DiskFault::Kind::kFull}) {
    Break(sim::DiskFault::Kind::kSlow);
    Mend();
    Run([&](core::Environment& env, TransactionLog& log, Listener& listener) {
      const int64_t next = log.last_appended().value() + 1;
      Break(kind);
      Append(log, next, next + 3);
      env.fibers.SleepFor(absl::Seconds(1));
      EXPECT_TRUE(listener.durable.empty());
      EXPECT_EQ(listener.failures.size(), 1u);
      Mend();
    });
  }
}

// A follower applies what is committed before its own disk has it.
TEST(LogOnTwoDevicesTest, ASnapshotHasNoNameUntilTheLogReachesWhatItHolds) {
  LogWorldOptions options;
  options.disk.mounts = {"wal"};
  LogWorld world(options);
  const sim::FaultId fault = world.world().ledger().Request("disk");
  auto& disk = *static_cast<sim::Disk*>(world.host().disk());
  const DataDirectories directories = DataDirectories::For("data", "wal");
  bool ran = false;
  world.WithFiles([&](core::Environment& env) {
    auto database = RecoverDatabase(env, directories);
    ASSERT_TRUE(database.ok()) << database.status();
    TransactionLog log(env, directories, {}, *database);
    Listener listener;
    log.SetListener(listener);
    disk.Begin({.id = fault, .kind = sim::DiskFault::Kind::kStallDevice, .device = 1});
    DataTree tree;
    for (int64_t zxid = 1; zxid <= 3; ++zxid) {
      const Txn txn = AnyTxn(Zxid(zxid), static_cast<uint64_t>(zxid));
      log.Append(txn);
      tree.Apply(txn);
    }
    log.TakeSnapshot(tree);
    env.fibers.SleepFor(absl::Seconds(5));
    EXPECT_TRUE(listener.durable.empty());
    EXPECT_FALSE(env.files.Stat(directories.SnapshotPath(Zxid(3))).ok());
    disk.End(fault);
    env.fibers.SleepFor(absl::Seconds(5));
    EXPECT_EQ(listener.durable, std::vector{Zxid(3)});
    EXPECT_TRUE(env.files.Stat(directories.SnapshotPath(Zxid(3))).ok());
    log.Close();
    ran = true;
  });
  EXPECT_TRUE(ran);
}

TEST_F(LogFaultTest, ASnapshotThatCanNotBeWrittenCostsNothingButTime) {
  Run([&](core::Environment& env, TransactionLog& log, Listener& listener) {
    Append(log, 1, 3);
    env.fibers.SleepFor(absl::Seconds(1));
    std::vector<Txn> txns;
    for (int64_t zxid = 1; zxid <= 3; ++zxid)
      txns.push_back(AnyTxn(Zxid(zxid), static_cast<uint64_t>(zxid)));
    const DataTree tree = TreeOf(txns);
    Break(sim::DiskFault::Kind::kFull);
    log.TakeSnapshot(tree);
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_FALSE(log.last_snapshot().ok());
    EXPECT_TRUE(log.failure().ok());
    Mend();
    log.TakeSnapshot(tree);
    Append(log, 4, 6);
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_TRUE(log.last_snapshot().ok()) << log.last_snapshot();
    EXPECT_EQ(listener.durable.back(), Zxid(6));
    EXPECT_TRUE(env.files.Stat(kDirectories.SnapshotPath(Zxid(3))).ok());
    EXPECT_TRUE(env.files.Stat(kDirectories.LogPath(Zxid(4))).ok()) << "a new file with a snapshot";
  });
}

}  // namespace
}  // namespace highwater::broker::zookeeper::testing
