#include "broker/server/request_router.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/server/cluster_membership.h"
#include "broker/server/handlers/cluster_handlers.h"
#include "core/mark.h"

namespace highwater::broker {

namespace {

using protocol::ApiKey;

constexpr ServedApi kServed[] = {
    {ApiKey::kProduce, HandleProduce},
    {ApiKey::kFetch, HandleFetch},
    {ApiKey::kListOffsets, HandleListOffsets},
    {ApiKey::kMetadata, HandleMetadata},
    {ApiKey::kLeaderAndIsr, HandleLeaderAndIsr},
    {ApiKey::kStopReplica, HandleStopReplica},
    {ApiKey::kUpdateMetadata, HandleUpdateMetadata},
    {ApiKey::kFindCoordinator, HandleFindCoordinator},
    {ApiKey::kApiVersions, HandleApiVersions},
    {ApiKey::kCreateTopics, HandleCreateTopics},
    {ApiKey::kDeleteTopics, HandleDeleteTopics},
    {ApiKey::kInitProducerId, HandleInitProducerId},
    {ApiKey::kOffsetForLeaderEpoch, HandleOffsetForLeaderEpoch},
    {ApiKey::kDescribeConfigs, HandleDescribeConfigs},
    {ApiKey::kDescribeCluster, HandleDescribeCluster},
};

}  // namespace

absl::Span<const ServedApi> ServedApis() { return kServed; }

absl::StatusOr<Answer> RequestRouter::Dispatch(const core::ByteChain& request,
                                               const ClientCall& client) {
  protocol::Decoder decoder(request);
  const auto header = protocol::ReadRequestHeader(decoder);
  if (!header.ok()) {
    HW_MARK("request_header_refused");
    return header.status();
  }
  auto answer = Handle({*header, decoder, client});
  if (!answer.ok()) {
    if (!absl::IsUnimplemented(answer.status())) HW_MARK("request_refused");
    return answer;
  }
  answer->api_key = static_cast<int16_t>(header->api_key);
  answer->api_version = header->api_version;
  return answer;
}

absl::StatusOr<Answer> RequestRouter::Handle(const Call& call) {
  for (const ServedApi& api : kServed) {
    if (api.key == call.header.api_key) return api.handle(services_, call);
  }
  if (services_.member != nullptr) {
    for (const ClusterApi& api : ClusterApis()) {
      if (api.key != call.header.api_key) continue;
      return api.handle(services_.env, services_.member->controller(), call);
    }
  }
  HW_MARK("request_of_unserved_api");
  return absl::UnimplementedError(fmt::format("{} is not served", call.header.api_key));
}

}  // namespace highwater::broker
