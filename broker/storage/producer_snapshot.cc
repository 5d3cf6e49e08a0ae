#include "broker/storage/producer_snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "broker/protocol/decoder.h"
#include "broker/protocol/encoder.h"
#include "broker/storage/log_file_names.h"
#include "core/crc32c.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::storage {
namespace {

constexpr int16_t kVersion = 1;
constexpr size_t kCountAt = 6;  // behind version and checksum: where the checksum begins to cover
constexpr size_t kRowsAt = 10;
constexpr size_t kRowBytes = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
constexpr int64_t kNoTransaction = -1;

template <typename Integer>
void Put(std::string& text, Integer value) {
  uint8_t bytes[sizeof(Integer)];
  protocol::StoreBigEndian(bytes, static_cast<std::make_unsigned_t<Integer>>(value));
  text.append(reinterpret_cast<const char*>(bytes), sizeof(bytes));
}

template <typename Integer>
Integer Take(std::string_view& text) {
  const auto value = static_cast<Integer>(protocol::LoadBigEndian<std::make_unsigned_t<Integer>>(
      reinterpret_cast<const uint8_t*>(text.data())));
  text.remove_prefix(sizeof(Integer));
  return value;
}

uint32_t ChecksumOf(std::string_view bytes) {
  return core::Crc32c(
      {reinterpret_cast<const uint8_t*>(bytes.data()) + kCountAt, bytes.size() - kCountAt});
}

void PutRow(std::string& text, const ProducerStateEntry& entry, const ProducerBatchMetadata& batch,
            int64_t timestamp) {
  Put(text, entry.producer_id.value());
  Put(text, entry.epoch);
  Put(text, batch.last_sequence);
  Put(text, batch.last_offset.value());
  Put(text, batch.offset_delta);
  Put(text, timestamp);
  Put(text, entry.coordinator_epoch);
  Put(text, entry.open_transaction ? entry.open_transaction->value() : kNoTransaction);
}

int32_t PutRows(std::string& text, const ProducerStateEntry& entry, size_t batches) {
  const size_t kept = std::min(batches, entry.batches.size());
  if (kept == 0) {
    PutRow(text, entry, {}, entry.last_timestamp);
    return 1;
  }
  for (size_t i = entry.batches.size() - kept; i < entry.batches.size(); ++i) {
    const bool last = i + 1 == entry.batches.size();
    PutRow(text, entry, entry.batches[i], last ? entry.last_timestamp : entry.batches[i].timestamp);
  }
  return static_cast<int32_t>(kept);
}

}  // namespace

std::string EncodeProducerSnapshot(absl::Span<const ProducerStateEntry> entries,
                                   const ProducerStateRules& rules) {
  std::string text(kRowsAt, '\0');
  int32_t rows = 0;
  for (const ProducerStateEntry& entry : entries) {
    rows += PutRows(text, entry, rules.BatchesInSnapshot(entry));
  }
  auto* head = reinterpret_cast<uint8_t*>(text.data());
  protocol::StoreBigEndian(head, static_cast<uint16_t>(kVersion));
  protocol::StoreBigEndian(head + kCountAt, static_cast<uint32_t>(rows));
  protocol::StoreBigEndian(head + sizeof(kVersion), ChecksumOf(text));
  return text;
}

absl::StatusOr<std::vector<ProducerStateEntry>> DecodeProducerSnapshot(std::string_view bytes) {
  if (bytes.size() < kRowsAt) return absl::DataLossError("a producer snapshot is cut off");
  std::string_view rest = bytes;
  const auto version = Take<int16_t>(rest);
  if (version != kVersion) {
    return absl::DataLossError(fmt::format("a producer snapshot of version {}", version));
  }
  if (Take<uint32_t>(rest) != ChecksumOf(bytes)) {
    return absl::DataLossError("a producer snapshot's checksum is wrong");
  }
  const auto count = Take<int32_t>(rest);
  if (count < 0 || rest.size() != static_cast<size_t>(count) * kRowBytes) {
    return absl::DataLossError(
        fmt::format("a producer snapshot of {} rows has {} bytes", count, bytes.size()));
  }
  std::map<ProducerId, ProducerStateEntry> entries;
  for (int32_t i = 0; i < count; ++i) {
    const ProducerId id(Take<int64_t>(rest));
    ProducerStateEntry& entry = entries[id];
    const auto epoch = Take<int16_t>(rest);
    if (entry.epoch != epoch) entry.batches.clear();
    entry.producer_id = id;
    entry.epoch = epoch;
    ProducerBatchMetadata batch;
    batch.last_sequence = Take<int32_t>(rest);
    batch.last_offset = Offset(Take<int64_t>(rest));
    batch.offset_delta = Take<int32_t>(rest);
    batch.timestamp = Take<int64_t>(rest);
    entry.last_timestamp = batch.timestamp;
    entry.coordinator_epoch = Take<int32_t>(rest);
    const auto transaction = Take<int64_t>(rest);
    entry.open_transaction.reset();
    if (transaction >= 0) entry.open_transaction = Offset(transaction);
    if (batch.last_offset.value() < 0) continue;
    if (entry.batches.size() == ProducerStateEntry::kRememberedBatches) {
      entry.batches.erase(entry.batches.begin());
    }
    entry.batches.push_back(batch);
  }
  std::vector<ProducerStateEntry> sorted;
  for (auto& [id, entry] : entries) sorted.push_back(std::move(entry));
  return sorted;
}

std::vector<Offset> StraySnapshots(absl::Span<const Offset> snapshots,
                                   absl::Span<const Offset> segment_bases) {
  std::vector<Offset> stray;
  const auto newest = std::max_element(snapshots.begin(), snapshots.end());
  for (const Offset& offset : snapshots) {
    const bool based =
        std::find(segment_bases.begin(), segment_bases.end(), offset) != segment_bases.end();
    if (!based && offset != *newest) stray.push_back(offset);
  }
  return stray;
}

std::string ProducerSnapshotFiles::PathOf(Offset offset) const {
  return fmt::format("{}/{}", directory_, FileNameOf(offset, kProducerSnapshotSuffix));
}

absl::Status ProducerSnapshotFiles::Write(Offset offset, const ProducerStateManager& producers) {
  if (!empty() && newest() == offset) return absl::OkStatus();
  const std::string bytes = EncodeProducerSnapshot(producers.Entries(), producers.rules());
  HW_RETURN_IF_ERROR(core::WriteFileAtomically(files_, PathOf(offset), bytes));
  offsets_.insert(offset);
  return absl::OkStatus();
}

absl::StatusOr<Offset> ProducerSnapshotFiles::LoadNewest(ProducerStateManager& producers) {
  while (!empty()) {
    const Offset offset = newest();
    const absl::StatusOr<std::string> bytes = core::ReadWholeFile(files_, PathOf(offset));
    if (!absl::IsNotFound(bytes.status())) HW_RETURN_IF_ERROR(bytes.status());
    const auto entries = bytes.ok() ? DecodeProducerSnapshot(*bytes) : bytes.status();
    if (entries.ok()) {
      producers.Load(*entries);
      return offset;
    }
    HW_MARK("producer_snapshot_damaged");
    HW_RETURN_IF_ERROR(Remove(offset));
  }
  producers.Clear();
  return kNoOffset;
}

absl::Status ProducerSnapshotFiles::Remove(Offset offset) {
  offsets_.erase(offset);
  const absl::Status removed = files_.Remove(PathOf(offset));
  return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
}

absl::Status ProducerSnapshotFiles::RemoveAbove(Offset offset) {
  if (empty() || newest() <= offset) return absl::OkStatus();
  while (!empty() && newest() > offset) HW_RETURN_IF_ERROR(Remove(newest()));
  return files_.SyncDirectory(directory_);
}

absl::Status ProducerSnapshotFiles::RemoveBelow(Offset offset) {
  while (offsets_.size() > 1 && *std::next(offsets_.begin()) <= offset) {
    HW_RETURN_IF_ERROR(Remove(*offsets_.begin()));
  }
  return absl::OkStatus();
}

absl::Status ProducerSnapshotFiles::RemoveStray(absl::Span<const Offset> segment_bases) {
  for (const Offset offset : StraySnapshots(offsets(), segment_bases)) {
    HW_RETURN_IF_ERROR(Remove(offset));
  }
  return absl::OkStatus();
}

}  // namespace highwater::broker::storage
