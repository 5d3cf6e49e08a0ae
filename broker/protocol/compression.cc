#include "broker/protocol/compression.h"

#include <fmt/format.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "broker/protocol/encoder.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace highwater::broker::protocol {
namespace {

using core::Bytes;
using core::BytesBuilder;

absl::Status Corrupt(std::string_view codec) {
  return absl::DataLossError(fmt::format("corrupt {} data", codec));
}
absl::Status Failed(std::string_view codec) {
  return absl::InternalError(fmt::format("{} cannot compress", codec));
}
absl::Status TooLong(size_t max_output) {
  return absl::ResourceExhaustedError(
      fmt::format("compressed records hold more than {} bytes", max_output));
}

// The output of a streaming decompressor: hands out room until `max_output` bytes are used.
class BoundedOutput {
 public:
  BoundedOutput(size_t input_size, size_t max_output)
      : max_(max_output), builder_(std::min(max_output, std::max<size_t>(512, input_size * 4))) {}

  struct Room {
    uint8_t* data;
    size_t size;
  };
  // Room for more; of size 0 once the bound is reached. Give back what was not used.
  Room More() {
    const size_t used = builder_.size();
    const size_t wanted = std::min(max_ - used, std::max<size_t>(512, used));
    return {builder_.Grow(wanted), wanted};
  }
  void GiveBack(size_t unused) { builder_.Truncate(builder_.size() - unused); }
  bool full() const { return builder_.size() == max_; }
  Bytes Take() { return std::move(builder_).Freeze(); }

 private:
  size_t max_;
  BytesBuilder builder_;
};

// gzip.

absl::Status CompressGzip(std::string_view data, BytesBuilder& out) {
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return Failed("gzip");
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, deflateEnd);
  // No name, no time, operating system "unknown": what Java writes, and the same on every machine.
  gz_header header{};
  header.os = 255;
  deflateSetHeader(&stream, &header);
  // zlib counts in 32 bits.
  if (data.size() > (uint32_t{1} << 31)) return Failed("gzip");
  const size_t bound = deflateBound(&stream, data.size());
  const size_t before = out.size();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = out.Grow(bound);
  stream.avail_out = static_cast<uInt>(bound);
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) return Failed("gzip");
  out.Truncate(before + stream.total_out);
  return absl::OkStatus();
}

absl::StatusOr<Bytes> DecompressGzip(const Bytes& in, size_t max_output) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return Corrupt("gzip");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  stream.next_in = const_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  BoundedOutput out(in.size(), max_output);
  while (true) {
    const BoundedOutput::Room room = out.More();
    uint8_t spare = 0;  // finds out whether a full output is also the end
    stream.next_out = room.size == 0 ? &spare : room.data;
    stream.avail_out = room.size == 0 ? 1 : static_cast<uInt>(room.size);
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (room.size == 0 && stream.avail_out == 0) return TooLong(max_output);
    if (room.size > 0) out.GiveBack(stream.avail_out);
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) return out.Take();
      // Another member follows.
      if (inflateReset(&stream) != Z_OK) return Corrupt("gzip");
    } else if (result != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)) {
      return Corrupt("gzip");
    }
  }
}

// snappy.

constexpr std::string_view kSnappyMagic{"\x82SNAPPY\0", 8};
constexpr size_t kSnappyHeaderSize = 16;
constexpr size_t kSnappyBlockSize = 32 << 10;
// A copy of 64 bytes takes at least two bytes of input.
constexpr size_t kSnappyMaxRatio = 64;

absl::Status CompressSnappy(std::string_view data, BytesBuilder& out) {
  out.Append(kSnappyMagic);
  uint8_t* versions = out.Grow(8);
  StoreBigEndian<uint32_t>(versions, 1);
  StoreBigEndian<uint32_t>(versions + 4, 1);
  for (size_t at = 0; at < data.size(); at += kSnappyBlockSize) {
    const std::string_view block = data.substr(at, kSnappyBlockSize);
    const size_t before = out.size();
    uint8_t* room = out.Grow(4 + snappy::MaxCompressedLength(block.size()));
    size_t size = 0;
    snappy::RawCompress(block.data(), block.size(), reinterpret_cast<char*>(room + 4), &size);
    StoreBigEndian<uint32_t>(room, static_cast<uint32_t>(size));
    out.Truncate(before + 4 + size);
  }
  return absl::OkStatus();
}

absl::Status DecompressSnappyBlock(std::string_view block, size_t max_output, BytesBuilder& out) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &size)) return Corrupt("snappy");
  if (size > block.size() * kSnappyMaxRatio) return Corrupt("snappy");
  if (size > max_output - out.size()) return TooLong(max_output);
  uint8_t* room = out.Grow(size);
  if (!snappy::RawUncompress(block.data(), block.size(), reinterpret_cast<char*>(room))) {
    return Corrupt("snappy");
  }
  return absl::OkStatus();
}

absl::StatusOr<Bytes> DecompressSnappy(const Bytes& in, size_t max_output) {
  BytesBuilder out(std::min(max_output, in.size() * 2));
  std::string_view rest = in.view();
  if (rest.substr(0, kSnappyMagic.size()) != kSnappyMagic) {
    HW_RETURN_IF_ERROR(DecompressSnappyBlock(rest, max_output, out));
    return std::move(out).Freeze();
  }
  while (!rest.empty()) {
    // A writer that was flushed may begin again with a header.
    if (rest.substr(0, kSnappyMagic.size()) == kSnappyMagic) {
      if (rest.size() < kSnappyHeaderSize) return Corrupt("snappy");
      rest.remove_prefix(kSnappyHeaderSize);
      continue;
    }
    if (rest.size() < 4) return Corrupt("snappy");
    const uint32_t size = LoadBigEndian<uint32_t>(reinterpret_cast<const uint8_t*>(rest.data()));
    rest.remove_prefix(4);
    if (size > rest.size()) return Corrupt("snappy");
    HW_RETURN_IF_ERROR(DecompressSnappyBlock(rest.substr(0, size), max_output, out));
    rest.remove_prefix(size);
  }
  return std::move(out).Freeze();
}

// lz4.

absl::Status CompressLz4(std::string_view data, BytesBuilder& out) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  const size_t bound = LZ4F_compressFrameBound(data.size(), &preferences);
  const size_t before = out.size();
  const size_t size =
      LZ4F_compressFrame(out.Grow(bound), bound, data.data(), data.size(), &preferences);
  if (LZ4F_isError(size) != 0) return Failed("lz4");
  out.Truncate(before + size);
  return absl::OkStatus();
}

absl::StatusOr<Bytes> DecompressLz4(const Bytes& in, size_t max_output) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)) != 0) return Corrupt("lz4");
  const std::unique_ptr<LZ4F_dctx, size_t (*)(LZ4F_dctx*)> context(raw,
                                                                   LZ4F_freeDecompressionContext);
  BoundedOutput out(in.size(), max_output);
  size_t at = 0;
  while (true) {
    const BoundedOutput::Room room = out.More();
    uint8_t spare = 0;
    size_t written = std::max<size_t>(room.size, 1);
    const size_t offered = written;
    size_t consumed = in.size() - at;
    const size_t hint = LZ4F_decompress(context.get(), room.size == 0 ? &spare : room.data,
                                        &written, in.data() + at, &consumed, nullptr);
    if (LZ4F_isError(hint) != 0) return Corrupt("lz4");
    if (room.size == 0 && written > 0) return TooLong(max_output);
    if (room.size > 0) out.GiveBack(room.size - written);
    at += consumed;
    const bool frame_ended = hint == 0;
    if (frame_ended && at == in.size()) return out.Take();
    if (!frame_ended && at == in.size() && written < offered) return Corrupt("lz4");
    if (consumed == 0 && written == 0 && !frame_ended) return Corrupt("lz4");
  }
}

// zstd.

absl::Status CompressZstd(std::string_view data, BytesBuilder& out) {
  const size_t bound = ZSTD_compressBound(data.size());
  const size_t before = out.size();
  const size_t size =
      ZSTD_compress(out.Grow(bound), bound, data.data(), data.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size) != 0) return Failed("zstd");
  out.Truncate(before + size);
  return absl::OkStatus();
}

absl::StatusOr<Bytes> DecompressZstd(const Bytes& in, size_t max_output) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   ZSTD_freeDCtx);
  HW_CHECK(context != nullptr, "out of memory");
  ZSTD_inBuffer input{in.data(), in.size(), 0};
  BoundedOutput out(in.size(), max_output);
  while (true) {
    const BoundedOutput::Room room = out.More();
    uint8_t spare = 0;
    ZSTD_outBuffer output{room.size == 0 ? &spare : room.data, std::max<size_t>(room.size, 1), 0};
    const size_t before = input.pos;
    const size_t hint = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(hint) != 0) return Corrupt("zstd");
    if (room.size == 0 && output.pos > 0) return TooLong(max_output);
    if (room.size > 0) out.GiveBack(room.size - output.pos);
    const bool frame_ended = hint == 0;
    if (frame_ended && input.pos == input.size) return out.Take();
    if (!frame_ended && input.pos == input.size && output.pos < output.size) return Corrupt("zstd");
    if (input.pos == before && output.pos == 0 && !frame_ended) return Corrupt("zstd");
  }
}

}  // namespace

std::string_view NameOf(Codec codec) {
  switch (codec) {
    case Codec::kNone:
      return "none";
    case Codec::kGzip:
      return "gzip";
    case Codec::kSnappy:
      return "snappy";
    case Codec::kLz4:
      return "lz4";
    case Codec::kZstd:
      return "zstd";
  }
  return "unknown";
}

absl::Status Compress(Codec codec, std::string_view data, BytesBuilder& out) {
  switch (codec) {
    case Codec::kNone:
      out.Append(data);
      return absl::OkStatus();
    case Codec::kGzip:
      return CompressGzip(data, out);
    case Codec::kSnappy:
      return CompressSnappy(data, out);
    case Codec::kLz4:
      return CompressLz4(data, out);
    case Codec::kZstd:
      return CompressZstd(data, out);
  }
  return absl::UnimplementedError("no such codec");
}

absl::StatusOr<Bytes> Decompress(Codec codec, const Bytes& compressed, size_t max_output) {
  switch (codec) {
    case Codec::kNone:
      if (compressed.size() > max_output) return TooLong(max_output);
      return compressed;
    case Codec::kGzip:
      return DecompressGzip(compressed, max_output);
    case Codec::kSnappy:
      return DecompressSnappy(compressed, max_output);
    case Codec::kLz4:
      return DecompressLz4(compressed, max_output);
    case Codec::kZstd:
      return DecompressZstd(compressed, max_output);
  }
  return absl::UnimplementedError("no such codec");
}

}  // namespace highwater::broker::protocol
