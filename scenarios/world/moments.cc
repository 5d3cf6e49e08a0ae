#include "scenarios/world/moments.h"

#include <absl/strings/numbers.h>

#include <algorithm>

#include "faults/mutants/forwarding_file_system.h"

namespace highwater::scenarios {
namespace {

using broker::BrokerId;
using broker::LeaderEpoch;
using broker::Offset;
using broker::TopicPartition;
using Event = faults::Moment::Event;

// `/data/orders-0/00000000000000000042.log` as partition and base offset.
struct SegmentFile {
  std::string_view topic;
  int32_t partition = 0;
  int64_t base = 0;
};

std::optional<SegmentFile> ParseSegment(std::string_view path) {
  constexpr std::string_view kLog = ".log";
  const size_t slash = path.rfind('/');
  if (slash == path.npos || !path.ends_with(kLog)) return std::nullopt;
  std::string_view name = path.substr(slash + 1);
  name.remove_suffix(kLog.size());
  std::string_view directory = path.substr(0, slash);
  if (const size_t before = directory.rfind('/'); before != directory.npos) {
    directory.remove_prefix(before + 1);
  }
  const size_t dash = directory.rfind('-');
  if (dash == directory.npos) return std::nullopt;
  SegmentFile file{.topic = directory.substr(0, dash)};
  const std::string_view number = directory.substr(dash + 1);
  const bool read =
      absl::SimpleAtoi(absl::string_view(name.data(), name.size()), &file.base) &&
      absl::SimpleAtoi(absl::string_view(number.data(), number.size()), &file.partition);
  return read ? std::optional(file) : std::nullopt;
}

class SegmentWatch final : public faults::ForwardingFileSystem {
 public:
  using Told = std::function<void(const SegmentFile& file)>;
  SegmentWatch(core::FileSystem& inner, Told told)
      : ForwardingFileSystem(inner), told_(std::move(told)) {}

  absl::StatusOr<std::shared_ptr<core::File>> Open(std::string_view path,
                                                   core::OpenMode mode) override {
    absl::StatusOr<std::shared_ptr<core::File>> file = inner().Open(path, mode);
    if (mode != core::OpenMode::kCreate || !file.ok()) return file;
    const std::optional<SegmentFile> segment = ParseSegment(path);
    if (segment.has_value() && segment->base > 0) told_(*segment);
    return file;
  }

 private:
  Told told_;
};

}  // namespace

void Moments::Tell(Event event, BrokerId id, const TopicPartition& partition) {
  injector_.Notice({.event = event,
                    .broker = id.value(),
                    .topic = partition.topic,
                    .partition = partition.partition.value()});
}

void Moments::Tell(Event event, BrokerId id) {
  injector_.Notice({.event = event, .broker = id.value(), .topic = ""});
}

void Moments::OnBrokerStarted(BrokerId id) { Tell(Event::kBrokerStarted, id); }

void Moments::OnBecameLeader(BrokerId id, const TopicPartition& partition, LeaderEpoch, Offset) {
  Tell(Event::kLeaderElected, id, partition);
}

void Moments::OnStoppedLeading(BrokerId id, const TopicPartition& partition, LeaderEpoch) {
  Tell(Event::kLeadershipLost, id, partition);
}

void Moments::OnIsrChanged(BrokerId id, const TopicPartition& partition, LeaderEpoch,
                           broker::PartitionEpoch, absl::Span<const BrokerId> isr) {
  std::set<BrokerId> now(isr.begin(), isr.end());
  std::set<BrokerId>& known = isrs_[partition];
  const std::set<BrokerId> before = std::exchange(known, now);
  if (before.empty()) return;  // the first that is heard of it
  if (!std::includes(now.begin(), now.end(), before.begin(), before.end())) {
    Tell(Event::kIsrShrinks, id, partition);
  }
  if (!std::includes(before.begin(), before.end(), now.begin(), now.end())) {
    Tell(Event::kIsrGrows, id, partition);
  }
}

void Moments::OnAppended(BrokerId id, const broker::AppendedEvent& event) {
  Tell(Event::kRecordsAppended, id, event.partition);
}

void Moments::OnRecordsFetched(BrokerId id, const TopicPartition& partition, BrokerId follower,
                               uint64_t) {
  if (follower != broker::kNoBroker) Tell(Event::kRecordsFetched, id, partition);
}

void Moments::OnTruncated(BrokerId id, const TopicPartition& partition, Offset) {
  Tell(Event::kLogTruncated, id, partition);
}

void Moments::OnHighWatermarkMoved(BrokerId id, const TopicPartition& partition, LeaderEpoch,
                                   Offset) {
  Tell(Event::kHighWatermarkMoves, id, partition);
}

void Moments::OnAcknowledged(BrokerId id, const TopicPartition& partition, LeaderEpoch, Offset,
                             Offset, int16_t) {
  Tell(Event::kRecordsAcknowledged, id, partition);
}

void Moments::OnBecameController(BrokerId id, broker::ControllerEpoch) {
  Tell(Event::kControllerElected, id);
}

void Moments::OnLogDirectoryFailed(BrokerId id, std::string_view, std::string_view) {
  Tell(Event::kLogDirectoryFailed, id);
}

void Moments::OnPartitionStateWritten(BrokerId controller,
                                      const broker::PartitionStateEvent& event) {
  const auto [known, fresh] = epochs_.try_emplace(event.partition, event.leader_epoch);
  const bool bumped = !fresh && known->second < event.leader_epoch;
  known->second = event.leader_epoch;
  if (bumped) Tell(Event::kLeaderEpochBumped, controller, event.partition);
}

std::unique_ptr<core::FileSystem> Moments::WatchSegments(core::FileSystem& inner, int32_t id) {
  return std::make_unique<SegmentWatch>(inner, [this, id](const SegmentFile& file) {
    injector_.Notice({.event = Event::kSegmentRolled,
                      .broker = id,
                      .topic = file.topic,
                      .partition = file.partition});
  });
}

}  // namespace highwater::scenarios
