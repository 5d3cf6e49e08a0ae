#pragma once

// What the replicas of a partition held at a moment of a run, as their brokers told it.
//
//   const LogTable before = LogsAt(timeline, partition, event_index);
//   before.replicas.at(broker).EpochAt(57)    // leader epoch 5, or nothing
//
// Invariant: what a broker that lost its power still has is known once it has opened its log again;
// until then its log is as it was.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scenarios/timeline.h"

namespace highwater::reports {

struct ReplicaState {
  struct Span {
    int64_t from;  // up to the next one's, or the log's end
    int64_t epoch;
  };
  int64_t end = 0;
  std::vector<Span> spans;  // ascending
  bool leads = false;
  bool down = false;
  int64_t epoch = -1;  // under which it leads
  [[nodiscard]] std::optional<int64_t> EpochAt(int64_t offset) const;
};

struct LogTable {
  int64_t committed = 0;  // below the greatest high watermark that a leader ever had
  std::map<int32_t, ReplicaState> replicas;  // by host
};

// After the first `events` events of the timeline.
[[nodiscard]] LogTable LogsAt(const scenarios::Timeline& timeline, int32_t partition,
                              size_t events);

// Offsets × brokers around `offset`, as an HTML table under `caption`.
[[nodiscard]] std::string LogTableHtml(const scenarios::Timeline& timeline, const LogTable& table,
                                       int64_t offset, const std::string& caption);

}  // namespace highwater::reports
