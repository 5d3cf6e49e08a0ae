// The consumer's conversations with brokers: Fetch, ListOffsets, OffsetForLeaderEpoch.

#include <algorithm>

#include "broker/client/admin.h"
#include "broker/client/consumer_impl.h"
#include "core/mark.h"

namespace highwater::broker::client {

using core::MonotonicTime;
using protocol::ErrorCode;

namespace {

// Where the topic of `id` stands in a request that is being filled.
template <typename Topics, typename Name>
auto& TopicEntry(Topics& topics, Name name, const TopicPartition& id) {
  if (topics.empty() || topics.back().*name != id.topic) topics.emplace_back().*name = id.topic;
  return topics.back();
}

// Topic ids came with this version of Fetch.
constexpr int16_t kTopicIdFetchVersion = 13;

}  // namespace

void Consumer::Impl::RunRequest(BrokerRequest request, const Targets& targets) {
  const std::shared_ptr<BrokerConnection> connection = network_->ConnectionTo(request.first);
  bool ok = false;
  if (connection != nullptr) {
    switch (request.second) {
      case RequestKind::kFetch:
        ok = Fetch(*connection, targets);
        break;
      case RequestKind::kListOffsets:
        ok = ListOffsets(*connection, targets);
        break;
      case RequestKind::kOffsetForLeaderEpoch:
        ok = AskEndOffsets(*connection, targets);
        break;
    }
  }
  under_way_.erase(request);
  if (closed_) return;
  for (const Target& target : targets) {
    Partition* partition = StillWanted(target);
    if (partition == nullptr || !partition->under_way) continue;
    // Not answered for: as after a lost connection.
    partition->under_way = false;
    Postpone(*partition, true);
  }
  if (!ok) network_->RequestUpdate();
  news_.WakeAll();
}

Consumer::Impl::Partition* Consumer::Impl::StillWanted(const Target& target) {
  const auto found = partitions_.find(target.id);
  if (closed_ || found == partitions_.end() || found->second.serial != target.serial)
    return nullptr;
  return &found->second;
}

void Consumer::Impl::Postpone(Partition& partition, bool refresh) {
  partition.retry_at = env_.clock.Now() + config_.retry_backoff;
  if (refresh) network_->RequestUpdate();
}

bool Consumer::Impl::Fetch(BrokerConnection& connection, const Targets& targets) {
  protocol::FetchRequest request;
  request.replica_id = -1;
  request.max_wait_ms = static_cast<int32_t>(absl::ToInt64Milliseconds(config_.fetch_max_wait));
  request.min_bytes = static_cast<int32_t>(config_.fetch_min_bytes);
  request.max_bytes = static_cast<int32_t>(config_.fetch_max_bytes);
  request.isolation_level = static_cast<int8_t>(config_.isolation_level);
  bool all_have_ids = true;
  for (const Target& target : targets) {
    auto& topic = TopicEntry(request.topics, &protocol::FetchRequest::FetchTopic::topic, target.id);
    topic.topic_id = target.topic_id;
    all_have_ids = all_have_ids && !target.topic_id.is_zero();
    topic.partitions.push_back(
        {.partition = target.id.partition.value(),
         .current_leader_epoch = target.leader_epoch.value(),
         .fetch_offset = target.position.value(),
         .partition_max_bytes = static_cast<int32_t>(config_.max_partition_fetch_bytes)});
  }
  const int16_t limit = all_have_ids ? kTopicIdFetchVersion : int16_t{kTopicIdFetchVersion - 1};
  const MonotonicTime deadline =
      env_.clock.Now() + config_.request_timeout + config_.connection_setup_timeout_max;
  auto response = connection.Call(request, deadline, limit);
  if (!response.ok() || response->error_code != ErrorCode::NONE) return false;
  for (auto& topic : response->responses) {
    for (auto& data : topic.partitions) {
      const auto target = std::find_if(targets.begin(), targets.end(), [&](const Target& t) {
        return t.id.partition.value() == data.partition_index &&
               (topic.topic.empty() ? t.topic_id == topic.topic_id : t.id.topic == topic.topic);
      });
      if (target != targets.end()) OnFetched(*target, data);
    }
  }
  return true;
}

void Consumer::Impl::OnFetched(const Target& target, protocol::FetchResponse::PartitionData& data) {
  Partition* partition = StillWanted(target);
  if (partition == nullptr || partition->position != target.position ||
      partition->phase != Phase::kFetch) {
    HW_MARK("client_stale_fetch");
    return;
  }
  partition->under_way = false;
  // [N20] A broker that knows a later epoch makes what we believe of the leader old.
  if (network_->metadata().SeenLeaderEpoch(target.id.topic, target.id.partition,
                                           LeaderEpoch(data.current_leader.leader_epoch))) {
    network_->RequestUpdate();
  }
  const ErrorCode error = protocol::KnownOrUnknown(data.error_code);
  if (error != ErrorCode::NONE) return OnFetchError(target, *partition, error);
  const bool committed = config_.isolation_level == IsolationLevel::kReadCommitted;
  partition->end_offset = Offset(committed ? data.last_stable_offset : data.high_watermark);
  if (data.records.is_null() || data.records.empty()) return;
  std::vector<FetchedPartition::AbortedTransaction> aborted;
  if (data.aborted_transactions.has_value()) aborted = *std::move(data.aborted_transactions);
  partition->fetched.emplace(data.records.bytes(), target.position, std::move(aborted),
                             config_.isolation_level, config_.check_crcs);
  arrived_.push_back(target.id);
}

// [N32]
void Consumer::Impl::OnFetchError(const Target& target, Partition& partition, ErrorCode error) {
  switch (error) {
    case ErrorCode::NOT_LEADER_OR_FOLLOWER:
    case ErrorCode::REPLICA_NOT_AVAILABLE:
    case ErrorCode::KAFKA_STORAGE_ERROR:
    case ErrorCode::FENCED_LEADER_EPOCH:
    case ErrorCode::OFFSET_NOT_AVAILABLE:
    case ErrorCode::UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode::UNKNOWN_TOPIC_ID:
    case ErrorCode::INCONSISTENT_TOPIC_ID:
    case ErrorCode::LEADER_NOT_AVAILABLE:
      HW_MARK("client_fetch_leader_moved");
      return Postpone(partition, true);
    case ErrorCode::UNKNOWN_LEADER_EPOCH:
    case ErrorCode::UNKNOWN_SERVER_ERROR:
      return Postpone(partition, false);
    case ErrorCode::OFFSET_OUT_OF_RANGE:
      HW_MARK("client_offset_out_of_range");
      return RequestReset(target.id, partition, ResetReason::kOutOfRange);
    default:
      if (protocol::IsRetriable(error) && error != ErrorCode::CORRUPT_MESSAGE) {
        return Postpone(partition, protocol::RefreshesMetadata(error));
      }
      return FailPartition(target.id, partition, error, "the broker refused the fetch");
  }
}

bool Consumer::Impl::ListOffsets(BrokerConnection& connection, const Targets& targets) {
  protocol::ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = static_cast<int8_t>(config_.isolation_level);
  for (const Target& target : targets) {
    auto& topic = TopicEntry(request.topics, &protocol::ListOffsetsRequest::ListOffsetsTopic::name,
                             target.id);
    topic.partitions.push_back({.partition_index = target.id.partition.value(),
                                .current_leader_epoch = target.leader_epoch.value(),
                                .timestamp = target.timestamp});
  }
  const auto response = connection.Call(request, env_.clock.Now() + config_.request_timeout);
  if (!response.ok()) return false;
  for (const auto& topic : response->topics) {
    for (const auto& data : topic.partitions) {
      const TopicPartition id{topic.name, PartitionIndex(data.partition_index)};
      const auto target =
          std::find_if(targets.begin(), targets.end(), [&](const Target& t) { return t.id == id; });
      if (target != targets.end()) OnListed(*target, data);
    }
  }
  return true;
}

void Consumer::Impl::OnListed(
    const Target& target, const protocol::ListOffsetsResponse::ListOffsetsPartitionResponse& data) {
  Partition* partition = StillWanted(target);
  if (partition == nullptr || partition->phase != Phase::kReset) return;
  partition->under_way = false;
  const ErrorCode error = protocol::KnownOrUnknown(data.error_code);
  if (error != ErrorCode::NONE) {
    if (protocol::IsRetriable(error))
      return Postpone(*partition, protocol::RefreshesMetadata(error));
    return FailPartition(target.id, *partition, error, "the broker refused to list offsets");
  }
  if (data.offset < 0) {  // nothing that late: the end
    partition->reset_timestamp = kLatestTimestamp;
    return;
  }
  // The position is good under the leader that gave it: no validation before that leader goes.
  partition->leader_epoch = target.leader_epoch;
  Jump(target.id, *partition, Offset(data.offset), LeaderEpoch(data.leader_epoch),
       partition->reset_reason);
}

bool Consumer::Impl::AskEndOffsets(BrokerConnection& connection, const Targets& targets) {
  // [N31] Without a broker that can say, or an epoch to ask about, the position is taken as good.
  constexpr int16_t kConsumersMayAsk = 3;
  const absl::Status ready = connection.Connect(env_.clock.Now() + config_.request_timeout);
  if (!ready.ok()) return false;
  using Request = protocol::OffsetForLeaderEpochRequest;
  if (connection.VersionOf<Request>().value_or(0) < kConsumersMayAsk) {
    for (const Target& target : targets) {
      if (Partition* partition = StillWanted(target)) {
        partition->under_way = false;
        partition->phase = Phase::kFetch;
        partition->leader_epoch = target.leader_epoch;
      }
    }
    return true;
  }
  Request request;
  request.replica_id = -1;
  for (const Target& target : targets) {
    auto& topic = TopicEntry(request.topics, &Request::OffsetForLeaderTopic::topic, target.id);
    topic.partitions.push_back({.partition = target.id.partition.value(),
                                .current_leader_epoch = target.leader_epoch.value(),
                                .leader_epoch = target.offset_epoch.value()});
  }
  const auto response = connection.Call(request, env_.clock.Now() + config_.request_timeout);
  if (!response.ok()) return false;
  for (const auto& topic : response->topics) {
    for (const auto& data : topic.partitions) {
      const TopicPartition id{topic.topic, PartitionIndex(data.partition)};
      const auto target =
          std::find_if(targets.begin(), targets.end(), [&](const Target& t) { return t.id == id; });
      if (target != targets.end()) OnEndOffset(*target, data);
    }
  }
  return true;
}

void Consumer::Impl::OnEndOffset(
    const Target& target, const protocol::OffsetForLeaderEpochResponse::EpochEndOffset& data) {
  Partition* partition = StillWanted(target);
  if (partition == nullptr || partition->phase != Phase::kValidate) return;
  partition->under_way = false;
  const ErrorCode error = protocol::KnownOrUnknown(data.error_code);
  if (error != ErrorCode::NONE) {
    if (protocol::IsRetriable(error))
      return Postpone(*partition, protocol::RefreshesMetadata(error));
    return FailPartition(target.id, *partition, error,
                         "the broker refused to validate the position");
  }
  partition->leader_epoch = target.leader_epoch;
  const bool defined = data.end_offset >= 0 && data.leader_epoch >= 0;
  if (defined && Offset(data.end_offset) >= partition->position) {
    partition->phase = Phase::kFetch;
    return;
  }
  HW_MARK("client_log_truncation");
  if (config_.auto_offset_reset == OffsetReset::kNone) {
    return FailPartition(target.id, *partition, ErrorCode::OFFSET_OUT_OF_RANGE,
                         "the log was cut below the position, and auto.offset.reset is none");
  }
  if (!defined) return RequestReset(target.id, *partition, ResetReason::kTruncation);
  Jump(target.id, *partition, Offset(data.end_offset), LeaderEpoch(data.leader_epoch),
       ResetReason::kTruncation);
}

}  // namespace highwater::broker::client
