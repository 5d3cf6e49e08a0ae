#include "broker/replication/alter_partition_manager.h"

#include <utility>

#include "core/mark.h"

namespace highwater::broker {

using protocol::AlterPartitionRequest;
using protocol::AlterPartitionResponse;
using protocol::ErrorCode;

namespace {

constexpr absl::Duration kRetryAfter = absl::Milliseconds(50);  // [H21]

}  // namespace

bool AlterPartitionManager::Submit(const TopicPartition& id, const IsrProposal& proposal,
                                   Answered answered) {
  if (stopping_ || queue_.contains(id)) return false;
  queue_.try_emplace(id, Item{proposal, std::move(answered)});
  if (std::exchange(running_, true)) return true;
  running_fibers_.Add();
  env_.fibers.Spawn("alter partition", [this] {
    Run();
    running_ = false;
    running_fibers_.Done();
  });
  return true;
}

void AlterPartitionManager::Run() {
  while (!queue_.empty() && !stopping_) {
    const auto response = channel_.AlterPartition(BuildRequest());
    if (stopping_ || absl::IsCancelled(response.status())) return;
    if (response.ok() && response->error_code == ErrorCode::NONE) {
      const size_t before = queue_.size();
      Deliver(*response);
      // An answer that named none of what was asked would be asked for again at once, for ever.
      if (queue_.size() != before) continue;
    }
    HW_MARK("alter_partition_asked_again");
    const core::MonotonicTime again = env_.fibers.Now() + kRetryAfter;
    if (stop_.Wait(env_.fibers, "the next AlterPartition request", again) !=
        core::Wake::kDeadline) {
      return;
    }
  }
}

AlterPartitionRequest AlterPartitionManager::BuildRequest() const {
  AlterPartitionRequest request{.broker_id = self_.value(), .broker_epoch = broker_epoch_.value()};
  for (const auto& [id, item] : queue_) {
    if (request.topics.empty() || request.topics.back().name != id.topic) {
      request.topics.push_back({.name = id.topic});
    }
    auto& partition = request.topics.back().partitions.emplace_back();
    partition.partition_index = id.partition.value();
    partition.leader_epoch = item.proposal.leader_epoch.value();
    partition.partition_epoch = item.proposal.partition_epoch.value();
    for (const BrokerId broker : item.proposal.isr) partition.new_isr.push_back(broker.value());
  }
  return request;
}

void AlterPartitionManager::Deliver(const AlterPartitionResponse& response) {
  for (const auto& topic : response.topics) {
    for (const auto& partition : topic.partitions) {
      const auto found = queue_.find({topic.name, PartitionIndex(partition.partition_index)});
      if (found == queue_.end()) continue;
      Item item = std::move(found->second);
      queue_.erase(found);  // first: the answer may lead to another change
      IsrAnswer answer{.serial = item.proposal.serial,
                       .error = partition.error_code,
                       .leader_epoch = LeaderEpoch(partition.leader_epoch),
                       .partition_epoch = PartitionEpoch(partition.partition_epoch),
                       .others_eligible = !partition.eligible_replicas.empty()};
      for (const int32_t broker : partition.isr) answer.isr.emplace_back(broker);
      item.answered(answer);
    }
  }
}

void AlterPartitionManager::Stop() {
  stopping_ = true;
  queue_.clear();
  stop_.WakeAll();
  running_fibers_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
}

}  // namespace highwater::broker
