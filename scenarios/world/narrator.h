#pragma once

// Narrator: tells what happens in a world, one line a transition, and picks from it the shortest
// chain that explains a violation.
//
// It listens only when somebody wants to hear (a replay, the traced second run of a failure), so
// that a campaign's seeds pay nothing; and it never changes what happens.

#include <functional>
#include <string>
#include <vector>

#include "broker/observer.h"
#include "invariants/history.h"
#include "invariants/violation.h"
#include "scenarios/seed_result.h"

namespace highwater::scenarios {

class Narrator {
 public:
  using Listener = std::function<void(const RunEvent&)>;
  // `keep`: remember events for ChainOf.
  Narrator(bool keep, Listener listener) : keep_(keep), listener_(std::move(listener)) {}

  [[nodiscard]] bool active() const { return keep_ || listener_ != nullptr; }

  enum class Kind : uint8_t {
    kLifecycle,  // a process started, stopped, died
    kUp,         // a broker serves
    kDown,       // a broker's process ended by itself
    kKilled,     // a fault ended it, which stands in the chain already
    kController,
    kFault,
    kAppended,
    kFlushed,
    kAcknowledged,
    kLoaded,
    kLoadedShorter,  // than it was before
    // Beside the log of a replay nobody needs these:
    kNews,
    kElection,
    kLeader,
    kFollower,
    kIsr,
    kHighWatermark,
    kTruncation,
    kOther,
    kViolation,
  };

  // An event of no partition.
  void Tell(absl::Duration at, Kind kind, std::string actor, std::string text,
            std::string note = "");
  // An event of records [base, last] of a partition. The text of a change of the partition's own
  // state does not name it, that of any other does.
  void TellOf(const broker::TopicPartition& partition, broker::Offset base, broker::Offset last,
              absl::Duration at, Kind kind, std::string actor, std::string text,
              std::string note = "");

  // What led to `violation`: where its record was stored and acknowledged, what was flushed, the
  // faults in between, where it is gone. The two decisive moments are marked.
  [[nodiscard]] std::vector<ChainEvent> ChainOf(const invariants::Violation& violation) const;

 private:
  struct Told {
    ChainEvent event;
    Kind kind;
    broker::TopicPartition partition;  // topic "" for none
    broker::Offset base;
    broker::Offset last;

    [[nodiscard]] bool Holds(const broker::TopicPartition& tp, broker::Offset offset) const {
      return partition == tp && base <= offset && offset <= last;
    }
  };

  void Add(Told told);
  [[nodiscard]] static RunEvent RunEventOf(const Told& told);

  bool keep_;
  Listener listener_;
  std::vector<Told> told_;
};

}  // namespace highwater::scenarios
