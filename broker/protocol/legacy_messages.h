#pragma once

// LegacyMessage: a message of magic 0 or 1, the formats before record batches.
//
// Enough to recognise what old producers send and old logs hold, to check it, and to unpack it.
// Follows wire-protocol facts section 8: a compressed set is one message whose value is a nested
// set, with relative inner offsets and the last offset outside for magic 1 and absolute ones for
// magic 0. Not responsible for down-conversion.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/protocol/record_batch.h"
#include "broker/types.h"
#include "core/bytes.h"

namespace highwater::broker::protocol {

struct LegacyMessage {
  Offset offset;
  int8_t magic = 1;
  int8_t attributes = 0;
  int64_t timestamp_ms = kNoTimestamp;  // of magic 1
  std::optional<core::Bytes> key;
  std::optional<core::Bytes> value;

  [[nodiscard]] Codec codec() const { return static_cast<Codec>(attributes & kCodecMask); }
  friend bool operator==(const LegacyMessage&, const LegacyMessage&) = default;
};

// Reads one message. DataLoss if its checksum or a length is wrong. REQUIRES: the batch's magic is
// 0 or 1.
[[nodiscard]] absl::StatusOr<LegacyMessage> ReadLegacyMessage(const RecordBatch& batch);
// The message's bytes, its checksum computed.
[[nodiscard]] core::Bytes WriteLegacyMessage(const LegacyMessage& message);
// The plain messages in `message`, with their absolute offsets: itself, or those of the set that it
// wraps. DataLoss, ResourceExhausted as Decompress gives them.
[[nodiscard]] absl::StatusOr<std::vector<LegacyMessage>> UnwrapLegacyMessage(
    const LegacyMessage& message, size_t max_decompressed = kDefaultMaxDecompressedBytes);

// CRC-32 (the polynomial of Ethernet), which only these formats use.
[[nodiscard]] uint32_t LegacyCrc32(absl::Span<const uint8_t> data);

}  // namespace highwater::broker::protocol
