#pragma once

// BrokerToControllerChannel: a ControllerChannel over a connection to the broker that the metadata
// cache says is the controller [S4].
//
// Invariant: one request is in flight; others wait their turn, first-in first-out.

#include <memory>

#include "broker/client/broker_connection.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/protocol/controlled_shutdown.h"
#include "broker/replication/controller_channel.h"
#include "core/environment.h"
#include "core/mutex.h"
#include "core/wait_queue.h"

namespace highwater::broker {

class BrokerToControllerChannel final : public ControllerChannel {
 public:
  struct Options {
    BrokerId self;
    std::string listener = "PLAINTEXT";  // of the brokers among themselves
    absl::Duration request_timeout = absl::Seconds(30);
    absl::Duration retry = absl::Milliseconds(100);
  };
  // `env` and `metadata` outlive it.
  BrokerToControllerChannel(core::Environment& env, const MetadataCache& metadata, Options options);

  [[nodiscard]] absl::StatusOr<protocol::AlterPartitionResponse> AlterPartition(
      const protocol::AlterPartitionRequest& request) override {
    return Send(request);
  }
  [[nodiscard]] absl::StatusOr<protocol::AllocateProducerIdsResponse> AllocateProducerIds(
      const protocol::AllocateProducerIdsRequest& request) override {
    return Send(request);
  }
  void ControllerChanged() override;
  // [C80] A broker that stops asks on a channel of its own: the other may be waiting.
  [[nodiscard]] absl::StatusOr<protocol::ControlledShutdownResponse> ControlledShutdown(
      const protocol::ControlledShutdownRequest& request) {
    return Send(request);
  }
  // Whoever waits is told Cancelled, and so is everybody later.
  void Close();

 private:
  template <typename Request>
  absl::StatusOr<typename Request::Response> Send(const Request& request);
  std::shared_ptr<client::BrokerConnection> ConnectionToController();

  core::Environment& env_;
  const MetadataCache& metadata_;
  Options options_;
  client::ClientConfig config_;
  bool closed_ = false;
  core::Mutex turn_;
  core::WaitQueue stop_;
  std::shared_ptr<client::BrokerConnection> connection_;
};

}  // namespace highwater::broker
