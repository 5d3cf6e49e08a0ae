#pragma once

// What a handler of one API gets and gives: the parts of the broker that it may use, the request,
// and the answer's frame.
//
//   absl::StatusOr<Answer> HandleMetadata(Services& services, const Call& call) {
//     return Serve<protocol::MetadataRequest>(call, [&](const auto& request) { return
//     Describe(services, request); });
//   }

#include <absl/status/statusor.h>

#include <set>
#include <utility>

#include "broker/controller/controller.h"
#include "broker/controller/producer_id_manager.h"
#include "broker/observer.h"
#include "broker/protocol/decoder.h"
#include "broker/protocol/frame.h"
#include "broker/replication/replica_manager.h"
#include "broker/server/broker_config.h"
#include "broker/server/fetch_session.h"
#include "broker/server/socket_server.h"
#include "core/environment.h"
#include "core/status_macros.h"

namespace highwater::broker {

// Fetches that wait for records, so that a stop can end them early.
class LongPolls {
 public:
  class Poll {
   public:
    virtual ~Poll() = default;
    virtual void EndEarly() = 0;  // wakes its fiber
  };
  void Add(uint64_t key, Poll& poll) { polls_.emplace(key, &poll); }
  void Remove(uint64_t key) { polls_.erase(key); }
  [[nodiscard]] uint64_t NextKey() { return ++keys_; }
  void EndAll() {
    ended_ = true;
    for (const auto& [key, poll] : polls_) poll->EndEarly();
  }
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  bool ended_ = false;
  uint64_t keys_ = 0;
  std::map<uint64_t, Poll*> polls_;
};

class ClusterMembership;

struct Services {
  core::Environment& env;
  const BrokerConfig& config;
  Controller& controller;
  ReplicaManager& replicas;
  ProducerIdManager& producer_ids;
  Observer& observer;
  LongPolls& long_polls;
  FetchSessionCache& fetch_sessions;
  ClusterMembership* member = nullptr;  // of a member of a cluster
};

struct Call {
  const protocol::RequestHeaderFields& header;
  protocol::Decoder& body;
  const ClientCall& client;
};

using Answer = RequestDispatcher::Answer;
using HandlerFunction = absl::StatusOr<Answer> (*)(Services&, const Call&);

// Reads the request; a body that does not parse is an error, which closes the connection.
template <typename Request>
absl::StatusOr<Request> ReadRequest(const Call& call) {
  absl::StatusOr<Request> request(Request::Decode(call.body, call.header.api_version));
  HW_RETURN_IF_ERROR(call.body.status());
  return request;
}

template <typename Response>
absl::StatusOr<Answer> WriteAnswer(const Call& call, const Response& response) {
  HW_ASSIGN_OR_RETURN(
      core::Payload frame,
      protocol::EncodeResponse(call.header.correlation_id, response, call.header.api_version));
  Answer answer{.frame = std::move(frame)};
  CollectErrors(response, answer.errors);
  return answer;
}

template <typename Request, typename Handle>
absl::StatusOr<Answer> Serve(const Call& call, Handle handle) {
  HW_ASSIGN_OR_RETURN(const Request request, ReadRequest<Request>(call));
  const typename Request::Response response = handle(request);
  return WriteAnswer(call, response);
}

// When a request with this time-out in milliseconds has to be answered.
inline core::MonotonicTime DeadlineAfter(const core::Environment& env, int32_t timeout_ms) {
  return env.fibers.Now() + absl::Milliseconds(std::max(timeout_ms, 0));
}

// One handler a file, of the same name. An error closes the connection without an answer.
absl::StatusOr<Answer> HandleApiVersions(Services& services, const Call& call);
absl::StatusOr<Answer> HandleCreateTopics(Services& services, const Call& call);
absl::StatusOr<Answer> HandleDeleteTopics(Services& services, const Call& call);
absl::StatusOr<Answer> HandleDescribeCluster(Services& services, const Call& call);
absl::StatusOr<Answer> HandleDescribeConfigs(Services& services, const Call& call);
absl::StatusOr<Answer> HandleFetch(Services& services, const Call& call);
absl::StatusOr<Answer> HandleFindCoordinator(Services& services, const Call& call);
absl::StatusOr<Answer> HandleInitProducerId(Services& services, const Call& call);
absl::StatusOr<Answer> HandleLeaderAndIsr(Services& services, const Call& call);
absl::StatusOr<Answer> HandleListOffsets(Services& services, const Call& call);
absl::StatusOr<Answer> HandleMetadata(Services& services, const Call& call);
absl::StatusOr<Answer> HandleOffsetForLeaderEpoch(Services& services, const Call& call);
absl::StatusOr<Answer> HandleProduce(Services& services, const Call& call);
absl::StatusOr<Answer> HandleStopReplica(Services& services, const Call& call);
absl::StatusOr<Answer> HandleUpdateMetadata(Services& services, const Call& call);

struct ServedApi {
  protocol::ApiKey key;
  HandlerFunction handle;
};
// The APIs that this broker answers, in the order of their keys; each in all versions of
// Kafka 3.2.3.
[[nodiscard]] absl::Span<const ServedApi> ServedApis();

// What an authorizer would allow anybody, as a set of bits: there is no authorizer yet.
inline constexpr int32_t kAllTopicOperations = 0x0df8;
inline constexpr int32_t kAllClusterOperations = 0x1fa0;

}  // namespace highwater::broker
