#pragma once

// SeedResult: everything that one run of one seed says to people and machines. Plain values: it
// crosses a pipe between processes and is all that reports/ sees. It holds no pointer into a world
// and no judgement of a campaign.

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/latency_histogram.h"
#include "scenarios/timeline.h"

namespace highwater::scenarios {

enum class Verdict {
  kHeld,           // every check was decided and held
  kViolated,       // a guarantee was broken
  kExpected,       // only guarantees were broken that the scenario expects to be broken
  kInconclusive,   // a limit of host time ended it before its checks were decided
  kVacuous,        // nothing was violated, but no record was acknowledged either
  kLivelock,       // events without end at one instant of simulated time
  kStuck,          // nothing left to happen, and the run was not over
  kBrokerAborted,  // a check in the broker's code failed
  kInternalError,  // a check in the harness's own code failed
  kCrashed,        // the process that ran it died
};
inline constexpr int kVerdicts = 10;
[[nodiscard]] std::string_view VerdictName(Verdict verdict);  // `held`, `broker_aborted`
[[nodiscard]] std::optional<Verdict> VerdictFromName(std::string_view name);

// Whether such a seed speaks against the product or the harness (rather than: held, expected,
// undecided).
[[nodiscard]] bool IsFailure(Verdict verdict);

enum class ChainEventKind { kEvent, kFault, kViolation };

// One line of what happened, readable alone.
struct ChainEvent {
  absl::Duration at;  // simulated time since the world began
  ChainEventKind kind = ChainEventKind::kEvent;
  std::string
      actor;  // `broker-1`, `broker-2 → broker-1`, `controller`; empty for faults and violations
  std::string text;      // `high watermark 57 → 58; ack to producer-2`
  std::string note;      // a reason or a place: `counts as stored [H8]`, `faults.timeline[0]`
  std::string decisive;  // set on the decisive moments only: `acknowledged here`
  friend bool operator==(const ChainEvent&, const ChainEvent&) = default;
};

// What kind of change an event of a run is; a line of `replay`'s log.
enum class Transition : uint8_t {
  kOther,          // none: an append, a flush, an acknowledgement
  kNews,           // of the run as a whole, or of who is no broker
  kUp,             // a broker serves
  kDown,           // its process has ended
  kController,     // it became the controller, or resigned
  kElection,       // the controller wrote who leads
  kLeader,         // a broker begins to lead
  kFollower,       // or to follow
  kIsr,            // the in-sync replicas of a partition, as its leader knows them
  kHighWatermark,  // of a leader
  kTruncation,     // a log was cut
  kFault,
  kViolation,
};

// An event of a run as it happens, for whoever listens.
struct RunEvent {
  ChainEvent event;
  Transition transition = Transition::kOther;
  std::string partition;        // `orders-0`, where the text does not name it
  int64_t high_watermark = -1;  // of kHighWatermark
};

struct Violation {
  std::string invariant;  // `acked-durable`
  std::string sentence;   // the guarantee in the client's words: `a record acknowledged with
                          // acks=all is gone.`
  std::vector<std::string> witnesses;  // lines: which record, who acknowledged it, where it is gone
  std::vector<ChainEvent> chain;       // the shortest chain of events that led to it
  absl::Duration at;
  friend bool operator==(const Violation&, const Violation&) = default;
};

struct LedgerRow {
  std::string kind;  // of the fault table
  uint64_t requested = 0;
  uint64_t applied = 0;
  uint64_t observed = 0;
  friend bool operator==(const LedgerRow&, const LedgerRow&) = default;
};

// A fault that found a victim: whom, by name and by role, as targets are written in scenarios.
struct FiredFault {
  uint64_t key = 0;                // of its order
  std::string hit;                 // `broker(1)`
  std::string other_hit;           // the other side; empty: none
  std::vector<std::string> roles;  // `controller`, `leader(orders-0)`: what the victim was then
  friend bool operator==(const FiredFault&, const FiredFault&) = default;
};

struct MarkCount {
  std::string name;
  uint64_t count = 0;
  friend bool operator==(const MarkCount&, const MarkCount&) = default;
};

// What hosts of one zone have sent to those of another, or of the same.
struct ZoneTraffic {
  std::string from;
  std::string to;
  uint64_t bytes = 0;
  friend bool operator==(const ZoneTraffic&, const ZoneTraffic&) = default;
};

// Of the partitions to which producers on one side of a cut sent records while the scenario watched
// (`run.watch`): into how many at least one such record was acknowledged within that time.
struct WatchedWrites {
  uint64_t offered = 0;
  uint64_t written = 0;
  friend bool operator==(const WatchedWrites&, const WatchedWrites&) = default;
};

struct SeedMetrics {
  uint64_t produced = 0;  // records handed to producers
  uint64_t acked = 0;
  uint64_t consumed = 0;
  uint64_t bytes_sent = 0;  // over the simulated network
  uint64_t events = 0;      // executed by the world
  // From a client's send to its acknowledgement, retries and all.
  core::LatencyHistogram produce_latency;
  // From the loss of a partition's leader to one that can serve (docs/metrics.md).
  core::LatencyHistogram time_to_leader;
  absl::Duration unavailable;         // summed over partitions: partition-seconds
  uint64_t greatest_lag_records = 0;  // of any follower behind its leader's log end
  std::vector<ZoneTraffic> traffic;   // sorted by zones
  // Records of which the producer was told that they are sent, and which nobody can read at rest;
  // with acks=0 nobody confirms, so these are all that never arrived.
  uint64_t lost = 0;
  core::LatencyHistogram write_stall;  // of each partition the longest time without an answer
  // By those who exchange messages with at least half of all hosts, and by the others.
  WatchedWrites majority_writes;
  WatchedWrites minority_writes;
  friend bool operator==(const SeedMetrics&, const SeedMetrics&) = default;
};

struct SeedResult {
  std::string scenario;
  uint64_t seed = 0;
  Verdict verdict = Verdict::kHeld;
  // What failures of one cause share: `acked-durable/power_loss`. Empty: the campaign makes one.
  std::string signature;
  uint64_t trace_hash = 0;  // the state-hash chain's end
  std::string strategy;     // of the scheduler, as drawn: `pct`
  std::vector<Violation> violations;
  absl::Duration simulated;
  absl::Duration host;  // time that the machine took; not part of any comparison of runs
  SeedMetrics metrics;
  std::vector<LedgerRow> ledger;  // a row for each kind that the scenario switches on
  std::vector<MarkCount> marks;   // those reached
  std::vector<MarkCount> checks;  // how often each invariant compared something
  std::string dump;  // for a world that did not end: every live fiber and what it waits for; a
                     // crash's last words
  std::string
      history;  // client operations as text, when RunOptions.trace asked for them; may be empty
  std::vector<FiredFault> fired;  // likewise: in the order of their times
  // Effects of the victim of Materialised::effect_crash, from the end of the warm-up to that of the
  // load.
  uint64_t victim_effects = 0;
  Timeline timeline;  // where RunOptions.timeline_messages asked for it
  friend bool operator==(const SeedResult&, const SeedResult&) = default;
};

// `9c41…e07a` is for people; this is the whole: 16 hexadecimal digits.
[[nodiscard]] std::string FormatHash(uint64_t hash);

}  // namespace highwater::scenarios
