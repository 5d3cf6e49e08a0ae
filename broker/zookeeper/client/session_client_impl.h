#pragma once

// SessionClient: the state behind MakeZooKeeperClient, shared by its owner and by the fiber that
// calls handlers.
//
// Invariants:
//   1. One session at a time; every submitted request stands in waiting_ until its answer, in the
//   order in which the session answers.
//   2. Events of a session are queued in its order and handled by one fiber, which exists only
//   while there are any.
//   3. A session's end is the last event of it.

#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "broker/zookeeper/client/chroot.h"
#include "broker/zookeeper/client/in_flight_limit.h"
#include "broker/zookeeper/client/session_client.h"
#include "broker/zookeeper/client/session_driver.h"

namespace highwater::broker::zookeeper {

class SessionClient final : public SessionListener,
                            public std::enable_shared_from_this<SessionClient> {
 public:
  SessionClient(core::Environment& env, ZooKeeperClientOptions options);
  ~SessionClient() override;

  // As ZooKeeperClient's.
  [[nodiscard]] absl::Status Connect();
  void Close(absl::Duration patience);
  [[nodiscard]] std::vector<Response> HandleRequests(std::vector<Request> requests);
  [[nodiscard]] std::vector<Response> RetryUntilConnected(std::vector<Request> requests);
  [[nodiscard]] SessionId session_id() const;
  // Ends everything without waiting.
  void Abandon();

  std::map<std::string, ZNodeChangeHandler*, std::less<>> change_handlers;
  std::map<std::string, ZNodeChildChangeHandler*, std::less<>> child_handlers;
  std::vector<SessionStateHandler*> session_handlers;

 private:
  // A call of HandleRequests; those that waits for it may go first.
  struct Call {
    std::vector<Response> responses;
    size_t unanswered = 0;
    core::WaitQueue waiter;
  };
  struct Waiting {
    RequestId id;
    std::shared_ptr<Call> call;
    size_t index = 0;
  };
  struct SessionOver {
    KeeperState why;
  };
  using Event = std::variant<WatcherEvent, SessionOver>;

  void OnAnswer(RequestId id, Response response) override;
  void OnEvent(WatcherEvent event) override;
  void OnState(KeeperState state) override;

  void StartSession();
  [[nodiscard]] absl::Status AwaitConnected(core::MonotonicTime deadline);
  [[nodiscard]] absl::Status CreateChroot();
  // Sends those of `requests` whose index is in `chosen`, as they are, and waits for their answers.
  // False if the fiber was cancelled first: kConnectionLoss stands for what it did not wait for.
  [[nodiscard]] bool Send(const std::vector<Request>& requests, const std::vector<size_t>& chosen,
                          std::vector<Response>& responses);
  void SetWatch(Request& request) const;
  void Prepare(std::vector<Request>& requests) const;
  void Queue(Event event);
  void HandleEvents();
  void Handle(const WatcherEvent& event);
  void Handle(SessionOver event);

  core::Environment& env_;
  const ZooKeeperClientOptions options_;
  const Chroot chroot_;
  std::shared_ptr<SessionDriver> driver_;
  uint64_t sessions_ = 0;
  bool connected_ = false;
  bool closed_ = false;
  core::WaitQueue state_changed_;
  InFlightLimit in_flight_;
  RequestId last_request_;
  std::deque<Waiting> waiting_;
  std::deque<Event> events_;
  core::Fiber* event_fiber_ = nullptr;  // while it runs
  bool handling_ = false;               // an event fiber was started and has not ended
  core::WaitQueue events_handled_;
};

}  // namespace highwater::broker::zookeeper
