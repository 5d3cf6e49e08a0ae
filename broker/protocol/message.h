#pragma once

// Whole messages: a body, or a stored message with its 2-byte version in front, to bytes and back.
//
//   HW_ASSIGN_OR_RETURN(auto request, DecodeMessage<MetadataRequest>(body, 12));
//
// Not responsible for frames and headers (frame.h).

#include <absl/status/statusor.h>

#include <cstdint>
#include <utility>

#include "broker/protocol/decoder.h"
#include "broker/protocol/encoder.h"
#include "core/bytes.h"
#include "core/network.h"
#include "core/status_macros.h"

namespace highwater::broker::protocol {

// The body alone. InvalidArgument if `version` does not exist or cannot carry the message.
template <typename Message>
[[nodiscard]] absl::StatusOr<core::Payload> EncodeMessage(const Message& message, int16_t version) {
  Encoder encoder;
  message.Encode(encoder, version);
  HW_RETURN_IF_ERROR(encoder.status());
  return std::move(encoder).Finish();
}

// The message that `body` begins with; bytes behind it are ignored, as Kafka does. InvalidArgument
// if it is malformed.
template <typename Message>
[[nodiscard]] absl::StatusOr<Message> DecodeMessage(const core::ByteChain& body, int16_t version) {
  Decoder decoder(body);
  absl::StatusOr<Message> message(Message::Decode(decoder, version));
  HW_RETURN_IF_ERROR(decoder.status());
  return message;
}

// A stored or embedded message (kind `data`): the version stands in front of it.
template <typename Message>
[[nodiscard]] absl::StatusOr<core::Bytes> EncodeVersioned(const Message& message, int16_t version) {
  Encoder encoder;
  encoder.WriteInt16(version);
  message.Encode(encoder, version);
  HW_RETURN_IF_ERROR(encoder.status());
  return ToChain(std::move(encoder).Finish()).Flatten();
}

template <typename Message>
struct Versioned {
  int16_t version = 0;  // as it stood in front; may be higher than what we know
  Message message;
};

// Reads a version above the known ones as the highest known: a reader takes the part it knows and
// ignores the rest.
template <typename Message>
[[nodiscard]] absl::StatusOr<Versioned<Message>> DecodeVersioned(const core::ByteChain& bytes) {
  Decoder decoder(bytes);
  Versioned<Message> result;
  result.version = decoder.ReadInt16();
  result.message.DecodeFrom(decoder, std::min(result.version, Message::kHighestVersion));
  HW_RETURN_IF_ERROR(decoder.status());
  return result;
}

}  // namespace highwater::broker::protocol
