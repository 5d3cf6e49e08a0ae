#pragma once

// TopicStore: what a broker that is its own controller keeps of its topics on disk: a text file
// `highwater-topics` in each log directory, all alike.
//
//   version: 0
//   serial: 12
//   cluster: vPeOCWypqUOSepEvx0cbog
//   starts: 3
//   topic: orders id=7Xy0vQ2bS0-LfFh1pTtBzA partitions=6
//   config: orders flush.messages=1
//   deleting: old id=3b2vQ2bS0-LfFh1pTtBzAQ partitions=2
//
// A change is written to every directory that works, atomically, with a greater serial; the
// greatest serial counts at start. A topic stands in the file before its first log directory is
// made and until its last one is gone, `deleting` from the moment on at which its deletion is
// decided: so a crash at any point leaves something that the next start completes.
//
// The starts count how often the broker has begun to lead: a leader epoch is never below it, and so
// grows with each start even where a power loss takes every record of the last one (two records
// would share an epoch and an offset otherwise).
//
// Not responsible for: what the logs hold.

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <map>
#include <string>
#include <string_view>

#include "broker/protocol/uuid.h"
#include "broker/server/topic_config.h"
#include "core/file_system.h"

namespace highwater::broker {

struct StoredTopic {
  protocol::Uuid id;
  int32_t partitions = 0;
  TopicOverrides overrides;
  bool deleting = false;

  friend bool operator==(const StoredTopic&, const StoredTopic&) = default;
};

struct StoredTopics {
  int64_t serial = 0;
  protocol::Uuid cluster_id;
  int64_t starts = 0;
  std::map<std::string, StoredTopic, std::less<>> topics;

  friend bool operator==(const StoredTopics&, const StoredTopics&) = default;

  [[nodiscard]] std::string ToText() const;
  // DataLoss with the line that is wrong.
  [[nodiscard]] static absl::StatusOr<StoredTopics> Parse(std::string_view text);
};

class TopicStore {
 public:
  static constexpr std::string_view kFileName = "highwater-topics";

  // The newest file of the directories; no topics and no cluster id if none has one. DataLoss if
  // there are files but none can be read: to go on without any could make topics vanish.
  [[nodiscard]] static absl::StatusOr<StoredTopics> Load(core::FileSystem& files,
                                                         absl::Span<const std::string> directories);
  // Writes it to each directory; durable when it returns. Fails if any write fails.
  [[nodiscard]] static absl::Status Save(core::FileSystem& files,
                                         absl::Span<const std::string> directories,
                                         const StoredTopics& topics);
};

}  // namespace highwater::broker
