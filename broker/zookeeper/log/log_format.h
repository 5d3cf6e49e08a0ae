#pragma once

// The transaction log's bytes: a file header, then records. Pure.
//
//   ParsedRecord record = ParseRecord(bytes, end_of_file);
//   if (record.kind == ParsedRecord::Kind::kRecord) Use(record.payload, record.size);
//
// File: int 'ZKLG', int version 2, long database id 0. A record: long Adler-32 of the payload, int
// length, the payload (a transaction and what may stand behind it), byte 0x42. A length of zero
// ends a file: Apache's server fills its files up with zeros.
//
// Behind a transaction Apache's server puts a digest of its tree: int version, long value. In its
// place ours puts, under a version that Apache's does not know and therefore passes over, where in
// the file the group began that the record was written with. Everything before that place had been
// synced before. So recovery can tell a group that a power loss tore from a record that went bad
// later [3.10].
//
// Follows ZooKeeper facts 3.10. Not responsible for: files, what to do about bad records
// (log_tail.h).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/zookeeper/txn/records.h"
#include "core/bytes.h"

namespace highwater::broker::zookeeper {

inline constexpr size_t kLogHeaderSize = 16;
// Checksum and length in front of a payload, and what ends it.
inline constexpr size_t kRecordPrefixSize = 12;
inline constexpr size_t kRecordOverhead = kRecordPrefixSize + 1;
// Nothing that a server takes becomes a longer record [1.1]; a length above it is no length.
inline constexpr size_t kMaxRecordPayload = 64 << 20;

// Adler-32, as zlib and java.util.zip have it; `state` is that of the bytes before.
inline constexpr uint32_t kAdlerOfNothing = 1;
[[nodiscard]] uint32_t Adler32(uint32_t state, std::string_view bytes);

[[nodiscard]] core::Bytes EncodeLogHeader();
[[nodiscard]] bool IsLogHeader(std::string_view bytes);

// `txn` as EncodeTxn gives it. `group_start`: the place in the file of the first byte of the group.
[[nodiscard]] core::Bytes EncodeRecord(const core::Bytes& txn, uint64_t group_start);

struct ParsedRecord {
  enum class Kind : uint8_t {
    kRecord,
    kEnd,         // no byte, or a checksum and a length of zero
    kIncomplete,  // goes on behind these bytes
    kInvalid,
  };
  Kind kind = Kind::kEnd;
  core::Bytes payload;  // kRecord
  size_t size = 0;      // kRecord: of all of it; kIncomplete: how many bytes it says that it has
  std::string problem;  // kInvalid
};
// The record at the start of `bytes`. Its payload's transaction is not looked into.
[[nodiscard]] ParsedRecord ParseRecord(const core::Bytes& bytes);

// A record as its reader wants it.
struct LogRecord {
  Txn txn;
  // Absent from what Apache's server wrote.
  std::optional<uint64_t> group_start;
};
// InvalidArgument: the payload is not a transaction.
[[nodiscard]] absl::StatusOr<LogRecord> DecodePayload(const core::Bytes& payload);

// Whether a log may have `next` behind `last`: the next one of its epoch, or the first of a later
// one. Anything else means that something is missing, or comes twice.
[[nodiscard]] bool MayFollow(Zxid last, Zxid next);

}  // namespace highwater::broker::zookeeper
