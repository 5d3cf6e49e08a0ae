#pragma once

// The codecs of record batches: gzip, snappy, lz4 and zstd, as Kafka's clients write them.
//
// Snappy is written in the framing of the Java client (16-byte header, then blocks with their
// length in front) and read in that framing or as one raw block, as other clients send it. LZ4 is
// the frame format. All calls of codec libraries are in compression.cc. Not responsible for what is
// compressed (record_batch_builder.h, record.h). LZ4 frames of magic 0 carry a wrong header
// checksum for historic reasons and are refused.
//
// Invariant: decompressing takes memory for at most `max_output` bytes and a constant, whatever the
// input says.

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string_view>

#include "core/bytes.h"

namespace highwater::broker::protocol {

// The low three bits of a batch's attributes.
enum class Codec : int8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

// What the values of compression.type call it: "none", "gzip", "snappy", "lz4", "zstd".
[[nodiscard]] std::string_view NameOf(Codec codec);

// What a batch may inflate to unless the caller says otherwise.
inline constexpr size_t kDefaultMaxDecompressedBytes = 128 << 20;

// Appends the compressed form of `data` to `out`, which must not hold any of `data`. Internal if a
// library fails.
[[nodiscard]] absl::Status Compress(Codec codec, std::string_view data, core::BytesBuilder& out);

// The data that `compressed` holds. DataLoss if it is malformed or cut off, ResourceExhausted if it
// would be longer than `max_output` bytes, Unimplemented for a codec that does not exist.
[[nodiscard]] absl::StatusOr<core::Bytes> Decompress(Codec codec, const core::Bytes& compressed,
                                                     size_t max_output);

}  // namespace highwater::broker::protocol
