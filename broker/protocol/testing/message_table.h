#pragma once

// All messages, with their types erased: what a test or fuzzer does to each of them in each
// version.

#include <absl/status/statusor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "broker/protocol/message.h"
#include "broker/protocol/testing/arbitrary.h"
#include "core/bytes.h"

namespace highwater::broker::protocol::testing {

enum class MessageKind { kRequest, kResponse, kData, kHeader };

struct Recoded {
  core::ByteChain bytes;   // the decoded message, encoded again
  uint64_t left_over = 0;  // bytes behind the message
};

struct MessageType {
  std::string_view name;
  MessageKind kind;
  int16_t lowest_version;
  int16_t highest_version;
  absl::StatusOr<core::ByteChain> (*encode_default)(int16_t version);
  absl::StatusOr<core::ByteChain> (*encode_arbitrary)(ArbitrarySource& source, int16_t version);
  absl::StatusOr<Recoded> (*recode)(const core::ByteChain& body, int16_t version);
  // Whether an arbitrary message comes back equal from its own bytes, cut into other slices.
  bool (*comes_back_equal)(ArbitrarySource& source, int16_t version);
};

// In the order of schema files.
const std::vector<MessageType>& AllMessages();

template <typename Message>
absl::StatusOr<core::ByteChain> EncodeToChain(const Message& message, int16_t version) {
  HW_ASSIGN_OR_RETURN(core::Payload payload, EncodeMessage(message, version));
  return ToChain(payload);
}

template <typename Message>
absl::StatusOr<Recoded> Recode(const core::ByteChain& body, int16_t version) {
  Decoder decoder(body);
  const Message message = Message::Decode(decoder, version);
  HW_RETURN_IF_ERROR(decoder.status());
  HW_ASSIGN_OR_RETURN(core::ByteChain bytes, EncodeToChain(message, version));
  return Recoded{bytes, decoder.remaining()};
}

template <typename Message>
bool ComesBackEqual(ArbitrarySource& source, int16_t version) {
  const Message message = Arbitrary<Message>(source, version);
  const absl::StatusOr<core::ByteChain> bytes = EncodeToChain(message, version);
  if (!bytes.ok()) return false;
  const core::ByteChain cut = CutAtRandom(source.random(), *bytes);
  Decoder decoder(cut);
  const Message decoded = Message::Decode(decoder, version);
  return decoder.ok() && decoder.remaining() == 0 && decoded == message;
}

template <typename Message>
MessageType MakeMessageType(MessageKind kind) {
  return {
      .name = Message::kName,
      .kind = kind,
      .lowest_version = Message::kLowestVersion,
      .highest_version = Message::kHighestVersion,
      .encode_default = [](int16_t version) { return EncodeToChain(Message(), version); },
      .encode_arbitrary =
          [](ArbitrarySource& source, int16_t version) {
            return EncodeToChain(Arbitrary<Message>(source, version), version);
          },
      .recode = Recode<Message>,
      .comes_back_equal = ComesBackEqual<Message>,
  };
}

}  // namespace highwater::broker::protocol::testing
