#include "broker/replication/replica_fetcher_manager.h"

#include <limits>

namespace highwater::broker {
namespace {

// Java's String.hashCode; topics' names are ASCII.
uint32_t JavaHash(std::string_view text) {
  uint32_t hash = 0;
  for (const char c : text) hash = 31 * hash + static_cast<unsigned char>(c);
  return hash;
}

}  // namespace

int32_t ReplicaFetcherManager::IndexOf(const TopicPartition& id, int32_t fetchers) {
  const auto mixed =
      static_cast<int32_t>(31 * JavaHash(id.topic) + static_cast<uint32_t>(id.partition.value()));
  if (mixed == std::numeric_limits<int32_t>::min()) return 0;
  return (mixed < 0 ? -mixed : mixed) % fetchers;
}

void ReplicaFetcherManager::Add(const std::shared_ptr<Partition>& partition, BrokerId leader,
                                const core::Endpoint& endpoint) {
  Remove(partition->id());
  const Key key(leader, IndexOf(partition->id(), options_.fetchers));
  std::shared_ptr<ReplicaFetcher>& fetcher = fetchers_[key];
  if (fetcher != nullptr && fetcher->leader() != endpoint) {
    // The broker came back elsewhere: whoever is still with the old one gets its own request.
    fetcher->Close();
    fetcher = nullptr;
  }
  if (fetcher == nullptr) {
    fetcher = std::make_shared<ReplicaFetcher>(env_, options_, endpoint, fibers_);
  }
  fetcher->Add(partition);
  places_.emplace(partition->id(), key);
}

void ReplicaFetcherManager::Remove(const TopicPartition& id) {
  const auto place = places_.find(id);
  if (place == places_.end()) return;
  const auto fetcher = fetchers_.find(place->second);
  places_.erase(place);
  if (fetcher == fetchers_.end()) return;
  fetcher->second->Remove(id);
  if (!fetcher->second->empty()) return;
  fetcher->second->Close();
  fetchers_.erase(fetcher);
}

void ReplicaFetcherManager::OnBrokersChanged(const MetadataCache& metadata) {
  for (auto& [key, fetcher] : fetchers_) {
    if (!metadata.IsAlive(std::get<BrokerId>(key))) fetcher->Interrupt();
  }
}

void ReplicaFetcherManager::Stop() {
  for (auto& [key, fetcher] : fetchers_) fetcher->Close();
  fetchers_.clear();
  places_.clear();
  fibers_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
}

}  // namespace highwater::broker
