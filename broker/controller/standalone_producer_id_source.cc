#include "broker/controller/standalone_producer_id_source.h"

#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker {

using protocol::ErrorCode;

std::string StandaloneProducerIdSource::Print(ProducerId next) {
  return fmt::format("version: 0\nnext: {}\n", next);
}

absl::StatusOr<ProducerId> StandaloneProducerIdSource::Parse(std::string_view text) {
  constexpr std::string_view kHead = "version: 0\nnext: ";
  int64_t next = -1;
  if (text.starts_with(kHead) && text.ends_with('\n')) {
    const std::string_view digits = text.substr(kHead.size(), text.size() - kHead.size() - 1);
    if (!absl::SimpleAtoi(absl::string_view(digits.data(), digits.size()), &next)) next = -1;
  }
  if (next < 0 || Print(ProducerId(next)) != text) {
    return absl::DataLossError(fmt::format("{} is malformed", kFileName));
  }
  return ProducerId(next);
}

absl::StatusOr<ProducerId> StandaloneProducerIdSource::Load(
    const std::vector<std::string>& directories) {
  ProducerId next{0};
  bool found = false;
  absl::Status damage;
  for (const std::string& directory : directories) {
    const auto text = core::ReadWholeFile(files_, fmt::format("{}/{}", directory, kFileName));
    if (absl::IsNotFound(text.status())) continue;
    const absl::StatusOr<ProducerId> read = text.ok() ? Parse(*text) : text.status();
    if (absl::IsCancelled(read.status())) return read;
    if (!read.ok()) {
      damage = read.status();
      continue;
    }
    found = true;
    next = std::max(next, *read);
  }
  if (!found && !damage.ok()) return damage;
  return next;
}

StandaloneProducerIdSource::Result StandaloneProducerIdSource::Allocate(core::MonotonicTime) {
  const std::vector<std::string> directories = directories_();
  if (directories.empty()) return {.error = ErrorCode::KAFKA_STORAGE_ERROR};
  if (!next_) {
    const absl::StatusOr<ProducerId> loaded = Load(directories);
    if (!loaded.ok()) return {.error = ErrorCode::KAFKA_STORAGE_ERROR};
    next_ = *loaded;
  }
  if (next_->value() > std::numeric_limits<int64_t>::max() - kBlockSize) {
    return {.error = ErrorCode::UNKNOWN_SERVER_ERROR};
  }
  const ProducerIdBlock block{.first = *next_, .size = kBlockSize};
  // On disk before anybody has one of them: the file may tell of a block that was never used, and
  // never of less than was.
  for (const std::string& directory : directories) {
    const absl::Status written = core::WriteFileAtomically(
        files_, fmt::format("{}/{}", directory, kFileName), Print(block.end()));
    if (!written.ok()) {
      HW_MARK("producer_id_block_not_written");
      return {.error = ErrorCode::KAFKA_STORAGE_ERROR};
    }
  }
  next_ = block.end();
  return {.block = block};
}

}  // namespace highwater::broker
