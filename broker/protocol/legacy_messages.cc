#include "broker/protocol/legacy_messages.h"

#include <array>
#include <utility>

#include "broker/protocol/decoder.h"
#include "broker/protocol/encoder.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace highwater::broker::protocol {
namespace {

constexpr size_t kCrcStart = 16;

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int i = 0; i < 8; ++i) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    table[byte] = crc;
  }
  return table;
}();

std::optional<core::Bytes> ReadContent(Decoder& decoder) {
  std::optional<core::ByteChain> chain;
  decoder.ReadNullableBytes(chain, false);
  if (!chain.has_value()) return std::nullopt;
  return chain->Flatten();
}

void WriteContent(Encoder& encoder, const std::optional<core::Bytes>& content) {
  if (!content.has_value()) return encoder.WriteInt32(-1);
  encoder.WriteInt32(static_cast<int32_t>(content->size()));
  encoder.WriteRaw(content->view());
}

}  // namespace

uint32_t LegacyCrc32(absl::Span<const uint8_t> data) {
  uint32_t crc = ~uint32_t{0};
  for (const uint8_t byte : data) crc = crc >> 8 ^ kCrcTable[(crc ^ byte) & 0xff];
  return ~crc;
}

absl::StatusOr<LegacyMessage> ReadLegacyMessage(const RecordBatch& batch) {
  const RecordBatchHeader& header = batch.header();
  HW_CHECK(header.magic == 0 || header.magic == 1, "a batch of magic {}", header.magic);
  const core::Bytes whole = batch.bytes().Flatten();
  if (LegacyCrc32({whole.data() + kCrcStart, whole.size() - kCrcStart}) != header.crc) {
    return absl::DataLossError("a message has a wrong checksum");
  }
  const core::ByteChain rest(whole.Slice(kCrcStart + 1, whole.size() - kCrcStart - 1));
  Decoder decoder(rest);
  LegacyMessage message{.offset = header.base_offset, .magic = header.magic};
  message.attributes = decoder.ReadInt8();
  if (message.magic == 1) message.timestamp_ms = decoder.ReadInt64();
  message.key = ReadContent(decoder);
  message.value = ReadContent(decoder);
  if (!decoder.ok() || decoder.remaining() != 0)
    return absl::DataLossError("a message is malformed");
  return message;
}

core::Bytes WriteLegacyMessage(const LegacyMessage& message) {
  Encoder encoder;
  encoder.WriteInt64(message.offset.value());
  encoder.WriteInt32(0);
  encoder.WriteInt32(0);
  encoder.WriteInt8(message.magic);
  encoder.WriteInt8(message.attributes);
  if (message.magic == 1) encoder.WriteInt64(message.timestamp_ms);
  WriteContent(encoder, message.key);
  WriteContent(encoder, message.value);
  encoder.PatchInt32(8, static_cast<int32_t>(encoder.size() - kBatchOverhead));
  const core::Bytes unsigned_bytes = ToChain(std::move(encoder).Finish()).Flatten();
  core::BytesBuilder builder(unsigned_bytes.size());
  builder.Append(unsigned_bytes.view());
  StoreBigEndian(builder.data() + 12, LegacyCrc32({unsigned_bytes.data() + kCrcStart,
                                                   unsigned_bytes.size() - kCrcStart}));
  return std::move(builder).Freeze();
}

absl::StatusOr<std::vector<LegacyMessage>> UnwrapLegacyMessage(const LegacyMessage& message,
                                                               size_t max_decompressed) {
  if (message.codec() == Codec::kNone) return std::vector<LegacyMessage>{message};
  if (!message.value.has_value())
    return absl::DataLossError("a compressed message without a value");
  HW_ASSIGN_OR_RETURN(const core::Bytes set,
                      Decompress(message.codec(), *message.value, max_decompressed));
  std::vector<LegacyMessage> messages;
  RecordBatchReader reader{core::ByteChain(set)};
  while (const std::optional<RecordBatch> inner = reader.Next()) {
    if (inner->header().magic != message.magic)
      return absl::DataLossError("a nested set of another magic");
    HW_ASSIGN_OR_RETURN(LegacyMessage plain, ReadLegacyMessage(*inner));
    if (plain.codec() != Codec::kNone)
      return absl::DataLossError("a compressed message in another");
    messages.push_back(std::move(plain));
  }
  HW_RETURN_IF_ERROR(reader.status());
  if (reader.remaining() != 0 || messages.empty())
    return absl::DataLossError("a nested set is cut off");
  if (message.magic == 1) {
    const auto outer = static_cast<uint64_t>(message.offset.value());
    const auto last = static_cast<uint64_t>(messages.back().offset.value());
    for (LegacyMessage& inner : messages) {
      inner.offset =
          Offset(static_cast<int64_t>(outer - last + static_cast<uint64_t>(inner.offset.value())));
    }
  }
  return messages;
}

}  // namespace highwater::broker::protocol
