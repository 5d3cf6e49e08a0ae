#include "broker/replication/replica_fetcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "broker/protocol/list_offsets.h"
#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker {

using protocol::ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;
using State = PartitionFollower::State;

namespace {

constexpr int16_t kWithTopicIds = 13;
constexpr int16_t kWithTopicNames = 12;
constexpr int64_t kLatest = -1;
constexpr int64_t kEarliest = -2;

bool IsSessionError(ErrorCode error) {
  return error == ErrorCode::FETCH_SESSION_ID_NOT_FOUND ||
         error == ErrorCode::INVALID_FETCH_SESSION_EPOCH ||
         error == ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR;
}

}  // namespace

ReplicaFetcher::ReplicaFetcher(core::Environment& env, const ReplicaFetcherOptions& options,
                               core::Endpoint leader, core::WaitGroup& fibers)
    : env_(env), options_(options), fibers_(fibers) {
  config_.client_id = fmt::format("broker-{}-fetcher", options.self);
  config_.request_timeout = options.socket_timeout;
  connection_ = std::make_shared<client::BrokerConnection>(env, config_, std::move(leader), 1);
}

ReplicaFetcher::~ReplicaFetcher() = default;

void ReplicaFetcher::Add(std::shared_ptr<Partition> partition) {
  const TopicPartition id = partition->id();
  HW_CHECK(!entries_.contains(id), "{} is fetched already", id);
  // One of a former topic of that name stays forgotten: its leader knows it by another id.
  std::erase_if(forgotten_, [&](const auto& gone) {
    return gone->id() == id && gone->topic_id() == partition->topic_id();
  });
  if (partition->topic_id().is_zero()) {
    if (by_id_) session_.OnFailure();  // names from now on: a session has one kind
    by_id_ = false;
  } else {
    names_[partition->topic_id()] = id.topic;
  }
  partition->SetFollowerListener(this);
  Entry& entry = entries_[id];
  entry.partition = std::move(partition);
  Look(entry);
  MarkChanged(entry);
  wake_.WakeAll();
  if (std::exchange(running_, true)) return;
  fibers_.Add();
  env_.fibers.Spawn("replica fetcher", [self = shared_from_this()] {
    self->Run();
    self->fibers_.Done();
  });
}

void ReplicaFetcher::Remove(const TopicPartition& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  entry.partition->SetFollowerListener(nullptr);
  if (entry.in_session) {
    --in_session_;
    forgotten_.push_back(entry.partition);
  }
  if (entry.busy) --busy_;
  std::erase(changed_, &entry);
  entries_.erase(found);
  wake_.WakeAll();
}

void ReplicaFetcher::Interrupt() {
  connection_->Disconnect(absl::UnavailableError("the broker is not alive"));
}

void ReplicaFetcher::Close() {
  if (std::exchange(closed_, true)) return;
  for (auto& [id, entry] : entries_) entry.partition->SetFollowerListener(nullptr);
  entries_.clear();
  changed_.clear();
  connection_->Close();
  wake_.WakeAll();
}

void ReplicaFetcher::Run() {
  while (!closed_) {
    WakeDelayed();
    AskForOffsets();
    if (closed_) return;
    const std::optional<FetchRequest> request = BuildRequest();
    if (!request.has_value()) {
      const core::MonotonicTime next =
          delayed_.empty() ? core::MonotonicTime::Never() : delayed_.begin()->first;
      if (!changed_.empty() || !asking_.empty()) continue;
      if (wake_.Wait(env_.fibers, "partitions to fetch", next) == core::Wake::kCancelled) return;
      continue;
    }
    const auto response = connection_->Call(*request, env_.fibers.Now() + options_.socket_timeout,
                                            by_id_ ? kWithTopicIds : kWithTopicNames);
    if (closed_ || absl::IsCancelled(response.status())) return;
    if (response.ok()) {
      OnResponse(*response);
      AwaitBusy();
    } else {
      HW_MARK("replica_fetch_failed");
      connection_->Disconnect(response.status());
      session_.OnFailure();
      FailAll();
    }
  }
}

void ReplicaFetcher::WakeDelayed() {
  const core::MonotonicTime now = env_.fibers.Now();
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    const TopicPartition id = delayed_.begin()->second;
    delayed_.erase(delayed_.begin());
    Entry* entry = Find(id.topic, id.partition);
    if (entry == nullptr || !entry->delayed) continue;
    entry->delayed = false;
    entry->partition->OnDelayOver();
    Look(*entry);
    MarkChanged(*entry);
  }
}

// [F20]
void ReplicaFetcher::AskForOffsets() {
  while (!asking_.empty() && !closed_) {
    const std::shared_ptr<Partition> partition = asking_.back();
    asking_.pop_back();
    const LeaderEpoch epoch = partition->follower().epoch();
    const auto asks = [&] { return partition->follower().state() == State::kAsking; };
    if (asks()) {
      const auto latest = AskForOffset(*partition, kLatest);
      if (latest) partition->OnLeaderLatestOffset(epoch, *latest);
      if (!latest) partition->OnFetchFailed(epoch);
    }
    if (asks()) {
      const auto earliest = AskForOffset(*partition, kEarliest);
      if (earliest) partition->OnLeaderEarliestOffset(epoch, *earliest);
      if (!earliest) partition->OnFetchFailed(epoch);
    }
    if (Entry* entry = Find(partition->id().topic, partition->id().partition)) Look(*entry);
  }
}

std::optional<Offset> ReplicaFetcher::AskForOffset(const Partition& partition, int64_t timestamp) {
  protocol::ListOffsetsRequest request{.replica_id = options_.self.value()};
  request.topics.push_back(
      {.name = partition.id().topic,
       .partitions = {{.partition_index = partition.id().partition.value(),
                       .current_leader_epoch = partition.follower().epoch().value(),
                       .timestamp = timestamp}}});
  const auto response = connection_->Call(request, env_.fibers.Now() + options_.socket_timeout);
  if (!response.ok() || response->topics.empty() || response->topics[0].partitions.empty()) {
    return std::nullopt;
  }
  const auto& answer = response->topics[0].partitions[0];
  if (answer.error_code != ErrorCode::NONE) return std::nullopt;
  return Offset(answer.offset);
}

std::optional<FetchRequest> ReplicaFetcher::BuildRequest() {
  FetchRequest request{
      .replica_id = options_.self.value(),
      .max_wait_ms = static_cast<int32_t>(absl::ToInt64Milliseconds(options_.max_wait)),
      .min_bytes = options_.min_bytes,
      .max_bytes = options_.response_max_bytes};
  if (session_.full()) {
    forgotten_.clear();
    in_session_ = 0;
    for (auto& [id, entry] : entries_) {
      entry.in_session = false;
      MarkChanged(entry);
    }
  }
  for (const std::shared_ptr<Partition>& gone : std::exchange(forgotten_, {})) {
    request.forgotten_topics_data.push_back({.topic = gone->id().topic,
                                             .topic_id = gone->topic_id(),
                                             .partitions = {gone->id().partition.value()}});
  }
  for (Entry* entry : std::exchange(changed_, {})) {
    entry->changed = false;
    if (const auto fetch = entry->partition->follower().NextFetch()) {
      AddToRequest(*entry, *fetch, request);
    } else if (entry->in_session) {
      Forget(*entry, request);
    }
  }
  if (in_session_ == 0 && request.forgotten_topics_data.empty()) return std::nullopt;
  request.session_id = session_.id();
  request.session_epoch = session_.epoch();
  return request;
}

void ReplicaFetcher::AddToRequest(Entry& entry, const PartitionFollower::Fetch& fetch,
                                  FetchRequest& request) {
  const TopicPartition& id = entry.partition->id();
  if (!std::exchange(entry.in_session, true)) ++in_session_;
  entry.sent = fetch;
  if (request.topics.empty() || request.topics.back().topic != id.topic) {
    request.topics.push_back({.topic = id.topic, .topic_id = entry.partition->topic_id()});
  }
  request.topics.back().partitions.push_back(
      {.partition = id.partition.value(),
       .current_leader_epoch = fetch.leader_epoch.value(),
       .fetch_offset = fetch.offset.value(),
       .last_fetched_epoch = fetch.last_fetched_epoch.value(),
       .log_start_offset = entry.partition->log().log_start_offset().value(),
       .partition_max_bytes = options_.partition_max_bytes});
}

void ReplicaFetcher::Forget(Entry& entry, FetchRequest& request) {
  entry.in_session = false;
  --in_session_;
  request.forgotten_topics_data.push_back(
      {.topic = entry.partition->id().topic,
       .topic_id = entry.partition->topic_id(),
       .partitions = {entry.partition->id().partition.value()}});
}

void ReplicaFetcher::OnResponse(const FetchResponse& response) {
  if (!session_.OnResponse(response.error_code, response.session_id)) {
    HW_MARK("replica_fetch_session_lost");
    if (!IsSessionError(response.error_code)) FailAll();
    return;
  }
  for (const auto& topic : response.responses) {
    std::string name = topic.topic;
    if (by_id_) {
      const auto found = names_.find(topic.topic_id);
      if (found == names_.end()) continue;
      name = found->second;
    }
    for (const FetchResponse::PartitionData& data : topic.partitions) {
      const Entry* entry = Find(name, PartitionIndex(data.partition_index));
      // What is said of a former topic of that name says nothing of this one.
      if (by_id_ && entry != nullptr && entry->partition->topic_id() != topic.topic_id) {
        HW_MARK("fetched_of_a_former_topic");
        continue;
      }
      OnPartitionData(name, data);
    }
  }
}

void ReplicaFetcher::OnPartitionData(const std::string& topic,
                                     const FetchResponse::PartitionData& data) {
  Entry* entry = Find(topic, PartitionIndex(data.partition_index));
  if (entry == nullptr || !entry->in_session) return;  // [F5]
  PartitionFollower::Fetched answer{.asked = entry->sent,
                                    .error = data.error_code,
                                    .leader_high_watermark = Offset(data.high_watermark),
                                    .leader_log_start_offset = Offset(data.log_start_offset)};
  if (data.diverging_epoch.epoch >= 0) {
    answer.diverging = {LeaderEpoch(data.diverging_epoch.epoch),
                        Offset(data.diverging_epoch.end_offset)};
  }
  entry->partition->OnFetched(answer, data.records.bytes());
  Look(*entry);
}

// [F9] The request failed: all of them wait for a while.
void ReplicaFetcher::FailAll() {
  for (auto& [id, entry] : entries_) {
    entry.partition->OnFetchFailed(entry.partition->follower().epoch());
    Look(entry);
  }
}

// What the state of its follower asks of us. To be called after each step.
void ReplicaFetcher::Look(Entry& entry) {
  const PartitionFollower& follower = entry.partition->follower();
  const bool busy = follower.state() == State::kChanging || follower.state() == State::kSettling;
  if (busy != entry.busy) {
    entry.busy = busy;
    busy ? ++busy_ : --busy_;
  }
  if (follower.state() == State::kFetching) {
    if (!entry.in_session || entry.sent != follower.NextFetch()) MarkChanged(entry);
    return;
  }
  MarkChanged(entry);
  if (follower.state() == State::kAsking) asking_.push_back(entry.partition);
  if (follower.state() == State::kDelayed && !std::exchange(entry.delayed, true)) {
    delayed_.emplace(env_.fibers.Now() + options_.backoff, entry.partition->id());
  }
}

void ReplicaFetcher::MarkChanged(Entry& entry) {
  if (std::exchange(entry.changed, true)) return;
  changed_.push_back(&entry);
}

// The writes of this round are normally done at once. One that is not must not hold up the others
// for ever: then it is left out of the session until it is.
void ReplicaFetcher::AwaitBusy() {
  const core::MonotonicTime deadline = env_.fibers.Now() + options_.max_wait;
  while (busy_ > 0 && !closed_) {
    if (wake_.Wait(env_.fibers, "fetched records on disk", deadline) != core::Wake::kSignaled) {
      HW_MARK("replica_fetcher_leaves_slow_log_behind");
      for (auto& [id, entry] : entries_) entry.busy = false;
      busy_ = 0;
    }
  }
}

void ReplicaFetcher::OnFollowerStep(Partition& partition) {
  Entry* entry = Find(partition.id().topic, partition.id().partition);
  if (entry == nullptr || entry->partition.get() != &partition) return;
  Look(*entry);
  wake_.WakeAll();
}

ReplicaFetcher::Entry* ReplicaFetcher::Find(const std::string& topic, PartitionIndex index) {
  const auto found = entries_.find({topic, index});
  return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace highwater::broker
