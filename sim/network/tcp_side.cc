#include "sim/network/tcp_side.h"

#include <algorithm>
#include <array>

#include "core/random.h"
#include "sim/host.h"
#include "sim/network/message_sink.h"
#include "sim/network/simulated_network.h"
#include "sim/network/tcp_connection.h"
#include "sim/simulated_process.h"
#include "sim/world.h"

namespace highwater::sim {

TcpSide::TcpSide(TcpConnection& connection, TcpSide& peer, Host& host, uint16_t port)
    : peer_(peer),
      window_(connection.network().tcp().window),
      connection_(connection),
      host_(host),
      port_(port) {}

uint64_t TcpSide::NextDraw() { return core::KeyedRandom::Draw(key_, messages_++); }

Link::Flight TcpSide::Fly(int64_t bytes, int64_t leaves_after) {
  World& world = host_.world();
  const int64_t now = world.now() + leaves_after;
  Link::Flight flight = link_->Send(now, bytes, NextDraw(), connection_.network().tcp().rto_low);
  if (Strategy* strategy = world.strategy()) {
    const int64_t held = strategy->WhenDelivered(link_->key, flight.arrival, now);
    if (held > flight.arrival) {
      ++world.ledger().choices.with_two_candidates;
      ++world.ledger().choices.differed_from_fifo;
      flight.arrival = held;
    }
  }
  return flight;
}

int64_t TcpSide::ArrivalOfControl() { return Fly(0).arrival; }

void TcpSide::Flush() {
  const size_t end = out_.size();
  if (flushed_ == end) return;
  int64_t bytes = 0;
  for (size_t i = flushed_; i < end; ++i) bytes += static_cast<int64_t>(out_[i].bytes.size());
  const Link::Flight flight = Fly(bytes, process_ != nullptr ? process_->CostOfRun() : 0);
  last_arrival_ = std::max(last_arrival_, flight.arrival);
  if (flight.fault != kNoFault) [[unlikely]]
    send_fault_ = flight.fault;
  if (MessageSink* sink = connection_.network().message_sink()) [[unlikely]]
    TellSent(*sink, bytes);
  for (; flushed_ < end; ++flushed_) out_[flushed_].arrival = last_arrival_;
  if (!deliver_.pending()) host_.world().wheel().Set(deliver_, last_arrival_);
}

MessageWay TcpSide::Way() const {
  const bool of_dialer = this == &connection_.dialer();
  return {.id = key_,
          .from = host_,
          .to = peer_.host_,
          .of_dialer = of_dialer,
          .acceptor_port = of_dialer ? peer_.port_ : port_,
          .reverse = peer_.key_};
}

void TcpSide::TellSent(MessageSink& sink, int64_t bytes) {
  std::array<uint8_t, 16> head;
  size_t size = 0;
  for (size_t i = flushed_; i < out_.size() && size < head.size(); ++i) {
    const std::string_view piece = out_[i].bytes.view().substr(0, head.size() - size);
    std::copy(piece.begin(), piece.end(), head.begin() + static_cast<ptrdiff_t>(size));
    size += piece.size();
  }
  sink.OnSent(Way(), absl::MakeConstSpan(head.data(), size), static_cast<uint64_t>(bytes));
}

void TcpSide::OnArrival() {
  if (link_->silenced != kNoFault || peer_.IsWithoutPower()) [[unlikely]]
    return OnSilence();
  if (link_->resetting != kNoFault) [[unlikely]]
    return OnResettingLink();
  if (peer_.holder_ == Holder::kNobody) [[unlikely]]
    return ArriveAtNobody();
  World& world = host_.world();
  const int64_t now = world.now();
  uint64_t digest = key_;
  size_t bytes = 0;
  while (arrived_ < flushed_ && out_[arrived_].arrival <= now) {
    const core::Bytes& piece = out_[arrived_++].bytes;
    digest = core::Mix(digest, piece.Digest());
    bytes += piece.size();
  }
  if (bytes > 0) {
    world.Fold(peer_.host_.id(), EventKind::kDeliver, digest);
    connection_.network().CountDelivered(*link_, bytes);
    if (MessageSink* sink = connection_.network().message_sink()) [[unlikely]]
      sink->OnArrived(Way(), bytes);
    peer_.readable_bytes_ += bytes;
    if (send_fault_ != kNoFault) [[unlikely]] {
      peer_.read_fault_ = std::exchange(send_fault_, kNoFault);
    }
    retransmissions_ = 0;
    silence_since_ = -1;
  }
  if (arrived_ < flushed_) {
    world.wheel().Set(deliver_, out_[arrived_].arrival);
  } else if (ending_ != Ending::kNone) [[unlikely]] {
    if (last_arrival_ > now) {
      world.wheel().Set(deliver_, last_arrival_);
    } else {
      peer_.ReceiveEnd(std::exchange(ending_, Ending::kNone), now);
    }
  }
  peer_.TellProcess();
}

bool TcpSide::IsWithoutPower() const { return silent_ && !host_.powered(); }

void TcpSide::ReceiveEnd(Ending ending, int64_t) {
  host_.world().Fold(host_.id(), EventKind::kEnd, core::Mix(key_, static_cast<uint64_t>(ending)));
  if (ending == Ending::kStream) {
    ended_ = true;
    return;
  }
  // A reset may overtake bytes that were not read yet.
  if ((NextDraw() & 3) == 0) DropReadable();
  if (error_.ok()) error_ = absl::AbortedError("connection reset by peer");
  DropUnarrived();
}

void TcpSide::ArriveAtNobody() {
  const bool had_data = arrived_ < out_.size();
  const bool was_reset = ending_ == Ending::kReset;
  host_.world().Fold(peer_.host_.id(), EventKind::kEnd, core::Mix(key_, had_data));
  DropUnarrived();
  // The kernel there knows no such connection, or its process has closed it without reading.
  if (had_data && !was_reset && holder_ != Holder::kNobody) peer_.SendEnd(Ending::kReset);
  connection_.FreeIfIdle();
}

void TcpSide::OnSilence() {
  World& world = host_.world();
  const TcpParameters& tcp = connection_.network().tcp();
  if (silent_ || ending_ == Ending::kReset) {
    DropUnarrived();
    return connection_.FreeIfIdle();
  }
  if (link_->silenced != kNoFault) send_fault_ = link_->silenced;
  world.Fold(host_.id(), EventKind::kRetransmit, key_);
  if (silence_since_ < 0) silence_since_ = world.now();
  if (world.now() - silence_since_ >= tcp.give_up) {
    Fail(absl::DeadlineExceededError("the network gave up on silence"), send_fault_);
    return connection_.FreeIfIdle();
  }
  const int64_t wait = std::min(tcp.rto_low << std::min(retransmissions_++, 24), tcp.rto_high);
  world.wheel().Set(deliver_, world.now() + wait);
}

void TcpSide::OnResettingLink() {
  host_.world().Fold(host_.id(), EventKind::kEnd, core::Mix(key_, 7));
  Fail(absl::AbortedError("connection reset by the network"), link_->resetting);
  connection_.FreeIfIdle();
}

core::ByteChain TcpSide::Take(size_t max) {
  core::ByteChain result;
  PieceRing& in = peer_.out_;
  size_t taken = 0;
  while (taken < max && peer_.arrived_ > 0) {
    core::Bytes& bytes = in[0].bytes;
    const size_t room = max - taken;
    if (bytes.size() <= room) {
      taken += bytes.size();
      result.Append(in.PopFront());
      --peer_.arrived_;
      --peer_.flushed_;
    } else {
      result.Append(bytes.Slice(0, room));
      bytes.RemovePrefix(room);
      taken = max;
    }
  }
  readable_bytes_ -= taken;
  untold_ += static_cast<int64_t>(taken);
  if (untold_ >= window_ / 2 && !credit_.pending()) SendCredit();
  return result;
}

void TcpSide::SendCredit() {
  told_ = std::exchange(untold_, 0);
  credit_retries_ = 0;
  host_.world().wheel().Set(credit_, host_.world().now() + link_->base);
}

void TcpSide::OnCredit() {
  if (!peer_.host_.powered() || link_->resetting != kNoFault || silent_) {
    return connection_.FreeIfIdle();
  }
  World& world = host_.world();
  if (link_->silenced != kNoFault) {
    peer_.send_fault_ = link_->silenced;
    const TcpParameters& tcp = connection_.network().tcp();
    const int64_t wait = std::min(tcp.rto_low << std::min(credit_retries_++, 24), tcp.rto_high);
    return world.wheel().Set(credit_, world.now() + wait);
  }
  peer_.unread_by_peer_ -= std::exchange(told_, 0);
  if (untold_ >= window_ / 2) SendCredit();
  if (!peer_.writers_.empty()) peer_.TellProcess();
}

void TcpSide::TellProcess() {
  if (process_ != nullptr) process_->Input(input_);
}

void TcpSide::NotifyLater() {
  if (process_ == nullptr) return;
  host_.world().wheel().Set(input_, host_.world().now(), host_.timer_owner());
}

void TcpSide::OnInput() {
  if (!writers_.empty() && (!error_.ok() || (state_ == State::kOpen && Room() > 0))) {
    writers_.WakeOne();
  }
  if (!readable()) return;
  if (!readers_.empty()) {
    readers_.WakeOne();
  } else if (on_readable_) {
    auto callback = std::exchange(on_readable_, nullptr);
    callback();  // may close and free this
  }
}

void TcpSide::SetOnReadable(absl::AnyInvocable<void()> callback) {
  on_readable_ = std::move(callback);
  if (on_readable_ && readable()) NotifyLater();
}

void TcpSide::ObserveRead() {
  FaultLedger& ledger = host_.world().ledger();
  if (read_fault_ != kNoFault) [[unlikely]]
    ledger.Observed(std::exchange(read_fault_, kNoFault));
  if (error_fault_ != kNoFault) [[unlikely]] {
    ledger.Observed(std::exchange(error_fault_, kNoFault));
  }
}

void TcpSide::ObserveWrite() {
  FaultLedger& ledger = host_.world().ledger();
  if (send_fault_ != kNoFault) [[unlikely]]
    ledger.Observed(send_fault_);
  if (error_fault_ != kNoFault) [[unlikely]] {
    ledger.Observed(std::exchange(error_fault_, kNoFault));
  }
}

void TcpSide::ObserveWait() {
  // What would have arrived by now is kept from us.
  FaultLedger& ledger = host_.world().ledger();
  ledger.Observed(peer_.send_fault_);
}

void TcpSide::ObserveDial() {
  FaultLedger& ledger = host_.world().ledger();
  ledger.Observed(connection_.fault());
}

void TcpSide::SendEnd(Ending ending) {
  if (ending_ == Ending::kReset) return;
  ending_ = ending;
  last_arrival_ = std::max(last_arrival_, ArrivalOfControl());
  if (!deliver_.pending()) host_.world().wheel().Set(deliver_, last_arrival_);
}

void TcpSide::DropUnarrived() {
  while (out_.size() > arrived_) out_.PopBack();
  flushed_ = arrived_;
  ending_ = Ending::kNone;
  host_.world().wheel().Cancel(deliver_);
}

void TcpSide::DropReadable() {
  for (; peer_.arrived_ > 0; --peer_.arrived_, --peer_.flushed_) {
    static_cast<void>(peer_.out_.PopFront());
  }
  readable_bytes_ = 0;
}

void TcpSide::LetGo() {
  holder_ = Holder::kNobody;
  process_ = nullptr;
  on_readable_ = nullptr;
  readers_.WakeAll();
  writers_.WakeAll();
  DropReadable();
  host_.world().wheel().Cancel(input_);
  host_.world().wheel().Cancel(credit_);
  connection_.FreeIfIdle();
}

void TcpSide::EndStream() {
  if (error_.ok() && state_ == State::kOpen) SendEnd(Ending::kStream);
  LetGo();
}

void TcpSide::Reset() {
  if (error_.ok() && state_ == State::kOpen) SendEnd(Ending::kReset);
  LetGo();
}

void TcpSide::FallSilent() {
  // What was on the wire still arrives: how much of it was on the wire is drawn.
  while (out_.size() > flushed_) out_.PopBack();
  const size_t on_the_way = flushed_ - arrived_;
  const size_t lost = on_the_way == 0 ? 0 : NextDraw() % (on_the_way + 1);
  for (size_t i = 0; i < lost; ++i) out_.PopBack();
  flushed_ -= lost;
  ending_ = Ending::kNone;
  silent_ = true;
  if (flushed_ == arrived_) host_.world().wheel().Cancel(deliver_);
  LetGo();
}

void TcpSide::ForgetProcess() {
  process_ = nullptr;
  host_.world().wheel().Cancel(input_);
  auto callback = std::exchange(on_readable_, nullptr);
}

void TcpSide::Fail(absl::Status error, FaultId fault) {
  DropUnarrived();
  if (!error_.ok()) return;
  error_ = std::move(error);
  error_fault_ = fault;
  NotifyLater();
}

}  // namespace highwater::sim
