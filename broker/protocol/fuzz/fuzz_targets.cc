#include "broker/protocol/fuzz/fuzz_targets.h"

#include <string>
#include <string_view>

#include "broker/protocol/compression.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/frame.h"
#include "broker/protocol/legacy_messages.h"
#include "broker/protocol/message.h"
#include "broker/protocol/produce.h"
#include "broker/protocol/record.h"
#include "broker/protocol/record_batch.h"
#include "broker/protocol/record_batch_builder.h"
#include "broker/protocol/testing/message_table.h"
#include "core/check.h"

namespace highwater::broker::protocol::fuzz {
namespace {

using core::ByteChain;
using core::Bytes;

// Small, so that a fuzzer finds the bound and stays fast.
constexpr size_t kMaxDecompressed = 1 << 20;

Bytes ToBytes(absl::Span<const uint8_t> input) {
  return Bytes::Copy({reinterpret_cast<const char*>(input.data()), input.size()});
}

// Slices of 1, 2, 3, … bytes: the same content with values across cuts.
ByteChain CutUp(const Bytes& bytes) {
  ByteChain chain;
  for (size_t at = 0, size = 1; at < bytes.size(); at += size, size = size % 13 + 1) {
    chain.Append(bytes.Slice(at, std::min(size, bytes.size() - at)));
  }
  return chain;
}

// Builds a batch anew from the records that `batch` gave: they must come out of it again.
void CheckRecordsAgain(const RecordBatch& batch) {
  absl::StatusOr<RecordReader> reader = RecordReader::Open(batch, kMaxDecompressed);
  if (!reader.ok()) return;
  RecordBatchBuilder builder({});
  int32_t count = 0;
  while (const RecordView* record = reader->Next()) {
    builder.Append(record->timestamp_ms, record->key, record->value, record->headers);
    ++count;
  }
  const absl::StatusOr<RecordBatch> again = std::move(builder).Build();
  HW_CHECK(again.ok() && again->Validate().ok());
  absl::StatusOr<RecordReader> again_reader = RecordReader::Open(*again);
  HW_CHECK(again_reader.ok());
  while (again_reader->Next() != nullptr) --count;
  HW_CHECK(count == 0 && again_reader->status().ok(), "{}", again_reader->status().ToString());
}

}  // namespace

void FuzzMessage(absl::Span<const uint8_t> input) {
  if (input.size() < 2) return;
  const auto& all = testing::AllMessages();
  const testing::MessageType& type = all[input[0] % all.size()];
  const int versions = type.highest_version - type.lowest_version + 1;
  const auto version = static_cast<int16_t>(type.lowest_version + input[1] % versions);
  const Bytes body = ToBytes(input.subspan(2));
  const absl::StatusOr<testing::Recoded> whole = type.recode(body, version);
  const absl::StatusOr<testing::Recoded> cut = type.recode(CutUp(body), version);
  HW_CHECK(whole.ok() == cut.ok(), "{} v{}", std::string(type.name), version);
  if (!whole.ok()) return;
  HW_CHECK(whole->bytes == cut->bytes && whole->left_over == cut->left_over);
  const absl::StatusOr<testing::Recoded> again = type.recode(whole->bytes, version);
  HW_CHECK(again.ok() && again->bytes == whole->bytes && again->left_over == 0, "{} v{}",
           std::string(type.name), version);
}

void FuzzRecordBatch(absl::Span<const uint8_t> input) {
  RecordBatchReader reader(CutUp(ToBytes(input)));
  while (const std::optional<RecordBatch> batch = reader.Next()) {
    if (batch->header().magic < kCurrentMagic) {
      const absl::StatusOr<LegacyMessage> message = ReadLegacyMessage(*batch);
      if (!message.ok()) continue;
      HW_CHECK(ByteChain(WriteLegacyMessage(*message)) == batch->bytes());
      (void)UnwrapLegacyMessage(*message, kMaxDecompressed);
      continue;
    }
    // With the checksum made right, so that a fuzzer gets past it.
    const RecordBatch right = batch->WithHeader(batch->header());
    HW_CHECK(right.ComputeCrc() == right.header().crc);
    HW_CHECK(right.WithOffset(Offset(1), LeaderEpoch(2)).ComputeCrc() == right.header().crc);
    if (right.Validate().ok()) CheckRecordsAgain(right);
  }
}

void FuzzDecompress(absl::Span<const uint8_t> input) {
  if (input.empty()) return;
  const auto codec = static_cast<Codec>(input[0] % 5);
  const absl::StatusOr<Bytes> data = Decompress(codec, ToBytes(input.subspan(1)), kMaxDecompressed);
  if (!data.ok()) return;
  HW_CHECK(data->size() <= kMaxDecompressed);
  core::BytesBuilder compressed;
  HW_CHECK(Compress(codec, data->view(), compressed).ok());
  if (data->empty()) return;
  const absl::StatusOr<Bytes> again =
      Decompress(codec, std::move(compressed).Freeze(), data->size());
  HW_CHECK(again.ok() && *again == *data, "{}", std::string(NameOf(codec)));
}

void FuzzFrame(absl::Span<const uint8_t> input) {
  ByteChain buffered = CutUp(ToBytes(input));
  while (true) {
    const absl::StatusOr<std::optional<ByteChain>> frame = TakeFrame(buffered, kMaxDecompressed);
    if (!frame.ok() || !frame->has_value()) return;
    const absl::StatusOr<ParsedRequest> request = ParseRequest(**frame);
    if (!request.ok()) continue;
    const int16_t version = request->header.api_version;
    if (request->header.api_key == ApiKey::kProduce) {
      (void)DecodeMessage<ProduceRequest>(request->body, version);
    } else if (request->header.api_key == ApiKey::kFetch) {
      (void)DecodeMessage<FetchRequest>(request->body, version);
    }
    (void)DecodeResponse<FetchResponse>(**frame, version);
  }
}

}  // namespace highwater::broker::protocol::fuzz
