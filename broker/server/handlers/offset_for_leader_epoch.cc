#include "broker/protocol/offset_for_leader_epoch.h"

#include "broker/controller/request_batch.h"
#include "broker/server/handlers/handler.h"

namespace highwater::broker {

using protocol::OffsetForLeaderEpochRequest;
using protocol::OffsetForLeaderEpochResponse;

// [P16]
absl::StatusOr<Answer> HandleOffsetForLeaderEpoch(Services& services, const Call& call) {
  return Serve<OffsetForLeaderEpochRequest>(call, [&](const OffsetForLeaderEpochRequest& request) {
    OffsetForLeaderEpochResponse response;
    for (const auto& topic : request.topics) {
      auto& answered = response.topics.emplace_back();
      answered.topic = topic.topic;
      for (const auto& asked : topic.partitions) {
        auto& result = answered.partitions.emplace_back();
        result.partition = asked.partition;
        const PartitionIndex index(asked.partition);
        const auto partition = services.replicas.Find(topic.topic, index);
        if (partition == nullptr) {
          result.error_code = services.replicas.WhyNotHosted(topic.topic, index);
          continue;
        }
        // [W1] The controller compares the logs of replicas that nobody leads.
        const bool of_log = request.replica_id == controller::kAskingReplica &&
                            asked.leader_epoch == controller::kLastEpochOfLog;
        const OffsetOutcome outcome =
            of_log ? partition->EndOfLog()
                   : partition->EndOffsetForEpoch(LeaderEpoch(asked.leader_epoch),
                                                  LeaderEpoch(asked.current_leader_epoch));
        result.error_code = outcome.error;
        result.leader_epoch = outcome.leader_epoch.value();
        result.end_offset = outcome.offset.value();
      }
    }
    return response;
  });
}

}  // namespace highwater::broker
