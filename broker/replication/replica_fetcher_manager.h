#pragma once

// ReplicaFetcherManager: which ReplicaFetcher fetches for which following partition: one fetcher
// per leader broker and index [F1].
//
//   fetchers.Add(partition, leader, endpoint);
//   fetchers.Remove(partition->id());            // before any change of role [R15, R22, F24]
//
// Invariant: a partition is with at most one fetcher, and with none while it leads. A fetcher
// without partitions is closed, so that the next one to the same broker does not wait for what this
// one still asks.

#include <map>
#include <memory>
#include <utility>

#include "broker/metadata/metadata_cache.h"
#include "broker/replication/replica_fetcher.h"

namespace highwater::broker {

class ReplicaFetcherManager {
 public:
  // `env` outlives it.
  ReplicaFetcherManager(core::Environment& env, const ReplicaFetcherOptions& options)
      : env_(env), options_(options), fibers_(env.fibers) {}

  // None waits. Add moves a partition that is with another fetcher.
  void Add(const std::shared_ptr<Partition>& partition, BrokerId leader,
           const core::Endpoint& endpoint);
  void Remove(const TopicPartition& id);
  [[nodiscard]] size_t fetchers() const { return fetchers_.size(); }
  // Closes all and waits for their fibers. REQUIRES: on a fiber.
  // Whoever waits for a broker that is not alive any more waits no longer.
  void OnBrokersChanged(const MetadataCache& metadata);
  void Stop();

  // [F1] abs(31 * hash(topic) + partition) % fetchers
  [[nodiscard]] static int32_t IndexOf(const TopicPartition& id, int32_t fetchers);

 private:
  using Key = std::pair<BrokerId, int32_t>;

  core::Environment& env_;
  ReplicaFetcherOptions options_;
  core::WaitGroup fibers_;
  std::map<Key, std::shared_ptr<ReplicaFetcher>> fetchers_;
  std::map<TopicPartition, Key> places_;
};

}  // namespace highwater::broker
