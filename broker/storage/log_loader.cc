#include "broker/storage/log_loader.h"

#include "broker/storage/checkpoint_file.h"
#include "broker/storage/log_file_names.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {

absl::Status LogLoader::Load() {
  HW_RETURN_IF_ERROR(core::CreateDirectories(env_.files, log_.directory_));
  HW_RETURN_IF_ERROR(TidyDirectory());
  HW_RETURN_IF_ERROR(ReadEpochs());
  HW_RETURN_IF_ERROR(OpenSegments());
  if (options_.clean) {
    HW_RETURN_IF_ERROR(ReadActiveSegment());
  } else {
    HW_RETURN_IF_ERROR(RecoverSegments());
  }
  HW_RETURN_IF_ERROR(FinishBounds());
  HW_RETURN_IF_ERROR(log_.snapshots_.RemoveStray(bases_));
  HW_RETURN_IF_ERROR(log_.LoadProducers(options_.clean));
  log_.last_flush_time_ = env_.clock.Now();
  log_.observer_.OnLogLoaded(log_.broker_, {.partition = log_.partition_,
                                            .clean = options_.clean,
                                            .log_start_offset = log_.log_start_offset_,
                                            .log_end_offset = log_.log_end_offset_,
                                            .truncated_bytes = truncated_bytes_});
  return absl::OkStatus();
}

absl::Status LogLoader::TidyDirectory() {
  HW_ASSIGN_OR_RETURN(const std::vector<core::DirectoryEntry> entries,
                      env_.files.List(log_.directory_));
  const DirectoryPlan plan = PlanDirectory(entries);
  for (const std::string& name : plan.remove) {
    const absl::Status removed = env_.files.Remove(fmt::format("{}/{}", log_.directory_, name));
    if (!absl::IsNotFound(removed)) HW_RETURN_IF_ERROR(removed);
  }
  for (const DirectoryPlan::Rename& rename : plan.rename) {
    HW_RETURN_IF_ERROR(env_.files.Rename(fmt::format("{}/{}", log_.directory_, rename.from),
                                         fmt::format("{}/{}", log_.directory_, rename.to)));
  }
  bases_ = plan.segments;
  log_.snapshots_.SetFound(plan.snapshots);
  // A removed file must not come back behind what is written under its name from now on.
  if (plan.remove.empty() && plan.rename.empty()) return absl::OkStatus();
  return env_.files.SyncDirectory(log_.directory_);
}

absl::Status LogLoader::ReadEpochs() {
  const absl::StatusOr<std::string> text = core::ReadWholeFile(
      env_.files, fmt::format("{}/{}", log_.directory_, kLeaderEpochCheckpoint));
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  HW_RETURN_IF_ERROR(text.status());
  const auto entries = ParseEpochCheckpoint(*text);
  if (!entries.ok()) {  // [K7]
    return absl::DataLossError(fmt::format("{}/{}: {}", log_.directory_, kLeaderEpochCheckpoint,
                                           std::string(entries.status().message())));
  }
  log_.epochs_ = LeaderEpochCache(*entries);
  epochs_on_disk_ = *entries;
  return absl::OkStatus();
}

absl::Status LogLoader::OpenSegments() {
  for (const Offset base : bases_) {
    HW_ASSIGN_OR_RETURN(std::shared_ptr<LogSegment> segment,
                        LogSegment::Open(env_.files, log_.directory_, base));
    segment->set_index_interval_bytes(log_.config_.index_interval_bytes);
    log_.segments_.push_back(std::move(segment));
  }
  // An unclean stop may have left names that were never synced.
  log_.directory_changed_ = !options_.clean;
  if (!bases_.empty()) return absl::OkStatus();
  return StartOver(options_.log_start_offset);
}

absl::Status LogLoader::StartOver(Offset base) {
  HW_RETURN_IF_ERROR(DropSegmentsFrom(0));
  HW_ASSIGN_OR_RETURN(std::shared_ptr<LogSegment> segment,
                      LogSegment::Create(env_.files, log_.directory_, base, env_.clock.WallNow()));
  log_.segments_.push_back(std::move(segment));
  bases_ = {base};
  log_end_ = base;
  log_.directory_changed_ = true;
  return absl::OkStatus();
}

// Deletes segments for good, the last first: in whatever moment the power fails, no hole is left.
absl::Status LogLoader::DropSegmentsFrom(size_t index) {
  while (log_.segments_.size() > index) {
    LogSegment& last = *log_.segments_.back();
    truncated_bytes_ += last.size();
    HW_RETURN_IF_ERROR(last.MarkDeleted());
    for (const std::string& path : last.DeletedPaths()) {
      const absl::Status removed = env_.files.Remove(path);
      if (!absl::IsNotFound(removed)) HW_RETURN_IF_ERROR(removed);
    }
    HW_RETURN_IF_ERROR(env_.files.SyncDirectory(log_.directory_));
    log_.segments_.pop_back();
  }
  bases_.resize(index);
  return absl::OkStatus();
}

void LogLoader::NoteBatch(Offset segment_base, const BatchPosition& batch) {
  log_.recent_.Add(segment_base, batch);
  // [K12] Epochs that the cache missed. One that it knows keeps its start: that of a leader's first
  // record, or of its election.
  const auto latest = log_.epochs_.latest();
  if (!latest || *latest < batch.leader_epoch) {
    log_.epochs_.Assign(batch.leader_epoch, batch.base_offset);
  }
}

absl::Status LogLoader::RecoverSegment(size_t index, const LogRecovery& recovery, bool* stop) {
  LogSegment& segment = *log_.segments_[index];
  SegmentScan scan(options_.rules, log_.config_.cleanup_compact, options_.recovery_point,
                   segment.base(), segment.size());
  uint64_t truncated = 0;
  HW_RETURN_IF_ERROR(segment.Recover(
      env_, scan, [&](const BatchPosition& batch) { NoteBatch(segment.base(), batch); },
      &truncated));
  truncated_bytes_ += truncated;
  log_end_ = scan.next_offset();
  *stop = recovery.MustDropAfter(index, scan);
  return absl::OkStatus();
}

absl::Status LogLoader::RecoverSegments() {
  const LogRecovery recovery(options_.rules, options_.clean, log_.config_.cleanup_compact,
                             options_.recovery_point, bases_);
  for (size_t i = recovery.first_to_scan(); i < log_.segments_.size(); ++i) {
    bool stop = false;
    HW_RETURN_IF_ERROR(RecoverSegment(i, recovery, &stop));
    if (stop) {
      HW_MARK("log_segments_dropped_by_recovery");
      return DropSegmentsFrom(i + 1);
    }
    if (i + 1 < log_.segments_.size()) log_.segments_[i]->OnBecomeInactive();
  }
  return absl::OkStatus();
}

absl::Status LogLoader::ReadActiveSegment() {
  LogSegment& active = log_.active();
  HW_RETURN_IF_ERROR(active.LoadIndexes(env_));
  const absl::StatusOr<Offset> end = active.ReadNextOffset(
      env_, [&](const BatchPosition& batch) { NoteBatch(active.base(), batch); });
  if (end.ok()) {
    log_end_ = *end;
    return absl::OkStatus();
  }
  if (!absl::IsDataLoss(end.status())) return end.status();
  // [K13] Clean, but it makes no sense: what can be read is kept.
  HW_MARK("log_clean_but_damaged");
  log_.recent_.Clear();
  const LogRecovery recovery(options_.rules, false, log_.config_.cleanup_compact, active.base(),
                             bases_);
  bool stop = false;
  return RecoverSegment(log_.segments_.size() - 1, recovery, &stop);
}

absl::Status LogLoader::FinishBounds() {
  const LoadedBounds bounds =
      BoundsAfterLoad(options_.clean, options_.log_start_offset, options_.recovery_point,
                      log_.segments_.front()->base(), log_end_);
  if (bounds.start_over) {
    HW_MARK("log_started_over_at_load");
    HW_RETURN_IF_ERROR(StartOver(bounds.log_start_offset));
    log_.recent_.Clear();
  }
  log_.log_start_offset_ = bounds.log_start_offset;
  log_.log_end_offset_ = bounds.log_end_offset;
  log_.next_admitted_offset_ = bounds.log_end_offset;
  log_.recovery_point_ = bounds.recovery_point;
  log_.epochs_.TruncateFromEnd(log_.log_end_offset_);
  log_.epochs_.TruncateFromStart(log_.segments_.front()->base());
  log_.stored_epochs_ = log_.epochs_;
  log_.epochs_.TruncateFromStart(log_.log_start_offset_);
  if (log_.stored_epochs_.entries() == absl::MakeConstSpan(epochs_on_disk_))
    return absl::OkStatus();
  return log_.WriteEpochs();
}

Log::Log(core::Environment& env, TopicPartition partition, std::string directory, LogConfig config,
         const ProducerStateRules& producer_rules, LogOwner& owner, BrokerId broker,
         Observer& observer)
    : env_(env),
      partition_(std::move(partition)),
      directory_(std::move(directory)),
      config_(std::move(config)),
      owner_(owner),
      broker_(broker),
      observer_(observer),
      producers_(producer_rules),
      snapshots_(env.files, directory_),
      flush_mutex_(env.fibers) {}

Log::~Log() = default;

absl::StatusOr<std::shared_ptr<Log>> Log::Load(core::Environment& env, TopicPartition partition,
                                               std::string directory, LogConfig config,
                                               const LogLoadOptions& options, LogOwner& owner,
                                               BrokerId broker, Observer& observer) {
  std::shared_ptr<Log> log(new Log(env, std::move(partition), std::move(directory),
                                   std::move(config), options.producer_rules, owner, broker,
                                   observer));
  HW_RETURN_IF_ERROR(LogLoader(env, *log, options).Load());
  return log;
}

}  // namespace highwater::broker::storage
