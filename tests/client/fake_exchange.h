#pragma once

// Exchange: one request that a fake broker is answering, for the parts of FakeCluster.

#include <string>

#include "broker/protocol/frame.h"
#include "broker/protocol/message.h"
#include "tests/client/fake_cluster.h"

namespace highwater::tests {

namespace protocol = broker::protocol;

// One request being answered.
struct Exchange {
  FakeCluster& cluster;
  core::Environment& env;
  BrokerId self;
  const protocol::ParsedRequest& request;
  Verdict verdict;

  template <typename Request>
  Request Decode() const {
    auto decoded = protocol::DecodeMessage<Request>(request.body, request.header.api_version);
    HW_CHECK(decoded.ok(), "{}", decoded.status().ToString());
    return *std::move(decoded);
  }
  template <typename Response>
  core::Payload Encode(const Response& response) const {
    auto frame = protocol::EncodeResponse(request.header.correlation_id, response,
                                          request.header.api_version);
    HW_CHECK(frame.ok(), "{}", frame.status().ToString());
    return *std::move(frame);
  }
  [[nodiscard]] bool Does() const {
    return verdict.fate != Fate::kRefused && verdict.fate != Fate::kClosedBefore &&
           verdict.fate != Fate::kIgnored;
  }
  // The partition if this broker leads it, or the error.
  FakePartition* Led(const std::string& topic, int32_t index, ErrorCode& error,
                     int32_t epoch = -1) const {
    FakePartition* partition = Held(topic, index, error, epoch);
    if (partition == nullptr || partition->leader == self) return partition;
    error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    return nullptr;
  }
  // As Led, also for a follower [P6].
  FakePartition* Held(const std::string& topic, int32_t index, ErrorCode& error,
                      int32_t epoch) const {
    error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    const auto found = cluster.topics.find(topic);
    if (found == cluster.topics.end()) return nullptr;
    auto& partitions = found->second.partitions;
    if (index < 0 || static_cast<size_t>(index) >= partitions.size()) return nullptr;
    FakePartition& partition = partitions[static_cast<size_t>(index)];
    error = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    if (partition.leader != self && !partition.followers.contains(self)) return nullptr;
    error = ErrorCode::FENCED_LEADER_EPOCH;
    if (epoch >= 0 && LeaderEpoch(epoch) < partition.leader_epoch) return nullptr;
    error = ErrorCode::UNKNOWN_LEADER_EPOCH;
    if (LeaderEpoch(epoch) > partition.leader_epoch) return nullptr;
    error = ErrorCode::NONE;
    return &partition;
  }
  std::string NameOf(const protocol::Uuid& id) const {
    for (const auto& [name, topic] : cluster.topics) {
      if (topic.id == id) return name;
    }
    return "";
  }
};

// fake_fetch.cc: Fetch with sessions [P14] and followers [P19].
core::Payload AnswerFetch(const Exchange& x);
// fake_admin.cc: what only an admin asks. False: not one of these.
bool AnswerAdmin(const Exchange& x, core::Payload& answer);

}  // namespace highwater::tests
