#include "broker/zookeeper/log/file_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace highwater::broker::zookeeper {
namespace {

constexpr std::string_view kLogPrefix = "log.";
constexpr std::string_view kSnapshotPrefix = "snapshot.";
constexpr std::string_view kInstallPrefix = "install.";

// Lower-case hex without leading zeros, as Java's Long.toHexString: a zxid has one name.
std::optional<Zxid> ParseName(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  int64_t value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value, 16);
  if (error != std::errc() || end != name.data() + name.size() || value < 0) return std::nullopt;
  if (fmt::format("{:x}", value) != name) return std::nullopt;
  return Zxid(value);
}

}  // namespace

std::string LogFileName(Zxid first) { return fmt::format("{}{:x}", kLogPrefix, first.value()); }

std::string SnapshotFileName(Zxid zxid) {
  return fmt::format("{}{:x}", kSnapshotPrefix, zxid.value());
}

std::string InstallFileName(Zxid zxid) {
  return fmt::format("{}{:x}", kInstallPrefix, zxid.value());
}

DataFiles ClassifyFiles(absl::Span<const core::DirectoryEntry> entries) {
  DataFiles files;
  for (const core::DirectoryEntry& entry : entries) {
    if (entry.kind != core::FileInfo::Kind::kFile) continue;
    if (const auto log = ParseName(entry.name, kLogPrefix)) {
      files.logs.push_back(*log);
    } else if (const auto snapshot = ParseName(entry.name, kSnapshotPrefix)) {
      files.snapshots.push_back(*snapshot);
    } else if (const auto installing = ParseName(entry.name, kInstallPrefix)) {
      files.installing = *installing;
    } else if (entry.name.starts_with(kSnapshotPrefix) && entry.name.ends_with(".tmp")) {
      files.unfinished.push_back(entry.name);
    }
  }
  std::sort(files.logs.begin(), files.logs.end());
  std::sort(files.snapshots.begin(), files.snapshots.end());
  return files;
}

}  // namespace highwater::broker::zookeeper
