#include "broker/zk/kafka_zk_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::zk {

using zookeeper::CheckRequest;
using zookeeper::CreateMode;
using zookeeper::CreateRequest;
using zookeeper::DeleteRequest;
using zookeeper::GetChildren2Request;
using zookeeper::GetChildren2Response;
using zookeeper::GetDataRequest;
using zookeeper::GetDataResponse;
using zookeeper::MultiRequest;
using zookeeper::MultiResponse;
using zookeeper::SetDataRequest;
using zookeeper::StatResponse;

namespace {

std::optional<core::Bytes> Data(std::string_view text) { return core::Bytes::Copy(text); }

CreateRequest Create(std::string_view path, std::optional<core::Bytes> data,
                     CreateMode mode = CreateMode::kPersistent) {
  return {.path = std::string(path),
          .data = std::move(data),
          .acl = zookeeper::OpenAcl(),
          .mode = mode};
}

}  // namespace

absl::Status ToStatus(zookeeper::ErrorCode error, std::string_view path) {
  using enum zookeeper::ErrorCode;
  const auto text = [&] { return fmt::format("{}: {}", path, zookeeper::ErrorCodeName(error)); };
  switch (error) {
    case kOk:
      return absl::OkStatus();
    case kNoNode:
      return absl::NotFoundError(text());
    case kNodeExists:
      return absl::AlreadyExistsError(text());
    case kBadVersion:
      return absl::FailedPreconditionError(text());
    case kSessionExpired:
      return absl::UnavailableError(text());
    default:
      return absl::InternalError(text());
  }
}

KafkaZkClient::Response KafkaZkClient::Call(Request request) {
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  return std::move(client_.RetryUntilConnected(std::move(requests)).front());
}

absl::StatusOr<std::vector<KafkaZkClient::Response>> KafkaZkClient::CallAll(
    std::vector<Request> requests) {
  std::vector<Response> responses = client_.RetryUntilConnected(std::move(requests));
  for (const Response& response : responses) {
    if (response.error == ErrorCode::kSessionExpired) return ToStatus(response.error, "");
  }
  return responses;
}

absl::StatusOr<std::vector<KafkaZkClient::MultiResult>> KafkaZkClient::RunFenced(
    std::vector<MultiOp> ops, FenceVersion fence) {
  std::vector<Request> requests;
  for (MultiOp& op : ops) {
    MultiRequest multi;
    multi.ops.emplace_back(
        CheckRequest{.path = std::string(kControllerEpochPath), .version = fence.value()});
    multi.ops.push_back(std::move(op));
    requests.emplace_back(std::move(multi));
  }
  HW_ASSIGN_OR_RETURN(std::vector<Response> responses, CallAll(std::move(requests)));
  std::vector<MultiResult> results;
  for (Response& response : responses) {
    auto* multi = std::get_if<MultiResponse>(&response.body);
    if (multi == nullptr || multi->results.size() != 2) {
      results.push_back({.error = response.ok() ? ErrorCode::kMarshallingError : response.error});
      continue;
    }
    if (multi->results[0].error != ErrorCode::kOk) {
      HW_MARK("controller_fenced_by_epoch");
      return absl::AbortedError("/controller_epoch has moved: another controller was elected");
    }
    results.push_back(std::move(multi->results[1]));
  }
  return results;
}

absl::Status KafkaZkClient::RunOneFenced(MultiOp op, FenceVersion fence) {
  const std::string path = zookeeper::PathOf(op);
  std::vector<MultiOp> ops;
  ops.push_back(std::move(op));
  HW_ASSIGN_OR_RETURN(const auto results, RunFenced(std::move(ops), fence));
  return ToStatus(results.front().error, path);
}

absl::Status KafkaZkClient::MakePath(std::string_view path) {
  if (path.empty()) return absl::OkStatus();
  ErrorCode error = Call(Create(path, std::nullopt)).error;
  if (error == ErrorCode::kNoNode) {
    HW_RETURN_IF_ERROR(MakePath(ParentOf(path)));
    error = Call(Create(path, std::nullopt)).error;
  }
  return error == ErrorCode::kNodeExists ? absl::OkStatus() : ToStatus(error, path);
}

absl::StatusOr<KafkaZkClient::Znode> KafkaZkClient::Read(std::string_view path) {
  HW_ASSIGN_OR_RETURN(auto all, ReadAll({std::string(path)}));
  return std::move(all.front());
}

absl::StatusOr<std::vector<absl::StatusOr<KafkaZkClient::Znode>>> KafkaZkClient::ReadAll(
    const std::vector<std::string>& paths) {
  std::vector<Request> requests;
  for (const std::string& path : paths) requests.emplace_back(GetDataRequest{.path = path});
  HW_ASSIGN_OR_RETURN(const auto responses, CallAll(std::move(requests)));
  std::vector<absl::StatusOr<Znode>> znodes;
  for (size_t i = 0; i < paths.size(); ++i) {
    if (!responses[i].ok()) {
      znodes.emplace_back(ToStatus(responses[i].error, paths[i]));
      continue;
    }
    const auto& found = std::get<GetDataResponse>(responses[i].body);
    znodes.emplace_back(
        Znode{.text = found.data ? found.data->ToString() : "", .stat = found.stat});
  }
  return znodes;
}

absl::StatusOr<std::vector<std::string>> KafkaZkClient::Children(std::string_view path) {
  Response response = Call(GetChildren2Request{.path = std::string(path)});
  if (response.error == ErrorCode::kNoNode) return std::vector<std::string>();
  HW_RETURN_IF_ERROR(ToStatus(response.error, path));
  auto children = std::move(std::get<GetChildren2Response>(response.body).children);
  std::sort(children.begin(), children.end());
  return children;
}

absl::StatusOr<bool> KafkaZkClient::Exists(std::string_view path) {
  const ErrorCode error = Call(zookeeper::ExistsRequest{.path = std::string(path)}).error;
  if (error == ErrorCode::kNoNode) return false;
  HW_RETURN_IF_ERROR(ToStatus(error, path));
  return true;
}

absl::Status KafkaZkClient::MakeBasePaths() {
  for (const std::string_view path : BasePaths()) HW_RETURN_IF_ERROR(MakePath(path));
  return absl::OkStatus();
}

absl::StatusOr<std::string> KafkaZkClient::GetOrCreateClusterId(std::string_view proposed) {
  for (;;) {
    auto znode = Read(kClusterIdPath);
    if (znode.ok()) return DecodeClusterId(znode->text);
    if (!absl::IsNotFound(znode.status())) return znode.status();
    HW_RETURN_IF_ERROR(MakePath(ParentOf(kClusterIdPath)));
    const ErrorCode error = Call(Create(kClusterIdPath, Data(EncodeClusterId(proposed)))).error;
    if (error != ErrorCode::kOk && error != ErrorCode::kNodeExists) {
      return ToStatus(error, kClusterIdPath);
    }
  }
}

// ---- Brokers.

absl::StatusOr<BrokerEpoch> KafkaZkClient::RegisterBroker(const BrokerRegistration& broker) {
  const std::string path = BrokerIdPath(broker.id);
  const auto data = Data(EncodeBrokerRegistration(broker));
  for (;;) {
    // [Z31] The second operation is there for its Stat.
    MultiRequest multi;
    multi.ops.emplace_back(Create(path, data, CreateMode::kEphemeral));
    multi.ops.emplace_back(SetDataRequest{.path = path, .data = data, .version = 0});
    Response response = Call(std::move(multi));
    const auto* done = std::get_if<MultiResponse>(&response.body);
    const ErrorCode error =
        done == nullptr || done->results.size() != 2 ? response.error : done->error();
    if (error == ErrorCode::kOk && done != nullptr && done->results.size() == 2) {
      registered_session_ = client_.session_id();
      const auto& stat = std::get<StatResponse>(done->results[1].body).stat;
      return BrokerEpoch(stat.czxid.value());
    }
    if (error != ErrorCode::kNodeExists) {
      return error == ErrorCode::kOk ? absl::InternalError("a multi without results")
                                     : ToStatus(error, path);
    }
    HW_ASSIGN_OR_RETURN(const auto existing, ResolveExistingRegistration(path));
    if (existing) return *existing;
  }
}

// [Z32] The epoch if the node is ours; nullopt if it has gone, so that it can be made again.
absl::StatusOr<std::optional<BrokerEpoch>> KafkaZkClient::ResolveExistingRegistration(
    const std::string& path) {
  const auto znode = Read(path);
  if (absl::IsNotFound(znode.status())) return std::nullopt;
  HW_RETURN_IF_ERROR(znode.status());
  const zookeeper::SessionId owner = znode->stat.ephemeral_owner;
  if (owner == client_.session_id()) {
    // [Z41] An earlier try was applied and its answer lost.
    HW_MARK("registration_already_applied");
    registered_session_ = owner;
    return BrokerEpoch(znode->stat.czxid.value());
  }
  if (owner != registered_session_ || owner == zookeeper::kNoSession) {
    return absl::AlreadyExistsError(
        fmt::format("{} is held by another session: is another broker "
                    "with the same id alive?",
                    path));
  }
  // An ephemeral outlived our own former session (ZOOKEEPER-2985, KAFKA-7165).
  HW_MARK("registration_of_former_session_deleted");
  const ErrorCode error = Call(DeleteRequest{.path = path, .version = znode->stat.version}).error;
  if (error != ErrorCode::kOk && error != ErrorCode::kNoNode && error != ErrorCode::kBadVersion) {
    return ToStatus(error, path);
  }
  return std::nullopt;
}

absl::Status KafkaZkClient::UpdateRegistration(const BrokerRegistration& broker) {
  const std::string path = BrokerIdPath(broker.id);
  return ToStatus(
      Call(SetDataRequest{.path = path, .data = Data(EncodeBrokerRegistration(broker))}).error,
      path);
}

absl::StatusOr<std::map<BrokerId, BrokerRegistration>> KafkaZkClient::GetBrokers() {
  HW_ASSIGN_OR_RETURN(const auto names, Children(kBrokerIdsPath));
  std::vector<BrokerId> ids;
  std::vector<std::string> paths;
  for (const std::string& name : names) {
    const auto id = ParseId(name);
    if (!id) continue;
    ids.emplace_back(*id);
    paths.push_back(BrokerIdPath(ids.back()));
  }
  HW_ASSIGN_OR_RETURN(const auto znodes, ReadAll(paths));
  std::map<BrokerId, BrokerRegistration> brokers;
  for (size_t i = 0; i < ids.size(); ++i) {
    // One that left between the two reads is not there.
    if (absl::IsNotFound(znodes[i].status())) continue;
    HW_RETURN_IF_ERROR(znodes[i].status());
    HW_ASSIGN_OR_RETURN(brokers[ids[i]],
                        DecodeBrokerRegistration(ids[i], BrokerEpoch(znodes[i]->stat.czxid.value()),
                                                 znodes[i]->text));
  }
  return brokers;
}

absl::StatusOr<std::optional<BrokerRegistration>> KafkaZkClient::GetBroker(BrokerId id) {
  const auto znode = Read(BrokerIdPath(id));
  if (absl::IsNotFound(znode.status())) return std::nullopt;
  HW_RETURN_IF_ERROR(znode.status());
  return DecodeBrokerRegistration(id, BrokerEpoch(znode->stat.czxid.value()), znode->text);
}

// ---- The controller.

absl::StatusOr<std::optional<BrokerId>> KafkaZkClient::GetControllerId() {
  const auto znode = Read(kControllerPath);
  if (absl::IsNotFound(znode.status())) return std::nullopt;
  HW_RETURN_IF_ERROR(znode.status());
  HW_ASSIGN_OR_RETURN(const ControllerZnode controller, DecodeControllerZnode(znode->text));
  return controller.broker;
}

// [Z22]
absl::StatusOr<std::pair<ControllerEpoch, FenceVersion>> KafkaZkClient::GetOrCreateEpoch() {
  for (;;) {
    const auto znode = Read(kControllerEpochPath);
    if (znode.ok()) {
      HW_ASSIGN_OR_RETURN(const ControllerEpoch epoch, DecodeControllerEpoch(znode->text));
      return std::pair(epoch, FenceVersion(znode->stat.version));
    }
    if (!absl::IsNotFound(znode.status())) return znode.status();
    const ErrorCode error =
        Call(Create(kControllerEpochPath, Data(EncodeControllerEpoch(ControllerEpoch(0))))).error;
    if (error != ErrorCode::kOk && error != ErrorCode::kNodeExists) {
      return ToStatus(error, kControllerEpochPath);
    }
  }
}

absl::StatusOr<Election> KafkaZkClient::RegisterControllerAndIncrementEpoch(BrokerId id,
                                                                            int64_t now_ms) {
  HW_ASSIGN_OR_RETURN(const auto before, GetOrCreateEpoch());
  const Election won{.epoch = before.first + 1, .fence = before.second + 1};
  MultiRequest multi;
  multi.ops.emplace_back(Create(kControllerPath,
                                Data(EncodeControllerZnode({.broker = id, .timestamp_ms = now_ms})),
                                CreateMode::kEphemeral));
  multi.ops.emplace_back(SetDataRequest{.path = std::string(kControllerEpochPath),
                                        .data = Data(EncodeControllerEpoch(won.epoch)),
                                        .version = before.second.value()});
  const Response response = Call(std::move(multi));
  const auto* done = std::get_if<MultiResponse>(&response.body);
  const ErrorCode error = done == nullptr ? response.error : done->error();
  if (error == ErrorCode::kOk && done != nullptr) return won;
  if (error != ErrorCode::kNodeExists && error != ErrorCode::kBadVersion) {
    return error == ErrorCode::kOk ? absl::InternalError("a multi without results")
                                   : ToStatus(error, kControllerPath);
  }
  // [Z52] Perhaps an earlier try was applied and its answer lost.
  HW_ASSIGN_OR_RETURN(const auto controller, GetControllerId());
  HW_ASSIGN_OR_RETURN(const auto after, GetOrCreateEpoch());
  if (controller == id && after.first == won.epoch) {
    HW_MARK("election_already_applied");
    return Election{.epoch = after.first, .fence = after.second};
  }
  return absl::AbortedError("another controller was elected");
}

absl::Status KafkaZkClient::DeleteController(FenceVersion fence) {
  const absl::Status status =
      RunOneFenced(DeleteRequest{.path = std::string(kControllerPath)}, fence);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status KafkaZkClient::MakeFeatureZnode(FenceVersion fence) {
  const auto znode = Read(kFeaturePath);
  if (!absl::IsNotFound(znode.status())) return znode.status();
  const absl::Status status = RunOneFenced(Create(kFeaturePath, Data(EncodeFeature())), fence);
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

}  // namespace highwater::broker::zk
