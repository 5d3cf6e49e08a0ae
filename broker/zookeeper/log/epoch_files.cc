#include "broker/zookeeper/log/epoch_files.h"

#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

constexpr std::string_view kAccepted = "acceptedEpoch";
constexpr std::string_view kCurrent = "currentEpoch";

std::string PathOf(const DataDirectories& directories, std::string_view name) {
  return fmt::format("{}/{}", directories.snapshots, name);
}

absl::StatusOr<std::optional<int32_t>> ReadEpoch(core::FileSystem& files, const std::string& path) {
  const absl::StatusOr<std::string> text = core::ReadWholeFile(files, path);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  HW_RETURN_IF_ERROR(text.status());
  const absl::StatusOr<int32_t> epoch = ParseEpoch(*text);
  if (!epoch.ok()) {
    return absl::DataLossError(fmt::format("{}: {}", path, std::string(epoch.status().message())));
  }
  return *epoch;
}

absl::Status Store(core::FileSystem& files, const DataDirectories& directories,
                   std::string_view name, int32_t epoch) {
  return core::WriteFileAtomically(files, PathOf(directories, name), fmt::format("{}", epoch));
}

}  // namespace

absl::StatusOr<int32_t> ParseEpoch(std::string_view text) {
  int32_t epoch = 0;
  if (!absl::SimpleAtoi({text.data(), text.size()}, &epoch) || epoch < 0) {
    return absl::InvalidArgumentError(
        fmt::format("\"{}\" is no epoch", text.substr(0, std::min<size_t>(text.size(), 40))));
  }
  return epoch;
}

absl::StatusOr<Epochs> JudgeEpochs(const StoredEpochs& stored, Zxid last) {
  const int32_t logged = EpochOf(last);
  Epochs epochs;
  epochs.current = std::max(stored.current.value_or(logged), logged);
  epochs.accepted = stored.accepted.value_or(epochs.current);
  if (epochs.accepted < epochs.current) {
    return absl::DataLossError(fmt::format("acceptedEpoch, {}, is less than currentEpoch, {}",
                                           epochs.accepted, epochs.current));
  }
  return epochs;
}

absl::StatusOr<Epochs> LoadEpochs(core::FileSystem& files, const DataDirectories& directories,
                                  Zxid last) {
  StoredEpochs stored;
  HW_ASSIGN_OR_RETURN(stored.accepted, ReadEpoch(files, PathOf(directories, kAccepted)));
  HW_ASSIGN_OR_RETURN(stored.current, ReadEpoch(files, PathOf(directories, kCurrent)));
  HW_ASSIGN_OR_RETURN(const Epochs epochs, JudgeEpochs(stored, last));
  if (stored.accepted != epochs.accepted) {
    HW_RETURN_IF_ERROR(StoreAcceptedEpoch(files, directories, epochs.accepted));
  }
  if (stored.current != epochs.current) {
    HW_RETURN_IF_ERROR(StoreCurrentEpoch(files, directories, epochs.current));
  }
  return epochs;
}

absl::Status StoreAcceptedEpoch(core::FileSystem& files, const DataDirectories& directories,
                                int32_t epoch) {
  return Store(files, directories, kAccepted, epoch);
}

absl::Status StoreCurrentEpoch(core::FileSystem& files, const DataDirectories& directories,
                               int32_t epoch) {
  return Store(files, directories, kCurrent, epoch);
}

}  // namespace highwater::broker::zookeeper
