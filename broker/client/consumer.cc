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

Consumer::Impl::Impl(core::Environment& env, ConsumerConfig config, const ClientRules& rules)
    : env_(env),
      config_(std::move(config)),
      rules_(rules),
      network_(std::make_shared<NetworkClient>(env, config_, std::numeric_limits<int32_t>::max(),
                                               rules)) {
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
      Partition fresh(TopicPartitionState(config_.auto_offset_reset, rules_));
      fresh.assignment = next_assignment_++;
      assigned.emplace(std::move(id), std::move(fresh));
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

void Consumer::Impl::Seek(const TopicPartition& id, Offset offset, LeaderEpoch leader_epoch) {
  Partition& partition = Assigned(id);
  network_->SeenLeaderEpoch(id, leader_epoch);
  partition.state.Seek(offset, leader_epoch, LeaderOf(id));
  partition.retry_at = MonotonicTime();
  news_.WakeAll();
}

void Consumer::Impl::SeekByTime(const TopicPartition& id, int64_t timestamp) {
  Partition& partition = Assigned(id);
  partition.state.SeekByTime(timestamp);
  partition.retry_at = MonotonicTime();
  news_.WakeAll();
}

void Consumer::Impl::SetPaused(const TopicPartition& id, bool paused) {
  Assigned(id).paused = paused;
  news_.WakeAll();
}

std::optional<Offset> Consumer::Impl::Position(const TopicPartition& id) const {
  const auto found = partitions_.find(id);
  if (found == partitions_.end()) return std::nullopt;
  const TopicPartitionState& state = found->second.state;
  if (state.position().offset == kNoOffset || state.state() == State::kAwaitReset) {
    return std::nullopt;
  }
  return state.position().offset;
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
  std::deque<TopicPartition> later;
  while (left > 0 && !arrived_.empty()) {
    const TopicPartition id = std::move(arrived_.front());
    arrived_.pop_front();
    const auto found = partitions_.find(id);
    if (found == partitions_.end() || !found->second.fetched.has_value()) continue;
    Partition& partition = found->second;
    if (partition.fetched_version != partition.state.version()) {
      partition.fetched.reset();
      continue;
    }
    if (partition.paused) {
      later.push_back(id);
    } else if (!CollectOne(id, partition, left, result)) {
      arrived_.push_front(id);
    }
  }
  arrived_.insert(arrived_.end(), later.begin(), later.end());
  result.resets = std::exchange(resets_, {});
  result.errors = std::exchange(errors_, {});
}

bool Consumer::Impl::CollectOne(const TopicPartition& id, Partition& partition, size_t& left,
                                PollResult& result) {
  FetchedPartition& fetched = *partition.fetched;
  PolledPartition polled{.partition = id};
  const bool more = fetched.Take(left, polled.records);
  partition.state.Consumed(fetched.position(), fetched.last_epoch());
  left -= polled.records.size();
  if (!polled.records.empty()) result.partitions.push_back(std::move(polled));
  if (more) return false;
  const absl::Status status = fetched.status();
  partition.fetched.reset();
  if (!status.ok()) {
    const ErrorCode code = absl::IsResourceExhausted(status) ? ErrorCode::MESSAGE_TOO_LARGE
                                                             : ErrorCode::CORRUPT_MESSAGE;
    CarryOut(id, partition, partition.state.Fail(code, std::string(status.message())));
  }
  return true;
}

void Consumer::Impl::CarryOut(const TopicPartition& id, Partition& partition,
                              PositionEffects effects) {
  partition.retry_at = MonotonicTime();
  if (effects.back_off) partition.retry_at = env_.clock.Now() + config_.retry_backoff;
  if (effects.refresh_metadata) network_->RequestUpdate();
  if (effects.jump.has_value()) {
    resets_.push_back({id, effects.jump->from, effects.jump->to, effects.jump->reason});
  }
  if (effects.failure.has_value()) {
    errors_.push_back({id, effects.failure->code, partition.state.position().offset,
                       std::move(effects.failure->message)});
  }
  if (!resets_.empty() || !errors_.empty()) news_.WakeAll();
}

Consumer::Consumer(core::Environment& env, ConsumerConfig config, const ClientRules& rules)
    : impl_(std::make_shared<Impl>(env, std::move(config), rules)) {}
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
