#include "broker/zookeeper/client/session_client.h"

#include "broker/zookeeper/client/session_client_impl.h"

namespace highwater::broker::zookeeper {
namespace {

// The owner's end of a SessionClient, which its fiber of events may outlive.
class OwnedClient final : public ZooKeeperClient {
 public:
  OwnedClient(core::Environment& env, ZooKeeperClientOptions options)
      : client_(std::make_shared<SessionClient>(env, std::move(options))) {}
  ~OwnedClient() override { client_->Abandon(); }

  absl::Status Connect() override { return client_->Connect(); }
  void Close(absl::Duration patience) override { client_->Close(patience); }
  std::vector<Response> HandleRequests(std::vector<Request> requests) override {
    return client_->HandleRequests(std::move(requests));
  }
  std::vector<Response> RetryUntilConnected(std::vector<Request> requests) override {
    return client_->RetryUntilConnected(std::move(requests));
  }
  void RegisterZNodeChangeHandler(ZNodeChangeHandler& handler) override {
    client_->change_handlers.insert_or_assign(std::string(handler.path()), &handler);
  }
  void UnregisterZNodeChangeHandler(std::string_view path) override {
    const auto found = client_->change_handlers.find(path);
    if (found != client_->change_handlers.end()) client_->change_handlers.erase(found);
  }
  void RegisterZNodeChildChangeHandler(ZNodeChildChangeHandler& handler) override {
    client_->child_handlers.insert_or_assign(std::string(handler.path()), &handler);
  }
  void UnregisterZNodeChildChangeHandler(std::string_view path) override {
    const auto found = client_->child_handlers.find(path);
    if (found != client_->child_handlers.end()) client_->child_handlers.erase(found);
  }
  void RegisterSessionStateHandler(SessionStateHandler& handler) override {
    client_->session_handlers.push_back(&handler);
  }
  SessionId session_id() const override { return client_->session_id(); }

 private:
  std::shared_ptr<SessionClient> client_;
};

}  // namespace

std::unique_ptr<ZooKeeperClient> MakeZooKeeperClient(core::Environment& env,
                                                     ZooKeeperClientOptions options) {
  return std::make_unique<OwnedClient>(env, std::move(options));
}

}  // namespace highwater::broker::zookeeper
