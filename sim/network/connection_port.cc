#include "sim/network/connection_port.h"

#include "core/status_macros.h"
#include "sim/host.h"
#include "sim/network/tcp_side.h"
#include "sim/simulated_process.h"

namespace highwater::sim {
namespace {

// How much of a file range is read at once.
constexpr uint64_t kRangeChunk = 64 << 10;

absl::Status ClosedByUs() { return absl::FailedPreconditionError("the connection is closed"); }
absl::Status Dead() { return absl::CancelledError("the process ended"); }

}  // namespace

ConnectionPort::ConnectionPort(SimulatedProcess& process, TcpSide& side)
    : ConnectionPort(process, side,
                     {.host = side.peer().host().name(), .port = side.peer().port()}) {}

ConnectionPort::ConnectionPort(SimulatedProcess& process, TcpSide& side, core::Endpoint peer)
    : process_(process),
      side_(&side),
      local_{.host = side.host().name(), .port = side.port()},
      peer_(std::move(peer)) {}

absl::StatusOr<core::ByteChain> ConnectionPort::Take(size_t max) {
  side_->ObserveRead();
  if (side_->readable_bytes() > 0) {
    if (max > 1 && process_.BuggifyFires("network.short_read")) max = 1;
    core::ByteChain bytes = side_->Take(max);
    process_.ChargeCpu(bytes.size());
    return bytes;
  }
  if (!side_->error().ok()) return side_->error();
  return core::ByteChain();
}

absl::StatusOr<core::ByteChain> ConnectionPort::Read(size_t max, core::MonotonicTime deadline) {
  if (process_.EndsHere()) return Dead();
  while (side_ != nullptr && !side_->readable()) {
    HW_CHECK(side_->readers().empty(), "two fibers read from {}", peer_);
    const core::Wake wake =
        side_->readers().Wait(process_.fibers(), "bytes from a connection", deadline);
    if (wake == core::Wake::kSignaled) continue;
    if (side_ != nullptr) side_->ObserveWait();
    return core::ToStatus(wake, "bytes from a connection");
  }
  if (side_ == nullptr) return ClosedByUs();
  return Take(max);
}

absl::StatusOr<core::ByteChain> ConnectionPort::TryRead(size_t max) {
  if (process_.EndsHere()) return Dead();
  if (side_ == nullptr) return ClosedByUs();
  return Take(max);
}

absl::Status ConnectionPort::CheckUsable() {
  if (side_ == nullptr) return ClosedByUs();
  if (side_->error().ok()) return absl::OkStatus();
  side_->ObserveWrite();
  return side_->error();
}

absl::Status ConnectionPort::Write(const core::Payload& payload, core::MonotonicTime deadline) {
  if (!process_.BeginEffect(EventKind::kDeliver)) return Dead();
  HW_RETURN_IF_ERROR(CheckUsable());
  HW_CHECK(side_->writers().empty(), "two fibers write to {}", peer_);
  process_.ChargeCpu(payload.size());
  for (const core::Payload::Piece& piece : payload.pieces()) {
    if (const core::Bytes* bytes = std::get_if<core::Bytes>(&piece)) {
      HW_RETURN_IF_ERROR(WriteBytes(*bytes, deadline));
    } else {
      HW_RETURN_IF_ERROR(WriteRange(std::get<core::FileRange>(piece), deadline));
    }
  }
  side_->Flush();
  return absl::OkStatus();
}

absl::Status ConnectionPort::WriteBytes(core::Bytes bytes, core::MonotonicTime deadline) {
  while (static_cast<int64_t>(bytes.size()) > side_->Room()) {
    if (const int64_t room = side_->Room(); room > 0) {
      side_->Enqueue(bytes.Slice(0, static_cast<size_t>(room)));
      bytes.RemovePrefix(static_cast<size_t>(room));
    }
    HW_RETURN_IF_ERROR(WaitForRoom(deadline));
  }
  side_->Enqueue(std::move(bytes));
  return absl::OkStatus();
}

absl::Status ConnectionPort::WaitForRoom(core::MonotonicTime deadline) {
  side_->Flush();
  while (side_->Room() <= 0) {
    const core::Wake wake =
        side_->writers().Wait(process_.fibers(), "room in a connection", deadline);
    HW_RETURN_IF_ERROR(CheckUsable());
    side_->ObserveWrite();
    HW_RETURN_IF_ERROR(core::ToStatus(wake, "room in a connection"));
  }
  // What follows is an effect of its own: a crash can come between the parts of a long write.
  return process_.BeginEffect(EventKind::kDeliver) ? absl::OkStatus() : Dead();
}

absl::Status ConnectionPort::WriteRange(const core::FileRange& range,
                                        core::MonotonicTime deadline) {
  // What fits into one chunk leaves together with what is written around it, as one segment.
  for (uint64_t done = 0; done < range.length;) {
    const uint64_t length = std::min(range.length - done, kRangeChunk);
    absl::StatusOr<core::ByteChain> part = range.file->ReadAt(range.offset + done, length);
    HW_RETURN_IF_ERROR(CheckUsable());
    if (!part.ok() || part->empty()) {
      Break();
      return part.ok() ? absl::DataLossError("a file range is shorter than promised")
                       : part.status();
    }
    done += part->size();
    for (const core::Bytes& slice : part->slices()) {
      HW_RETURN_IF_ERROR(WriteBytes(slice, deadline));
    }
    if (done < range.length) side_->Flush();
  }
  return absl::OkStatus();
}

void ConnectionPort::OnReadable(absl::AnyInvocable<void()> callback) {
  if (process_.dead() || side_ == nullptr) return;
  side_->SetOnReadable(std::move(callback));
}

void ConnectionPort::Close() {
  if (side_ == nullptr || !process_.BeginEffectWithoutWaiting(EventKind::kEnd)) return;
  side_->Flush();
  closed_note_.callback = side_->TakeOnReadable();
  if (closed_note_.callback) process_.fibers().SetTimer(closed_note_, process_.fibers().Now());
  std::exchange(side_, nullptr)->EndStream();
}

void ConnectionPort::Break() { std::exchange(side_, nullptr)->Reset(); }

}  // namespace highwater::sim
