#pragma once

// Moment: an event of the cluster for which a fault waits, as a scenario says it; Happening: such
// an event as it happens.
//
//   when: { high_watermark_moves: orders-0 }        when: { controller_elected: any }
//   ParseMoment("isr_shrinks", "orders-0")
//
// A fault that waits is tried in the instant of the event, after everything that the event itself
// did and before anybody does anything else (Injector); or a drawn while after it. Not responsible
// for: who sees the events (scenarios/world/moments.h).

#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace highwater::faults {

struct Moment {
  enum class Event : uint8_t {
    kRecordsAppended,      // a leader's or follower's log has grown
    kSegmentRolled,        // it goes on in a new segment
    kLogTruncated,         // a follower's log was cut
    kRecordsFetched,       // a leader hands records to a follower
    kHighWatermarkMoves,   // a leader's
    kRecordsAcknowledged,  // a Produce answer without error is about to leave
    kIsrShrinks,           // a leader learns of a smaller committed ISR
    kIsrGrows,             // and of a greater one
    kLeaderElected,        // a broker begins to lead
    kLeadershipLost,       // a broker leads no more
    kLeaderEpochBumped,    // the controller has written a greater leader epoch
    kControllerElected,    // a broker is the controller
    kBrokerStarted,        // a broker serves
    kLogDirectoryFailed,   // a broker gives up a log directory
  };
  Event event = Event::kHighWatermarkMoves;
  // Which partition's; "" for any. Always "" for events of a broker.
  std::string topic;
  int32_t partition = 0;

  friend bool operator==(const Moment&, const Moment&) = default;
};

struct Happening {
  Moment::Event event;
  int32_t broker;          // where it happened
  std::string_view topic;  // "" for an event of a broker
  int32_t partition = 0;

  [[nodiscard]] bool Is(const Moment& moment) const {
    if (event != moment.event) return false;
    return moment.topic.empty() || (topic == moment.topic && partition == moment.partition);
  }
};

struct MomentKind {
  Moment::Event event;
  std::string_view name;  // as in a scenario
  std::string_view about;
  bool of_partition;
};
// In the order of their names.
[[nodiscard]] absl::Span<const MomentKind> MomentKinds();
[[nodiscard]] const MomentKind& KindOf(Moment::Event event);
// `name` and what stands behind it: a partition (`orders-0`) or `any`. InvalidArgument says what
// was expected. Whether there is such a topic is not asked.
[[nodiscard]] absl::StatusOr<Moment> ParseMoment(std::string_view name, std::string_view value);
// What stands behind the name: `orders-0`, `any`.
[[nodiscard]] std::string FormatMomentOf(const Moment& moment);

}  // namespace highwater::faults
