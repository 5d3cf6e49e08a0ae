#pragma once

// ReplicaFetcher: fetches for the partitions that follow the same leader broker: one connection,
// one request in flight, one fetch session.
//
//   auto fetcher = std::make_shared<ReplicaFetcher>(env, options, leader, endpoint);
//   fetcher->Add(partition);          // from now on, as its follower() says
//   fetcher->Remove(partition->id());
//
// Follows replication facts F1-F5, F9, F18, F20, F24, P14. Invariants:
//   1. A round costs what has changed, not what is followed: partitions of which the leader knows
//   everything are in the session and touched by nobody.
//   2. A partition whose log is changing is not fetched; a disk that stalls holds up the others
//   once, for one round.
//   3. No fiber runs without partitions.
//
// Not responsible for: what a partition does with an answer (PartitionFollower), which partitions
// there are (ReplicaManager).

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "broker/client/broker_connection.h"
#include "broker/protocol/fetch.h"
#include "broker/replication/fetch_session_handler.h"
#include "broker/replication/partition.h"
#include "core/environment.h"
#include "core/wait_group.h"
#include "core/wait_queue.h"

namespace highwater::broker {

struct ReplicaFetcherOptions {
  BrokerId self;
  int32_t fetchers = 1;                               // num.replica.fetchers
  absl::Duration max_wait = absl::Milliseconds(500);  // replica.fetch.wait.max.ms
  int32_t min_bytes = 1;                              // replica.fetch.min.bytes
  int32_t partition_max_bytes = 1 << 20;              // replica.fetch.max.bytes
  int32_t response_max_bytes = 10 << 20;              // replica.fetch.response.max.bytes
  absl::Duration backoff = absl::Seconds(1);          // replica.fetch.backoff.ms
  absl::Duration socket_timeout = absl::Seconds(30);  // replica.socket.timeout.ms
};

class ReplicaFetcher final : public FollowerListener,
                             public std::enable_shared_from_this<ReplicaFetcher> {
 public:
  // `env` and `fibers` outlive its fiber, which `fibers` counts. REQUIRES: held by a shared_ptr.
  ReplicaFetcher(core::Environment& env, const ReplicaFetcherOptions& options,
                 core::Endpoint leader, core::WaitGroup& fibers);
  ~ReplicaFetcher() override;

  // None waits.
  void Add(std::shared_ptr<Partition> partition);
  void Remove(const TopicPartition& id);
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] const core::Endpoint& leader() const { return connection_->endpoint(); }
  // The leader's broker is gone: what waits for its answer fails now, not after the socket's
  // time-out, and is tried again after the back-off.
  void Interrupt();
  // Ends the connection and the fiber. No effect the second time.
  void Close();

  // FollowerListener
  void OnFollowerStep(Partition& partition) override;

 private:
  struct Entry {
    std::shared_ptr<Partition> partition;
    PartitionFollower::Fetch sent;  // what the session knows
    bool in_session = false;
    bool changed = false;  // is in changed_
    bool busy = false;     // its log is changing, and this round waits for it
    bool delayed = false;  // is in delayed_
  };

  void Run();
  void WakeDelayed();
  void AskForOffsets();
  std::optional<Offset> AskForOffset(const Partition& partition, int64_t timestamp);
  // nullopt: there is nothing to fetch.
  std::optional<protocol::FetchRequest> BuildRequest();
  void AddToRequest(Entry& entry, const PartitionFollower::Fetch& fetch,
                    protocol::FetchRequest& request);
  void Forget(Entry& entry, protocol::FetchRequest& request);
  void OnResponse(const protocol::FetchResponse& response);
  void OnPartitionData(const std::string& topic,
                       const protocol::FetchResponse::PartitionData& data);
  void FailAll();
  void Look(Entry& entry);
  void MarkChanged(Entry& entry);
  void AwaitBusy();
  Entry* Find(const std::string& topic, PartitionIndex index);

  core::Environment& env_;
  ReplicaFetcherOptions options_;
  core::WaitGroup& fibers_;
  client::ClientConfig config_;
  std::shared_ptr<client::BrokerConnection> connection_;
  FetchSessionHandler session_;
  bool by_id_ = true;  // the session names topics by their ids
  bool running_ = false;
  bool closed_ = false;
  std::map<TopicPartition, Entry> entries_;
  std::map<protocol::Uuid, std::string> names_;
  std::vector<Entry*> changed_;
  std::vector<std::shared_ptr<Partition>> asking_;
  std::vector<std::shared_ptr<Partition>> forgotten_;  // removed, but still in the session
  std::multimap<core::MonotonicTime, TopicPartition> delayed_;
  size_t in_session_ = 0;
  size_t busy_ = 0;
  core::WaitQueue wake_;
};

}  // namespace highwater::broker
