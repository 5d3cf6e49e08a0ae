#pragma once

// FakeZooKeeper: a znode tree in memory, and clients of it that implement ZooKeeperClient: for
// tests of what is built on ZooKeeper, without a server.
//
// Operations are atomic and take a little time each way. Sessions end only by Expire. A test may
// make replies get lost (what was asked is done, and asked again), hold a client's watches back, or
// cut it off.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/zookeeper/client/zookeeper_client.h"
#include "core/environment.h"
#include "core/wait_queue.h"

namespace highwater::tests {

class FakeZooKeeperClient;

class FakeZooKeeper {
 public:
  struct Node {
    std::optional<std::string> data;
    broker::zookeeper::Stat stat;
    int64_t created_children = 0;
  };
  // Asked of each request: true loses its reply.
  std::function<bool(const broker::zookeeper::Request&)> lose_reply;
  // The time at which a znode is said to be made.
  int64_t now_ms = 0;
  // Told of each write that changes the tree: path, new data ("" if deleted).
  std::function<void(const std::string& path, const Node* node)> on_write;

  [[nodiscard]] const std::map<std::string, Node>& nodes() const { return nodes_; }
  [[nodiscard]] std::string DataOf(const std::string& path) const {
    const auto found = nodes_.find(path);
    return found == nodes_.end() ? "" : found->second.data.value_or("");
  }
  // Ends the session: its ephemerals go; its client, if it lives and is connected, learns of it.
  void Expire(broker::zookeeper::SessionId session);
  // Ends all sessions whose client has gone with its process.
  void ExpireDead();
  [[nodiscard]] FakeZooKeeperClient* ClientOf(broker::zookeeper::SessionId session);
  // As an admin would.
  broker::zookeeper::Response Do(const broker::zookeeper::Request& request);

 private:
  friend class FakeZooKeeperClient;
  using ErrorCode = broker::zookeeper::ErrorCode;
  using SessionId = broker::zookeeper::SessionId;

  broker::zookeeper::Response Apply(SessionId session, const broker::zookeeper::Request& request);
  ErrorCode Create(SessionId session, const broker::zookeeper::CreateRequest& request,
                   std::string& made);
  ErrorCode Delete(const broker::zookeeper::DeleteRequest& request);
  ErrorCode Set(const broker::zookeeper::SetDataRequest& request, broker::zookeeper::Stat& stat);
  ErrorCode Check(const broker::zookeeper::CheckRequest& request) const;
  broker::zookeeper::MultiResponse Multi(SessionId session,
                                         const broker::zookeeper::MultiRequest& request);
  [[nodiscard]] broker::zookeeper::Stat StatOf(const std::string& path) const;
  [[nodiscard]] std::vector<std::string> ChildrenOf(const std::string& path) const;
  void Fire();

  struct Event {
    broker::zookeeper::WatchEventType type;
    std::string path;
  };
  std::map<std::string, Node> nodes_{{"", {}}};
  int64_t zxid_ = 0;
  int64_t sessions_ = 0;
  std::map<SessionId, FakeZooKeeperClient*> clients_;  // nullptr: the process has gone
  FakeZooKeeperClient* expiring_ = nullptr;            // whose session is being expired
  std::vector<Event> fired_;                           // by the transaction under way
};

class FakeZooKeeperClient final : public broker::zookeeper::ZooKeeperClient {
 public:
  // `zookeeper` outlives it.
  FakeZooKeeperClient(core::Environment& env, FakeZooKeeper& zookeeper);
  ~FakeZooKeeperClient() override;

  [[nodiscard]] absl::Status Connect() override;
  void Close(absl::Duration patience) override;
  [[nodiscard]] std::vector<broker::zookeeper::Response> HandleRequests(
      std::vector<broker::zookeeper::Request> requests) override;
  [[nodiscard]] std::vector<broker::zookeeper::Response> RetryUntilConnected(
      std::vector<broker::zookeeper::Request> requests) override;
  void RegisterZNodeChangeHandler(broker::zookeeper::ZNodeChangeHandler& handler) override {
    node_handlers_[std::string(handler.path())] = &handler;
  }
  void UnregisterZNodeChangeHandler(std::string_view path) override {
    node_handlers_.erase(std::string(path));
  }
  void RegisterZNodeChildChangeHandler(
      broker::zookeeper::ZNodeChildChangeHandler& handler) override {
    child_handlers_[std::string(handler.path())] = &handler;
  }
  void UnregisterZNodeChildChangeHandler(std::string_view path) override {
    child_handlers_.erase(std::string(path));
  }
  void RegisterSessionStateHandler(broker::zookeeper::SessionStateHandler& handler) override {
    session_handlers_.push_back(&handler);
  }
  [[nodiscard]] broker::zookeeper::SessionId session_id() const override { return session_; }

  // Watches fire, but nobody hears of them until they are released.
  void HoldWatches(bool hold);
  // Calls wait while it is cut off.
  void CutOff(bool cut);

 private:
  friend class FakeZooKeeper;
  void RunEvents();
  void OnEvent(const FakeZooKeeper::Event& event);
  void Arm(const broker::zookeeper::Request& request, const broker::zookeeper::Response& response);
  void NewSession();

  core::Environment& env_;
  FakeZooKeeper& zookeeper_;
  broker::zookeeper::SessionId session_;
  bool expired_ = false;
  bool closed_ = false;
  bool hold_ = false;
  bool cut_ = false;
  std::set<std::string> data_watches_;
  std::set<std::string> child_watches_;
  std::deque<FakeZooKeeper::Event> events_;
  std::map<std::string, broker::zookeeper::ZNodeChangeHandler*> node_handlers_;
  std::map<std::string, broker::zookeeper::ZNodeChildChangeHandler*> child_handlers_;
  std::vector<broker::zookeeper::SessionStateHandler*> session_handlers_;
  core::WaitQueue changed_;
};

}  // namespace highwater::tests
