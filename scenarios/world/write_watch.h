#pragma once

// WriteWatch: what became of the producers' records, as a client would count: how many that they
// were told are sent nobody can read in the end, how long a partition answered nobody, and who
// could write while the scenario watched; outside of the world, from the clients' history.
//
//   watch.SetCutOff("producer-0", true, now);       // the network parts
//   watch.AtRest(partitions, judged);               // what a reader found in the end
//   watch.AddTo(history, metrics);
//
// A record counts as lost if its producer was told success, the partition could be read whole and
// from its first record on, and it is nowhere in it. That is not a judgement: whether it was
// promised to stay is an invariant's matter (acked-durable). With acks=0 success is all that a
// producer is ever told.
//
// Not responsible for: which leader there was (availability.h).

#include <absl/time/time.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "invariants/history.h"
#include "invariants/invariant.h"
#include "scenarios/scenario.h"
#include "scenarios/seed_result.h"

namespace highwater::scenarios {

class WriteWatch {
 public:
  explicit WriteWatch(const Scenario& scenario);

  // Whether the client exchanges messages with less than half of all hosts. `at` never goes back.
  void SetCutOff(const std::string& client, bool cut_off, absl::Duration at);
  // `judged`: whether a topic is the one that it was when the run began.
  void AtRest(const std::vector<invariants::PartitionAtRest>& partitions,
              const std::function<bool(const std::string& topic)>& judged);

  void AddTo(const invariants::ClientHistory& history, SeedMetrics& metrics) const;

 private:
  struct Change {
    absl::Duration at;
    bool cut_off;
  };

  [[nodiscard]] bool IsCutOff(std::string_view client, absl::Duration at) const;
  [[nodiscard]] bool IsLost(const invariants::Send& send, invariants::RecordId id) const;
  void AddStalls(const invariants::ClientHistory& history, SeedMetrics& metrics) const;
  void AddWatched(const invariants::ClientHistory& history, SeedMetrics& metrics) const;

  absl::Duration load_begin_;
  absl::Duration load_end_;
  std::optional<DurationRange> window_;  // since the world began
  std::set<std::string> compacted_;      // topics that may lawfully lose records
  std::map<std::string, std::vector<Change>, std::less<>> changes_;  // by client
  std::map<broker::TopicPartition, absl::Duration> read_;  // whole partitions, and as of when
  std::vector<invariants::RecordId> found_;                // sorted
};

}  // namespace highwater::scenarios
