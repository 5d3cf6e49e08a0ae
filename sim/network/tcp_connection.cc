#include "sim/network/tcp_connection.h"

#include "sim/host.h"
#include "sim/network/host_network.h"
#include "sim/network/simulated_network.h"
#include "sim/simulated_process.h"
#include "sim/world.h"

namespace highwater::sim {

TcpConnection::TcpConnection(SimulatedNetwork& network, Host& from, uint16_t from_port, Host& to,
                             uint16_t to_port, uint32_t slot)
    : network_(network),
      dialer_(*this, acceptor_, from, from_port),
      acceptor_(*this, dialer_, to, to_port),
      slot_(slot),
      handshake_(*this) {}

void TcpConnection::SetPath(Link& there, Link& back, uint64_t key, Vip* vip) {
  dialer_.SetLinkAndKey(there, core::Mix(key, 1));
  acceptor_.SetLinkAndKey(back, core::Mix(key, 2));
  vip_ = vip;
}

TcpConnection::~TcpConnection() = default;

void TcpConnection::Connect() {
  network_.world().wheel().Set(handshake_, dialer_.ArrivalOfControl());
}

void TcpConnection::OnHandshake() {
  if (stage_ == Stage::kSyn) {
    OnSyn();
  } else {
    OnAnswer();
  }
}

void TcpConnection::OnSyn() {
  World& world = network_.world();
  Host& to = acceptor_.host();
  const Link& link = dialer_.link();
  if (dialer_.holder() == TcpSide::Holder::kNobody) return FreeIfIdle();
  if (link.silenced != kNoFault || !to.powered()) return AskAgain(link.silenced);
  if (link.resetting != kNoFault) {
    return FailDial(absl::UnavailableError("connection refused by the network"), link.resetting);
  }
  TcpListener* listener = to.kernel().FindListener(acceptor_.port());
  world.Fold(to.id(), EventKind::kConnect, core::Mix(acceptor_.port(), listener != nullptr));
  if (listener != nullptr && listener->backlog.size() >= network_.tcp().backlog) {
    return AskAgain(kNoFault);
  }
  const int64_t answer = acceptor_.ArrivalOfControl();
  stage_ = listener == nullptr ? Stage::kRefused : Stage::kSynAck;
  attempts_ = 0;
  world.wheel().Set(handshake_, answer);
  if (listener == nullptr) return;
  acceptor_.Open(answer);
  acceptor_.HoldInBacklog();
  listener->backlog.push_back(&acceptor_);
  listener->process.Input(listener->input);
}

void TcpConnection::OnAnswer() {
  World& world = network_.world();
  const Link& link = acceptor_.link();
  if (!dialer_.host().powered()) return FreeIfIdle();
  if (link.silenced != kNoFault) return AskAgain(link.silenced);
  if (link.resetting != kNoFault) {
    acceptor_.Fail(absl::AbortedError("connection reset by the network"), link.resetting);
    return FailDial(absl::UnavailableError("connection refused by the network"), link.resetting);
  }
  const bool refused = stage_ == Stage::kRefused;
  world.Fold(dialer_.host().id(), EventKind::kConnect, core::Mix(acceptor_.port(), refused));
  if (refused) {
    return FailDial(absl::UnavailableError("connection refused"), fault_);
  }
  stage_ = Stage::kDone;
  dialer_.Open(world.now());
  if (dialer_.holder() == TcpSide::Holder::kNobody) return dialer_.Reset();  // given up meanwhile
  world.ledger().Observed(std::exchange(fault_, kNoFault));
  dialer_.TellProcess();
}

void TcpConnection::AskAgain(FaultId fault) {
  World& world = network_.world();
  if (fault != kNoFault) fault_ = fault;
  world.Fold(dialer_.host().id(), EventKind::kRetransmit, acceptor_.port());
  if (attempts_ >= network_.tcp().syn_retries) {
    return FailDial(absl::DeadlineExceededError("the network gave up on silence"), fault_);
  }
  world.wheel().Set(handshake_, world.now() + (network_.tcp().syn_timeout << attempts_++));
}

void TcpConnection::FailDial(absl::Status error, FaultId fault) {
  stage_ = Stage::kDone;
  dialer_.Fail(std::move(error), fault);
  FreeIfIdle();
}

void TcpConnection::FreeIfIdle() {
  if (dialer_.idle() && acceptor_.idle() && !handshake_.pending()) network_.Free(*this);
}

}  // namespace highwater::sim
