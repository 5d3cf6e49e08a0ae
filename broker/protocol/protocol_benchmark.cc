// What one acked produce costs in the codec alone, and what a batch costs to build and to check.

#include <benchmark/benchmark.h>

#include <string>

#include "broker/protocol/fetch.h"
#include "broker/protocol/frame.h"
#include "broker/protocol/produce.h"
#include "broker/protocol/record.h"
#include "broker/protocol/record_batch_builder.h"
#include "core/check.h"

namespace highwater::broker::protocol {
namespace {

core::ByteChain BatchOf(size_t value_bytes) {
  RecordBatchBuilder builder({.producer_id = ProducerId(9),
                              .producer_epoch = 0,
                              .base_sequence = 0,
                              .expected_bytes = value_bytes + 32});
  const std::string value(value_bytes, 'v');
  builder.Append(1'600'000'000'000, "key", value);
  absl::StatusOr<RecordBatch> batch = std::move(builder).Build();
  HW_CHECK(batch.ok());
  return batch->bytes();
}

ProduceRequest RequestOf(const core::ByteChain& batch) {
  ProduceRequest request;
  request.acks = -1;
  request.timeout_ms = 30000;
  request.topic_data.push_back(
      {.name = "orders", .partition_data = {{.index = 3, .records = batch}}});
  return request;
}

ProduceResponse ResponseOf() {
  ProduceResponse response;
  response.responses.push_back(
      {.name = "orders", .partition_responses = {{.index = 3, .base_offset = 4711}}});
  return response;
}

// The bytes of a payload without the frame's length, as a connection hands them on.
core::ByteChain Receive(const core::Payload& payload) {
  core::ByteChain received = ToChain(payload);
  absl::StatusOr<std::optional<core::ByteChain>> frame =
      TakeFrame(received, kDefaultMaxRequestBytes);
  HW_CHECK(frame.ok() && frame->has_value());
  return **std::move(frame);
}

void BM_EncodeProduceRequest(benchmark::State& state) {
  const ProduceRequest request = RequestOf(BatchOf(1024));
  const std::optional<std::string> client_id = "orders-app";
  for (auto _ : state) {
    benchmark::DoNotOptimize(EncodeRequest(CorrelationId(7), client_id, request, 9));
  }
}
BENCHMARK(BM_EncodeProduceRequest);

void BM_DecodeProduceRequest(benchmark::State& state) {
  const core::ByteChain frame =
      Receive(*EncodeRequest(CorrelationId(7), "orders-app", RequestOf(BatchOf(1024)), 9));
  for (auto _ : state) {
    Decoder decoder(frame);
    benchmark::DoNotOptimize(ReadRequestHeader(decoder));
    benchmark::DoNotOptimize(ProduceRequest::Decode(decoder, 9));
    HW_CHECK(decoder.ok());
  }
}
BENCHMARK(BM_DecodeProduceRequest);

// Request and response, both encoded on one side and decoded on the other, with frames and headers.
void BM_ProduceBothWays(benchmark::State& state) {
  const ProduceRequest request = RequestOf(BatchOf(static_cast<size_t>(state.range(0))));
  const ProduceResponse response = ResponseOf();
  const std::optional<std::string> client_id = "orders-app";
  for (auto _ : state) {
    const core::ByteChain sent = Receive(*EncodeRequest(CorrelationId(7), client_id, request, 9));
    Decoder decoder(sent);
    HW_CHECK(ReadRequestHeader(decoder).ok());
    const ProduceRequest received = ProduceRequest::Decode(decoder, 9);
    HW_CHECK(decoder.ok() && received.topic_data.size() == 1);
    const core::ByteChain answer = Receive(*EncodeResponse(CorrelationId(7), response, 9));
    HW_CHECK(DecodeResponse<ProduceResponse>(answer, 9).ok());
  }
}
BENCHMARK(BM_ProduceBothWays)->Arg(1024)->Arg(16384);

// A follower's fetch and the answer that carries one batch.
void BM_FetchBothWays(benchmark::State& state) {
  FetchRequest request;
  request.topics.push_back(
      {.topic = "orders", .partitions = {{.partition = 3, .fetch_offset = 4711}}});
  FetchResponse response;
  response.responses.push_back({.topic = "orders"});
  response.responses[0].partitions.push_back(
      {.partition_index = 3, .high_watermark = 4711, .records = BatchOf(1024)});
  const std::optional<std::string> client_id = "replica-2";
  for (auto _ : state) {
    const core::ByteChain sent = Receive(*EncodeRequest(CorrelationId(7), client_id, request, 12));
    Decoder decoder(sent);
    HW_CHECK(ReadRequestHeader(decoder).ok());
    const FetchRequest received = FetchRequest::Decode(decoder, 12);
    HW_CHECK(decoder.ok() && received.topics.size() == 1);
    const core::ByteChain answer = Receive(*EncodeResponse(CorrelationId(7), response, 12));
    HW_CHECK(DecodeResponse<FetchResponse>(answer, 12).ok());
  }
}
BENCHMARK(BM_FetchBothWays);

void BM_BuildBatch(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(BatchOf(size));
}
BENCHMARK(BM_BuildBatch)->Arg(1024)->Arg(16384);

// A batch that nobody has checked yet, in a new block each time.
void BM_BuildAndValidateBatch(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    const absl::StatusOr<RecordBatch> batch = RecordBatch::Parse(BatchOf(size));
    HW_CHECK(batch.ok() && batch->Validate().ok());
  }
}
BENCHMARK(BM_BuildAndValidateBatch)->Arg(1024)->Arg(16384);

// What each further replica pays for the same block: the checksum is remembered, also through a
// move to another offset.
void BM_ValidateAgainAtAnotherOffset(benchmark::State& state) {
  const absl::StatusOr<RecordBatch> batch = RecordBatch::Parse(BatchOf(1024));
  HW_CHECK(batch.ok() && batch->Validate().ok());
  for (auto _ : state) {
    const RecordBatch moved = batch->WithOffset(Offset(4711), LeaderEpoch(3));
    HW_CHECK(moved.Validate().ok());
  }
}
BENCHMARK(BM_ValidateAgainAtAnotherOffset);

void BM_ReadRecords(benchmark::State& state) {
  const absl::StatusOr<RecordBatch> batch = RecordBatch::Parse(BatchOf(1024));
  for (auto _ : state) {
    absl::StatusOr<RecordReader> reader = RecordReader::Open(*batch);
    while (const RecordView* record = reader->Next()) benchmark::DoNotOptimize(record->value);
  }
}
BENCHMARK(BM_ReadRecords);

}  // namespace
}  // namespace highwater::broker::protocol
