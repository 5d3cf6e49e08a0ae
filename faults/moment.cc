#include "faults/moment.h"

#include <fmt/format.h>

#include <charconv>

#include "core/check.h"

namespace highwater::faults {
namespace {

using Event = Moment::Event;

constexpr MomentKind kKinds[] = {
    {Event::kBrokerStarted, "broker_started", "a broker serves requests from now on", false},
    {Event::kControllerElected, "controller_elected", "a broker has become the controller", false},
    {Event::kHighWatermarkMoves, "high_watermark_moves", "a leader moves the high watermark", true},
    {Event::kIsrGrows, "isr_grows", "a leader learns that a replica has joined the ISR", true},
    {Event::kIsrShrinks, "isr_shrinks", "a leader learns that a replica has left the ISR", true},
    {Event::kLeaderElected, "leader_elected", "a broker begins to lead", true},
    {Event::kLeaderEpochBumped, "leader_epoch_bumped",
     "the controller has written a greater leader epoch", true},
    {Event::kLeadershipLost, "leadership_lost", "a broker that led leads no more", true},
    {Event::kLogDirectoryFailed, "log_directory_failed", "a broker gives up a log directory",
     false},
    {Event::kLogTruncated, "log_truncated", "a replica cuts its log", true},
    {Event::kRecordsAcknowledged, "records_acknowledged",
     "a leader is about to send a Produce answer without error", true},
    {Event::kRecordsAppended, "records_appended", "a leader or follower has written records", true},
    {Event::kRecordsFetched, "records_fetched", "a leader hands records to a follower", true},
    {Event::kSegmentRolled, "segment_rolled", "a replica's log goes on in a new segment", true},
};

}  // namespace

absl::Span<const MomentKind> MomentKinds() { return kKinds; }

const MomentKind& KindOf(Event event) {
  for (const MomentKind& kind : kKinds) {
    if (kind.event == event) return kind;
  }
  HW_UNREACHABLE("event {}", static_cast<int>(event));
}

absl::StatusOr<Moment> ParseMoment(std::string_view name, std::string_view value) {
  for (const MomentKind& kind : kKinds) {
    if (kind.name != name) continue;
    Moment moment{.event = kind.event, .topic = ""};
    if (value == "any") return moment;
    // A topic's name may hold dashes itself.
    const size_t dash = value.rfind('-');
    if (kind.of_partition && dash != std::string_view::npos && dash > 0) {
      moment.topic = std::string(value.substr(0, dash));
      const char* end = value.data() + value.size();
      const auto [read_to, error] = std::from_chars(value.data() + dash + 1, end, moment.partition);
      if (error == std::errc() && read_to == end && moment.partition >= 0) return moment;
    }
    return absl::InvalidArgumentError(fmt::format(
        "expected {}, got \"{}\"",
        kind.of_partition ? "a partition, as in orders-0, or any" : "any", value.substr(0, 40)));
  }
  return absl::InvalidArgumentError(fmt::format("unknown event \"{}\"", name.substr(0, 40)));
}

std::string FormatMomentOf(const Moment& moment) {
  return moment.topic.empty() ? "any" : fmt::format("{}-{}", moment.topic, moment.partition);
}

}  // namespace highwater::faults
