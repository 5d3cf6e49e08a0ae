#pragma once

// Names of the files in `version-2`: log.<hex zxid of the first transaction> and
// snapshot.<hex of the last zxid applied before it was begun> [3.10, 3.11].

#include <absl/types/span.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/zookeeper/types.h"
#include "core/file_system.h"

namespace highwater::broker::zookeeper {

[[nodiscard]] std::string LogFileName(Zxid first);
[[nodiscard]] std::string SnapshotFileName(Zxid zxid);
// install.<hex>: a leader's snapshot that is to replace everything else.
[[nodiscard]] std::string InstallFileName(Zxid zxid);

// What the directory has of each kind, in the order of zxids. Files of other names are nobody's.
struct DataFiles {
  std::vector<Zxid> logs;
  std::vector<Zxid> snapshots;
  std::vector<std::string> unfinished;  // snapshots that were being written: <name>.tmp
  std::optional<Zxid> installing;
};
[[nodiscard]] DataFiles ClassifyFiles(absl::Span<const core::DirectoryEntry> entries);

}  // namespace highwater::broker::zookeeper
