#pragma once

// Timeline: what happened in one run, as values with places instead of words: for whoever draws it.
//
//   for (const TimelineEvent& event : result.timeline.events) {
//     if (event.kind == TimelineKind::kAppended) Draw(timeline.hosts[event.host].name, event.to);
//   }
//
// Not responsible for: what it means (the violations and their chains say that), how it looks
// (reports/).
//
// Invariants
// 1. `events` are sorted by `at`; events of one instant stand in the order in which they were told.
// 2. Equal scenario, seed and build give an equal timeline.
// 3. All indices are those of the vectors beside, or -1.

#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace highwater::scenarios {

enum class TimelineHostKind : uint8_t { kBroker, kZooKeeper, kClient };
inline constexpr int kTimelineHostKinds = 3;

struct TimelineHost {
  std::string name;  // `broker-2`
  std::string zone;  // `az-b`
  TimelineHostKind kind = TimelineHostKind::kBroker;
  friend bool operator==(const TimelineHost&, const TimelineHost&) = default;
};

// What the fields of an event mean beside `at` and `host`.
enum class TimelineKind : uint8_t {
  kUp,          // a broker serves
  kDown,        // its process has ended; `name`: how, where a fault does not say it
  kController,  // it became the controller in controller epoch `epoch`
  kResigned,    // it is the controller no more
  kElection,    // the controller `host` has written: leader `peer` (-1: none), `epoch`, `brokers`
                // in sync; `name`: `unclean`, or empty
  kLeads,       // from log end offset `to`, `epoch`
  kFollows,     // leader `peer`, from log end offset `to`, `epoch`
  kIsr,         // in-sync replicas `brokers`, as the leader `host` knows them; `epoch`
  kHighWatermark,  // of the leader: `to`; `epoch`
  kAppended,       // records [from, to), `epoch`
  kFlushed,        // up to log end offset `to`
  kTruncated,      // to log end offset `to`
  kLoaded,         // log [from, to)
  kLogDeleted,     // its replica is no more
  kFetched,        // the leader `host` learns that `peer` stores all below `to`; `epoch`
  kAcknowledged,   // the leader answers a Produce of records [from, to); `epoch`
  kSend,           // a producer's record from `at` until it was told at `until`: `name` says what;
                   // `from`: its offset
  kRequest,        // a broker's answer to a request called `name` that had come at `at`
  kMessage,        // `name`, of `to` bytes, sent at `at`, received by `peer` at `until`
  kFault,          // `name`: in words; until it is withdrawn at `until`; `brokers`: who is hit
  kUnavailable,    // `to` partitions have no leader that can serve
  kViolation,      // of the invariant `name`, about offset `from` if that is not negative
};
inline constexpr int kTimelineKinds = 22;
[[nodiscard]] std::string_view TimelineKindName(TimelineKind kind);  // `high watermark`

struct TimelineEvent {
  absl::Duration at;     // simulated time since the world began
  absl::Duration until;  // not before `at`
  TimelineKind kind = TimelineKind::kUp;
  bool ended = true;  // false: it never came to its end, as a lost message; `until` is then `at`
  int32_t host = -1;
  int32_t peer = -1;
  int32_t partition = -1;
  int32_t name = -1;
  int64_t from = -1;
  int64_t to = -1;
  int64_t epoch = -1;
  std::vector<int32_t> brokers;  // hosts
  friend bool operator==(const TimelineEvent&, const TimelineEvent&) = default;
};

struct Timeline {
  std::vector<TimelineHost> hosts;
  std::vector<std::string> partitions;  // `orders-0`
  std::vector<std::string> names;
  std::vector<TimelineEvent> events;
  uint64_t left_out = 0;  // messages, requests and fetches before the first that is here

  [[nodiscard]] std::string_view NameOf(const TimelineEvent& event) const {
    return event.name < 0 ? std::string_view() : names[static_cast<size_t>(event.name)];
  }
  friend bool operator==(const Timeline&, const Timeline&) = default;
};

}  // namespace highwater::scenarios
