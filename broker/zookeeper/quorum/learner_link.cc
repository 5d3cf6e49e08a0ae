#include "broker/zookeeper/quorum/learner_link.h"

#include <utility>

#include "broker/zookeeper/log/snapshot_image.h"
#include "core/mark.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr size_t kReadAhead = 64 << 10;
// The greatest packet: a transaction and what is around it.
constexpr size_t kMaxPacket = 64 << 20;

core::Bytes Signature() {
  JuteWriter writer;
  writer(std::string(kSnapshotSignature));
  return std::move(writer).Finish();
}

}  // namespace

LearnerLink::LearnerLink(core::Environment& env, LinkHost& host, core::WaitGroup& fibers,
                         PeerConnection id, std::unique_ptr<core::Connection> connection,
                         absl::Duration patience)
    : env_(env),
      host_(host),
      fibers_(fibers),
      id_(id),
      connection_(std::move(connection)),
      patience_(patience),
      assembler_(kMaxPacket) {}

void LearnerLink::Start() {
  fibers_.Add();
  env_.fibers.Spawn("zk learner link", [self = shared_from_this()] {
    self->Read();
    self->fibers_.Done();
  });
}

void LearnerLink::Read() {
  while (!closed_) {
    const auto bytes = connection_->Read(kReadAhead, core::MonotonicTime::Never());
    if (closed_) return;
    if (!bytes.ok() || bytes->empty()) return Fail();
    assembler_.Add(*bytes);
    if (!HandOver()) return Fail();
  }
}

bool LearnerLink::HandOver() {
  while (!closed_) {
    if (snapshot_.has_value()) {
      if (!TakeBody()) return true;
      continue;
    }
    const std::optional<QuorumPacket> packet = assembler_.Next();
    if (!packet.has_value()) return assembler_.status().ok();
    if (packet->type == PacketType::kSnap) {
      snapshot_ = *packet;
      body_.clear();
      searched_ = 0;
    } else {
      host_.OnPacket(*this, *packet);
    }
  }
  return true;
}

bool LearnerLink::TakeBody() {
  body_ += assembler_.TakeRaw().ToString();
  const core::Bytes signature = Signature();
  while (true) {
    const size_t found = body_.find(std::string(signature.view()), searched_);
    if (found == std::string::npos) {
      searched_ = body_.size() - std::min(body_.size(), signature.size() - 1);
      return false;
    }
    searched_ = found + 1;
    core::Bytes image = core::Bytes::Copy(std::string_view(body_).substr(0, found));
    // A node's data may hold the same bytes.
    if (!DecodeTree(image, snapshot_->zxid).ok()) continue;
    assembler_.GiveBack(core::ByteChain(
        core::Bytes::Copy(std::string_view(body_).substr(found + signature.size()))));
    body_.clear();
    const QuorumPacket packet = *std::exchange(snapshot_, std::nullopt);
    host_.OnSnapshot(*this, packet, std::move(image));
    return true;
  }
}

void LearnerLink::SendSnapshot(Zxid zxid, const core::ByteChain& image) {
  core::ByteChain bytes(EncodePacket({.type = PacketType::kSnap, .zxid = zxid}));
  bytes.Append(image);
  bytes.Append(Signature());
  SendBytes(bytes);
}

void LearnerLink::SendBytes(const core::ByteChain& bytes) {
  if (closed_) return;
  output_.Append(bytes);
  if (writing_) return;
  writing_ = true;
  fibers_.Add();
  env_.fibers.Spawn("zk learner packets", [self = shared_from_this()] {
    self->Write();
    self->fibers_.Done();
  });
}

void LearnerLink::Write() {
  while (!closed_ && !output_.empty()) {
    const core::Payload payload = std::exchange(output_, core::Payload());
    if (!connection_->Write(payload, env_.fibers.Now() + patience_).ok()) return Fail();
  }
  writing_ = false;
}

void LearnerLink::Fail() {
  if (closed_) return;
  Close();
  host_.OnLinkClosed(*this);
}

void LearnerLink::Close() {
  if (closed_) return;
  closed_ = true;
  connection_->Close();
}

}  // namespace highwater::broker::zookeeper
