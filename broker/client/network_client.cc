#include "broker/client/network_client.h"

#include <algorithm>
#include <tuple>

#include "core/mark.h"

namespace highwater::broker::client {

using core::MonotonicTime;
using core::Wake;

NetworkClient::NetworkClient(core::Environment& env, const ClientConfig& config,
                             int64_t max_in_flight, const ClientRules& rules)
    : env_(env),
      config_(config),
      max_in_flight_(max_in_flight),
      metadata_(rules),
      next_refresh_(env.clock.Now()) {
  for (const core::Endpoint& server : config_.bootstrap_servers) {
    bootstrap_.push_back(NewConnection(server));
  }
}

NetworkClient::~NetworkClient() { Close(); }

std::shared_ptr<BrokerConnection> NetworkClient::NewConnection(const core::Endpoint& endpoint) {
  auto connection = std::make_shared<BrokerConnection>(env_, config_, endpoint, max_in_flight_);
  connection->OnStateChange([this] {
    if (on_connection_change_) on_connection_change_();
  });
  return connection;
}

std::shared_ptr<BrokerConnection> NetworkClient::ConnectionTo(BrokerId id) {
  const core::Endpoint* endpoint = metadata_.FindBroker(id);
  if (endpoint == nullptr || closed_) return nullptr;
  std::shared_ptr<BrokerConnection>& connection = connections_[id];
  if (connection != nullptr && connection->endpoint() != *endpoint) {
    connection->Close();
    connection = nullptr;
  }
  if (connection == nullptr) connection = NewConnection(*endpoint);
  return connection;
}

std::vector<NetworkClient::Candidate> NetworkClient::Candidates() const {
  std::vector<Candidate> candidates;
  bool any_reachable = false;
  for (const BrokerMetadata& broker : metadata_.brokers()) {
    const auto found = connections_.find(broker.id);
    Candidate& candidate = candidates.emplace_back(Candidate{.id = broker.id});
    if (found != connections_.end()) candidate.connection = found->second;
    if (candidate.connection == nullptr || !candidate.connection->unreachable()) {
      any_reachable = true;
    }
  }
  if (any_reachable) return candidates;
  if (!candidates.empty()) HW_MARK("client_back_to_bootstrap");
  for (const auto& connection : bootstrap_) candidates.push_back({.connection = connection});
  return candidates;
}

std::shared_ptr<BrokerConnection> NetworkClient::LeastLoaded() {
  const std::vector<Candidate> candidates = Candidates();
  if (candidates.empty() || closed_) return nullptr;
  const size_t first = candidates.size() == 1 ? 0 : env_.random.Below(candidates.size());
  const MonotonicTime now = env_.clock.Now();
  // Ready with room, then connecting, then those that may be dialled now, then by the end of their
  // back-off.
  const auto load = [now](const Candidate& candidate) {
    if (candidate.connection == nullptr) return std::make_tuple(2, int64_t{0}, MonotonicTime());
    const BrokerConnection& c = *candidate.connection;
    int rank = 3;
    if (c.CanSend()) {
      rank = 0;
    } else if (c.state() == BrokerConnection::State::kConnecting) {
      rank = 1;
    } else if (c.state() == BrokerConnection::State::kDisconnected && c.next_attempt() <= now) {
      rank = 2;
    }
    return std::make_tuple(rank, c.in_flight(), rank == 3 ? c.next_attempt() : MonotonicTime());
  };
  size_t best = first;
  for (size_t i = 1; i < candidates.size(); ++i) {
    const size_t at = (first + i) % candidates.size();
    if (load(candidates[at]) < load(candidates[best])) best = at;
  }
  const Candidate& chosen = candidates[best];
  return chosen.id == kNoBroker ? chosen.connection : ConnectionTo(chosen.id);
}

bool NetworkClient::AddTopic(std::string_view name) {
  if (topics_.contains(name)) return false;
  topics_.emplace(name);
  RequestUpdate();
  return true;
}

void NetworkClient::SetTopics(const std::vector<std::string>& names) {
  std::set<std::string, std::less<>> wanted(names.begin(), names.end());
  const bool grown = !std::includes(topics_.begin(), topics_.end(), wanted.begin(), wanted.end());
  topics_ = std::move(wanted);
  if (grown) RequestUpdate();
}

void NetworkClient::SeenLeaderEpoch(const TopicPartition& partition, LeaderEpoch epoch) {
  if (!metadata_.SeenLeaderEpoch(partition.topic, partition.partition, epoch)) return;
  HW_MARK("client_leader_epoch_hint");
  RequestUpdate();
}

void NetworkClient::RequestUpdate() {
  update_requested_ = true;
  if (refreshing_ || closed_) return;
  refreshing_ = true;
  env_.fibers.Spawn("client-metadata", [self = shared_from_this()] { self->Refresh(); });
}

void NetworkClient::Refresh() {
  while (update_requested_ && !closed_) {
    if (env_.clock.Now() < next_refresh_) {
      if (env_.fibers.SleepUntil(next_refresh_) == Wake::kCancelled) break;
      if (closed_) break;
    }
    update_requested_ = false;
    if (!RefreshOnce()) update_requested_ = true;
  }
  refreshing_ = false;
}

bool NetworkClient::RefreshOnce() {
  const std::shared_ptr<BrokerConnection> connection = LeastLoaded();
  if (connection == nullptr) return closed_;
  protocol::MetadataRequest request;
  request.topics.emplace();
  for (const std::string& name : topics_) request.topics->emplace_back().name = name;
  request.allow_auto_topic_creation = config_.allow_auto_create_topics;
  const MonotonicTime deadline = env_.clock.Now() + config_.request_timeout;
  const auto response = connection->Call(request, deadline);
  next_refresh_ = env_.clock.Now() + config_.retry_backoff;
  if (closed_) return true;
  if (!response.ok()) {
    HW_MARK("client_metadata_refresh_failed");
    return false;
  }
  // The version only decides whether epochs can be relied on; Call chose it in the same way.
  const auto version = connection->VersionOf<protocol::MetadataRequest>();
  const auto result = metadata_.Update(*response, version.value_or(0));
  if (!result.taken) return false;
  env_.fibers.SetTimer(age_timer_, env_.clock.Now() + config_.metadata_max_age);
  updated_.WakeAll();
  if (on_update_) on_update_();
  return !result.any_error;
}

Wake NetworkClient::AwaitUpdate(MonotonicTime deadline) {
  if (closed_) return Wake::kCancelled;
  return updated_.Wait(env_.fibers, "cluster metadata", deadline);
}

int32_t NetworkClient::AwaitTopic(std::string_view name, MonotonicTime deadline) {
  AddTopic(name);
  while (!closed_) {
    const TopicMetadata* topic = metadata_.FindTopic(name);
    if (topic != nullptr && topic->partition_count() > 0 &&
        topic->error == protocol::ErrorCode::NONE) {
      return topic->partition_count();
    }
    if (topic != nullptr && topic->error != protocol::ErrorCode::NONE &&
        !protocol::IsRetriable(topic->error)) {
      return 0;
    }
    RequestUpdate();
    if (AwaitUpdate(deadline) != Wake::kSignaled) return 0;
  }
  return 0;
}

void NetworkClient::Close() {
  if (std::exchange(closed_, true)) return;
  on_update_ = nullptr;
  on_connection_change_ = nullptr;
  if (age_timer_.pending()) env_.fibers.CancelTimer(age_timer_);
  for (const auto& [id, connection] : connections_) connection->Close();
  for (const auto& connection : bootstrap_) connection->Close();
  updated_.WakeAll();
}

}  // namespace highwater::broker::client
