#pragma once

// FakeEnsemble: ZooKeeper servers that speak the wire and follow a script, on hosts of a simulated
// world: what the tests of the ZooKeeper client talk to.
//
// All servers share one tree that outlives their processes, so there is no replication to go wrong:
// what a client sees wrong is the client's fault. Sessions expire by the world's clock. A script
// says of each request what becomes of it.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "broker/zookeeper/wire/frame.h"
#include "broker/zookeeper/wire/multi.h"
#include "core/environment.h"
#include "core/wait_queue.h"
#include "sim/host.h"
#include "sim/world.h"

namespace highwater::tests {

using broker::zookeeper::ErrorCode;
using broker::zookeeper::OpCode;
using broker::zookeeper::SessionId;
using broker::zookeeper::Stat;
using broker::zookeeper::WatchEventType;
using broker::zookeeper::Zxid;

// What becomes of one request.
enum class Fate : uint8_t {
  kServed,
  kClosedBefore,  // the connection ends, nothing was done
  kClosedAfter,   // it was done, the connection ends instead of an answer
  kSilent,        // it was done; nothing is answered on this connection any more
  kRefused,       // answered with AUTHFAILED
};

struct FakeNode {
  std::optional<core::Bytes> data;
  Stat stat;
  int32_t next_sequence = 0;
};

struct FakeSession {
  int32_t timeout_ms = 0;
  int64_t last_heard = 0;
  uint64_t owner = 0;  // the connection that may write [2.3]
};

class FakeConnection;

class FakeEnsemble {
 public:
  // Adds hosts zk-0, zk-1, …, a zone each; not started.
  FakeEnsemble(sim::World& world, int servers);

  void StartAll();
  [[nodiscard]] sim::Host& host(int server) { return *hosts_.at(static_cast<size_t>(server)); }
  [[nodiscard]] std::vector<core::Endpoint> endpoints() const;
  // Ends a session as its time-out would.
  void Expire(SessionId id);
  // Somebody else's writes.
  void Put(const std::string& path, const std::string& data, SessionId owner = {});
  void Remove(const std::string& path);
  // What the connection of this session says at its next write: it is closed [2.3].
  void MoveElsewhere(SessionId id) { sessions.at(id).owner = 0; }
  // Ends every connection of a server, as a restart would.
  void CloseConnectionsOf(int server);
  [[nodiscard]] int CountOf(OpCode op) const;
  [[nodiscard]] int ServerOf(SessionId id) const;  // -1: not connected
  // How many watches stand on all connections.
  [[nodiscard]] size_t Watches() const;

  std::map<std::string, FakeNode> nodes;
  std::map<SessionId, FakeSession> sessions;
  Zxid zxid{0x100000000};
  std::function<Fate(int server, OpCode op, const std::string& path)> script;
  // What these servers have applied, where that is less than everything.
  std::map<int, Zxid> behind;
  struct Seen {
    int server;
    OpCode op;
    std::string path;
  };
  std::vector<Seen> seen;  // every request, in order

 private:
  friend class FakeConnection;
  void Serve(core::Environment& env, int server);
  void ExpireSilentSessions();
  void Fire(WatchEventType type, const std::string& path);
  ErrorCode Create(const broker::zookeeper::CreateRequest& request, SessionId session,
                   std::string& made);
  ErrorCode Delete(const std::string& path, int32_t version);
  ErrorCode SetData(const broker::zookeeper::SetDataRequest& request, Stat& stat);

  sim::World& world_;
  std::vector<sim::Host*> hosts_;
  std::vector<FakeConnection*> connections_;  // in the order in which they came
  std::vector<std::pair<WatchEventType, std::string>>* held_events_ = nullptr;  // of a multi
  uint64_t last_connection_ = 0;
  int64_t last_session_ = 0x1000;
};

}  // namespace highwater::tests
