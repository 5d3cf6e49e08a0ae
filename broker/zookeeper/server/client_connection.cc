#include "broker/zookeeper/server/client_connection.h"

#include <utility>

#include "core/mark.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr size_t kReadAhead = 64 << 10;
// How long a client may not take what it was sent.
constexpr absl::Duration kPatience = absl::Seconds(30);

}  // namespace

ClientConnection::ClientConnection(core::Environment& env, ConnectionHost& host,
                                   core::WaitGroup& fibers, ConnectionId id,
                                   std::unique_ptr<core::Connection> connection, int32_t max_buffer)
    : env_(env),
      host_(host),
      fibers_(fibers),
      id_(id),
      connection_(std::move(connection)),
      assembler_(max_buffer) {}

void ClientConnection::AwaitInput() {
  connection_->OnReadable([this] { StartReading(true); });
}

void ClientConnection::StartReading(bool readable) {
  if (closed_ || finishing_ || reading_) return;
  reading_ = true;
  fibers_.Add();
  env_.fibers.Spawn("zk client", [self = shared_from_this(), readable] {
    self->HandOver();
    if (readable) self->Read();
    self->reading_ = false;
    self->AwaitInputUnlessPaused();
    self->fibers_.Done();
  });
}

void ClientConnection::AwaitInputUnlessPaused() {
  if (closed_ || finishing_) return;
  if (host_.MayRead(*this)) return AwaitInput();
  HW_MARK("zk_client_paused");
  paused_ = true;
}

void ClientConnection::Resume() {
  if (closed_ || finishing_ || !paused_) return;
  paused_ = false;
  // What is buffered already makes nothing readable.
  assembler_.empty() ? AwaitInput() : StartReading(false);
}

void ClientConnection::Read() {
  if (closed_ || finishing_ || !host_.MayRead(*this)) return;
  // Readable: data, the end or an error. The deadline is for a wake that came without reason.
  auto bytes = connection_->Read(kReadAhead, env_.fibers.Now() + absl::Seconds(1));
  if (absl::IsDeadlineExceeded(bytes.status())) return;
  if (bytes.ok() && bytes->empty()) return Close();
  while (!closed_ && !finishing_) {
    if (!bytes.ok()) return Close();
    if (bytes->empty()) return;
    assembler_.Add(*bytes);
    HandOver();
    if (closed_ || finishing_ || !host_.MayRead(*this)) return;
    bytes = connection_->TryRead(kReadAhead);
    if (bytes.ok() && !bytes->empty()) env_.fibers.Yield();
  }
}

void ClientConnection::HandOver() {
  if (fresh_) {
    const auto word = assembler_.FirstWord();
    if (!word.has_value()) return;
    fresh_ = false;
    if (host_.OnFirstWord(*this, *word)) return;
  }
  while (!closed_ && !finishing_ && host_.MayRead(*this)) {
    auto frame = assembler_.Next();
    if (!frame.has_value()) break;
    host_.OnFrame(*this, *std::move(frame));
  }
  if (!assembler_.status().ok()) {
    HW_MARK("zk_frame_of_illegal_size");
    Finish();
  }
}

void ClientConnection::Send(core::Bytes bytes) {
  if (closed_ || finishing_) return;
  unsent_bytes_ += bytes.size();
  output_.push_back(std::move(bytes));
  if (writing_) return;
  writing_ = true;
  fibers_.Add();
  env_.fibers.Spawn("zk answers", [self = shared_from_this()] {
    self->Write();
    self->fibers_.Done();
  });
}

void ClientConnection::Write() {
  while (!closed_ && !output_.empty()) {
    core::Payload payload;
    for (core::Bytes& bytes : output_) payload.Append(std::move(bytes));
    output_.clear();
    const absl::Status status = connection_->Write(payload, env_.fibers.Now() + kPatience);
    unsent_bytes_ -= payload.size();
    if (!status.ok()) break;
  }
  writing_ = false;
  if (!output_.empty() || finishing_) return Close();
  if (host_.MayRead(*this)) Resume();
}

void ClientConnection::Finish() {
  if (closed_ || finishing_) return;
  finishing_ = true;
  connection_->OnReadable(nullptr);
  if (!writing_) Close();
}

void ClientConnection::Close() {
  if (closed_) return;
  closed_ = true;
  connection_->OnReadable(nullptr);
  connection_->Close();
  host_.OnClosed(*this);
}

}  // namespace highwater::broker::zookeeper
