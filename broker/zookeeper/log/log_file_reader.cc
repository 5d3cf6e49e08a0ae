#include "broker/zookeeper/log/log_file_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

constexpr size_t kChunk = 256 << 10;
// Apache's server fills a file up by 64 MiB; a group of ours is far smaller.
constexpr uint64_t kMaxTail = 256 << 20;

}  // namespace

absl::StatusOr<std::unique_ptr<LogFileReader>> LogFileReader::Open(core::Environment& env,
                                                                   std::string path,
                                                                   std::optional<uint64_t> limit) {
  HW_ASSIGN_OR_RETURN(std::shared_ptr<core::File> file,
                      env.files.Open(path, core::OpenMode::kRead));
  HW_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::unique_ptr<LogFileReader> reader(new LogFileReader(
      env, std::move(path), std::move(file), limit.has_value() ? std::min(*limit, size) : size));
  return reader;
}

absl::Status LogFileReader::Fill(size_t size) {
  const uint64_t have = position_ + window_.size();
  if (window_.size() >= size || have == size_) return absl::OkStatus();
  const auto more = static_cast<size_t>(
      std::min<uint64_t>(size_ - have, std::max(kChunk, size - window_.size())));
  HW_ASSIGN_OR_RETURN(const core::ByteChain read, core::ReadExactly(*file_, have, more));
  core::ByteChain window(window_);
  window.Append(read);
  window_ = window.Flatten();
  env_.fibers.Yield();
  return absl::OkStatus();
}

absl::Status LogFileReader::ReadHeader() {
  HW_RETURN_IF_ERROR(Fill(kLogHeaderSize));
  if (!IsLogHeader(window_.view())) return absl::OkStatus();
  position_ = kLogHeaderSize;
  window_.RemovePrefix(kLogHeaderSize);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<LogRecord>> LogFileReader::Next() {
  if (position_ == 0) HW_RETURN_IF_ERROR(ReadHeader());
  if (position_ == 0) return std::nullopt;
  HW_RETURN_IF_ERROR(Fill(kRecordPrefixSize));
  ParsedRecord record = ParseRecord(window_);
  if (record.kind == ParsedRecord::Kind::kIncomplete) {
    HW_RETURN_IF_ERROR(Fill(record.size));
    record = ParseRecord(window_);
  }
  if (record.kind != ParsedRecord::Kind::kRecord) return std::nullopt;
  absl::StatusOr<LogRecord> logged = DecodePayload(record.payload);
  if (!logged.ok()) {
    return absl::DataLossError(fmt::format("{}: the record at byte {} holds no transaction: {}",
                                           path_, position_,
                                           std::string(logged.status().message())));
  }
  position_ += record.size;
  window_.RemovePrefix(record.size);
  return *std::move(logged);
}

absl::StatusOr<core::Bytes> LogFileReader::Rest() {
  if (size_ - position_ > kMaxTail) {
    return absl::ResourceExhaustedError(fmt::format(
        "{}: {} bytes stand behind the last good record, at byte {}; no power loss leaves so many",
        path_, size_ - position_, position_));
  }
  HW_RETURN_IF_ERROR(Fill(static_cast<size_t>(size_ - position_)));
  return window_;
}

}  // namespace highwater::broker::zookeeper
