#pragma once

// NetworkClient: what producer, consumer and admin share: a connection for each broker and metadata
// that is kept fresh.
//
//   auto network = std::make_shared<NetworkClient>(env, config, max_in_flight);
//   network->AddTopic("orders");
//   network->AwaitUpdate(deadline);
//   auto connection = network->ConnectionTo(network->metadata().FindPartition(...)->leader);
//
// Follows [N20]: metadata is asked for at metadata.max.age.ms, and whenever RequestUpdate says so,
// with retry.backoff.ms between two attempts, from the least-loaded broker. The bootstrap servers
// are asked before the first answer, and again while none of the brokers that metadata names can be
// reached: a client that knows only brokers that are gone would never find the others (the
// reference client learned this with KIP-899; 3.2.3 is stuck then).
//
// Invariants: 1. At most one refresh is under way, on a fiber that ends when nothing more was asked
// for. 2. Nothing waits in a destructor.

#include <absl/functional/any_invocable.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/client/broker_connection.h"
#include "broker/client/client_config.h"
#include "broker/client/cluster_metadata.h"
#include "core/environment.h"

namespace highwater::broker::client {

class NetworkClient : public std::enable_shared_from_this<NetworkClient> {
 public:
  NetworkClient(core::Environment& env, const ClientConfig& config, int64_t max_in_flight,
                const ClientRules& rules = ClientRules());
  ~NetworkClient();
  NetworkClient(const NetworkClient&) = delete;
  NetworkClient& operator=(const NetworkClient&) = delete;

  [[nodiscard]] ClusterMetadata& metadata() { return metadata_; }
  [[nodiscard]] const ClientConfig& config() const { return config_; }

  // The connection of this broker; nullptr if metadata does not name it.
  [[nodiscard]] std::shared_ptr<BrokerConnection> ConnectionTo(BrokerId id);
  // The broker to ask what any broker knows: ready before not ready, few requests before many,
  // among equals one that is drawn.
  // nullptr only if there are neither brokers nor bootstrap servers. REQUIRES: on a fiber (it draws
  // where to begin).
  [[nodiscard]] std::shared_ptr<BrokerConnection> LeastLoaded();

  // Asks for this topic in refreshes from now on. True, and a refresh is requested, if that is new.
  bool AddTopic(std::string_view name);
  // An answer told of this leader epoch: if it is news, who leads in it is asked [N20].
  void SeenLeaderEpoch(const TopicPartition& partition, LeaderEpoch epoch);
  // Asks for exactly these topics from now on.
  void SetTopics(const std::vector<std::string>& names);
  // Refreshes soon; again even if a refresh is under way.
  void RequestUpdate();
  // Waits until a refresh that has not been taken in yet is, whatever it says.
  core::Wake AwaitUpdate(core::MonotonicTime deadline);
  // Waits until the topic has partitions; their number, or 0 at the deadline, when closed, or once
  // metadata gives the topic an error that no retry mends. Asks for the topic from now on.
  int32_t AwaitTopic(std::string_view name, core::MonotonicTime deadline);

  // Runs after each update of the metadata and after each change of a connection; must not wait.
  void OnUpdate(absl::AnyInvocable<void()> callback) { on_update_ = std::move(callback); }
  void OnConnectionChange(absl::AnyInvocable<void()> callback) {
    on_connection_change_ = std::move(callback);
  }

  // Closes all connections; every wait here ends. Never waits.
  void Close();
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  struct AgeTimer final : core::TimerNode {
    explicit AgeTimer(NetworkClient& c) : client(c) {}
    void OnTimer() override { client.RequestUpdate(); }
    NetworkClient& client;
  };

  // One that may be asked: a broker or, if `id` is kNoBroker, a bootstrap server.
  struct Candidate {
    BrokerId id = kNoBroker;
    std::shared_ptr<BrokerConnection> connection;  // null: a broker without one yet
  };
  [[nodiscard]] std::vector<Candidate> Candidates() const;

  void Refresh();
  bool RefreshOnce();
  [[nodiscard]] std::shared_ptr<BrokerConnection> NewConnection(const core::Endpoint& endpoint);

  core::Environment& env_;
  const ClientConfig config_;
  const int64_t max_in_flight_;
  ClusterMetadata metadata_;
  std::set<std::string, std::less<>> topics_;
  std::map<BrokerId, std::shared_ptr<BrokerConnection>> connections_;
  std::vector<std::shared_ptr<BrokerConnection>> bootstrap_;
  bool closed_ = false;
  bool update_requested_ = false;
  bool refreshing_ = false;
  core::MonotonicTime next_refresh_;
  AgeTimer age_timer_{*this};
  core::WaitQueue updated_;
  absl::AnyInvocable<void()> on_update_;
  absl::AnyInvocable<void()> on_connection_change_;
};

}  // namespace highwater::broker::client
