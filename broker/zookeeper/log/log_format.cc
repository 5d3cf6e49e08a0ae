#include "broker/zookeeper/log/log_format.h"

#include <fmt/format.h>
#include <zlib.h>

#include "broker/protocol/encoder.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

using protocol::LoadBigEndian;
using protocol::StoreBigEndian;

constexpr uint32_t kMagic = 0x5a4b4c47;  // "ZKLG"
constexpr uint32_t kVersion = 2;
constexpr uint8_t kEndOfRecord = 0x42;
// Stands where the version of a tree's digest would; Apache's versions are small numbers.
constexpr uint32_t kGroupTrailer = 0x48574731;  // "HWG1"
constexpr size_t kGroupTrailerSize = 12;

}  // namespace

uint32_t Adler32(uint32_t state, std::string_view bytes) {
  return static_cast<uint32_t>(
      adler32_z(state, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

core::Bytes EncodeLogHeader() {
  core::BytesBuilder bytes(kLogHeaderSize);
  StoreBigEndian(bytes.Grow(4), kMagic);
  StoreBigEndian(bytes.Grow(4), kVersion);
  StoreBigEndian(bytes.Grow(8), uint64_t{0});
  return std::move(bytes).Freeze();
}

bool IsLogHeader(std::string_view bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  return bytes.size() >= kLogHeaderSize && LoadBigEndian<uint32_t>(data) == kMagic &&
         LoadBigEndian<uint32_t>(data + 4) == kVersion;
}

core::Bytes EncodeRecord(const core::Bytes& txn, uint64_t group_start) {
  const size_t length = txn.size() + kGroupTrailerSize;
  core::BytesBuilder bytes(length + kRecordOverhead);
  bytes.Grow(kRecordPrefixSize);
  bytes.Append(txn.view());
  StoreBigEndian(bytes.Grow(4), kGroupTrailer);
  StoreBigEndian(bytes.Grow(8), group_start);
  const std::string_view payload(reinterpret_cast<const char*>(bytes.data()) + kRecordPrefixSize,
                                 length);
  StoreBigEndian(bytes.data(), uint64_t{Adler32(kAdlerOfNothing, payload)});
  StoreBigEndian(bytes.data() + 8, static_cast<uint32_t>(length));
  *bytes.Grow(1) = kEndOfRecord;
  return std::move(bytes).Freeze();
}

ParsedRecord ParseRecord(const core::Bytes& bytes) {
  ParsedRecord record;
  if (bytes.empty()) return record;
  if (bytes.size() < kRecordPrefixSize) {
    record.kind = ParsedRecord::Kind::kIncomplete;
    record.size = kRecordPrefixSize;
    return record;
  }
  const auto checksum = LoadBigEndian<uint64_t>(bytes.data());
  const auto length = LoadBigEndian<uint32_t>(bytes.data() + 8);
  if (checksum == 0 && length == 0) return record;
  record.kind = ParsedRecord::Kind::kInvalid;
  if (length == 0 || length > kMaxRecordPayload) {
    record.problem = fmt::format("its length, {}, is none", static_cast<int32_t>(length));
    return record;
  }
  record.size = length + kRecordOverhead;
  if (bytes.size() < record.size) {
    record.kind = ParsedRecord::Kind::kIncomplete;
    return record;
  }
  const core::Bytes payload = bytes.Slice(kRecordPrefixSize, length);
  if (bytes[record.size - 1] != kEndOfRecord) {
    record.problem = "the byte that ends a record is not behind it";
  } else if (Adler32(kAdlerOfNothing, payload.view()) != checksum) {
    record.problem = "its checksum is wrong";
  } else {
    record.kind = ParsedRecord::Kind::kRecord;
    record.payload = payload;
  }
  return record;
}

absl::StatusOr<LogRecord> DecodePayload(const core::Bytes& payload) {
  LogRecord logged;
  core::Bytes txn = payload;
  if (payload.size() >= kGroupTrailerSize) {
    const uint8_t* trailer = payload.data() + payload.size() - kGroupTrailerSize;
    if (LoadBigEndian<uint32_t>(trailer) == kGroupTrailer) {
      logged.group_start = LoadBigEndian<uint64_t>(trailer + 4);
      txn = payload.Slice(0, payload.size() - kGroupTrailerSize);
    }
  }
  HW_ASSIGN_OR_RETURN(logged.txn, DecodeTxn(std::move(txn)));
  return logged;
}

bool MayFollow(Zxid last, Zxid next) {
  if (EpochOf(next) == EpochOf(last)) return next == last + 1;
  // The first transaction of an epoch has counter 1 [3.1].
  return EpochOf(next) > EpochOf(last) && next == FirstZxidOf(EpochOf(next)) + 1;
}

}  // namespace highwater::broker::zookeeper
