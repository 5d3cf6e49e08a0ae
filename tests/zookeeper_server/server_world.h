#pragma once

// ServerWorld: a simulated host that runs a ZooKeeper server on its disk, and clients that speak
// the wire to it.
//
//   ServerWorld w;
//   w.Run([](core::Environment& env) {
//     WireClient client(env);
//     ASSERT_TRUE(client.Connect().ok());
//     auto answer = client.Call(CreateRequest{...});
//   });

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/zookeeper/log/recovery.h"
#include "broker/zookeeper/log/transaction_log.h"
#include "broker/zookeeper/server/session_id.h"
#include "broker/zookeeper/server/zookeeper_server.h"
#include "broker/zookeeper/wire/multi.h"
#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"

namespace highwater::tests {

namespace zk = broker::zookeeper;

inline constexpr uint16_t kZooKeeperPort = 2181;

class ServerWorld {
 public:
  using ClientMain = std::function<void(core::Environment&)>;

  explicit ServerWorld(uint64_t seed = 1, zk::ServerConfig config = {.tick_time_ms = 1000},
                       sim::StrategyKind strategy = sim::StrategyKind::kFifo);

  // Starts the server unless it runs, runs each of `clients` on a host of its own until all are
  // done, and gives up after `limit` of the world's time.
  void Run(std::vector<ClientMain> clients, absl::Duration limit = absl::Minutes(5));
  void Run(ClientMain client) { Run(std::vector<ClientMain>{std::move(client)}); }
  // At `since_start`: the server's host ends in this way, and starts again after `down`.
  void CrashAt(absl::Duration since_start, sim::CrashKind kind, absl::Duration down);

  sim::World world;
  sim::Host& host;
  zk::ServerConfig config;
  zk::SnapshotLimits snapshots{.transactions = 20};
  absl::Status last_status;  // of the last server's recovery or end
  int starts = 0;

 private:
  void Serve(core::Environment& env);
  std::vector<sim::Host*> clients_;
};

// An answer: its header, and its body if there is no error.
template <typename Body>
struct Answer {
  zk::ReplyHeader header;
  Body body;
  [[nodiscard]] zk::ErrorCode error() const { return header.error; }
};

// One client: a connection and the session that it is attached to.
class WireClient {
 public:
  explicit WireClient(core::Environment& env, absl::Duration patience = absl::Seconds(20))
      : env_(env), patience_(patience) {}

  // Dials once and says who it is: its own session, or a new one.
  absl::Status Connect(int32_t timeout_ms = 4000);
  // Until it works; a session that is over is followed by a new one.
  void ConnectAgain(int32_t timeout_ms = 4000);
  void Disconnect() { connection_.reset(); }
  // The next Connect is for the other's session.
  void TakeOver(const WireClient& other) { session_ = other.session_; }
  // FailedPrecondition: the server said that the session is over.
  void Forget() { session_ = zk::kNoSession; }

  template <typename Request>
  absl::StatusOr<Answer<typename Request::Response>> Call(const Request& request) {
    if (absl::Status sent = Send(request); !sent.ok()) return sent;
    return Receive<typename Request::Response>();
  }
  template <typename Request>
  absl::Status Send(const Request& request, std::optional<zk::Xid> xid = std::nullopt) {
    return SendBytes(zk::EncodeFrame(
        zk::RequestHeader{.xid = xid.value_or(zk::Xid(++xid_)), .type = Request::kOp}, request));
  }
  // The next answer; events that come before it go to `events`.
  template <typename Response>
  absl::StatusOr<Answer<Response>> Receive() {
    auto frame = NextReply();
    if (!frame.ok()) return frame.status();
    zk::JuteReader reader(*std::move(frame));
    Answer<Response> answer;
    reader(answer.header);
    if (answer.header.error == zk::ErrorCode::kOk) reader(answer.body);
    if (!reader.status().ok()) return reader.status();
    last_zxid = std::max(last_zxid, answer.header.zxid);
    return answer;
  }
  absl::Status SendBytes(core::Bytes bytes);
  // The next frame without its length; OutOfRange if the server ended the connection.
  absl::StatusOr<core::Bytes> NextFrame();
  // Whether the server closes the connection without sending anything but events.
  bool IsClosed();

  [[nodiscard]] zk::SessionId session() const { return session_; }
  [[nodiscard]] core::Environment& env() { return env_; }
  core::Endpoint server{"zk", kZooKeeperPort};
  std::vector<std::string> events;  // "NodeCreated /a"
  zk::Zxid last_zxid;

 private:
  absl::StatusOr<core::Bytes> NextReply();
  [[nodiscard]] core::MonotonicTime Deadline() const { return env_.clock.Now() + patience_; }
  core::Environment& env_;
  absl::Duration patience_;
  std::unique_ptr<core::Connection> connection_;
  zk::FrameAssembler assembler_{1 << 20};
  zk::SessionId session_;
  int32_t xid_ = 0;
};

zk::CreateRequest CreateOf(std::string path, std::string data = "",
                           zk::CreateMode mode = zk::CreateMode::kPersistent);

}  // namespace highwater::tests
