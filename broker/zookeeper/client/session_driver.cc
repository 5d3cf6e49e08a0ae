#include "broker/zookeeper/client/session_driver.h"

namespace highwater::broker::zookeeper {

using core::MonotonicTime;

namespace {
constexpr size_t kReadBytes = 64 << 10;
}  // namespace

SessionDriver::SessionDriver(core::Environment& env, std::vector<core::Endpoint> servers,
                             const SessionOptions& options, const SessionRules& rules,
                             int32_t max_buffer, SessionListener& listener)
    : env_(env),
      servers_(std::move(servers)),
      max_buffer_(max_buffer),
      session_(options, rules),
      listener_(&listener) {
  HW_CHECK(servers_.size() == options.servers, "{} servers, and options for {}", servers_.size(),
           options.servers);
}

SessionDriver::~SessionDriver() {
  if (timer_.pending()) env_.fibers.CancelTimer(timer_);
}

// ---- Steps. Each ends in Perform: nothing runs between a step and its effects.

void SessionDriver::Start() {
  session_.Start(env_.clock.Now(), effects_);
  Perform();
}

void SessionDriver::Submit(RequestId id, const Request& request) {
  session_.Submit(id, request, env_.clock.Now(), effects_);
  Perform();
}

void SessionDriver::Close() {
  session_.Close(env_.clock.Now(), effects_);
  Perform();
}

void SessionDriver::Abandon() {
  session_.Abandon(effects_);
  Perform();
}

void SessionDriver::Detach() {
  listener_ = nullptr;
  Abandon();
}

void SessionDriver::OnTimer() {
  timer_at_ = MonotonicTime::Never();
  session_.OnTick(env_.clock.Now(), effects_);
  Perform();
}

// ---- Effects.

void SessionDriver::Perform() {
  HW_CHECK(!performing_, "a listener calls back into the session");
  performing_ = true;
  for (SessionEffect& effect : effects_) {
    std::visit([this](auto& e) { Perform(e); }, effect);
  }
  effects_.clear();
  performing_ = false;
  SetTimer();
}

void SessionDriver::Perform(DialServer& effect) {
  dialing_ = env_.fibers.Spawn("zookeeper-session", [self = shared_from_this(), effect] {
    self->DialAndRead(effect.attempt, effect.server);
  });
}

void SessionDriver::Perform(HangUp&) {
  dialing_.Cancel();
  unsent_.Clear();
  if (connection_ != nullptr) std::exchange(connection_, nullptr)->Close();
  writer_.WakeAll();
}

void SessionDriver::Perform(SendBytes& effect) {
  if (unsent_.empty()) writer_.WakeAll();
  unsent_.Append(std::move(effect.frame));
}

void SessionDriver::Perform(AnswerRequest& effect) {
  if (listener_ != nullptr) listener_->OnAnswer(effect.id, std::move(effect.response));
}

void SessionDriver::Perform(DeliverEvent& effect) {
  if (listener_ != nullptr) listener_->OnEvent(std::move(effect.event));
}

void SessionDriver::Perform(ChangeState& effect) {
  if (listener_ != nullptr) listener_->OnState(effect.state);
}

// A timer that comes early finds nothing to do and is set again, so that not every frame moves it.
void SessionDriver::SetTimer() {
  const MonotonicTime wanted = session_.next_tick();
  if (wanted == MonotonicTime::Never()) {
    if (timer_.pending()) env_.fibers.CancelTimer(timer_);
    timer_at_ = wanted;
    return;
  }
  if (timer_.pending() && timer_at_ <= wanted) return;
  if (timer_.pending()) env_.fibers.CancelTimer(timer_);
  timer_at_ = wanted;
  env_.fibers.SetTimer(timer_, wanted);
}

// ---- Fibers.

void SessionDriver::DialAndRead(Attempt attempt, size_t server) {
  // The session knows how long it waits: it hangs up.
  auto dialed = env_.network.Dial(servers_[server], MonotonicTime::Never());
  if (!session_.IsDialing(attempt)) return;
  if (!dialed.ok()) {
    session_.OnConnectionLost(attempt, env_.clock.Now(), effects_);
    return Perform();
  }
  const std::shared_ptr<core::Connection> connection = *std::move(dialed);
  connection_ = connection;
  env_.fibers.Spawn("zookeeper-write", [self = shared_from_this(), attempt, connection] {
    self->Write(attempt, connection);
  });
  session_.OnConnected(attempt, env_.clock.Now(), effects_);
  Perform();
  Read(attempt, *connection);
}

void SessionDriver::Read(Attempt attempt, core::Connection& connection) {
  FrameAssembler assembler(max_buffer_);
  while (connection_.get() == &connection) {
    auto bytes = connection.Read(kReadBytes, MonotonicTime::Never());
    if (connection_.get() != &connection) return;
    if (bytes.ok()) assembler.Add(*bytes);
    while (connection_.get() == &connection) {
      auto frame = assembler.Next();
      if (!frame.has_value()) break;
      session_.OnFrame(attempt, *std::move(frame), env_.clock.Now(), effects_);
      Perform();
    }
    if (!bytes.ok() || bytes->empty() || !assembler.status().ok()) {
      session_.OnConnectionLost(attempt, env_.clock.Now(), effects_);
      return Perform();
    }
  }
}

void SessionDriver::Write(Attempt attempt, const std::shared_ptr<core::Connection>& connection) {
  while (connection == connection_) {
    if (unsent_.empty()) {
      static_cast<void>(
          writer_.Wait(env_.fibers, "something to send to ZooKeeper", MonotonicTime::Never()));
      continue;
    }
    const core::ByteChain bytes = std::exchange(unsent_, {});
    // A write that is stuck ends when the session hangs up on a silent server.
    if (connection->Write(bytes, MonotonicTime::Never()).ok()) continue;
    if (connection != connection_) return;
    session_.OnConnectionLost(attempt, env_.clock.Now(), effects_);
    return Perform();
  }
}

}  // namespace highwater::broker::zookeeper
