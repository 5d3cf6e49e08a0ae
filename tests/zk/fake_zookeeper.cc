#include "tests/zk/fake_zookeeper.h"

#include <utility>

#include <fmt/format.h>

#include "core/check.h"

namespace highwater::tests {

using namespace broker::zookeeper;  // NOLINT: a test's fake of exactly that

namespace {

constexpr absl::Duration kOneWay = absl::Milliseconds(1);

std::string ParentOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::optional<std::string> Text(const std::optional<core::Bytes>& data) {
  if (!data) return std::nullopt;
  return data->ToString();
}

}  // namespace

// ---- The tree.

Stat FakeZooKeeper::StatOf(const std::string& path) const {
  Stat stat = nodes_.at(path).stat;
  stat.num_children = static_cast<int32_t>(ChildrenOf(path).size());
  return stat;
}

std::vector<std::string> FakeZooKeeper::ChildrenOf(const std::string& path) const {
  std::vector<std::string> children;
  const std::string prefix = path + "/";
  for (auto it = nodes_.lower_bound(prefix); it != nodes_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    const std::string name = it->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) children.push_back(name);
  }
  return children;
}

ErrorCode FakeZooKeeper::Create(SessionId session, const CreateRequest& request,
                                std::string& made) {
  const auto parent = nodes_.find(ParentOf(request.path));
  if (parent == nodes_.end()) return ErrorCode::kNoNode;
  made = request.path;
  if (IsSequential(request.mode)) made += fmt::format("{:010}", parent->second.created_children);
  if (nodes_.contains(made)) return ErrorCode::kNodeExists;
  if (parent->second.stat.ephemeral_owner != kNoSession) {
    return ErrorCode::kNoChildrenForEphemerals;
  }
  ++parent->second.created_children;
  ++parent->second.stat.cversion;
  parent->second.stat.pzxid = Zxid(zxid_);
  Node node{.data = Text(request.data)};
  node.stat.czxid = node.stat.mzxid = node.stat.pzxid = Zxid(zxid_);
  node.stat.ctime = node.stat.mtime = now_ms;
  if (IsEphemeral(request.mode)) node.stat.ephemeral_owner = session;
  nodes_[made] = std::move(node);
  fired_.push_back({WatchEventType::kNodeCreated, made});
  fired_.push_back({WatchEventType::kNodeChildrenChanged, ParentOf(made)});
  if (on_write) on_write(made, &nodes_[made]);
  return ErrorCode::kOk;
}

ErrorCode FakeZooKeeper::Delete(const DeleteRequest& request) {
  const auto node = nodes_.find(request.path);
  if (node == nodes_.end()) return ErrorCode::kNoNode;
  if (request.version != kAnyVersion && request.version != node->second.stat.version) {
    return ErrorCode::kBadVersion;
  }
  if (!ChildrenOf(request.path).empty()) return ErrorCode::kNotEmpty;
  nodes_.erase(node);
  fired_.push_back({WatchEventType::kNodeDeleted, request.path});
  fired_.push_back({WatchEventType::kNodeChildrenChanged, ParentOf(request.path)});
  if (on_write) on_write(request.path, nullptr);
  return ErrorCode::kOk;
}

ErrorCode FakeZooKeeper::Set(const SetDataRequest& request, Stat& stat) {
  const auto node = nodes_.find(request.path);
  if (node == nodes_.end()) return ErrorCode::kNoNode;
  if (request.version != kAnyVersion && request.version != node->second.stat.version) {
    return ErrorCode::kBadVersion;
  }
  node->second.data = Text(request.data);
  ++node->second.stat.version;
  node->second.stat.mzxid = Zxid(zxid_);
  stat = StatOf(request.path);
  fired_.push_back({WatchEventType::kNodeDataChanged, request.path});
  if (on_write) on_write(request.path, &node->second);
  return ErrorCode::kOk;
}

ErrorCode FakeZooKeeper::Check(const CheckRequest& request) const {
  const auto node = nodes_.find(request.path);
  if (node == nodes_.end()) return ErrorCode::kNoNode;
  const bool same = request.version == kAnyVersion || request.version == node->second.stat.version;
  return same ? ErrorCode::kOk : ErrorCode::kBadVersion;
}

MultiResponse FakeZooKeeper::Multi(SessionId session, const MultiRequest& request) {
  const auto before = nodes_;
  const auto told = std::exchange(on_write, nullptr);
  MultiResponse response;
  ErrorCode failed = ErrorCode::kOk;
  std::vector<std::string> written;
  for (const MultiOp& op : request.ops) {
    MultiResult result;
    if (failed != ErrorCode::kOk) {
      result.error = ErrorCode::kRuntimeInconsistency;
    } else if (const auto* create = std::get_if<CreateRequest>(&op)) {
      PathResponse made;
      result.error = Create(session, *create, made.path);
      written.push_back(made.path);
      result.body = made;
    } else if (const auto* remove = std::get_if<DeleteRequest>(&op)) {
      result.error = Delete(*remove);
      written.push_back(remove->path);
    } else if (const auto* set = std::get_if<SetDataRequest>(&op)) {
      StatResponse stat;
      result.error = Set(*set, stat.stat);
      written.push_back(set->path);
      result.body = stat;
    } else if (const auto* check = std::get_if<CheckRequest>(&op)) {
      result.error = Check(*check);
    } else {
      HW_UNREACHABLE("an operation that Kafka does not use in a multi");
    }
    failed = result.error != ErrorCode::kOk && failed == ErrorCode::kOk ? result.error : failed;
    response.results.push_back(std::move(result));
  }
  on_write = told;
  if (failed != ErrorCode::kOk) {
    nodes_ = before;
    fired_.clear();
    for (MultiResult& result : response.results) result.body = Empty{};
    return response;
  }
  for (const std::string& path : written) {
    const auto node = nodes_.find(path);
    if (on_write) on_write(path, node == nodes_.end() ? nullptr : &node->second);
  }
  return response;
}

Response FakeZooKeeper::Apply(SessionId session, const Request& request) {
  Response response;
  const bool is_write = !std::holds_alternative<GetDataRequest>(request) &&
                        !std::holds_alternative<ExistsRequest>(request) &&
                        !std::holds_alternative<GetChildren2Request>(request);
  if (is_write) ++zxid_;
  if (const auto* create = std::get_if<CreateRequest>(&request)) {
    PathResponse made;
    response.error = Create(session, *create, made.path);
    response.body = made;
  } else if (const auto* remove = std::get_if<DeleteRequest>(&request)) {
    response.error = Delete(*remove);
  } else if (const auto* set = std::get_if<SetDataRequest>(&request)) {
    StatResponse stat;
    response.error = Set(*set, stat.stat);
    response.body = stat;
  } else if (const auto* exists = std::get_if<ExistsRequest>(&request)) {
    if (nodes_.contains(exists->path)) {
      response.body = StatResponse{StatOf(exists->path)};
    } else {
      response.error = ErrorCode::kNoNode;
    }
  } else if (const auto* get = std::get_if<GetDataRequest>(&request)) {
    const auto node = nodes_.find(get->path);
    if (node == nodes_.end()) {
      response.error = ErrorCode::kNoNode;
    } else {
      GetDataResponse data{.stat = StatOf(get->path)};
      if (node->second.data) data.data = core::Bytes::Copy(*node->second.data);
      response.body = data;
    }
  } else if (const auto* children = std::get_if<GetChildren2Request>(&request)) {
    if (nodes_.contains(children->path)) {
      response.body = GetChildren2Response{ChildrenOf(children->path), StatOf(children->path)};
    } else {
      response.error = ErrorCode::kNoNode;
    }
  } else if (const auto* multi = std::get_if<MultiRequest>(&request)) {
    response.body = Multi(session, *multi);
  } else {
    HW_UNREACHABLE("an operation that Kafka does not use");
  }
  if (response.error != ErrorCode::kOk) response.body = Empty{};
  Fire();
  return response;
}

Response FakeZooKeeper::Do(const Request& request) { return Apply(kNoSession, request); }

void FakeZooKeeper::Fire() {
  const std::vector<Event> fired = std::exchange(fired_, {});
  for (const Event& event : fired) {
    for (const auto& [session, client] : clients_) {
      if (client != nullptr) client->OnEvent(event);
    }
  }
}

FakeZooKeeperClient* FakeZooKeeper::ClientOf(SessionId session) {
  const auto found = clients_.find(session);
  return found == clients_.end() ? nullptr : found->second;
}

void FakeZooKeeper::Expire(SessionId session) {
  const auto found = clients_.find(session);
  if (found == clients_.end()) return;
  FakeZooKeeperClient* client = found->second;
  clients_.erase(found);
  expiring_ = client;
  ++zxid_;
  std::vector<std::string> owned;
  for (const auto& [path, node] : nodes_) {
    if (node.stat.ephemeral_owner == session) owned.push_back(path);
  }
  for (const std::string& path : owned) static_cast<void>(Delete({.path = path}));
  Fire();
  // What the deletions set off may have ended the client's process.
  client = std::exchange(expiring_, nullptr);
  if (client == nullptr) return;
  client->expired_ = true;
  client->changed_.WakeAll();
}

void FakeZooKeeper::ExpireDead() {
  std::vector<SessionId> dead;
  for (const auto& [session, client] : clients_) {
    if (client == nullptr) dead.push_back(session);
  }
  for (const SessionId session : dead) Expire(session);
}

// ---- A client.

FakeZooKeeperClient::FakeZooKeeperClient(core::Environment& env, FakeZooKeeper& zookeeper)
    : env_(env), zookeeper_(zookeeper) {}

FakeZooKeeperClient::~FakeZooKeeperClient() {
  if (zookeeper_.expiring_ == this) zookeeper_.expiring_ = nullptr;
  // Also of former sessions that the server has not given up yet.
  for (auto& [session, client] : zookeeper_.clients_) {
    if (client == this) client = nullptr;
  }
}

absl::Status FakeZooKeeperClient::Connect() {
  NewSession();
  env_.fibers.Spawn("zookeeper events", [this] { RunEvents(); });
  return absl::OkStatus();
}

void FakeZooKeeperClient::NewSession() {
  session_ = SessionId(++zookeeper_.sessions_);
  zookeeper_.clients_[session_] = this;
  expired_ = false;
  data_watches_.clear();
  child_watches_.clear();
  events_.clear();
}

void FakeZooKeeperClient::Close(absl::Duration) {
  closed_ = true;
  zookeeper_.clients_[session_] = nullptr;
  zookeeper_.Expire(session_);
  changed_.WakeAll();
}

std::vector<Response> FakeZooKeeperClient::HandleRequests(std::vector<Request> requests) {
  static_cast<void>(env_.fibers.SleepFor(kOneWay));
  while (cut_ && !expired_ && !closed_) {
    changed_.Wait(env_.fibers, "a connection to ZooKeeper", core::MonotonicTime::Never());
  }
  std::vector<Response> responses;
  const SessionId session = session_;
  for (const Request& request : requests) {
    if (expired_ || closed_ || session != session_) {
      responses.push_back({.error = ErrorCode::kSessionExpired});
      continue;
    }
    Response response = zookeeper_.Apply(session_, request);
    Arm(request, response);
    if (zookeeper_.lose_reply && zookeeper_.lose_reply(request)) {
      response = {.error = ErrorCode::kConnectionLoss};
    }
    responses.push_back(std::move(response));
  }
  static_cast<void>(env_.fibers.SleepFor(kOneWay));
  return responses;
}

std::vector<Response> FakeZooKeeperClient::RetryUntilConnected(std::vector<Request> requests) {
  std::vector<Response> responses = HandleRequests(requests);
  for (size_t i = 0; i < responses.size(); ++i) {
    while (responses[i].error == ErrorCode::kConnectionLoss) {
      responses[i] = std::move(HandleRequests({requests[i]}).front());
    }
  }
  return responses;
}

void FakeZooKeeperClient::Arm(const Request& request, const Response& response) {
  if (const auto* exists = std::get_if<ExistsRequest>(&request)) {
    if (node_handlers_.contains(exists->path)) data_watches_.insert(exists->path);
  } else if (const auto* get = std::get_if<GetDataRequest>(&request)) {
    if (response.ok() && node_handlers_.contains(get->path)) data_watches_.insert(get->path);
  } else if (const auto* children = std::get_if<GetChildren2Request>(&request)) {
    if (response.ok() && child_handlers_.contains(children->path)) {
      child_watches_.insert(children->path);
    }
  }
}

void FakeZooKeeperClient::OnEvent(const FakeZooKeeper::Event& event) {
  const bool children = event.type == WatchEventType::kNodeChildrenChanged;
  auto& watches = children ? child_watches_ : data_watches_;
  if (watches.erase(event.path) == 0) return;
  events_.push_back(event);
  changed_.WakeAll();
}

void FakeZooKeeperClient::HoldWatches(bool hold) {
  hold_ = hold;
  changed_.WakeAll();
}

void FakeZooKeeperClient::CutOff(bool cut) {
  cut_ = cut;
  hold_ = cut;
  changed_.WakeAll();
}

void FakeZooKeeperClient::RunEvents() {
  while (!closed_) {
    if (expired_ && !cut_) {
      for (SessionStateHandler* handler : session_handlers_) handler->BeforeInitializingSession();
      NewSession();
      for (SessionStateHandler* handler : session_handlers_) handler->AfterInitializingSession();
      continue;
    }
    if (events_.empty() || hold_) {
      changed_.Wait(env_.fibers, "a watch", core::MonotonicTime::Never());
      continue;
    }
    const FakeZooKeeper::Event event = std::move(events_.front());
    events_.pop_front();
    if (event.type == WatchEventType::kNodeChildrenChanged) {
      const auto handler = child_handlers_.find(event.path);
      if (handler != child_handlers_.end()) handler->second->OnChildrenChanged();
      continue;
    }
    const auto handler = node_handlers_.find(event.path);
    if (handler == node_handlers_.end()) continue;
    if (event.type == WatchEventType::kNodeCreated) handler->second->OnCreated();
    if (event.type == WatchEventType::kNodeDeleted) handler->second->OnDeleted();
    if (event.type == WatchEventType::kNodeDataChanged) handler->second->OnDataChanged();
  }
}

}  // namespace highwater::tests
