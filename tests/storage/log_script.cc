#include "log_script.h"

#include <algorithm>
#include <array>

#include "broker/protocol/record_batch_builder.h"
#include "core/status_macros.h"

namespace highwater::broker::storage::testing {
namespace {

const TopicPartition kPartition{"orders", PartitionIndex(0)};

class ScriptObserver final : public Observer {
 public:
  explicit ScriptObserver(Oracle& oracle) : oracle_(oracle) {}
  void OnFlushed(BrokerId, const TopicPartition&, Offset recovery_point) override {
    oracle_.durable = std::max(oracle_.durable, recovery_point);
  }
  void OnTruncated(BrokerId, const TopicPartition&, Offset end) override {
    oracle_.durable = std::min(oracle_.durable, end);
  }
  void OnLogStartMoved(BrokerId, const TopicPartition&, Offset start) override {
    oracle_.start = start;
  }

 private:
  Oracle& oracle_;
};

class ScriptListener final : public LogManagerListener {
 public:
  explicit ScriptListener(const LogConfig& config) : config_(config) {}
  std::optional<Offset> HighWatermarkOf(const TopicPartition&) override { return Offset(1); }
  LogConfig ConfigOf(std::string_view, const LogConfig&) override { return config_; }

 private:
  LogConfig config_;
};

class ScriptApplication final : public sim::Application {
 public:
  ScriptApplication(core::Environment& env, const Incarnation& incarnation,
                    const ScriptOptions& options, Oracle& oracle, sim::Host& host)
      : env_(env),
        incarnation_(incarnation),
        options_(options),
        oracle_(oracle),
        host_(host),
        observer_(oracle),
        listener_(options.config),
        manager_(env,
                 {.directories = {"data"},
                  .defaults = options.config,
                  .recovery_rules = options.rules,
                  .producer_rules = options.producer_rules},
                 listener_, observer_) {}

  void Run(core::Environment&) override {
    const absl::Status status = RunChecked();
    if (!status.ok()) Report(std::string(status.message()));
  }

 private:
  void Report(std::string problem) {
    if (oracle_.problem.empty()) oracle_.problem = std::move(problem);
  }

  absl::Status RunChecked() {
    HW_RETURN_IF_ERROR(manager_.Start());
    HW_ASSIGN_OR_RETURN(log_, manager_.Create(kPartition, options_.config, {}, IsNew::kYes));
    HW_RETURN_IF_ERROR(CheckAgainstOracle());
    for (const Command& command : incarnation_.commands) HW_RETURN_IF_ERROR(Do(command));
    if (incarnation_.end == Incarnation::End::kCleanStop ||
        incarnation_.end == Incarnation::End::kStopThenPowerLoss) {
      HW_RETURN_IF_ERROR(manager_.Stop());
      oracle_.clean = true;
      return absl::OkStatus();
    }
    // Ends when this fiber next waits.
    if (incarnation_.end == Incarnation::End::kPowerLoss) ++oracle_.power_losses;
    host_.End(incarnation_.end == Incarnation::End::kPowerLoss ? sim::CrashKind::kPowerLoss
                                                               : sim::CrashKind::kProcess,
              sim::kNoFault);
    env_.fibers.Yield();
    return absl::OkStatus();
  }

  // Every fourth batch is of nobody, the others of one of three idempotent producers.
  protocol::RecordBatch MakeBatch(int records, int value_size, Offset base = Offset(0),
                                  LeaderEpoch epoch = kNoLeaderEpoch) {
    protocol::RecordBatchOptions options{.base_offset = base, .partition_leader_epoch = epoch};
    if (const size_t producer = ++made_ % 4; producer < next_sequence_.size()) {
      options.producer_id = ProducerId(static_cast<int64_t>(producer));
      options.producer_epoch = 0;
      options.base_sequence = next_sequence_[producer];
      next_sequence_[producer] += records;
    }
    protocol::RecordBatchBuilder builder(options);
    for (int i = 0; i < records; ++i) {
      ++serial_;
      const std::string value =
          fmt::format("{}.{}.{:x>{}}", env_.process.RunId(), serial_, "", value_size);
      builder.Append(1'000'000 + static_cast<int64_t>(serial_ * 37 % 101), std::nullopt, value);
    }
    return *std::move(builder).Build();
  }

  absl::Status Do(const Command& command) {
    const auto ignore = [](const absl::Status&) {};
    switch (command.kind) {
      case Command::Kind::kAppend:
        for (int i = 0; i < command.a; ++i) HW_RETURN_IF_ERROR(Append(1 + i % 3, command.b));
        return absl::OkStatus();
      case Command::Kind::kReplicate:
        return Replicate(command);
      case Command::Kind::kBumpEpoch:
        epoch_ = epoch_ + 1;
        return log_->AssignEpoch(epoch_, ignore);
      case Command::Kind::kFlush:
        return log_->Flush();
      case Command::Kind::kRoll:
        return log_->Roll(ignore);
      case Command::Kind::kTruncate:
        return Truncate(command.a);
      case Command::Kind::kTruncateFully:
        return TruncateFully(command.a);
      case Command::Kind::kRaiseStart: {
        const Offset start = log_->log_start_offset();
        const int64_t by = (log_->log_end_offset() - start) * command.a / 1000;
        return log_->IncrementLogStartOffset(start + by, ignore);
      }
      case Command::Kind::kRetain: {
        const absl::Status applied = log_->ApplyRetentionAndWait(log_->log_end_offset());
        return applied;
      }
      case Command::Kind::kCheckpoint:
        manager_.CheckpointRecoveryPoints();
        manager_.CheckpointLogStartOffsets();
        return absl::OkStatus();
      case Command::Kind::kSleep:
        env_.fibers.SleepFor(absl::Milliseconds(command.a));
        return absl::OkStatus();
      case Command::Kind::kDrain:
        return log_->Drain();
    }
    return absl::OkStatus();
  }

  // What the log knows of the producers decides how they go on.
  void ContinueSequences() {
    for (size_t i = 0; i < next_sequence_.size(); ++i) {
      next_sequence_[i] =
          log_->producers().Find(ProducerId(static_cast<int64_t>(i))).last_sequence() + 1;
    }
  }

  absl::Status Append(int records, int value_size) {
    const protocol::RecordBatch batch = MakeBatch(records, value_size);
    if (batch.header().has_producer_id()) {
      ProducerVerdict verdict = log_->CheckProducer(batch.header());
      if (verdict.error == protocol::ErrorCode::NOT_LEADER_OR_FOLLOWER) {
        HW_RETURN_IF_ERROR(log_->Drain());
        verdict = log_->CheckProducer(batch.header());
      }
      if (verdict.error != protocol::ErrorCode::NONE || verdict.duplicate) {
        return absl::InternalError(
            fmt::format("sequence {} of producer {} gets error {}", batch.header().base_sequence,
                        batch.header().producer_id, static_cast<int>(verdict.error)));
      }
    }
    HW_ASSIGN_OR_RETURN(const AdmittedOffsets admitted,
                        log_->AppendAsLeader(batch, epoch_, [](const absl::Status&) {}));
    oracle_.content.push_back(StoredOf(batch, admitted.first, epoch_));
    return absl::OkStatus();
  }

  absl::Status Replicate(const Command& command) {
    core::ByteChain records;
    Offset next = log_->next_admitted_offset();
    std::vector<Stored> batches;
    for (int i = 0; i < command.a; ++i) {
      if (i + 1 == command.a) epoch_ = epoch_ + 1;
      const protocol::RecordBatch batch = MakeBatch(1 + i % 2, command.b, next, epoch_);
      records.Append(batch.bytes());
      batches.push_back(StoredOf(batch, next, epoch_));
      next = batch.header().next_offset();
    }
    HW_RETURN_IF_ERROR(log_->AppendAsFollower(records, [](const absl::Status&) {}).status());
    oracle_.content.insert(oracle_.content.end(), batches.begin(), batches.end());
    return absl::OkStatus();
  }

  absl::Status Truncate(int per_mille) {
    const std::vector<Stored>& all = oracle_.content;
    if (all.empty()) return absl::OkStatus();
    const auto kept = all.size() * static_cast<size_t>(per_mille) / 1000;
    const Offset to = kept < all.size() ? all[kept].base : all.back().last + 1;
    if (to < log_->first_segment_base()) return absl::OkStatus();
    oracle_.before_cut = oracle_.content;
    oracle_.content.resize(kept);
    HW_RETURN_IF_ERROR(log_->TruncateToAndWait(to));
    HW_RETURN_IF_ERROR(CheckProducers(oracle_.content));
    ContinueSequences();
    oracle_.before_cut.reset();
    oracle_.start = std::min(oracle_.start, to);
    return absl::OkStatus();
  }

  absl::Status TruncateFully(int beyond) {
    const Offset to = log_->next_admitted_offset() + beyond;
    oracle_.before_cut = std::move(oracle_.content);
    oracle_.content.clear();
    oracle_.starting_over_at = to;
    HW_RETURN_IF_ERROR(log_->TruncateFullyAndStartAt(to, [](const absl::Status&) {}));
    HW_RETURN_IF_ERROR(log_->Drain());
    ContinueSequences();
    oracle_.before_cut.reset();
    oracle_.starting_over_at.reset();
    oracle_.start = to;
    oracle_.durable = to;
    return absl::OkStatus();
  }

  static Stored StoredOf(const protocol::RecordBatch& batch, Offset base, LeaderEpoch epoch) {
    const protocol::RecordBatchHeader& header = batch.header();
    return {.base = base,
            .last = base + header.last_offset_delta,
            .epoch = epoch,
            .crc = header.crc,
            .producer = header.producer_id,
            .last_sequence = header.last_sequence()};
  }

  // [I13, I16] The last batches of each producer are those of the log, as far as it still holds
  // them, and nothing is known of any that it does not hold.
  absl::Status CheckProducers(const std::vector<Stored>& content) {
    for (size_t i = 0; i < next_sequence_.size(); ++i) {
      const ProducerId id(static_cast<int64_t>(i));
      std::vector<ProducerBatchMetadata> expected;
      for (const Stored& batch : content) {
        if (batch.producer != id) continue;
        expected.push_back({.last_sequence = batch.last_sequence, .last_offset = batch.last});
      }
      const ProducerStateEntry entry = log_->producers().Find(id);
      const size_t compared =
          std::min(expected.size(), size_t{ProducerStateEntry::kRememberedBatches});
      bool same = entry.batches.size() >= compared;
      for (size_t k = 1; same && k <= compared; ++k) {
        const ProducerBatchMetadata& known = entry.batches[entry.batches.size() - k];
        const ProducerBatchMetadata& stored = expected[expected.size() - k];
        same =
            known.last_sequence == stored.last_sequence && known.last_offset == stored.last_offset;
      }
      for (size_t k = 0; same && k + compared < entry.batches.size(); ++k) {
        same = content.empty() || entry.batches[k].last_offset < content.front().base;
      }
      if (same) continue;
      return absl::InternalError(
          fmt::format("log [{}, {}): producer {} has {} remembered batches up to sequence {}, the "
                      "log {} up to {}",
                      log_->log_start_offset(), log_->log_end_offset(), i, entry.batches.size(),
                      entry.last_sequence(), expected.size(),
                      expected.empty() ? -1 : expected.back().last_sequence));
    }
    return absl::OkStatus();
  }

  // Everything in the log, by walking it batch after batch.
  absl::StatusOr<std::vector<Stored>> ReadAll() {
    std::vector<Stored> found;
    Offset at = log_->log_start_offset();
    while (at < log_->log_end_offset()) {
      HW_ASSIGN_OR_RETURN(const core::ByteChain bytes,
                          log_->ReadBatches({.from = at,
                                             .max_bytes = 300,
                                             .upper_bound = log_->log_end_offset(),
                                             .at_least_one_batch = true}));
      protocol::RecordBatchReader reader(bytes);
      Offset next = at;
      while (const auto batch = reader.Next()) {
        HW_RETURN_IF_ERROR(batch->Validate());
        const protocol::RecordBatchHeader& header = batch->header();
        found.push_back(StoredOf(*batch, header.base_offset, header.partition_leader_epoch));
        next = header.next_offset();
      }
      if (next <= at) {
        return absl::InternalError(
            fmt::format("nothing to read at {} below {}", at, log_->log_end_offset()));
      }
      at = next;
    }
    return found;
  }

  // Whether `found` is `content` from some batch on, up to some batch.
  static bool IsPartOf(const std::vector<Stored>& found, const std::vector<Stored>& content) {
    if (found.empty()) return true;
    const auto first = std::find(content.begin(), content.end(), found.front());
    return static_cast<size_t>(content.end() - first) >= found.size() &&
           std::equal(found.begin(), found.end(), first);
  }

  absl::Status CheckEachOffset(const std::vector<Stored>& found) {
    for (const Stored& batch : found) {
      for (Offset at = std::max(batch.base, log_->log_start_offset()); at <= batch.last; ++at) {
        HW_ASSIGN_OR_RETURN(const core::ByteChain bytes,
                            log_->ReadBatches({.from = at,
                                               .max_bytes = 1,
                                               .upper_bound = log_->log_end_offset(),
                                               .at_least_one_batch = true}));
        HW_ASSIGN_OR_RETURN(const protocol::RecordBatch first, protocol::RecordBatch::Parse(bytes));
        if (first.header().base_offset != batch.base) {
          return absl::InternalError(fmt::format("a read at {} begins at {}, expected {}", at,
                                                 first.header().base_offset, batch.base));
        }
      }
      if (batch.base < log_->log_start_offset()) continue;
      const auto epoch = log_->epochs().EpochOf(batch.base);
      if (!epoch || *epoch != batch.epoch) {
        return absl::InternalError(fmt::format("the epoch cache says {} of {}, the batch {}",
                                               epoch ? epoch->value() : -1, batch.base,
                                               batch.epoch));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckAgainstOracle() {
    HW_ASSIGN_OR_RETURN(const std::vector<Stored> found, ReadAll());
    const Offset end = log_->log_end_offset();
    const std::string place = fmt::format(
        "log [{}, {}), {} batches, oracle {} from {}, durable {}: ", log_->log_start_offset(), end,
        found.size(), oracle_.content.size(), oracle_.start, oracle_.durable);
    for (size_t i = 1; i < found.size(); ++i) {
      if (found[i].base != found[i - 1].last + 1) {
        return absl::InternalError(fmt::format("{}a hole at {}", place, found[i].base));
      }
    }
    if (!found.empty() && found[0].base > log_->log_start_offset()) {
      return absl::InternalError(fmt::format("{}a hole at the start", place));
    }
    const bool is_new = IsPartOf(found, oracle_.content);
    const bool is_old = oracle_.before_cut && IsPartOf(found, *oracle_.before_cut);
    if (!is_new && !is_old) {
      return absl::InternalError(place + "batches that nobody wrote here");
    }
    const bool may_be_elsewhere = oracle_.starting_over_at.has_value();
    if (end < oracle_.durable && !may_be_elsewhere) {
      return absl::InternalError(place + "flushed records are gone");
    }
    if (log_->log_start_offset() > oracle_.start && !may_be_elsewhere) {
      return absl::InternalError(place + "the log starts too late");
    }
    if (oracle_.clean &&
        (!is_new ||
         (oracle_.content.empty() ? !found.empty() : end != oracle_.content.back().last + 1))) {
      return absl::InternalError(place + "a clean stop lost the end");
    }
    if (log_->recovery_point() > end) return absl::InternalError(place + "recovery point too high");
    HW_RETURN_IF_ERROR(CheckEachOffset(found));
    HW_RETURN_IF_ERROR(CheckTimestamps(found));
    HW_RETURN_IF_ERROR(CheckProducers(found));
    ContinueSequences();
    // From here on the log is what was found.
    if (is_new && oracle_.content.size() > found.size()) {
      oracle_.lost_batches += oracle_.content.size() - found.size();
    }
    oracle_.content = found;
    oracle_.before_cut.reset();
    oracle_.starting_over_at.reset();
    oracle_.durable = std::min(oracle_.durable, end);
    if (may_be_elsewhere) oracle_.durable = log_->recovery_point();
    oracle_.start = log_->log_start_offset();
    oracle_.clean = false;
    epoch_ = LeaderEpoch(static_cast<int32_t>(env_.process.RunId()) * 1000);
    return absl::OkStatus();
  }

  // The time index finds the first record of each timestamp that a walk finds.
  absl::Status CheckTimestamps(const std::vector<Stored>& found) {
    if (found.empty()) return absl::OkStatus();
    HW_ASSIGN_OR_RETURN(const core::ByteChain all,
                        log_->ReadBatches({.from = log_->log_start_offset(),
                                           .max_bytes = 1 << 20,
                                           .upper_bound = log_->log_end_offset(),
                                           .at_least_one_batch = true}));
    static_cast<void>(all);
    std::vector<std::pair<int64_t, Offset>> records;
    Offset at = log_->log_start_offset();
    while (at < log_->log_end_offset()) {
      HW_ASSIGN_OR_RETURN(const core::ByteChain bytes,
                          log_->ReadBatches({.from = at,
                                             .max_bytes = 1,
                                             .upper_bound = log_->log_end_offset(),
                                             .at_least_one_batch = true}));
      HW_ASSIGN_OR_RETURN(const protocol::RecordBatch batch, protocol::RecordBatch::Parse(bytes));
      HW_ASSIGN_OR_RETURN(protocol::RecordReader reader, protocol::RecordReader::Open(batch));
      while (const protocol::RecordView* record = reader.Next()) {
        if (record->offset >= log_->log_start_offset()) {
          records.emplace_back(record->timestamp_ms, record->offset);
        }
      }
      at = batch.header().next_offset();
    }
    for (int64_t timestamp = 1'000'000; timestamp <= 1'000'100; timestamp += 20) {
      const auto first = std::find_if(records.begin(), records.end(),
                                      [&](const auto& r) { return r.first >= timestamp; });
      HW_ASSIGN_OR_RETURN(const auto got, log_->OffsetForTimestamp(timestamp));
      const int64_t expected = first == records.end() ? -1 : first->second.value();
      if ((got ? got->offset.value() : -1) != expected) {
        return absl::InternalError(fmt::format("timestamp {} is at {}, found {}", timestamp,
                                               expected, got ? got->offset.value() : -1));
      }
    }
    return absl::OkStatus();
  }

  core::Environment& env_;
  const Incarnation& incarnation_;
  const ScriptOptions& options_;
  Oracle& oracle_;
  sim::Host& host_;
  ScriptObserver observer_;
  ScriptListener listener_;
  LogManager manager_;
  std::shared_ptr<Log> log_;
  LeaderEpoch epoch_{0};
  uint64_t serial_ = 0;
  size_t made_ = 0;
  std::array<int32_t, 3> next_sequence_{};
};

// Runs one incarnation to its end; returns its effects.
uint64_t RunIncarnation(sim::World& world, sim::Host& host, const Incarnation& incarnation,
                        const ScriptOptions& options, Oracle& oracle) {
  const uint64_t before = host.effects();
  host.SetProgram([&](core::Environment& env) {
    return std::make_unique<ScriptApplication>(env, incarnation, options, oracle, host);
  });
  const bool power = incarnation.end == Incarnation::End::kPowerLoss;
  if (incarnation.at_effect > 0) {
    host.CrashAtPoint(before + incarnation.at_effect,
                      power ? sim::CrashKind::kPowerLoss : sim::CrashKind::kProcess);
  }
  bool planned = false;
  host.OnProcessEnd([&](sim::ProcessEnd end) { planned = end != sim::ProcessEnd::kExited; });
  host.Start();
  const sim::RunEnd end = world.RunUntilIdle();
  if (host.running() && oracle.problem.empty()) {
    oracle.problem = fmt::format("stuck ({}):\n{}", sim::RunEndName(end), world.DescribeFibers());
  }
  if (planned && power) ++oracle.power_losses;
  // Whatever a clean stop promised, it promised to the disk.
  if (incarnation.end == Incarnation::End::kStopThenPowerLoss) host.LosePower();
  return host.effects() - before;
}

}  // namespace

std::string RunScript(const std::vector<Incarnation>& incarnations, const ScriptOptions& options,
                      Oracle* oracle) {
  Oracle own;
  if (oracle == nullptr) oracle = &own;
  sim::World world(
      {.seed = options.seed, .strategy = options.strategy, .buggify = options.buggify});
  sim::Host& host = world.AddHost({.name = "broker-0",
                                   .zone = world.network().AddZone("az-a"),
                                   .disk = sim::MakeDiskFactory(options.disk)});
  for (const Incarnation& incarnation : incarnations) {
    RunIncarnation(world, host, incarnation, options, *oracle);
    if (!oracle->problem.empty()) return oracle->problem;
  }
  // Twice: recovered, then with the indexes that the clean stop left.
  const Incarnation last;
  RunIncarnation(world, host, last, options, *oracle);
  if (oracle->problem.empty()) RunIncarnation(world, host, last, options, *oracle);
  return oracle->problem;
}

uint64_t CountEffects(const std::vector<Command>& commands, const ScriptOptions& options) {
  Oracle oracle;
  sim::World world(
      {.seed = options.seed, .strategy = options.strategy, .buggify = options.buggify});
  sim::Host& host = world.AddHost({.name = "broker-0",
                                   .zone = world.network().AddZone("az-a"),
                                   .disk = sim::MakeDiskFactory(options.disk)});
  return RunIncarnation(world, host, {.commands = commands}, options, oracle);
}

}  // namespace highwater::broker::storage::testing
