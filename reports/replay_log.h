#pragma once

// ReplayLog: what `highwater replay` prints of a run: a line for each transition, aligned by
// broker.
//
//   ReplayLog log({"broker-0", "broker-1", "broker-2"}, style, options);
//   for (const RunEvent& event : run) fmt::print("{}", log.Add(event));
//
// A line is: when, a lane of one character for each broker, who, which partition, what.
//
//   time       0 1 2  who       partition  what
//   00:09.121  · x ·            FAULT      broker-1 crashes: its process is killed
//   00:12.302  E x ·  broker-0  orders-1   elects broker-2, leader epoch 1, ISR 2 0
//   00:12.344  · x L  broker-2  orders-1   leads from offset 83, leader epoch 1
//
// The letter in a lane says what its broker does in this line; `·` is a broker that serves, `x` one
// that does not.
//
// Not responsible for: what happened (the narrator says it), the failure's own story
// (failure_screen.h).

#include <absl/time/time.h>

#include <map>
#include <string>
#include <vector>

#include "reports/text.h"
#include "scenarios/seed_result.h"

namespace highwater::reports {

// Which moves of high watermarks are shown.
struct HighWatermarkLines {
  // At most one line in so long for each partition, but always the first one after another
  // transition of that partition. Zero: every move; infinite: only those first ones.
  absl::Duration interval = absl::Seconds(5);
  bool none = false;
};

struct ReplayLogOptions {
  // Also what is no transition: appends, flushes, acknowledgements, what clients are told.
  bool every_event = false;
  HighWatermarkLines high_watermarks;
};

class ReplayLog {
 public:
  ReplayLog(std::vector<std::string> brokers, const Style& style, const ReplayLogOptions& options);

  // The names of the columns and what the letters mean.
  [[nodiscard]] std::string Header() const;
  // The line with its end; empty if this event is not shown.
  [[nodiscard]] std::string Add(const scenarios::RunEvent& event);

 private:
  struct HighWatermark {
    int64_t shown = 0;
    absl::Duration shown_at = -absl::InfiniteDuration();
    bool changed_since = false;  // a transition of the partition was shown since
  };

  [[nodiscard]] bool Shows(const scenarios::RunEvent& event);
  [[nodiscard]] std::string Lanes(const scenarios::RunEvent& event, size_t acting) const;
  [[nodiscard]] std::string TextOf(const scenarios::RunEvent& event);
  [[nodiscard]] size_t LaneOf(const std::string& actor) const;

  std::vector<std::string> brokers_;
  Style style_;
  ReplayLogOptions options_;
  std::vector<bool> up_;
  size_t who_width_;
  size_t partition_width_;
  std::map<std::string, HighWatermark> high_watermarks_;
};

}  // namespace highwater::reports
