#include "broker/replication/broker_to_controller_channel.h"

#include <fmt/format.h>

#include <utility>

#include "core/mark.h"

namespace highwater::broker {

using protocol::ErrorCode;

BrokerToControllerChannel::BrokerToControllerChannel(core::Environment& env,
                                                     const MetadataCache& metadata, Options options)
    : env_(env), metadata_(metadata), options_(std::move(options)), turn_(env.fibers) {
  config_.client_id = fmt::format("broker-{}-to-controller", options_.self);
  config_.request_timeout = options_.request_timeout;
}

// nullptr: no controller is known, or not where it listens.
std::shared_ptr<client::BrokerConnection> BrokerToControllerChannel::ConnectionToController() {
  const core::Endpoint* endpoint = metadata_.EndpointOf(metadata_.controller(), options_.listener);
  if (endpoint == nullptr) return nullptr;
  if (connection_ == nullptr || connection_->endpoint() != *endpoint) {
    if (connection_ != nullptr) connection_->Close();
    connection_ = std::make_shared<client::BrokerConnection>(env_, config_, *endpoint, 1);
  }
  return connection_;
}

template <typename Request>
absl::StatusOr<typename Request::Response> BrokerToControllerChannel::Send(const Request& request) {
  const core::MutexLock lock(turn_);
  while (!closed_) {
    if (const auto connection = ConnectionToController()) {
      auto response = connection->Call(request, env_.fibers.Now() + options_.request_timeout);
      if (closed_) break;
      if (connection != connection_) continue;  // another broker is the controller
      if (absl::IsCancelled(response.status())) break;
      if (response.ok() && response->error_code != ErrorCode::NOT_CONTROLLER) return response;
      HW_MARK("controller_asked_again");
      // Whatever happened to the request, it is sent again to whoever is the controller then.
      if (!response.ok()) connection->Disconnect(response.status());
    }
    const core::Wake wake =
        stop_.Wait(env_.fibers, "a controller", env_.fibers.Now() + options_.retry);
    if (wake != core::Wake::kDeadline) break;
  }
  return absl::CancelledError("the channel to the controller is closed");
}

void BrokerToControllerChannel::ControllerChanged() {
  // Also while it is being dialled: a host that is off answers nobody.
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
}

void BrokerToControllerChannel::Close() {
  closed_ = true;
  if (connection_ != nullptr) connection_->Close();
  stop_.WakeAll();
}

template absl::StatusOr<protocol::AlterPartitionResponse> BrokerToControllerChannel::Send(
    const protocol::AlterPartitionRequest&);
template absl::StatusOr<protocol::ControlledShutdownResponse> BrokerToControllerChannel::Send(
    const protocol::ControlledShutdownRequest&);
template absl::StatusOr<protocol::AllocateProducerIdsResponse> BrokerToControllerChannel::Send(
    const protocol::AllocateProducerIdsRequest&);

}  // namespace highwater::broker
