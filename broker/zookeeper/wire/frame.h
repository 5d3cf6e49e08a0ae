#pragma once

// Frames of the client protocol: int32 length, then a header and a body. And the two messages of
// the handshake, which have no header but may carry a byte behind their record.
//
// Follows ZooKeeper facts 1.1, 1.2, 1.3.

#include <absl/status/statusor.h>

#include <optional>

#include "broker/zookeeper/jute/jute.h"
#include "broker/zookeeper/wire/records.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

// The greatest frame that a server takes unless it is told otherwise [1.1].
inline constexpr int32_t kDefaultMaxBuffer = 0xfffff;
inline constexpr size_t kPasswordSize = 16;

// The whole frame of a request or an answer, with its length in front. An answer with an error has
// no body.
template <typename Header, typename Body>
[[nodiscard]] core::Bytes EncodeFrame(const Header& header, const Body& body) {
  JuteWriter writer;
  writer(int32_t{0});
  writer(header);
  writer(body);
  writer.PatchLength(0);
  return std::move(writer).Finish();
}
template <typename Header>
[[nodiscard]] core::Bytes EncodeFrame(const Header& header) {
  return EncodeFrame(header, Empty{});
}

// A handshake message; `read_only` is absent from old clients, and from the answers to them [1.2].
template <typename Record>
struct Handshake {
  Record record;
  std::optional<bool> read_only;

  friend bool operator==(const Handshake&, const Handshake&) = default;
};

template <typename Record>
[[nodiscard]] core::Bytes EncodeHandshake(const Handshake<Record>& message) {
  JuteWriter writer;
  writer(int32_t{0});
  writer(message.record);
  if (message.read_only.has_value()) writer(*message.read_only);
  writer.PatchLength(0);
  return std::move(writer).Finish();
}

// `body` is a frame without its length. InvalidArgument if it does not parse.
template <typename Record>
[[nodiscard]] absl::StatusOr<Handshake<Record>> DecodeHandshake(core::Bytes body) {
  JuteReader reader(std::move(body));
  Handshake<Record> message;
  reader(message.record);
  if (reader.status().ok() && reader.remaining() > 0) reader(message.read_only.emplace());
  if (!reader.status().ok()) return reader.status();
  return message;
}

// Collects a connection's bytes into frames.
//
//   assembler.Add(*chunk);
//   while (auto frame = assembler.Next()) Handle(*frame);
//   if (!assembler.status().ok()) ... close the connection
class FrameAssembler {
 public:
  explicit FrameAssembler(int32_t max_buffer) : max_buffer_(max_buffer) {}

  void Add(const core::ByteChain& bytes) { pending_.Append(bytes); }
  // The next whole frame without its length; nullopt until there is one.
  [[nodiscard]] std::optional<core::Bytes> Next();
  // The first four bytes, if they are there and nothing was taken yet: a four-letter word, perhaps.
  [[nodiscard]] std::optional<std::string> FirstWord() const;
  // InvalidArgument once a length is negative or above the limit [1.1].
  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] bool empty() const { return pending_.empty(); }

 private:
  int32_t max_buffer_;
  core::ByteChain pending_;
  absl::Status status_;
};

}  // namespace highwater::broker::zookeeper
