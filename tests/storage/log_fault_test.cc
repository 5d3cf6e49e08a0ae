// Logs on disks that fail.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/protocol/record_batch_builder.h"
#include "broker/storage/log_segment.h"
#include "log_script.h"

namespace highwater::broker::storage::testing {
namespace {

using ::testing::ElementsAre;

// [K12b]
TEST(LogFaultTest, TheOriginalRuleKeepsAHoleThatTheSafeRuleCuts) {  // [W20]
  ScriptOptions options{.config = TinyConfig()};
  options.disk.write_back = {10'000, 60'000'000};
  const std::vector<Command> story = {
      {Command::Kind::kAppend, 4, 150}, {Command::Kind::kSleep, 20},
      {Command::Kind::kAppend, 6, 150}, {Command::Kind::kSleep, 20},
      {Command::Kind::kAppend, 6, 150}, {Command::Kind::kSleep, 20}};
  int holes = 0;
  for (options.seed = 1; options.seed <= 8; ++options.seed) {
    const uint64_t effects = CountEffects(story, options);
    for (uint64_t n = 1; n <= effects; ++n) {
      const std::vector<Incarnation> run = {{story, Incarnation::End::kPowerLoss, n}};
      options.rules = RecoveryRules();
      ASSERT_EQ(RunScript(run, options), "") << "seed " << options.seed << ", effect " << n;
      options.rules = RecoveryRules::Kafka323();
      if (RunScript(run, options).find("a hole") != std::string::npos) ++holes;
    }
  }
  EXPECT_GT(holes, 0);
}

// A process whose log manager outlives its fibers, as a broker's does.
class ManagedApplication final : public sim::Application {
 public:
  using Body = std::function<void(core::Environment&, LogManager&)>;
  ManagedApplication(core::Environment& env, std::vector<std::string> directories, Body body)
      : manager_(env, {.directories = std::move(directories)}, listener_, observer_),
        body_(std::move(body)) {}
  void Run(core::Environment& env) override { body_(env, manager_); }

 private:
  LogManagerListener listener_;
  Observer observer_;
  LogManager manager_;
  Body body_;
};

class TwoDirectories : public ::testing::Test {
 protected:
  TwoDirectories() {
    sim::DiskOptions disk;
    disk.mounts = {"a", "b"};
    host_ = &world_.AddHost({.name = "broker-0",
                             .zone = world_.network().AddZone("az-a"),
                             .disk = sim::MakeDiskFactory(disk)});
  }
  sim::ProcessEnd Run(ManagedApplication::Body body,
                      std::vector<std::string> directories = {"a", "b"}) {
    sim::ProcessEnd how = sim::ProcessEnd::kCrashed;
    host_->OnProcessEnd([&](sim::ProcessEnd end) { how = end; });
    host_->SetProgram([&](core::Environment& env) {
      return std::make_unique<ManagedApplication>(env, directories, body);
    });
    host_->Start();
    world_.RunUntilIdle();
    EXPECT_FALSE(host_->running()) << world_.DescribeFibers();
    return how;
  }
  void Break(sim::DiskFault::Kind kind, size_t device) {
    static_cast<sim::Disk*>(host_->disk())->Begin({.id = fault_, .kind = kind, .device = device});
  }
  static protocol::RecordBatch Batch() {
    protocol::RecordBatchBuilder builder({});
    builder.Append(1, "key", "value");
    return *std::move(builder).Build();
  }

  sim::World world_{{.seed = 1}};
  sim::Host* host_;
  sim::FaultId fault_ = world_.ledger().Request("disk");
  const TopicPartition orders_{"orders", PartitionIndex(0)};
};

// [R26]
TEST_F(TwoDirectories, AFailedSyncTakesItsDirectoryOfflineAndNothingElse) {  // [M83, P3]
  bool ran = false;
  const sim::ProcessEnd end = Run([&](core::Environment&, LogManager& logs) {
    ASSERT_TRUE(logs.Start().ok());
    auto log = logs.Create(orders_, {}, {}, IsNew::kYes);
    auto other = logs.Create({"orders", PartitionIndex(1)}, {}, {}, IsNew::kYes);
    ASSERT_TRUE(log.ok() && other.ok());
    EXPECT_EQ((*log)->directory(), "a/orders-0");
    EXPECT_EQ((*other)->directory(), "b/orders-1") << "the one with the fewest logs [R26]";
    AdmittedOffsets at;
    ASSERT_TRUE((*log)->AppendAsLeaderAndWait(Batch(), LeaderEpoch(0), &at).ok());
    Break(sim::DiskFault::Kind::kSyncErrors, 1);
    EXPECT_FALSE((*log)->Flush().ok());
    EXPECT_EQ((*log)->recovery_point(), Offset(0));
    static_cast<sim::Disk*>(host_->disk())->End(fault_);
    // The device is well again; what it took in vain it will not get a second chance to lose.
    EXPECT_TRUE(absl::IsUnavailable((*log)->AppendAsLeaderAndWait(Batch(), LeaderEpoch(0), &at)));
    EXPECT_FALSE((*log)->Flush().ok());
    EXPECT_THAT(logs.OfflineDirectories(), ElementsAre("a"));
    EXPECT_EQ(logs.Find(orders_), nullptr);
    // [M95] It may lie on the failed disk: only a new partition may be made elsewhere.
    EXPECT_TRUE(absl::IsUnavailable(logs.Create(orders_, {}, {}, IsNew::kNo).status()));
    EXPECT_TRUE((*other)->AppendAsLeaderAndWait(Batch(), LeaderEpoch(0), &at).ok());
    EXPECT_TRUE(logs.Stop().ok());
    ran = true;
  });
  EXPECT_TRUE(ran);
  EXPECT_EQ(end, sim::ProcessEnd::kExited);
}

TEST_F(TwoDirectories, AFailedWriteFailsEverythingBehindIt) {
  std::vector<std::string> outcomes;
  Run([&](core::Environment& env, LogManager& logs) {
    ASSERT_TRUE(logs.Start().ok());
    auto log = logs.Create(orders_, {}, {}, IsNew::kYes);
    ASSERT_TRUE(log.ok());
    AdmittedOffsets at;
    ASSERT_TRUE((*log)->AppendAsLeaderAndWait(Batch(), LeaderEpoch(0), &at).ok());
    Break(sim::DiskFault::Kind::kWriteErrors, 1);
    const auto note = [&](std::string what) {
      return [&, what](const absl::Status& s) {
        outcomes.push_back(what + (s.ok() ? " ok" : " failed"));
      };
    };
    ASSERT_TRUE((*log)->AppendAsLeader(Batch(), LeaderEpoch(0), note("append")).ok());
    ASSERT_TRUE((*log)->TruncateTo(Offset(1), note("truncate")).ok());
    ASSERT_TRUE((*log)->AppendAsLeader(Batch(), LeaderEpoch(0), note("append")).ok());
    env.fibers.SleepFor(absl::Seconds(1));
    EXPECT_EQ((*log)->log_end_offset(), Offset(1));
    EXPECT_EQ((*log)->busy(), false);
  });
  EXPECT_THAT(outcomes, ElementsAre("append failed", "truncate failed", "append failed"));
}

TEST_F(TwoDirectories, ABadCheckpointIsDoneWithoutIfTheSegmentsCanSayIt) {  // [K7]
  const auto after = [&](const char* file) {
    bool offline = false;
    Run([&](core::Environment& env, LogManager& logs) {
      ASSERT_TRUE(logs.Start().ok());
      if (logs.Find(orders_) == nullptr) {
        ASSERT_TRUE(logs.Create(orders_, {}, {}, IsNew::kYes).ok());
      }
      AdmittedOffsets at;
      ASSERT_TRUE(logs.Find(orders_)->AppendAsLeaderAndWait(Batch(), LeaderEpoch(0), &at).ok());
      ASSERT_TRUE(logs.Stop().ok());
      ASSERT_TRUE(core::WriteFileAtomically(env.files, std::string("a/") + file, "no\n").ok());
    });
    Run([&](core::Environment&, LogManager& logs) {
      ASSERT_TRUE(logs.Start().ok());
      offline = !logs.OfflineDirectories().empty();
      EXPECT_EQ(logs.Find(orders_) == nullptr, offline);
      if (!offline) {
        EXPECT_GT(logs.Find(orders_)->log_end_offset(), Offset(0));
      }
      EXPECT_TRUE(logs.Stop().ok());
    });
    return offline;
  };
  EXPECT_FALSE(after("recovery-point-offset-checkpoint"));
  EXPECT_FALSE(after("log-start-offset-checkpoint"));
  EXPECT_TRUE(after("replication-offset-checkpoint"));
}

TEST_F(TwoDirectories, AnEmptySegmentInTheWayIsReplacedAndOneWithRecordsIsNot) {  // [L5]
  Run([&](core::Environment& env, LogManager&) {
    ASSERT_TRUE(env.files.CreateDirectory("a/t-0").ok());
    ASSERT_TRUE(LogSegment::Create(env.files, "a/t-0", Offset(7), absl::UnixEpoch()).ok());
    const auto again = LogSegment::Create(env.files, "a/t-0", Offset(7), absl::UnixEpoch());
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_TRUE(core::WriteFileAtomically(env.files, (*again)->PathOf(".log"), "records").ok());
    EXPECT_TRUE(absl::IsAlreadyExists(
        LogSegment::Create(env.files, "a/t-0", Offset(7), absl::UnixEpoch()).status()));
  });
}

TEST_F(TwoDirectories, TheProcessHaltsWithoutAnyDirectory) {  // [K16]
  const sim::ProcessEnd end = Run(
      [&](core::Environment& env, LogManager& logs) {
        ASSERT_TRUE(logs.Start().ok());
        auto log = logs.Create(orders_, {}, {}, IsNew::kYes);
        ASSERT_TRUE(log.ok());
        Break(sim::DiskFault::Kind::kWriteErrors, 1);
        ASSERT_TRUE(
            (*log)->AppendAsLeader(Batch(), LeaderEpoch(0), [](const absl::Status&) {}).ok());
        env.fibers.SleepFor(absl::Hours(1));
        ADD_FAILURE() << "still alive";
      },
      {"a"});
  EXPECT_EQ(end, sim::ProcessEnd::kHalted);
}

TEST_F(TwoDirectories, AStalledDeviceHoldsUpItsOwnLogsOnly) {
  int64_t other_took = 0;
  Run([&](core::Environment& env, LogManager& logs) {
    ASSERT_TRUE(logs.Start().ok());
    LogConfig config;
    config.flush_messages = 1;
    auto log = logs.Create(orders_, config, {}, IsNew::kYes);
    auto other = logs.Create({"orders", PartitionIndex(1)}, config, {}, IsNew::kYes);
    ASSERT_TRUE(log.ok() && other.ok());
    Break(sim::DiskFault::Kind::kStallDevice, 1);
    bool done = false;
    ASSERT_TRUE(
        (*log)
            ->AppendAsLeader(Batch(), LeaderEpoch(0), [&](const absl::Status&) { done = true; })
            .ok());
    const core::MonotonicTime begin = env.fibers.Now();
    AdmittedOffsets at;
    EXPECT_TRUE((*other)->AppendAsLeaderAndWait(Batch(), LeaderEpoch(0), &at).ok());
    other_took = absl::ToInt64Milliseconds(env.fibers.Now() - begin);
    EXPECT_FALSE(done);
    static_cast<sim::Disk*>(host_->disk())->End(fault_);
    env.fibers.SleepFor(absl::Seconds(5));
    EXPECT_TRUE(done);
  });
  EXPECT_LT(other_took, 200);
}

TEST_F(TwoDirectories, RefusesTheDirectoryOfAnotherBrokerAndRemembersTopicIds) {  // [K15, K16]
  const protocol::Uuid id{1, 2};
  std::string cluster;
  Run([&](core::Environment&, LogManager& logs) {
    ASSERT_TRUE(logs.Start().ok());
    ASSERT_TRUE(logs.Create(orders_, {}, id, IsNew::kYes).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(logs.Create(orders_, {}, {3, 4}, IsNew::kNo).status()));
    cluster = logs.cluster_id();
    EXPECT_TRUE(logs.Stop().ok());
  });
  Run([&](core::Environment& env, LogManager& logs) {
    ASSERT_TRUE(logs.Start().ok());
    EXPECT_EQ(logs.TopicIdOf(orders_), id);
    EXPECT_EQ(logs.cluster_id(), cluster);
    EXPECT_TRUE(absl::IsNotFound(env.files.Stat("a/.kafka_cleanshutdown").status())) << "[K10]";
    EXPECT_TRUE(logs.Delete(orders_).ok());
    EXPECT_TRUE(absl::IsNotFound(env.files.Stat("a/orders-0").status()));
    EXPECT_TRUE(logs.Stop().ok());
    EXPECT_TRUE(env.files.Stat("a/.kafka_cleanshutdown").ok());
    ASSERT_TRUE(core::WriteFileAtomically(env.files, "b/meta.properties",
                                          "version=0\nbroker.id=7\ncluster.id=" + cluster + "\n")
                    .ok());
  });
  Run([&](core::Environment&, LogManager& logs) {
    const absl::Status status = logs.Start();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  });
}

}  // namespace
}  // namespace highwater::broker::storage::testing
