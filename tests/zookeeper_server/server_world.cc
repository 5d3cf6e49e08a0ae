#include "tests/zookeeper_server/server_world.h"

#include <fmt/format.h>

#include "core/status_macros.h"

namespace highwater::tests {

ServerWorld::ServerWorld(uint64_t seed, zk::ServerConfig c, sim::StrategyKind strategy)
    : world({.seed = seed, .strategy = strategy}),
      host(world.AddHost({.name = "zk",
                          .zone = world.network().AddZone("az-a"),
                          .disk = sim::MakeDiskFactory({})})),
      config(std::move(c)) {
  config.client_address = {"zk", kZooKeeperPort};
  host.SetMain([this](core::Environment& env) { Serve(env); });
}

void ServerWorld::Serve(core::Environment& env) {
  ++starts;
  const auto directories = zk::DataDirectories::For("data");
  auto recovered = zk::RecoverDatabase(env, directories);
  last_status = recovered.status();
  if (!recovered.ok()) return;
  zk::TransactionLog log(env, directories, {.limits = snapshots, .retain_snapshots = 3},
                         *recovered);
  zk::NoFourLetterWords words;
  zk::ZooKeeperServer server(env, config, std::move(recovered->tree), log, words);
  last_status = server.Start();
  if (!last_status.ok()) return;
  core::WaitQueue stop;
  env.process.OnStopRequested([&] { stop.WakeAll(); });
  if (!env.process.StopRequested()) {
    stop.Wait(env.fibers, "the end", core::MonotonicTime::Never());
  }
  server.Stop();
  log.Close();
}

void ServerWorld::CrashAt(absl::Duration since_start, sim::CrashKind kind, absl::Duration down) {
  world.At(since_start, [this, kind] { host.End(kind, sim::kNoFault); });
  world.At(since_start + down, [this] {
    if (!host.running()) host.Start();
  });
}

void ServerWorld::Run(std::vector<ClientMain> mains, absl::Duration limit) {
  if (!host.running()) {
    host.Start();
    world.Run(world.Elapsed() + absl::Milliseconds(100));  // to recover and to listen
  }
  size_t done = 0;
  while (clients_.size() < mains.size()) {
    clients_.push_back(&world.AddHost({.name = fmt::format("client-{}", clients_.size()),
                                       .zone = world.network().AddZone("az-a")}));
  }
  for (size_t i = 0; i < mains.size(); ++i) {
    clients_[i]->SetMain([&done, main = mains[i]](core::Environment& env) {
      main(env);
      ++done;
    });
    clients_[i]->Start();
  }
  const absl::Duration until = world.Elapsed() + limit;
  while (done < mains.size() && world.Elapsed() < until) {
    world.Run(world.Elapsed() + absl::Milliseconds(10));
  }
  EXPECT_EQ(done, mains.size()) << last_status << '\n' << world.DescribeFibers();
  for (sim::Host* client : clients_) {
    if (client->running()) client->Crash();
  }
  world.Run(world.Elapsed() + absl::Milliseconds(10));
}

absl::Status WireClient::Connect(int32_t timeout_ms) {
  HW_ASSIGN_OR_RETURN(
      connection_, env_.network.Dial(server, env_.clock.Now() + absl::Seconds(1)));
  assembler_ = zk::FrameAssembler(1 << 20);
  const core::Bytes password =
      session_ == zk::kNoSession ? core::Bytes::Zeros(16) : zk::PasswordOf(session_);
  HW_RETURN_IF_ERROR(SendBytes(
      zk::EncodeHandshake(zk::Handshake<zk::ConnectRequest>{.record = {.last_zxid_seen = last_zxid,
                                                                       .timeout_ms = timeout_ms,
                                                                       .session_id = session_,
                                                                       .password = password},
                                                            .read_only = false})));
  HW_ASSIGN_OR_RETURN(core::Bytes frame, NextFrame());
  HW_ASSIGN_OR_RETURN(const auto message,
                      zk::DecodeHandshake<zk::ConnectResponse>(std::move(frame)));
  if (message.record.timeout_ms == 0) return absl::FailedPreconditionError("the session is over");
  session_ = message.record.session_id;
  return absl::OkStatus();
}

void WireClient::ConnectAgain(int32_t timeout_ms) {
  while (true) {
    const absl::Status status = Connect(timeout_ms);
    if (status.ok()) return;
    if (absl::IsFailedPrecondition(status)) Forget();
    env_.fibers.SleepFor(absl::Milliseconds(50));
  }
}

absl::Status WireClient::SendBytes(core::Bytes bytes) {
  return connection_->Write(core::Payload(std::move(bytes)), Deadline());
}

absl::StatusOr<core::Bytes> WireClient::NextFrame() {
  while (true) {
    if (auto frame = assembler_.Next()) return *std::move(frame);
    HW_RETURN_IF_ERROR(assembler_.status());
    HW_ASSIGN_OR_RETURN(core::ByteChain bytes, connection_->Read(1 << 16, Deadline()));
    if (bytes.empty()) return absl::OutOfRangeError("the server ended the connection");
    assembler_.Add(bytes);
  }
}

absl::StatusOr<core::Bytes> WireClient::NextReply() {
  while (true) {
    HW_ASSIGN_OR_RETURN(core::Bytes frame, NextFrame());
    zk::JuteReader reader(frame);
    zk::ReplyHeader header;
    zk::WatcherEvent event;
    reader(header);
    if (header.xid != zk::kNotificationXid) return frame;
    reader(event);
    events.push_back(fmt::format("{} {}", zk::WatchEventTypeName(event.type), event.path));
  }
}

bool WireClient::IsClosed() {
  const auto frame = NextReply();
  return absl::IsOutOfRange(frame.status()) || absl::IsAborted(frame.status());
}

zk::CreateRequest CreateOf(std::string path, std::string data, zk::CreateMode mode) {
  return {
      .path = std::move(path), .data = core::Bytes::Copy(data), .acl = zk::OpenAcl(), .mode = mode};
}

}  // namespace highwater::tests
