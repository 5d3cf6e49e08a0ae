#pragma once

// SessionDriver: carries one ZooKeeperSession: dials, reads, writes, keeps time, and tells its
// listener what comes of it.
//
//   auto driver = std::make_shared<SessionDriver>(env, servers, options, rules, max_buffer, self);
//   driver->Start();
//   driver->Submit(id, request);              // self.OnAnswer(id, response) later
//
// Invariants:
//   1. All effects of a step are carried out before anything else runs: the listener's methods are
//   called in the order of the effects, never wait and never call back into the driver.
//   2. What is sent within one turn of a fiber leaves in one write.
//   3. Fibers share the driver's ownership: a destructor waits for nobody.
//
// Not responsible for: any decision (zookeeper_session.h).

#include <memory>
#include <vector>

#include "broker/zookeeper/client/zookeeper_session.h"
#include "broker/zookeeper/wire/frame.h"
#include "core/environment.h"
#include "core/wait_queue.h"

namespace highwater::broker::zookeeper {

class SessionListener {
 public:
  virtual ~SessionListener() = default;
  virtual void OnAnswer(RequestId id, Response response) = 0;
  virtual void OnEvent(WatcherEvent event) = 0;
  virtual void OnState(KeeperState state) = 0;
};

class SessionDriver : public std::enable_shared_from_this<SessionDriver> {
 public:
  // `env` outlives it, `listener` until Detach. `max_buffer`: no frame of a server is longer.
  // REQUIRES: held by a shared_ptr.
  SessionDriver(core::Environment& env, std::vector<core::Endpoint> servers,
                const SessionOptions& options, const SessionRules& rules, int32_t max_buffer,
                SessionListener& listener);
  ~SessionDriver();
  SessionDriver(const SessionDriver&) = delete;
  SessionDriver& operator=(const SessionDriver&) = delete;

  void Start();
  void Submit(RequestId id, const Request& request);
  // As the session's.
  void Close();
  void Abandon();
  // Abandons, and never calls the listener again.
  void Detach();

  [[nodiscard]] const ZooKeeperSession& session() const { return session_; }

 private:
  struct TickTimer final : core::TimerNode {
    explicit TickTimer(SessionDriver& d) : driver(d) {}
    void OnTimer() override { driver.OnTimer(); }
    SessionDriver& driver;
  };

  void OnTimer();
  // Carries out what a step has left in effects_.
  void Perform();
  void Perform(DialServer& effect);
  void Perform(HangUp& effect);
  void Perform(SendBytes& effect);
  void Perform(AnswerRequest& effect);
  void Perform(DeliverEvent& effect);
  void Perform(ChangeState& effect);
  void SetTimer();
  // Fibers: one that dials and then reads, one that writes, for each connection.
  void DialAndRead(Attempt attempt, size_t server);
  void Read(Attempt attempt, core::Connection& connection);
  void Write(Attempt attempt, const std::shared_ptr<core::Connection>& connection);

  core::Environment& env_;
  const std::vector<core::Endpoint> servers_;
  const int32_t max_buffer_;
  ZooKeeperSession session_;
  SessionListener* listener_;
  SessionEffects effects_;
  bool performing_ = false;
  core::FiberHandle dialing_;
  std::shared_ptr<core::Connection> connection_;  // nullptr: none is up
  core::ByteChain unsent_;
  core::WaitQueue writer_;
  TickTimer timer_{*this};
  core::MonotonicTime timer_at_ = core::MonotonicTime::Never();
};

}  // namespace highwater::broker::zookeeper
