#include "broker/client/consumer.h"

#include <algorithm>
#include <limits>

#include "broker/client/admin.h"
#include "broker/client/consumer_impl.h"
#include "core/mark.h"

namespace highwater::broker::client {

using core::MonotonicTime;
using core::Wake;
using protocol::ErrorCode;

Consumer::Impl::Impl(core::Environment& env, ConsumerConfig config)
    : env_(env),
      config_(std::move(config)),
      network_(std::make_shared<NetworkClient>(env, config_, std::numeric_limits<int32_t>::max())) {
  network_->OnUpdate([this] { news_.WakeAll(); });
}

Consumer::Impl::~Impl() { Close(); }

void Consumer::Impl::Close() {
  if (std::exchange(closed_, true)) return;
  network_->Close();
  news_.WakeAll();
}

void Consumer::Impl::Assign(std::vector<TopicPartition> partitions) {
  std::map<TopicPartition, Partition> assigned;
  std::vector<std::string> topics;
  for (TopicPartition& id : partitions) {
    if (topics.empty() || topics.back() != id.topic) topics.push_back(id.topic);
    auto known = partitions_.extract(id);
    if (!known.empty()) {
      assigned.insert(std::move(known));
    } else {
      NewSerial(assigned[std::move(id)]);
    }
  }
  partitions_ = std::move(assigned);
  network_->SetTopics(topics);
  news_.WakeAll();
}

Consumer::Impl::Partition& Consumer::Impl::Assigned(const TopicPartition& id) {
  const auto found = partitions_.find(id);
  HW_CHECK(found != partitions_.end(), "{} is not assigned", id);
  return found->second;
}

// What is under way or was fetched for the partition is of no use any more.
void Consumer::Impl::NewSerial(Partition& partition) {
  partition.serial = next_serial_++;
  partition.under_way = false;
  partition.fetched.reset();
  partition.retry_at = MonotonicTime();
}

void Consumer::Impl::Seek(const TopicPartition& id, Offset offset, LeaderEpoch leader_epoch) {
  Partition& partition = Assigned(id);
  NewSerial(partition);
  partition.phase = Phase::kFetch;
  partition.position = offset;
  partition.offset_epoch = leader_epoch;
  partition.leader_epoch = kNoLeaderEpoch;
  news_.WakeAll();
}

void Consumer::Impl::SeekByTime(const TopicPartition& id, int64_t timestamp) {
  Partition& partition = Assigned(id);
  NewSerial(partition);
  partition.phase = Phase::kReset;
  partition.reset_timestamp = timestamp;
  partition.reset_reason = ResetReason::kNoPosition;
  news_.WakeAll();
}

void Consumer::Impl::SetPaused(const TopicPartition& id, bool paused) {
  Assigned(id).paused = paused;
  news_.WakeAll();
}

std::optional<Offset> Consumer::Impl::Position(const TopicPartition& id) const {
  const auto found = partitions_.find(id);
  if (found == partitions_.end() || found->second.position == kNoOffset) return std::nullopt;
  if (found->second.phase == Phase::kReset) return std::nullopt;
  return found->second.position;
}

std::optional<Offset> Consumer::Impl::EndOffset(const TopicPartition& id) const {
  const auto found = partitions_.find(id);
  return found == partitions_.end() ? std::nullopt : found->second.end_offset;
}

int32_t Consumer::Impl::PartitionsFor(std::string_view topic, MonotonicTime deadline) {
  return network_->AwaitTopic(topic, deadline);
}

PollResult Consumer::Impl::Poll(MonotonicTime deadline) {
  PollResult result;
  while (!closed_) {
    Collect(result);
    // The next fetches leave before the records are worked on.
    const MonotonicTime due = StartRequests();
    if (!result.empty()) return result;
    const Wake wake = news_.Wait(env_.fibers, "fetched records", std::min(due, deadline));
    if (wake == Wake::kCancelled) break;
    if (wake == Wake::kDeadline && env_.clock.Now() >= deadline) break;
  }
  return result;
}

void Consumer::Impl::Collect(PollResult& result) {
  size_t left = static_cast<size_t>(config_.max_poll_records);
  std::deque<TopicPartition> paused;
  while (left > 0 && !arrived_.empty()) {
    const TopicPartition id = std::move(arrived_.front());
    arrived_.pop_front();
    const auto found = partitions_.find(id);
    if (found == partitions_.end() || !found->second.fetched.has_value()) continue;
    Partition& partition = found->second;
    if (partition.paused) {
      paused.push_back(id);
      continue;
    }
    FetchedPartition& fetched = *partition.fetched;
    PolledPartition polled{.partition = id};
    const bool more = fetched.Take(left, polled.records);
    partition.position = fetched.position();
    if (fetched.last_epoch() != kNoLeaderEpoch) partition.offset_epoch = fetched.last_epoch();
    left -= polled.records.size();
    if (!polled.records.empty()) result.partitions.push_back(std::move(polled));
    if (more) {
      arrived_.push_front(id);
      break;
    }
    const absl::Status status = fetched.status();
    partition.fetched.reset();
    if (!status.ok()) {
      const ErrorCode code = absl::IsResourceExhausted(status) ? ErrorCode::MESSAGE_TOO_LARGE
                                                               : ErrorCode::CORRUPT_MESSAGE;
      FailPartition(id, partition, code, std::string(status.message()));
    }
  }
  arrived_.insert(arrived_.end(), paused.begin(), paused.end());
  result.resets = std::exchange(resets_, {});
  result.errors = std::exchange(errors_, {});
}

void Consumer::Impl::FailPartition(const TopicPartition& id, Partition& partition, ErrorCode code,
                                   std::string message) {
  HW_MARK("client_partition_failed");
  NewSerial(partition);
  partition.phase = Phase::kFailed;
  errors_.push_back({id, code, partition.position, std::move(message)});
  news_.WakeAll();
}

void Consumer::Impl::RequestReset(const TopicPartition& id, Partition& partition,
                                  ResetReason reason) {
  if (config_.auto_offset_reset == OffsetReset::kNone) {
    return FailPartition(id, partition, ErrorCode::OFFSET_OUT_OF_RANGE,
                         "no position, and auto.offset.reset is none");
  }
  NewSerial(partition);
  partition.phase = Phase::kReset;
  partition.reset_timestamp.reset();
  partition.reset_reason = reason;
}

void Consumer::Impl::Jump(const TopicPartition& id, Partition& partition, Offset to,
                          LeaderEpoch epoch, ResetReason reason) {
  resets_.push_back({id, partition.position, to, reason});
  NewSerial(partition);
  partition.phase = Phase::kFetch;
  partition.position = to;
  partition.offset_epoch = epoch;
  partition.reset_timestamp.reset();
  news_.WakeAll();
}

int64_t Consumer::Impl::ResetTimestamp(const Partition& partition) const {
  if (partition.reset_timestamp.has_value()) return *partition.reset_timestamp;
  return config_.auto_offset_reset == OffsetReset::kEarliest ? kEarliestTimestamp
                                                             : kLatestTimestamp;
}

// [N31] A position that was good under one leader need not be under the next.
void Consumer::Impl::NoticeNewLeader(Partition& partition, const PartitionMetadata& metadata) {
  if (partition.phase != Phase::kFetch || metadata.leader_epoch <= partition.leader_epoch) return;
  if (partition.offset_epoch == kNoLeaderEpoch) {
    partition.leader_epoch = metadata.leader_epoch;
    return;
  }
  NewSerial(partition);
  partition.phase = Phase::kValidate;
}

Consumer::Impl::Target Consumer::Impl::TargetOf(const TopicPartition& id,
                                                const Partition& partition,
                                                const PartitionMetadata& metadata) const {
  const TopicMetadata* topic = network_->metadata().FindTopic(id.topic);
  return {.id = id,
          .serial = partition.serial,
          .position = partition.position,
          .leader_epoch = metadata.leader_epoch,
          .offset_epoch = partition.offset_epoch,
          .timestamp = ResetTimestamp(partition),
          .topic_id = topic->topic_id};
}

MonotonicTime Consumer::Impl::StartRequests() {
  const MonotonicTime now = env_.clock.Now();
  MonotonicTime next = MonotonicTime::Never();
  std::map<BrokerRequest, Targets> due;
  for (auto& [id, partition] : partitions_) {
    if (partition.phase == Phase::kFailed || partition.under_way) continue;
    if (partition.phase == Phase::kReset && partition.position == kNoOffset &&
        !partition.reset_timestamp.has_value() && config_.auto_offset_reset == OffsetReset::kNone) {
      FailPartition(id, partition, ErrorCode::OFFSET_OUT_OF_RANGE,
                    "no position, and auto.offset.reset is none");
      next = now;
      continue;
    }
    if (partition.retry_at > now) {
      next = std::min(next, partition.retry_at);
      continue;
    }
    const PartitionMetadata* metadata = network_->metadata().FindPartition(id.topic, id.partition);
    if (metadata == nullptr || metadata->leader == kNoBroker) {
      network_->RequestUpdate();  // its answer wakes us
      continue;
    }
    NoticeNewLeader(partition, *metadata);
    if (partition.phase == Phase::kFetch && (partition.paused || partition.fetched.has_value()))
      continue;
    const RequestKind kind = partition.phase == Phase::kFetch ? RequestKind::kFetch
                             : partition.phase == Phase::kReset
                                 ? RequestKind::kListOffsets
                                 : RequestKind::kOffsetForLeaderEpoch;
    const BrokerRequest request{metadata->leader, kind};
    if (under_way_.contains(request)) continue;  // its end wakes us
    due[request].push_back(TargetOf(id, partition, *metadata));
    partition.under_way = true;
  }
  for (auto& [request, targets] : due) {
    under_way_.insert(request);
    env_.fibers.Spawn("client-fetch",
                      [self = shared_from_this(), request = request, targets = std::move(targets)] {
                        self->RunRequest(request, targets);
                      });
  }
  return next;
}

Consumer::Consumer(core::Environment& env, ConsumerConfig config)
    : impl_(std::make_shared<Impl>(env, std::move(config))) {}
Consumer::~Consumer() { impl_->Close(); }
void Consumer::Assign(std::vector<TopicPartition> partitions) {
  std::sort(partitions.begin(), partitions.end());
  impl_->Assign(std::move(partitions));
}
PollResult Consumer::Poll(MonotonicTime deadline) { return impl_->Poll(deadline); }
void Consumer::Seek(const TopicPartition& partition, Offset offset, LeaderEpoch leader_epoch) {
  impl_->Seek(partition, offset, leader_epoch);
}
void Consumer::SeekToBeginning(const TopicPartition& partition) {
  impl_->SeekByTime(partition, kEarliestTimestamp);
}
void Consumer::SeekToEnd(const TopicPartition& partition) {
  impl_->SeekByTime(partition, kLatestTimestamp);
}
void Consumer::SeekToTimestamp(const TopicPartition& partition, absl::Time timestamp) {
  impl_->SeekByTime(partition, std::max<int64_t>(0, absl::ToUnixMillis(timestamp)));
}
void Consumer::Pause(const TopicPartition& partition) { impl_->SetPaused(partition, true); }
void Consumer::Resume(const TopicPartition& partition) { impl_->SetPaused(partition, false); }
std::optional<Offset> Consumer::Position(const TopicPartition& partition) const {
  return impl_->Position(partition);
}
std::optional<Offset> Consumer::EndOffset(const TopicPartition& partition) const {
  return impl_->EndOffset(partition);
}
int32_t Consumer::PartitionsFor(std::string_view topic, MonotonicTime deadline) {
  return impl_->PartitionsFor(topic, deadline);
}
void Consumer::Close() { impl_->Close(); }

}  // namespace highwater::broker::client
