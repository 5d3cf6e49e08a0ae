#include "broker/client/fetch_session_handler.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <utility>

#include "core/mark.h"

namespace highwater::broker::client {

using protocol::ErrorCode;

namespace {

void AddTo(protocol::FetchRequest& request, const SessionPartition& partition) {
  if (request.topics.empty() || request.topics.back().topic != partition.id.topic ||
      request.topics.back().topic_id != partition.topic_id) {
    auto& topic = request.topics.emplace_back();
    topic.topic = partition.id.topic;
    topic.topic_id = partition.topic_id;
  }
  request.topics.back().partitions.push_back(
      {.partition = partition.id.partition.value(),
       .current_leader_epoch = partition.current_leader_epoch.value(),
       .fetch_offset = partition.fetch_offset.value(),
       .partition_max_bytes = partition.max_bytes});
}

void Forget(protocol::FetchRequest& request, const SessionPartition& partition) {
  auto& forgotten = request.forgotten_topics_data;
  if (forgotten.empty() || forgotten.back().topic != partition.id.topic ||
      forgotten.back().topic_id != partition.topic_id) {
    auto& topic = forgotten.emplace_back();
    topic.topic = partition.id.topic;
    topic.topic_id = partition.topic_id;
  }
  forgotten.back().partitions.push_back(partition.id.partition.value());
}

}  // namespace

int32_t FetchSessionHandler::NextEpoch(int32_t epoch) {
  return epoch == std::numeric_limits<int32_t>::max() ? 1 : epoch + 1;
}

void FetchSessionHandler::Build(std::vector<SessionPartition> wanted,
                                protocol::FetchRequest& request) {
  request.session_id = session_id_;
  request.session_epoch = session_epoch_;
  request.topics.clear();
  request.forgotten_topics_data.clear();
  uses_topic_ids_ = std::none_of(wanted.begin(), wanted.end(),
                                 [](const SessionPartition& p) { return p.topic_id.is_zero(); });
  if (full()) {
    BuildFull(std::move(wanted), request);
  } else {
    BuildIncremental(std::move(wanted), request);
  }
  names_.clear();
  for (const auto& [id, partition] : partitions_) {
    if (!partition.topic_id.is_zero()) names_[partition.topic_id] = id.topic;
  }
}

void FetchSessionHandler::BuildFull(std::vector<SessionPartition> wanted,
                                    protocol::FetchRequest& request) {
  partitions_.clear();
  for (SessionPartition& partition : wanted) {
    AddTo(request, partition);
    TopicPartition id = partition.id;
    partitions_.emplace(std::move(id), std::move(partition));
  }
}

void FetchSessionHandler::BuildIncremental(std::vector<SessionPartition> wanted,
                                           protocol::FetchRequest& request) {
  absl::btree_map<TopicPartition, SessionPartition> before = std::exchange(partitions_, {});
  for (SessionPartition& partition : wanted) {
    const auto known = before.find(partition.id);
    if (known == before.end()) {
      AddTo(request, partition);
    } else {
      // A topic that was deleted and created again is another one: the broker knows it by its id.
      const bool replaced = !known->second.topic_id.is_zero() && !partition.topic_id.is_zero() &&
                            known->second.topic_id != partition.topic_id;
      if (replaced) Forget(request, known->second);
      if (replaced || known->second != partition) AddTo(request, partition);
      before.erase(known);
    }
    TopicPartition id = partition.id;
    partitions_.emplace(std::move(id), std::move(partition));
  }
  for (const auto& [id, gone] : before) Forget(request, gone);
}

const SessionPartition* FetchSessionHandler::Find(std::string_view topic,
                                                  const protocol::Uuid& topic_id,
                                                  int32_t index) const {
  TopicPartition id{std::string(topic), PartitionIndex(index)};
  if (topic.empty()) {
    const auto name = names_.find(topic_id);
    if (name == names_.end()) return nullptr;
    id.topic = name->second;
  }
  const auto found = partitions_.find(id);
  return found == partitions_.end() ? nullptr : &found->second;
}

bool FetchSessionHandler::NamesWhatWasAsked(const protocol::FetchResponse& response) const {
  std::set<const SessionPartition*> named;  // counted, never walked
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partitions) {
      const SessionPartition* asked = Find(topic.topic, topic.topic_id, partition.partition_index);
      if (asked == nullptr) return false;
      named.insert(asked);
    }
  }
  return !full() || named.size() == partitions_.size();
}

bool FetchSessionHandler::HandleResponse(const protocol::FetchResponse& response) {
  const ErrorCode error = protocol::KnownOrUnknown(response.error_code);
  if (error != ErrorCode::NONE) {
    HW_MARK("client_fetch_session_refused");
    // A session that the broker has forgotten need not be closed.
    StartAnew(error == ErrorCode::FETCH_SESSION_ID_NOT_FOUND ? 0 : session_id_);
    return false;
  }
  if (!NamesWhatWasAsked(response)) {
    HW_MARK("client_fetch_answer_does_not_match");
    StartAnew(full() ? 0 : session_id_);
    return false;
  }
  // Without a session every request is full, also after the broker has closed the one there was.
  if (response.session_id == 0) {
    StartAnew(0);
    return true;
  }
  session_id_ = response.session_id;
  session_epoch_ = NextEpoch(session_epoch_);
  return true;
}

void FetchSessionHandler::HandleError() { StartAnew(session_id_); }

void FetchSessionHandler::StartAnew(int32_t close) {
  session_id_ = close;
  session_epoch_ = 0;
}

}  // namespace highwater::broker::client
