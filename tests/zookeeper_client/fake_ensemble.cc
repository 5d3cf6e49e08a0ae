#include "tests/zookeeper_client/fake_ensemble.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/network/simulated_network.h"

namespace highwater::tests {

using namespace broker::zookeeper;  // NOLINT: this file is that folder's other side
using core::MonotonicTime;

namespace {

constexpr uint16_t kPort = 2181;
constexpr int64_t kTick = 100'000'000;  // ns between two looks for silent sessions

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

template <typename Record>
Record Decode(JuteReader& reader) {
  Record record;
  reader(record);
  HW_CHECK(reader.status().ok(), "{}", reader.status().ToString());
  return record;
}

}  // namespace

// One client's connection: reads, answers at once, writes in order.
class FakeConnection {
 public:
  FakeConnection(FakeEnsemble& ensemble, core::Environment& env, int server,
                 core::Connection& connection)
      : server(server),
        id(++ensemble.last_connection_),
        ensemble_(ensemble),
        env_(env),
        connection_(connection) {
    ensemble_.connections_.push_back(this);
  }
  ~FakeConnection() { std::erase(ensemble_.connections_, this); }

  void Run();
  void Send(core::Bytes frame) {
    if (silent_) return;
    outbox_.Append(std::move(frame));
    writer_.WakeAll();
  }
  void Close() { connection_.Close(); }
  void WriteLoop() {
    while (!gone_) {
      if (outbox_.empty()) {
        writer_.Wait(env_.fibers, "an answer", MonotonicTime::Never());
        continue;
      }
      const core::ByteChain bytes = std::exchange(outbox_, {});
      if (!connection_.Write(bytes, MonotonicTime::Never()).ok()) break;
    }
    writer_gone_ = true;
    ended_.WakeAll();
  }

  const int server;
  const uint64_t id;
  SessionId session;
  std::set<std::string> data_watches;  // of nodes that are there or not
  std::set<std::string> child_watches;

 private:
  bool Greet(core::Bytes frame);
  bool Handle(core::Bytes frame);
  void Answer(const RequestHeader& header, const std::string& path, JuteReader reader);
  void SetWatches(const SetWatchesRequest& request);
  MultiResponse Multi(const MultiRequest& request);
  template <typename Body = Empty>
  void Reply(Xid xid, ErrorCode error, const Body& body = {}) {
    const ReplyHeader header{xid, LastApplied(), error};
    Send(error == ErrorCode::kOk ? EncodeFrame(header, body) : EncodeFrame(header));
  }
  Zxid LastApplied() const {
    const auto found = ensemble_.behind.find(server);
    return found == ensemble_.behind.end() ? ensemble_.zxid : found->second;
  }
  bool IsWrite(OpCode op) const {
    return op == OpCode::kCreate || op == OpCode::kDelete || op == OpCode::kSetData ||
           op == OpCode::kMulti || op == OpCode::kCloseSession;
  }

  FakeEnsemble& ensemble_;
  core::Environment& env_;
  core::Connection& connection_;
  core::ByteChain outbox_;
  core::WaitQueue writer_;
  core::WaitQueue ended_;
  bool gone_ = false;
  bool writer_gone_ = false;
  bool silent_ = false;
};

void FakeConnection::Run() {
  env_.fibers.Spawn("fake-write", [this] { WriteLoop(); });
  FrameAssembler assembler(kDefaultMaxBuffer);
  bool open = true;
  bool greeted = false;
  while (open) {
    auto bytes = connection_.Read(64 << 10, MonotonicTime::Never());
    if (!bytes.ok() || bytes->empty()) break;
    assembler.Add(*bytes);
    while (open) {
      auto frame = assembler.Next();
      if (!frame.has_value()) break;
      open = std::exchange(greeted, true) ? Handle(*frame) : Greet(*frame);
    }
  }
  // What was answered goes out before the end.
  while (open == false && !outbox_.empty() && !writer_gone_) env_.fibers.Yield();
  gone_ = true;
  connection_.Close();
  writer_.WakeAll();
  while (!writer_gone_) ended_.Wait(env_.fibers, "the writer", MonotonicTime::Never());
}

bool FakeConnection::Greet(core::Bytes frame) {
  const auto greeting = DecodeHandshake<ConnectRequest>(std::move(frame));
  HW_CHECK(greeting.ok(), "{}", greeting.status().ToString());
  const ConnectRequest& request = greeting->record;
  if (request.last_zxid_seen > LastApplied()) return false;
  session = request.session_id;
  if (session == kNoSession) {
    session = SessionId(++ensemble_.last_session_);
    ++ensemble_.zxid;
    ensemble_.sessions[session].timeout_ms = request.timeout_ms;
  }
  const auto found = ensemble_.sessions.find(session);
  ConnectResponse answer{.password = core::Bytes::Zeros(kPasswordSize)};
  if (found != ensemble_.sessions.end()) {
    found->second.last_heard = ensemble_.world_.now();
    found->second.owner = id;
    answer.timeout_ms = found->second.timeout_ms;
    answer.session_id = session;
  } else {
    session = kNoSession;
  }
  Send(EncodeHandshake(
      Handshake<ConnectResponse>{.record = answer, .read_only = greeting->read_only}));
  return found != ensemble_.sessions.end();
}

bool FakeConnection::Handle(core::Bytes frame) {
  JuteReader reader(std::move(frame));
  const auto header = Decode<RequestHeader>(reader);
  std::string path;
  if (header.type != OpCode::kMulti && header.type != OpCode::kPing &&
      header.type != OpCode::kSetWatches && header.type != OpCode::kAuth &&
      header.type != OpCode::kCloseSession) {
    JuteReader peek = reader;
    peek(path);
  }
  if (header.type != OpCode::kPing) ensemble_.seen.push_back({server, header.type, path});
  const auto found = ensemble_.sessions.find(session);
  if (found == ensemble_.sessions.end()) return false;
  found->second.last_heard = ensemble_.world_.now();
  // [2.3] A write that comes through a server that the session has left is refused.
  if (IsWrite(header.type) && found->second.owner != id) return false;
  const Fate fate = ensemble_.script ? ensemble_.script(server, header.type, path) : Fate::kServed;
  if (fate == Fate::kClosedBefore) return false;
  if (fate == Fate::kRefused) {
    Reply(header.xid, ErrorCode::kAuthFailed);
    return false;
  }
  if (fate != Fate::kServed) silent_ = true;
  Answer(header, path, std::move(reader));
  return fate != Fate::kClosedAfter && header.type != OpCode::kCloseSession;
}

void FakeConnection::Answer(const RequestHeader& header, const std::string& path,
                            JuteReader reader) {
  const auto node = ensemble_.nodes.find(path);
  const bool exists = node != ensemble_.nodes.end();
  const ErrorCode missing = exists ? ErrorCode::kOk : ErrorCode::kNoNode;
  switch (header.type) {
    case OpCode::kPing:
    case OpCode::kAuth:
      return Reply(header.xid, ErrorCode::kOk);
    case OpCode::kSync:
      return Reply(header.xid, ErrorCode::kOk, PathResponse{path});
    case OpCode::kCloseSession:
      ensemble_.Expire(session);
      return Reply(header.xid, ErrorCode::kOk);
    case OpCode::kSetWatches:
      SetWatches(Decode<SetWatchesRequest>(reader));
      return Reply(kSetWatchesXid, ErrorCode::kOk);
    case OpCode::kExists:
      if (Decode<ExistsRequest>(reader).watch) data_watches.insert(path);
      return Reply(header.xid, missing, StatResponse{exists ? node->second.stat : Stat{}});
    case OpCode::kGetData:
      if (!exists) return Reply(header.xid, missing);
      if (Decode<GetDataRequest>(reader).watch) data_watches.insert(path);
      return Reply(header.xid, missing, GetDataResponse{node->second.data, node->second.stat});
    case OpCode::kGetChildren2: {
      if (!exists) return Reply(header.xid, missing);
      if (Decode<GetChildren2Request>(reader).watch) child_watches.insert(path);
      GetChildren2Response answer{.stat = node->second.stat};
      const std::string prefix = path == "/" ? "/" : path + "/";
      for (const auto& [name, child] : ensemble_.nodes) {
        if (name != "/" && ParentOf(name) == path) {
          answer.children.push_back(name.substr(prefix.size()));
        }
      }
      return Reply(header.xid, ErrorCode::kOk, answer);
    }
    case OpCode::kCreate: {
      std::string made;
      const ErrorCode error = ensemble_.Create(Decode<CreateRequest>(reader), session, made);
      return Reply(header.xid, error, PathResponse{made});
    }
    case OpCode::kDelete:
      return Reply(header.xid, ensemble_.Delete(path, Decode<DeleteRequest>(reader).version));
    case OpCode::kSetData: {
      Stat stat;
      const ErrorCode error = ensemble_.SetData(Decode<SetDataRequest>(reader), stat);
      return Reply(header.xid, error, StatResponse{stat});
    }
    case OpCode::kMulti:
      return Reply(header.xid, ErrorCode::kOk, Multi(Decode<MultiRequest>(reader)));
    default:
      return Reply(header.xid, ErrorCode::kUnimplemented);
  }
}

MultiResponse FakeConnection::Multi(const MultiRequest& request) {
  const auto before = ensemble_.nodes;
  const Zxid zxid_before = ensemble_.zxid;
  std::vector<std::pair<WatchEventType, std::string>> events;
  ensemble_.held_events_ = &events;
  MultiResponse answer;
  ErrorCode failed = ErrorCode::kOk;
  for (const MultiOp& op : request.ops) {
    MultiResult result;
    if (failed != ErrorCode::kOk) {
      result.error = ErrorCode::kRuntimeInconsistency;
    } else if (const auto* create = std::get_if<CreateRequest>(&op)) {
      PathResponse made;
      result.error = ensemble_.Create(*create, session, made.path);
      result.body = made;
    } else if (const auto* remove = std::get_if<DeleteRequest>(&op)) {
      result.error = ensemble_.Delete(remove->path, remove->version);
    } else if (const auto* set = std::get_if<SetDataRequest>(&op)) {
      StatResponse stat;
      result.error = ensemble_.SetData(*set, stat.stat);
      result.body = stat;
    } else if (const auto* check = std::get_if<CheckRequest>(&op)) {
      const auto node = ensemble_.nodes.find(check->path);
      if (node == ensemble_.nodes.end()) {
        result.error = ErrorCode::kNoNode;
      } else if (check->version != kAnyVersion && check->version != node->second.stat.version) {
        result.error = ErrorCode::kBadVersion;
      }
    }
    if (failed == ErrorCode::kOk) failed = result.error;
    answer.results.push_back(std::move(result));
  }
  ensemble_.held_events_ = nullptr;
  if (failed == ErrorCode::kOk) {
    for (const auto& [type, path] : events) ensemble_.Fire(type, path);
    return answer;
  }
  ensemble_.nodes = before;
  ensemble_.zxid = zxid_before + 1;
  for (MultiResult& result : answer.results) result.body = Empty{};
  return answer;
}

// [4.4] What changed since the client saw it is told at once.
void FakeConnection::SetWatches(const SetWatchesRequest& request) {
  const auto tell = [this](WatchEventType type, const std::string& path) {
    Send(EncodeFrame(ReplyHeader{kNotificationXid, Zxid(-1), ErrorCode::kOk},
                     WatcherEvent{.type = type, .path = path}));
  };
  for (const std::string& path : request.data_watches) {
    const auto node = ensemble_.nodes.find(path);
    if (node == ensemble_.nodes.end()) {
      tell(WatchEventType::kNodeDeleted, path);
    } else if (node->second.stat.mzxid > request.relative_zxid) {
      tell(WatchEventType::kNodeDataChanged, path);
    } else {
      data_watches.insert(path);
    }
  }
  for (const std::string& path : request.exist_watches) {
    if (ensemble_.nodes.contains(path)) {
      tell(WatchEventType::kNodeCreated, path);
    } else {
      data_watches.insert(path);
    }
  }
  for (const std::string& path : request.child_watches) {
    const auto node = ensemble_.nodes.find(path);
    if (node == ensemble_.nodes.end()) {
      tell(WatchEventType::kNodeDeleted, path);
    } else if (node->second.stat.pzxid > request.relative_zxid) {
      tell(WatchEventType::kNodeChildrenChanged, path);
    } else {
      child_watches.insert(path);
    }
  }
}

// ---- The ensemble.

FakeEnsemble::FakeEnsemble(sim::World& world, int servers) : world_(world) {
  nodes["/"];
  for (int i = 0; i < servers; ++i) {
    hosts_.push_back(&world.AddHost({.name = fmt::format("zk-{}", i),
                                     .zone = world.network().AddZone(fmt::format("az-{}", i))}));
    hosts_.back()->SetMain([this, i](core::Environment& env) { Serve(env, i); });
  }
  world_.At(absl::Nanoseconds(kTick), [this] { ExpireSilentSessions(); });
}

void FakeEnsemble::StartAll() {
  for (sim::Host* host : hosts_) host->Start();
}

std::vector<core::Endpoint> FakeEnsemble::endpoints() const {
  std::vector<core::Endpoint> all;
  for (const sim::Host* host : hosts_) all.push_back({host->name(), kPort});
  return all;
}

void FakeEnsemble::Serve(core::Environment& env, int server) {
  auto listener = env.network.Listen({.host = "", .port = kPort});
  HW_CHECK(listener.ok(), "{}", listener.status().ToString());
  while (true) {
    auto accepted = (*listener)->Accept(MonotonicTime::Never());
    if (!accepted.ok()) return;
    env.fibers.Spawn("fake-read", [this, &env, server, connection = *std::move(accepted)] {
      FakeConnection(*this, env, server, *connection).Run();
    });
  }
}

void FakeEnsemble::ExpireSilentSessions() {
  std::vector<SessionId> silent;
  for (const auto& [id, session] : sessions) {
    if (world_.now() - session.last_heard >= session.timeout_ms * int64_t{1'000'000}) {
      silent.push_back(id);
    }
  }
  for (const SessionId id : silent) Expire(id);
  world_.At(absl::Nanoseconds(world_.now() + kTick), [this] { ExpireSilentSessions(); });
}

void FakeEnsemble::Expire(SessionId id) {
  if (sessions.erase(id) == 0) return;
  std::vector<std::string> ephemerals;
  for (const auto& [path, node] : nodes) {
    if (node.stat.ephemeral_owner == id) ephemerals.push_back(path);
  }
  for (const std::string& path : ephemerals) Delete(path, kAnyVersion);
}

void FakeEnsemble::Fire(WatchEventType type, const std::string& path) {
  if (held_events_ != nullptr) return held_events_->emplace_back(type, path), void();
  for (FakeConnection* connection : connections_) {
    bool told = false;
    if (type != WatchEventType::kNodeChildrenChanged) {
      told = connection->data_watches.erase(path) > 0;
    }
    if (type == WatchEventType::kNodeChildrenChanged || type == WatchEventType::kNodeDeleted) {
      told = connection->child_watches.erase(path) > 0 || told;
    }
    if (!told) continue;
    connection->Send(EncodeFrame(ReplyHeader{kNotificationXid, Zxid(-1), ErrorCode::kOk},
                                 WatcherEvent{.type = type, .path = path}));
  }
}

ErrorCode FakeEnsemble::Create(const CreateRequest& request, SessionId session, std::string& made) {
  const auto parent = nodes.find(ParentOf(request.path));
  if (parent == nodes.end()) return ErrorCode::kNoNode;
  made = request.path;
  if (IsSequential(request.mode)) {
    made += fmt::format("{:010}", parent->second.next_sequence++);
  }
  if (nodes.contains(made)) return ErrorCode::kNodeExists;
  ++zxid;
  FakeNode& node = nodes[made];
  node.data = request.data;
  node.stat = {.czxid = zxid, .mzxid = zxid, .pzxid = zxid};
  if (IsEphemeral(request.mode)) node.stat.ephemeral_owner = session;
  parent->second.stat.pzxid = zxid;
  ++parent->second.stat.cversion;
  Fire(WatchEventType::kNodeCreated, made);
  Fire(WatchEventType::kNodeChildrenChanged, parent->first);
  return ErrorCode::kOk;
}

ErrorCode FakeEnsemble::Delete(const std::string& path, int32_t version) {
  const auto node = nodes.find(path);
  if (node == nodes.end()) return ErrorCode::kNoNode;
  if (version != kAnyVersion && version != node->second.stat.version) {
    return ErrorCode::kBadVersion;
  }
  ++zxid;
  nodes.erase(node);
  const std::string parent = ParentOf(path);
  nodes.at(parent).stat.pzxid = zxid;
  Fire(WatchEventType::kNodeDeleted, path);
  Fire(WatchEventType::kNodeChildrenChanged, parent);
  return ErrorCode::kOk;
}

ErrorCode FakeEnsemble::SetData(const SetDataRequest& request, Stat& stat) {
  const auto node = nodes.find(request.path);
  if (node == nodes.end()) return ErrorCode::kNoNode;
  if (request.version != kAnyVersion && request.version != node->second.stat.version) {
    return ErrorCode::kBadVersion;
  }
  ++zxid;
  node->second.data = request.data;
  node->second.stat.mzxid = zxid;
  ++node->second.stat.version;
  stat = node->second.stat;
  Fire(WatchEventType::kNodeDataChanged, request.path);
  return ErrorCode::kOk;
}

void FakeEnsemble::Put(const std::string& path, const std::string& data, SessionId owner) {
  Stat stat;
  std::string made;
  if (nodes.contains(path)) {
    static_cast<void>(SetData({.path = path, .data = core::Bytes::Copy(data)}, stat));
    return;
  }
  static_cast<void>(
      Create({.path = path,
              .data = core::Bytes::Copy(data),
              .mode = owner == kNoSession ? CreateMode::kPersistent : CreateMode::kEphemeral},
             owner, made));
}

void FakeEnsemble::Remove(const std::string& path) { static_cast<void>(Delete(path, kAnyVersion)); }

void FakeEnsemble::CloseConnectionsOf(int server) {
  const std::vector<FakeConnection*> all = connections_;
  for (FakeConnection* connection : all) {
    if (connection->server == server) connection->Close();
  }
}

int FakeEnsemble::CountOf(OpCode op) const {
  return static_cast<int>(
      std::count_if(seen.begin(), seen.end(), [op](const Seen& s) { return s.op == op; }));
}

size_t FakeEnsemble::Watches() const {
  size_t count = 0;
  for (const FakeConnection* connection : connections_) {
    count += connection->data_watches.size() + connection->child_watches.size();
  }
  return count;
}

int FakeEnsemble::ServerOf(SessionId id) const {
  for (const FakeConnection* connection : connections_) {
    const auto session = sessions.find(id);
    if (session != sessions.end() && session->second.owner == connection->id) {
      return connection->server;
    }
  }
  return -1;
}

}  // namespace highwater::tests
