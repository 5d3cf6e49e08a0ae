#include "broker/client/fetched_partition.h"

#include <algorithm>

#include "core/mark.h"

namespace highwater::broker::client {

FetchedPartition::FetchedPartition(core::ByteChain bytes, Offset position,
                                   std::vector<AbortedTransaction> aborted,
                                   IsolationLevel isolation_level, bool check_crcs)
    : batches_(bytes),
      size_(bytes.size()),
      position_(position),
      aborted_(std::move(aborted)),
      read_committed_(isolation_level == IsolationLevel::kReadCommitted),
      check_crcs_(check_crcs) {
  std::stable_sort(aborted_.begin(), aborted_.end(),
                   [](const AbortedTransaction& a, const AbortedTransaction& b) {
                     return a.first_offset < b.first_offset;
                   });
}

bool FetchedPartition::Take(size_t max, std::vector<ConsumerRecord>& out) {
  while (max > 0) {
    if (!reader_.has_value() && !OpenNext()) return false;
    const protocol::RecordView* view = reader_->Next();
    if (view == nullptr) {
      if (!reader_->status().ok()) return Fail(reader_->status());
      EndBatch(header_);
      continue;
    }
    if (view->offset < position_) continue;  // the fetched offset lay inside the batch
    ConsumerRecord& record = out.emplace_back();
    record.offset = view->offset;
    record.leader_epoch = header_.partition_leader_epoch;
    record.timestamp = absl::FromUnixMillis(view->timestamp_ms);
    if (view->key.has_value()) record.key = reader_->Keep(*view->key);
    if (view->value.has_value()) record.value = reader_->Keep(*view->value);
    for (const auto& header : view->headers) {
      ConsumedHeader& kept = record.headers.emplace_back();
      kept.key = std::string(header.key);
      if (header.value.has_value()) kept.value = reader_->Keep(*header.value);
    }
    position_ = view->offset + 1;
    last_epoch_ = header_.partition_leader_epoch;
    --max;
  }
  return true;
}

bool FetchedPartition::OpenNext() {
  if (!status_.ok()) return false;
  while (const std::optional<protocol::RecordBatch> batch = batches_.Next()) {
    any_batch_ = true;
    if (batch->header().magic != protocol::kCurrentMagic) {
      return Fail(absl::InvalidArgumentError("a batch of an old format"));
    }
    if (check_crcs_) {
      if (absl::Status valid = batch->Validate(); !valid.ok()) return Fail(std::move(valid));
    }
    if (batch->header().next_offset() <= position_) continue;
    if (IsAborted(*batch)) {
      HW_MARK("client_skipped_aborted_batch");
      EndBatch(batch->header());
      continue;
    }
    if (batch->header().is_control()) {
      EndBatch(batch->header());
      continue;
    }
    return Open(*batch);
  }
  if (!batches_.status().ok()) return Fail(batches_.status());
  if (!any_batch_ && size_ > 0) {
    return Fail(absl::ResourceExhaustedError("the first batch did not fit into the answer"));
  }
  return false;
}

bool FetchedPartition::Open(const protocol::RecordBatch& batch) {
  auto reader = protocol::RecordReader::Open(batch);
  if (!reader.ok()) return Fail(reader.status());
  reader_.emplace(*std::move(reader));
  header_ = batch.header();
  return true;
}

bool FetchedPartition::IsAborted(const protocol::RecordBatch& batch) {
  if (!read_committed_) return false;
  const protocol::RecordBatchHeader& header = batch.header();
  while (next_aborted_ < aborted_.size() &&
         Offset(aborted_[next_aborted_].first_offset) <= header.last_offset()) {
    aborted_producers_.insert(aborted_[next_aborted_++].producer_id);
  }
  const int64_t producer = header.producer_id.value();
  if (header.is_control()) {
    if (!aborted_producers_.contains(producer)) return false;
    auto reader = protocol::RecordReader::Open(batch);
    const protocol::RecordView* view = reader.ok() ? reader->Next() : nullptr;
    if (view == nullptr) return false;
    const auto control = protocol::ParseControlRecord(*view);
    if (control.ok() && control->type == static_cast<int16_t>(protocol::ControlType::kAbort)) {
      aborted_producers_.erase(producer);
    }
    return false;
  }
  return header.is_transactional() && aborted_producers_.contains(producer);
}

void FetchedPartition::EndBatch(const protocol::RecordBatchHeader& header) {
  reader_.reset();
  position_ = std::max(position_, header.next_offset());
  last_epoch_ = header.partition_leader_epoch;
}

bool FetchedPartition::Fail(absl::Status status) {
  HW_MARK("client_corrupt_fetch");
  reader_.reset();
  status_ = std::move(status);
  return false;
}

}  // namespace highwater::broker::client
