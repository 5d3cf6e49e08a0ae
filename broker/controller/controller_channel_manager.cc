#include "broker/controller/controller_channel_manager.h"

#include <deque>
#include <utility>

#include "broker/protocol/frame.h"
#include "core/check.h"
#include "core/mark.h"
#include "core/wait_queue.h"

namespace highwater::broker::controller {

namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr size_t kMostResponseBytes = 100 << 20;

core::Endpoint EndpointOf(const zk::BrokerRegistration& broker, const std::string& listener) {
  for (const zk::BrokerEndpoint& endpoint : broker.endpoints) {
    if (listener.empty() || endpoint.listener == listener) {
      return {.host = endpoint.host, .port = static_cast<uint16_t>(endpoint.port)};
    }
  }
  return {};
}

}  // namespace

struct ControllerChannelManager::Peer {
  BrokerId id;
  BrokerEpoch epoch;
  core::Endpoint endpoint;
  bool removed = false;
  int32_t correlation_id = 0;
  std::deque<Outgoing> queue;
  core::WaitQueue queued;
  std::unique_ptr<core::Connection> connection;
  core::FiberHandle fiber;
};

ControllerChannelManager::ControllerChannelManager(core::Environment& env, ChannelConfig config,
                                                   OnResponse on_response)
    : env_(env), config_(std::move(config)), on_response_(std::move(on_response)) {}

ControllerChannelManager::~ControllerChannelManager() { RemoveAll(); }

void ControllerChannelManager::AddBroker(const zk::BrokerRegistration& broker) {
  HW_CHECK(!peers_.contains(broker.id), "broker {} already has a channel", broker.id);
  auto peer = std::make_shared<Peer>();
  peer->id = broker.id;
  peer->epoch = broker.epoch;
  peer->endpoint = EndpointOf(broker, config_.listener);
  peers_[broker.id] = peer;
  peer->fiber = env_.fibers.Spawn("controller to broker", [this, peer] { Run(peer); });
}

void ControllerChannelManager::RemoveBroker(BrokerId id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  const std::shared_ptr<Peer> peer = std::move(found->second);
  peers_.erase(found);
  peer->removed = true;
  peer->queue.clear();
  peer->fiber.Cancel();
}

void ControllerChannelManager::RemoveAll() {
  while (!peers_.empty()) RemoveBroker(peers_.begin()->first);
}

void ControllerChannelManager::Send(Outgoing request) {
  const auto found = peers_.find(request.to);
  if (found == peers_.end()) return;
  found->second->queue.push_back(std::move(request));
  found->second->queued.WakeOne();
}

size_t ControllerChannelManager::queued(BrokerId id) const {
  const auto found = peers_.find(id);
  return found == peers_.end() ? 0 : found->second->queue.size();
}

void ControllerChannelManager::Run(const std::shared_ptr<Peer>& peer) {
  while (!peer->removed) {
    if (peer->queue.empty()) {
      static_cast<void>(
          peer->queued.Wait(env_.fibers, "a controller request", core::MonotonicTime::Never()));
      continue;
    }
    // It stays in the queue until it is answered; RemoveBroker may empty the queue meanwhile.
    const Outgoing request = peer->queue.front();
    const auto response = Exchange(*peer, request);
    if (peer->removed) break;
    if (response) {
      peer->queue.pop_front();
      on_response_(request, *response);
      continue;
    }
    HW_MARK("controller_request_resent");
    peer->connection.reset();
    static_cast<void>(env_.fibers.SleepFor(config_.retry_backoff));
  }
  peer->connection.reset();
}

std::optional<ControllerResponse> ControllerChannelManager::Exchange(Peer& peer,
                                                                     const Outgoing& request) {
  const core::MonotonicTime deadline = env_.fibers.Now() + config_.socket_timeout;
  if (peer.connection == nullptr) {
    auto dialled = env_.network.Dial(peer.endpoint, deadline);
    if (!dialled.ok()) return std::nullopt;
    peer.connection = *std::move(dialled);
  }
  const CorrelationId correlation_id(peer.correlation_id++);
  const auto frame = std::visit(
      [&](const auto& message) {
        return protocol::EncodeRequest(correlation_id, fmt::format("{}", config_.controller),
                                       message, request.version);
      },
      request.request);
  HW_CHECK(frame.ok(), "a request to broker {} cannot be encoded: {}", peer.id,
           frame.status().ToString());
  if (!peer.connection->Write(*frame, deadline).ok()) return std::nullopt;
  core::ByteChain buffered;
  for (;;) {
    auto payload = protocol::TakeFrame(buffered, kMostResponseBytes);
    if (!payload.ok()) return std::nullopt;
    if (payload->has_value()) {
      const auto id = protocol::PeekCorrelationId(**payload);
      if (!id.ok() || *id != correlation_id) return std::nullopt;
      return std::visit(
          [&](const auto& message) -> std::optional<ControllerResponse> {
            using Response = typename std::decay_t<decltype(message)>::Response;
            auto response = protocol::DecodeResponse<Response>(**payload, request.version);
            if (!response.ok()) return std::nullopt;
            return ControllerResponse(*std::move(response));
          },
          request.request);
    }
    const auto read = peer.connection->Read(kReadBytes, deadline);
    if (!read.ok() || read->empty()) return std::nullopt;
    buffered.Append(*read);
  }
}

}  // namespace highwater::broker::controller
