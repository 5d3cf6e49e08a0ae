// The consumer's conversations with brokers: which are due, and Fetch, ListOffsets,
// OffsetForLeaderEpoch.

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

// nullptr if the answer names what was not asked.
template <typename Targets>
const typename Targets::value_type* FindTarget(const Targets& targets, const TopicPartition& id) {
  const auto found =
      std::lower_bound(targets.begin(), targets.end(), id,
                       [](const auto& target, const auto& wanted) { return target.id < wanted; });
  return found == targets.end() || found->id != id ? nullptr : &*found;
}

// Topic ids came with this version of Fetch.
constexpr int16_t kTopicIdFetchVersion = 13;
// [N31] Consumers may ask OffsetForLeaderEpoch from this version on.
constexpr int16_t kConsumersMayAsk = 3;

}  // namespace

MonotonicTime Consumer::Impl::StartRequests() {
  const MonotonicTime now = env_.clock.Now();
  MonotonicTime next = MonotonicTime::Never();
  std::map<BrokerRequest, Targets> due;
  for (auto& [id, partition] : partitions_) {
    if (partition.state.state() == State::kInitializing) {
      CarryOut(id, partition, partition.state.Begin());
    }
    if (partition.state.state() == State::kFailed) continue;
    const PartitionMetadata* metadata = network_->metadata().FindPartition(id.topic, id.partition);
    const bool led = NoticeLeader(partition, metadata);
    if (IsUnderWay(partition)) continue;
    if (partition.retry_at > now) {
      next = std::min(next, partition.retry_at);
      continue;
    }
    if (!led) {
      network_->RequestUpdate();  // its answer wakes us
      continue;
    }
    const State state = partition.state.state();
    if (state == State::kFetching && (partition.paused || partition.fetched.has_value())) continue;
    BrokerRequest request{metadata->leader, RequestKind::kFetch};
    if (state == State::kFetching) request.first = ReadReplica(partition, *metadata);
    if (state == State::kAwaitReset) request.second = RequestKind::kListOffsets;
    if (state == State::kAwaitValidation) request.second = RequestKind::kOffsetForLeaderEpoch;
    if (under_way_.contains(request)) continue;  // its end wakes us
    due[request].push_back(TargetOf(id, partition, *metadata));
    partition.asked_version = partition.state.version();
    partition.asked = request.first;
  }
  for (auto& [request, targets] : due) {
    under_way_.insert(request);
    env_.fibers.Spawn("client-fetch",
                      [self = shared_from_this(), request = request, targets = std::move(targets)] {
                        self->RunRequest(request, targets);
                      });
  }
  return resets_.empty() && errors_.empty() ? next : now;
}

bool Consumer::Impl::NoticeLeader(Partition& partition, const PartitionMetadata* metadata) {
  const bool led = metadata != nullptr && metadata->leader != kNoBroker;
  const uint64_t before = partition.state.version();
  if (led) {
    partition.state.OnLeader({metadata->leader, metadata->leader_epoch});
    // Whoever was asked for offsets does not lead any more, and may never answer.
    if (partition.state.state() == State::kAwaitReset && IsUnderWay(partition) &&
        partition.asked != metadata->leader) {
      partition.state.GiveUpOnAnswer();
    }
  }
  if (partition.state.version() != before) partition.retry_at = MonotonicTime();
  if (partition.fetched.has_value() && partition.fetched_version != partition.state.version()) {
    partition.fetched.reset();
  }
  return led;
}

BrokerId Consumer::Impl::ReadReplica(Partition& partition, const PartitionMetadata& metadata) {
  const BrokerId preferred = partition.state.PreferredReadReplica(env_.clock.Now());
  if (preferred == kNoBroker) return metadata.leader;
  if (network_->metadata().IsOnline(metadata, preferred)) return preferred;
  // Perhaps it is our metadata that is old.
  partition.state.ClearPreferredReadReplica();
  network_->RequestUpdate();
  return metadata.leader;
}

Consumer::Impl::Target Consumer::Impl::TargetOf(const TopicPartition& id,
                                                const Partition& partition,
                                                const PartitionMetadata& metadata) const {
  const TopicMetadata* topic = network_->metadata().FindTopic(id.topic);
  const bool resets = partition.state.state() == State::kAwaitReset;
  return {.id = id,
          .assignment = partition.assignment,
          .version = partition.state.version(),
          .turn = partition.turn,
          .position = partition.state.position(),
          .leader = {metadata.leader, metadata.leader_epoch},
          .timestamp = resets ? partition.state.reset_timestamp() : 0,
          .topic_id = topic->topic_id};
}

LeaderAndEpoch Consumer::Impl::LeaderOf(const TopicPartition& id) {
  const PartitionMetadata* metadata = network_->metadata().FindPartition(id.topic, id.partition);
  if (metadata == nullptr) return {};
  return {metadata->leader, metadata->leader_epoch};
}

void Consumer::Impl::RunRequest(BrokerRequest request, const Targets& targets) {
  const std::shared_ptr<BrokerConnection> connection = network_->ConnectionTo(request.first);
  bool ok = false;
  if (connection != nullptr) {
    switch (request.second) {
      case RequestKind::kFetch:
        ok = Fetch(request.first, *connection, targets);
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
  Unanswered(targets, {.refresh_metadata = true, .back_off = true});
  if (!ok) network_->RequestUpdate();
  news_.WakeAll();
}

Consumer::Impl::Partition* Consumer::Impl::StillWanted(const Target& target) {
  const auto found = partitions_.find(target.id);
  if (closed_ || found == partitions_.end()) return nullptr;
  Partition& partition = found->second;
  const bool waits = partition.assignment == target.assignment &&
                     partition.asked_version == target.version && IsUnderWay(partition);
  return waits ? &partition : nullptr;
}

void Consumer::Impl::Unanswered(const Targets& targets, PositionEffects effects) {
  for (const Target& target : targets) {
    Partition* partition = StillWanted(target);
    if (partition == nullptr) continue;
    partition->asked_version.reset();
    CarryOut(target.id, *partition, effects);
  }
}

bool Consumer::Impl::Fetch(BrokerId broker, BrokerConnection& connection, const Targets& targets) {
  std::vector<const Target*> in_turn;
  for (const Target& target : targets) in_turn.push_back(&target);
  std::stable_sort(in_turn.begin(), in_turn.end(),
                   [](const Target* a, const Target* b) { return a->turn < b->turn; });
  std::vector<SessionPartition> wanted;
  for (const Target* target : in_turn) {
    wanted.push_back({.id = target->id,
                      .topic_id = target->topic_id,
                      .fetch_offset = target->position.offset,
                      .current_leader_epoch = target->position.current_leader.epoch,
                      .max_bytes = static_cast<int32_t>(config_.max_partition_fetch_bytes)});
  }
  protocol::FetchRequest request;
  request.replica_id = -1;
  request.max_wait_ms = static_cast<int32_t>(absl::ToInt64Milliseconds(config_.fetch_max_wait));
  request.min_bytes = static_cast<int32_t>(config_.fetch_min_bytes);
  request.max_bytes = static_cast<int32_t>(config_.fetch_max_bytes);
  request.isolation_level = static_cast<int8_t>(config_.isolation_level);
  request.rack_id = config_.client_rack;
  FetchSessionHandler& session = sessions_[broker];  // nobody else uses it while we fetch
  session.Build(std::move(wanted), request);
  const int16_t limit =
      session.uses_topic_ids() ? kTopicIdFetchVersion : int16_t{kTopicIdFetchVersion - 1};
  const MonotonicTime deadline =
      env_.clock.Now() + config_.request_timeout + config_.connection_setup_timeout_max;
  auto response = connection.Call(request, deadline, limit);
  if (closed_) return false;
  if (!response.ok()) {
    session.HandleError();
    // A follower that cannot be reached is not asked again: the leader knows better [N32].
    for (const Target& target : targets) {
      if (Partition* partition = StillWanted(target)) partition->state.ClearPreferredReadReplica();
    }
    return false;
  }
  const ErrorCode error = protocol::KnownOrUnknown(response->error_code);
  if (!session.HandleResponse(*response)) {
    // A full request follows: at once if only the session was lost.
    const bool lost = error == ErrorCode::FETCH_SESSION_ID_NOT_FOUND ||
                      error == ErrorCode::INVALID_FETCH_SESSION_EPOCH ||
                      error == ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR;
    Unanswered(targets, {.back_off = !lost});
    return true;
  }
  for (auto& topic : response->responses) {
    for (auto& data : topic.partitions) {
      const SessionPartition* asked =
          session.Find(topic.topic, topic.topic_id, data.partition_index);
      const Target* target = asked == nullptr ? nullptr : FindTarget(targets, asked->id);
      if (target != nullptr) OnFetched(*target, broker, data);
    }
  }
  Unanswered(targets, {});  // nothing has changed there [P15]
  return true;
}

void Consumer::Impl::OnFetched(const Target& target, BrokerId broker,
                               protocol::FetchResponse::PartitionData& data) {
  Partition* partition = StillWanted(target);
  if (partition == nullptr || !partition->state.Answers(target.version, target.position.offset)) {
    HW_MARK("client_stale_fetch");
    return;
  }
  partition->asked_version.reset();
  // [N20] A broker that knows a later epoch makes what we believe of the leader old.
  network_->SeenLeaderEpoch(target.id, LeaderEpoch(data.current_leader.leader_epoch));
  const ErrorCode error = protocol::KnownOrUnknown(data.error_code);
  if (error != ErrorCode::NONE) {
    partition->turn = next_turn_++;
    return CarryOut(
        target.id, *partition,
        partition->state.OnFetchError(target.version, target.position.offset, broker, error));
  }
  if (data.preferred_read_replica >= 0) {
    HW_MARK("client_preferred_read_replica");
    const BrokerId replica(data.preferred_read_replica);
    partition->state.PreferReadReplica(replica, env_.clock.Now() + config_.metadata_max_age);
    const PartitionMetadata* metadata =
        network_->metadata().FindPartition(target.id.topic, target.id.partition);
    // Nobody to go to: the leader would answer the same again, at once.
    if (metadata == nullptr || !network_->metadata().IsOnline(*metadata, replica)) {
      CarryOut(target.id, *partition, {.refresh_metadata = true, .back_off = true});
    }
  }
  const bool committed = config_.isolation_level == IsolationLevel::kReadCommitted;
  const Offset end(committed ? data.last_stable_offset : data.high_watermark);
  if (end >= Offset(0)) partition->end_offset = end;
  if (data.records.is_null() || data.records.empty()) return;
  partition->turn = next_turn_++;
  std::vector<FetchedPartition::AbortedTransaction> aborted;
  if (data.aborted_transactions.has_value()) aborted = *std::move(data.aborted_transactions);
  partition->fetched.emplace(data.records.bytes(), target.position.offset, std::move(aborted),
                             config_.isolation_level, config_.check_crcs);
  partition->fetched_version = target.version;
  arrived_.push_back(target.id);
}

bool Consumer::Impl::ListOffsets(BrokerConnection& connection, const Targets& targets) {
  protocol::ListOffsetsRequest request;
  request.replica_id = -1;
  request.isolation_level = static_cast<int8_t>(config_.isolation_level);
  for (const Target& target : targets) {
    auto& topic = TopicEntry(request.topics, &protocol::ListOffsetsRequest::ListOffsetsTopic::name,
                             target.id);
    topic.partitions.push_back({.partition_index = target.id.partition.value(),
                                .current_leader_epoch = target.leader.epoch.value(),
                                .timestamp = target.timestamp});
  }
  const auto response = connection.Call(request, env_.clock.Now() + config_.request_timeout);
  if (!response.ok()) return false;
  for (const auto& topic : response->topics) {
    for (const auto& data : topic.partitions) {
      const TopicPartition id{topic.name, PartitionIndex(data.partition_index)};
      if (const Target* target = FindTarget(targets, id)) OnListed(*target, data);
    }
  }
  return true;
}

void Consumer::Impl::OnListed(
    const Target& target, const protocol::ListOffsetsResponse::ListOffsetsPartitionResponse& data) {
  Partition* partition = StillWanted(target);
  if (partition == nullptr) return;
  partition->asked_version.reset();
  const LeaderEpoch epoch(data.leader_epoch);
  network_->SeenLeaderEpoch(target.id, epoch);
  CarryOut(target.id, *partition,
           partition->state.OnListed(target.version, protocol::KnownOrUnknown(data.error_code),
                                     Offset(data.offset), epoch, target.leader));
}

bool Consumer::Impl::AskEndOffsets(BrokerConnection& connection, const Targets& targets) {
  using Request = protocol::OffsetForLeaderEpochRequest;
  const MonotonicTime deadline = env_.clock.Now() + config_.request_timeout;
  if (!connection.Connect(deadline).ok()) return false;
  if (connection.VersionOf<Request>().value_or(0) < kConsumersMayAsk) {
    for (const Target& target : targets) {
      if (Partition* partition = StillWanted(target)) {
        partition->asked_version.reset();
        partition->state.SkipValidation(target.version);
      }
    }
    return true;
  }
  Request request;
  request.replica_id = -1;
  for (const Target& target : targets) {
    auto& topic = TopicEntry(request.topics, &Request::OffsetForLeaderTopic::topic, target.id);
    topic.partitions.push_back(
        {.partition = target.id.partition.value(),
         .current_leader_epoch = target.position.current_leader.epoch.value(),
         .leader_epoch = target.position.offset_epoch.value()});
  }
  const auto response = connection.Call(request, deadline);
  if (!response.ok()) return false;
  for (const auto& topic : response->topics) {
    for (const auto& data : topic.partitions) {
      const TopicPartition id{topic.topic, PartitionIndex(data.partition)};
      if (const Target* target = FindTarget(targets, id)) OnEndOffset(*target, data);
    }
  }
  return true;
}

void Consumer::Impl::OnEndOffset(
    const Target& target, const protocol::OffsetForLeaderEpochResponse::EpochEndOffset& data) {
  Partition* partition = StillWanted(target);
  if (partition == nullptr) return;
  partition->asked_version.reset();
  CarryOut(target.id, *partition,
           partition->state.OnEndOffset(target.version, protocol::KnownOrUnknown(data.error_code),
                                        {LeaderEpoch(data.leader_epoch), Offset(data.end_offset)}));
}

}  // namespace highwater::broker::client
