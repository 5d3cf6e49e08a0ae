#include "broker/protocol/list_offsets.h"

#include <algorithm>
#include <set>
#include <utility>

#include "broker/server/handlers/handler.h"

namespace highwater::broker {

namespace {

using protocol::ErrorCode;
using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;
using AskedPartition = ListOffsetsRequest::ListOffsetsPartition;
using Result = ListOffsetsResponse::ListOffsetsPartitionResponse;

constexpr int64_t kLatest = -1;

// Version 0 asks for the starts of segments older than a time, newest first. The start of the log
// is always one of them; of the others it is not told, which this ancient form allows.
void AnswerOldStyle(Partition& partition, const AskedPartition& asked, Result& result) {
  const OffsetOutcome latest = partition.FindOffset(kLatest, kNoLeaderEpoch);
  result.error_code = latest.error;
  if (latest.error != ErrorCode::NONE || asked.max_num_offsets < 1) return;
  const int64_t start = partition.log().log_start_offset().value();
  if (asked.timestamp == kLatest) result.old_style_offsets.push_back(latest.offset.value());
  const bool listed = !result.old_style_offsets.empty() && result.old_style_offsets[0] == start;
  if (!listed && static_cast<int32_t>(result.old_style_offsets.size()) < asked.max_num_offsets) {
    result.old_style_offsets.push_back(start);
  }
}

Result AnswerPartition(Services& services, const std::string& topic, const AskedPartition& asked,
                       BrokerId replica, int16_t version) {
  Result result;
  result.partition_index = asked.partition_index;
  const PartitionIndex index(asked.partition_index);
  const auto partition = services.replicas.Find(topic, index);
  if (partition == nullptr) {
    result.error_code = services.replicas.WhyNotHosted(topic, index);
    return result;
  }
  if (version == 0) {
    AnswerOldStyle(*partition, asked, result);
    return result;
  }
  const OffsetOutcome outcome =
      partition->FindOffset(asked.timestamp, LeaderEpoch(asked.current_leader_epoch), replica);
  result.error_code = outcome.error;
  if (version < 5 && outcome.error == ErrorCode::OFFSET_NOT_AVAILABLE) {
    result.error_code = ErrorCode::LEADER_NOT_AVAILABLE;  // the newer code would be unknown
  }
  result.timestamp = outcome.timestamp;
  result.offset = outcome.offset.value();
  if (version >= 4) result.leader_epoch = outcome.leader_epoch.value();
  return result;
}

}  // namespace

// [P17] There are no transactions yet: read_committed ends where read_uncommitted does.
absl::StatusOr<Answer> HandleListOffsets(Services& services, const Call& call) {
  return Serve<ListOffsetsRequest>(call, [&](const ListOffsetsRequest& request) {
    std::set<std::pair<std::string, int32_t>> seen;
    std::set<std::pair<std::string, int32_t>> twice;
    for (const auto& topic : request.topics) {
      for (const auto& asked : topic.partitions) {
        std::pair key(topic.name, asked.partition_index);
        if (!seen.insert(key).second) twice.insert(std::move(key));
      }
    }
    // [P17] A follower sees up to the log end.
    const BrokerId replica(std::max(request.replica_id, kNoBroker.value()));
    ListOffsetsResponse response;
    for (const auto& topic : request.topics) {
      auto& answered = response.topics.emplace_back();
      answered.name = topic.name;
      for (const auto& asked : topic.partitions) {
        if (twice.contains({topic.name, asked.partition_index})) {
          answered.partitions.push_back(
              {.partition_index = asked.partition_index, .error_code = ErrorCode::INVALID_REQUEST});
        } else {
          answered.partitions.push_back(
              AnswerPartition(services, topic.name, asked, replica, call.header.api_version));
        }
      }
    }
    return response;
  });
}

}  // namespace highwater::broker
