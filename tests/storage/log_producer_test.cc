// The producer state of a log on a disk: when it is written down, and that it is found again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/protocol/record_batch_builder.h"
#include "broker/storage/log.h"
#include "broker/storage/log_file_names.h"
#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"

namespace highwater::broker::storage {
namespace {

using protocol::ErrorCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr ProducerId kProducer{7};

class LogProducerTest : public ::testing::Test {
 protected:
  using Body = std::function<void(core::Environment&)>;

  // Runs `body` on the host until it returns; the process then dies.
  void Run(Body body) {
    bool done = false;
    host_.SetMain([&](core::Environment& env) {
      body(env);
      done = true;
    });
    host_.Start();
    world_.RunUntilIdle();
    EXPECT_TRUE(done) << world_.DescribeFibers();
  }

  std::shared_ptr<Log> Open(core::Environment& env, bool clean = false) {
    LogConfig config;
    config.segment_bytes = 400;
    config.retention_ms = -1;
    auto log = Log::Load(env, {"orders", PartitionIndex(0)}, "orders-0", config, {.clean = clean},
                         owner_, BrokerId(1), observer_);
    HW_CHECK(log.ok(), "{}", log.status().ToString());
    return *log;
  }

  static protocol::RecordBatch BatchOf(int32_t sequence, Offset offset = Offset(0)) {
    protocol::RecordBatchBuilder builder({.base_offset = offset,
                                          .partition_leader_epoch = LeaderEpoch(0),
                                          .producer_id = kProducer,
                                          .producer_epoch = 0,
                                          .base_sequence = sequence});
    builder.Append(1000 + sequence, std::nullopt, "0123456789");
    return *std::move(builder).Build();
  }
  static void Append(Log& log, int32_t from, int32_t to) {
    for (int32_t sequence = from; sequence < to; ++sequence) {
      const auto admitted =
          log.AppendAsLeader(BatchOf(sequence), LeaderEpoch(0), [](const absl::Status&) {});
      ASSERT_TRUE(admitted.ok()) << admitted.status();
    }
    ASSERT_TRUE(log.Drain().ok());
  }
  static ErrorCode ErrorOf(const Log& log, int32_t sequence) {
    return log.CheckProducer(BatchOf(sequence).header()).error;
  }
  static bool IsDuplicate(const Log& log, int32_t sequence) {
    return log.CheckProducer(BatchOf(sequence).header()).duplicate.has_value();
  }
  static std::vector<int64_t> Files(core::Environment& env, std::string_view suffix) {
    std::vector<int64_t> offsets;
    const auto entries = env.files.List("orders-0");
    HW_CHECK(entries.ok());
    for (const core::DirectoryEntry& entry : *entries) {
      if (const auto offset = OffsetOfFileName(entry.name, suffix))
        offsets.push_back(offset->value());
    }
    std::sort(offsets.begin(), offsets.end());
    return offsets;
  }

  LogOwner owner_;
  Observer observer_;
  sim::World world_{{.seed = 1}};
  sim::Host& host_{world_.AddHost({.name = "broker-0",
                                   .zone = world_.network().AddZone("az-a"),
                                   .disk = sim::MakeDiskFactory({})})};
};

// [L4, I12]
TEST_F(LogProducerTest, ASnapshotIsTakenAtEachRollAndAtTheEnd) {
  Run([&](core::Environment& env) {
    const auto log = Open(env);
    EXPECT_THAT(Files(env, kProducerSnapshotSuffix), IsEmpty()) << "nothing to write down yet";
    Append(*log, 0, 11);
    std::vector<int64_t> bases = Files(env, kLogSuffix);
    ASSERT_GE(bases.size(), 3u);
    bases.erase(bases.begin());
    EXPECT_EQ(Files(env, kProducerSnapshotSuffix), bases);
    ASSERT_TRUE(log->Close().ok());
    bases.push_back(11);
    EXPECT_EQ(Files(env, kProducerSnapshotSuffix), bases);
  });
}

// [I12]
// [I15, M102]
TEST_F(LogProducerTest, SnapshotsGoWithTheirSegmentsAndTheEntriesStay) {
  Run([&](core::Environment& env) {
    const auto log = Open(env);
    Append(*log, 0, 20);
    ASSERT_TRUE(log->Roll([](const absl::Status&) {}).ok());
    LogConfig config = log->config();
    config.retention_bytes = 0;
    log->UpdateConfig(config);
    ASSERT_TRUE(log->ApplyRetentionAndWait(Offset(20)).ok());
    EXPECT_EQ(log->log_start_offset(), Offset(20));
    EXPECT_THAT(Files(env, kProducerSnapshotSuffix), ElementsAre(20));
    EXPECT_TRUE(IsDuplicate(*log, 15)) << "[M102] the state outlives the records";
  });
  Run([&](core::Environment& env) {
    const auto log = Open(env);
    EXPECT_TRUE(IsDuplicate(*log, 15));
    EXPECT_EQ(ErrorOf(*log, 20), ErrorCode::NONE);
    EXPECT_EQ(ErrorOf(*log, 21), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  });
}

// [I12]
// [K14, M89]
TEST_F(LogProducerTest, BehindADamagedSnapshotAnOlderOneIsUsedAndTheLogReplayed) {
  Run([&](core::Environment& env) {
    const auto log = Open(env);
    Append(*log, 0, 12);
    ASSERT_TRUE(log->Close().ok());
    for (const int64_t offset : Files(env, kProducerSnapshotSuffix)) {
      if (offset < 8) continue;
      const auto file = env.files.Open(
          fmt::format("orders-0/{}", FileNameOf(Offset(offset), kProducerSnapshotSuffix)),
          core::OpenMode::kReadWrite);
      ASSERT_TRUE(file.ok());
      ASSERT_TRUE((*file)->WriteAt(12, core::Bytes::Copy("?")).ok());
    }
  });
  Run([&](core::Environment& env) {
    const auto log = Open(env, true);
    for (int32_t sequence = 7; sequence < 12; ++sequence) EXPECT_TRUE(IsDuplicate(*log, sequence));
    EXPECT_EQ(ErrorOf(*log, 6), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    EXPECT_EQ(Files(env, kProducerSnapshotSuffix).back(), 12);
  });
}

// [I13, M101]
// [F22]
TEST_F(LogProducerTest, ATruncationGoesBackToWhatItLeaves) {
  Run([&](core::Environment& env) {
    const auto log = Open(env);
    Append(*log, 0, 12);
    ASSERT_TRUE(log->TruncateToAndWait(Offset(5)).ok());
    EXPECT_FALSE(IsDuplicate(*log, 5)) << "it was cut: a retry must be written again";
    EXPECT_EQ(ErrorOf(*log, 5), ErrorCode::NONE);
    EXPECT_TRUE(IsDuplicate(*log, 4));
    EXPECT_LE(Files(env, kProducerSnapshotSuffix).back(), 5);
    ASSERT_TRUE(log->TruncateFullyAndStartAt(Offset(30), [](const absl::Status&) {}).ok());
    ASSERT_TRUE(log->Drain().ok());
    EXPECT_EQ(log->producers().size(), 0u);
    EXPECT_THAT(Files(env, kProducerSnapshotSuffix), IsEmpty());
  });
}

// [I16]
// [M101]
TEST_F(LogProducerTest, AFollowerLearnsWhatItsLeaderWroteAndGivesNoVerdictBefore) {
  Run([&](core::Environment& env) {
    const auto log = Open(env);
    core::ByteChain records;
    for (int32_t i = 0; i < 4; ++i) records.Append(BatchOf(i, Offset(i)).bytes());
    ASSERT_TRUE(log->AppendAsFollower(records, [](const absl::Status&) {}).ok());
    EXPECT_EQ(ErrorOf(*log, 3), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    EXPECT_TRUE(absl::IsFailedPrecondition(
        log->AppendAsLeader(BatchOf(4), LeaderEpoch(1), [](const absl::Status&) {}).status()));
    ASSERT_TRUE(log->Drain().ok());
    EXPECT_TRUE(IsDuplicate(*log, 3));
    EXPECT_EQ(ErrorOf(*log, 4), ErrorCode::NONE);
    EXPECT_EQ(ErrorOf(*log, 5), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
  });
}

}  // namespace
}  // namespace highwater::broker::storage
