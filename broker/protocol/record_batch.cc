#include "broker/protocol/record_batch.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/protocol/encoder.h"
#include "core/check.h"
#include "core/crc32c.h"

namespace highwater::broker::protocol {
namespace {

// The shortest batch_length of each magic: a message of magic 0 or 1 with null key and value, an
// empty batch of magic 2.
constexpr int32_t kShortest[] = {14, 22, kRecordBatchHeaderSize - kBatchOverhead};

int32_t LoadInt32(const uint8_t* at) { return static_cast<int32_t>(LoadBigEndian<uint32_t>(at)); }
int64_t LoadInt64(const uint8_t* at) { return static_cast<int64_t>(LoadBigEndian<uint64_t>(at)); }

Offset AddWrapping(Offset offset, int64_t delta) {
  return Offset(
      static_cast<int64_t>(static_cast<uint64_t>(offset.value()) + static_cast<uint64_t>(delta)));
}

// The header of a message of magic 0 or 1, of which at least 26 bytes are at `at`.
RecordBatchHeader ReadLegacyHeader(const uint8_t* at) {
  RecordBatchHeader header;
  header.base_offset = Offset(LoadInt64(at));
  header.batch_length = LoadInt32(at + 8);
  header.crc = LoadBigEndian<uint32_t>(at + 12);
  header.magic = static_cast<int8_t>(at[kBatchMagicAt]);
  header.attributes = at[17];
  if (header.magic == 1) header.base_timestamp_ms = header.max_timestamp_ms = LoadInt64(at + 18);
  return header;
}

uint32_t CrcOf(const core::ByteChain& chain, size_t from) {
  uint32_t crc = 0;
  bool first = true;
  for (const core::Bytes& slice : chain.slices()) {
    if (from >= slice.size()) {
      from -= slice.size();
      continue;
    }
    const bool is_last = &slice == &chain.slices().back();
    // One slice covers all: its block may remember the checksum.
    if (first && is_last)
      return from == 0 ? slice.Crc32c() : slice.Slice(from, slice.size() - from).Crc32c();
    crc = core::Crc32cExtend(crc, {slice.data() + from, slice.size() - from});
    first = false;
    from = 0;
  }
  return crc;
}

}  // namespace

RecordBatchHeader RecordBatchHeader::Read(const uint8_t* at) {
  RecordBatchHeader header;
  header.base_offset = Offset(LoadInt64(at));
  header.batch_length = LoadInt32(at + 8);
  header.partition_leader_epoch = LeaderEpoch(LoadInt32(at + 12));
  header.magic = static_cast<int8_t>(at[kBatchMagicAt]);
  header.crc = LoadBigEndian<uint32_t>(at + 17);
  header.attributes = static_cast<int16_t>(LoadBigEndian<uint16_t>(at + 21));
  header.last_offset_delta = LoadInt32(at + 23);
  header.base_timestamp_ms = LoadInt64(at + 27);
  header.max_timestamp_ms = LoadInt64(at + 35);
  header.producer_id = ProducerId(LoadInt64(at + 43));
  header.producer_epoch = static_cast<int16_t>(LoadBigEndian<uint16_t>(at + 51));
  header.base_sequence = LoadInt32(at + 53);
  header.record_count = LoadInt32(at + 57);
  return header;
}

void RecordBatchHeader::Write(uint8_t* at) const {
  StoreBigEndian(at, static_cast<uint64_t>(base_offset.value()));
  StoreBigEndian(at + 8, static_cast<uint32_t>(batch_length));
  StoreBigEndian(at + 12, static_cast<uint32_t>(partition_leader_epoch.value()));
  at[kBatchMagicAt] = static_cast<uint8_t>(magic);
  StoreBigEndian(at + 17, crc);
  StoreBigEndian(at + 21, static_cast<uint16_t>(attributes));
  StoreBigEndian(at + 23, static_cast<uint32_t>(last_offset_delta));
  StoreBigEndian(at + 27, static_cast<uint64_t>(base_timestamp_ms));
  StoreBigEndian(at + 35, static_cast<uint64_t>(max_timestamp_ms));
  StoreBigEndian(at + 43, static_cast<uint64_t>(producer_id.value()));
  StoreBigEndian(at + 51, static_cast<uint16_t>(producer_epoch));
  StoreBigEndian(at + 53, static_cast<uint32_t>(base_sequence));
  StoreBigEndian(at + 57, static_cast<uint32_t>(record_count));
}

Offset RecordBatchHeader::last_offset() const {
  return AddWrapping(base_offset, last_offset_delta);
}

Offset RecordBatchHeader::next_offset() const {
  return AddWrapping(base_offset, int64_t{last_offset_delta} + 1);
}

int32_t RecordBatchHeader::last_sequence() const {
  if (base_sequence < 0 || last_offset_delta < 0) return kNoSequence;
  return AdvanceSequence(base_sequence, last_offset_delta);
}

int32_t AdvanceSequence(int32_t sequence, int32_t delta) {
  constexpr int64_t kCycle = int64_t{1} << 31;
  return static_cast<int32_t>((int64_t{sequence} + delta) % kCycle);
}

absl::StatusOr<RecordBatch> RecordBatch::Parse(const core::ByteChain& bytes) {
  uint8_t copy[kRecordBatchHeaderSize];
  const size_t available = std::min(bytes.size(), sizeof(copy));
  const uint8_t* at = copy;
  if (!bytes.empty() && bytes.slices().front().size() >= available) {
    at = bytes.slices().front().data();
  } else {
    bytes.CopyTo(0, available, copy);
  }
  if (available <= kBatchMagicAt) return absl::OutOfRangeError("a batch's header is cut off");
  const int32_t length = LoadInt32(at + 8);
  const auto magic = static_cast<int8_t>(at[kBatchMagicAt]);
  if (magic < 0 || magic > kCurrentMagic) {
    return absl::DataLossError(fmt::format("a batch of magic {}", magic));
  }
  if (length < kShortest[magic]) {
    return absl::DataLossError(fmt::format("a batch of magic {} has the length {}", magic, length));
  }
  const size_t size = kBatchOverhead + static_cast<size_t>(length);
  if (bytes.size() < size) return absl::OutOfRangeError("a batch is cut off");
  const RecordBatchHeader header =
      magic == kCurrentMagic ? RecordBatchHeader::Read(at) : ReadLegacyHeader(at);
  return RecordBatch(header, bytes.size() == size ? bytes : bytes.Slice(0, size));
}

core::ByteChain RecordBatch::body() const {
  HW_CHECK(header_.magic == kCurrentMagic, "a message of magic {} has no body", header_.magic);
  return bytes_.Slice(kRecordBatchHeaderSize, bytes_.size() - kRecordBatchHeaderSize);
}

uint32_t RecordBatch::ComputeCrc() const {
  HW_CHECK(header_.magic == kCurrentMagic);
  return CrcOf(bytes_, kBatchChecksumStart);
}

absl::Status RecordBatch::Validate() const {
  if (header_.magic != kCurrentMagic) {
    return absl::DataLossError(fmt::format("a batch of magic {} where 2 is needed", header_.magic));
  }
  const uint32_t crc = ComputeCrc();
  if (crc != header_.crc) {
    return absl::DataLossError(
        fmt::format("a batch at offset {} has the checksum {:08x}, its header says {:08x}",
                    header_.base_offset, crc, header_.crc));
  }
  if (header_.codec() > Codec::kZstd) {
    return absl::DataLossError(fmt::format("no codec {}", static_cast<int>(header_.codec())));
  }
  // [V7] An empty batch keeps its last offset delta.
  if (header_.record_count < 0 || header_.last_offset_delta < 0 ||
      int64_t{header_.record_count} > int64_t{header_.last_offset_delta} + 1) {
    return absl::DataLossError(fmt::format("a batch of {} records ends {} offsets after its base",
                                           header_.record_count, header_.last_offset_delta));
  }
  return absl::OkStatus();
}

RecordBatch RecordBatch::WithOffset(Offset base_offset, LeaderEpoch leader_epoch) const {
  HW_CHECK(header_.magic == kCurrentMagic);
  RecordBatchHeader header = header_;
  header.base_offset = base_offset;
  header.partition_leader_epoch = leader_epoch;
  uint8_t written[kRecordBatchHeaderSize];
  header.Write(written);
  core::ByteChain bytes(
      core::Bytes::Copy({reinterpret_cast<const char*>(written), kBatchChecksumStart}));
  bytes.Append(bytes_.Slice(kBatchChecksumStart, bytes_.size() - kBatchChecksumStart));
  return RecordBatch(header, std::move(bytes));
}

RecordBatch RecordBatch::WithAppendTime(Offset base_offset, LeaderEpoch leader_epoch,
                                        int64_t append_time_ms) const {
  RecordBatchHeader header = header_;
  header.base_offset = base_offset;
  header.partition_leader_epoch = leader_epoch;
  header.attributes |= kLogAppendTimeBit;
  header.max_timestamp_ms = append_time_ms;
  return WithHeader(header);
}

RecordBatch RecordBatch::WithHeader(RecordBatchHeader header) const {
  const core::ByteChain records = body();
  header.magic = kCurrentMagic;
  header.batch_length = header_.batch_length;
  uint8_t written[kRecordBatchHeaderSize];
  header.Write(written);
  header.crc =
      core::Crc32c({written + kBatchChecksumStart, kRecordBatchHeaderSize - kBatchChecksumStart});
  for (const core::Bytes& slice : records.slices()) {
    header.crc = core::Crc32cExtend(header.crc, {slice.data(), slice.size()});
  }
  header.Write(written);
  core::ByteChain bytes(
      core::Bytes::Copy({reinterpret_cast<const char*>(written), sizeof(written)}));
  bytes.Append(records);
  return RecordBatch(header, std::move(bytes));
}

std::optional<RecordBatch> RecordBatchReader::Next() {
  if (rest_.empty() || !status_.ok()) return std::nullopt;
  absl::StatusOr<RecordBatch> batch = RecordBatch::Parse(rest_);
  if (!batch.ok()) {
    if (!absl::IsOutOfRange(batch.status())) status_ = batch.status();
    return std::nullopt;
  }
  rest_.RemovePrefix(batch->size());
  return *std::move(batch);
}

}  // namespace highwater::broker::protocol
