#include "scenarios/world/timeline_recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "broker/protocol/api.h"
#include "scenarios/world/applications.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"

namespace highwater::scenarios {
namespace {

using broker::BrokerId;
using broker::LeaderEpoch;
using broker::Offset;
using broker::TopicPartition;
using Kind = TimelineKind;

TimelineHostKind KindOf(std::string_view name) {
  if (name.starts_with("broker-")) return TimelineHostKind::kBroker;
  if (name.starts_with("zookeeper-")) return TimelineHostKind::kZooKeeper;
  return TimelineHostKind::kClient;
}

uint64_t BigEndian(absl::Span<const uint8_t> bytes) {
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

std::string ApiName(int16_t key) {
  const broker::protocol::ApiInfo* info = broker::protocol::FindApi(key);
  return info == nullptr ? fmt::format("Api{}", key) : std::string(info->name);
}

}  // namespace

int32_t TimelineRecorder::IndexOf(const sim::Host& host) {
  const auto [place, fresh] =
      hosts_.try_emplace(host.name(), static_cast<int32_t>(timeline_.hosts.size()));
  if (fresh) {
    timeline_.hosts.push_back({.name = host.name(),
                               .zone = world_.network().zone_name(host.zone()),
                               .kind = KindOf(host.name())});
  }
  return place->second;
}

int32_t TimelineRecorder::IndexOf(BrokerId id) {
  const auto known = brokers_.find(id);
  if (known != brokers_.end()) return known->second;
  const sim::Host* host = world_.network().Find(BrokerHostName(id.value()));
  if (host == nullptr) return -1;
  return brokers_[id] = IndexOf(*host);
}

std::vector<int32_t> TimelineRecorder::IndicesOf(absl::Span<const BrokerId> ids) {
  std::vector<int32_t> indices;
  for (const BrokerId id : ids) indices.push_back(IndexOf(id));
  return indices;
}

int32_t TimelineRecorder::NameIndex(std::string_view name) {
  auto place = names_.find(name);
  if (place == names_.end()) {
    place = names_.emplace(name, static_cast<int32_t>(timeline_.names.size())).first;
    timeline_.names.emplace_back(name);
  }
  return place->second;
}

int32_t TimelineRecorder::PartitionIndex(const TopicPartition& partition) {
  const auto [place, fresh] =
      partitions_.try_emplace(partition, static_cast<int32_t>(timeline_.partitions.size()));
  if (fresh) timeline_.partitions.push_back(fmt::format("{}", partition));
  return place->second;
}

TimelineEvent TimelineRecorder::At(Kind kind, int32_t host) const {
  const absl::Duration now = world_.Elapsed();
  return {.at = now, .until = now, .kind = kind, .host = host};
}

TimelineEvent TimelineRecorder::Of(Kind kind, BrokerId id, const TopicPartition& partition) {
  TimelineEvent event = At(kind, IndexOf(id));
  event.partition = PartitionIndex(partition);
  return event;
}

void TimelineRecorder::AddTraffic(TimelineEvent event) {
  traffic_.push_back({next_order_++, std::move(event)});
  if (traffic_.size() <= most_messages_) return;
  traffic_.pop_front();
  ++timeline_.left_out;
}

void TimelineRecorder::NoticeUnavailable() {
  const size_t without = without_leader_();
  if (without == unavailable_) return;
  unavailable_ = without;
  TimelineEvent event = At(Kind::kUnavailable, -1);
  event.to = static_cast<int64_t>(without);
  Add(std::move(event));
}

void TimelineRecorder::ProcessEnded(const sim::Host& host, std::string_view how) {
  TimelineEvent event = At(Kind::kDown, IndexOf(host));
  if (!how.empty()) event.name = NameIndex(how);
  Add(std::move(event));
  NoticeUnavailable();
}

void TimelineRecorder::Fault(std::string_view text, const std::vector<sim::Host*>& victims,
                             absl::Duration length) {
  TimelineEvent event = At(Kind::kFault, -1);
  event.until += length;
  event.name = NameIndex(text);
  for (const sim::Host* victim : victims) event.brokers.push_back(IndexOf(*victim));
  Add(std::move(event));
  // A fault is told once it has worked: what it brought about at once stands behind it.
  for (size_t i = events_.size() - 1; i > 0; --i) {
    TimelineEvent& before = events_[i - 1].event;
    const bool effect = before.kind == Kind::kDown || before.kind == Kind::kUnavailable;
    if (!effect || before.at != events_[i].event.at) break;
    std::swap(before, events_[i].event);
  }
}

void TimelineRecorder::Healed() {
  for (Placed& placed : events_) {
    if (placed.event.kind != Kind::kFault) continue;
    placed.event.until = std::min(placed.event.until, world_.Elapsed());
  }
}

void TimelineRecorder::Violated(const invariants::Violation& violation) {
  TimelineEvent event = At(Kind::kViolation, -1);
  event.at = event.until = violation.at;
  event.name = NameIndex(violation.invariant);
  if (violation.partition.has_value()) event.partition = PartitionIndex(*violation.partition);
  event.from = violation.offset.value();
  Add(std::move(event));
}

void TimelineRecorder::OnBrokerStarted(BrokerId id) { Add(At(Kind::kUp, IndexOf(id))); }

void TimelineRecorder::OnLogLoaded(BrokerId id, const broker::LogLoadedEvent& loaded) {
  TimelineEvent event = Of(Kind::kLoaded, id, loaded.partition);
  event.from = loaded.log_start_offset.value();
  event.to = loaded.log_end_offset.value();
  Add(std::move(event));
}

void TimelineRecorder::OnBecameLeader(BrokerId id, const TopicPartition& partition,
                                      LeaderEpoch epoch, Offset log_end) {
  TimelineEvent event = Of(Kind::kLeads, id, partition);
  event.to = log_end.value();
  event.epoch = epoch.value();
  Add(std::move(event));
  NoticeUnavailable();
}

void TimelineRecorder::OnBecameFollower(BrokerId id, const TopicPartition& partition,
                                        LeaderEpoch epoch, BrokerId leader, Offset log_end) {
  TimelineEvent event = Of(Kind::kFollows, id, partition);
  event.peer = IndexOf(leader);
  event.to = log_end.value();
  event.epoch = epoch.value();
  Add(std::move(event));
}

void TimelineRecorder::OnIsrChanged(BrokerId id, const TopicPartition& partition, LeaderEpoch epoch,
                                    broker::PartitionEpoch, absl::Span<const BrokerId> isr) {
  TimelineEvent event = Of(Kind::kIsr, id, partition);
  event.epoch = epoch.value();
  event.brokers = IndicesOf(isr);
  Add(std::move(event));
}

// A follower that has nothing new asks again and again: only news are kept.
void TimelineRecorder::OnFollowerFetched(BrokerId leader, const TopicPartition& partition,
                                         LeaderEpoch epoch, BrokerId follower,
                                         Offset fetch_offset) {
  TimelineEvent event = Of(Kind::kFetched, leader, partition);
  event.peer = IndexOf(follower);
  event.to = fetch_offset.value();
  event.epoch = epoch.value();
  int64_t& known = fetched_.try_emplace({event.partition, event.peer}, -1).first->second;
  if (std::exchange(known, event.to) != event.to) AddTraffic(std::move(event));
}

void TimelineRecorder::OnAppended(BrokerId id, const broker::AppendedEvent& appended) {
  TimelineEvent event = Of(Kind::kAppended, id, appended.partition);
  event.from = appended.base_offset.value();
  event.to = appended.last_offset.value() + 1;
  event.epoch = appended.leader_epoch.value();
  Add(std::move(event));
}

void TimelineRecorder::OnFlushed(BrokerId id, const TopicPartition& partition,
                                 Offset recovery_point) {
  TimelineEvent event = Of(Kind::kFlushed, id, partition);
  event.to = recovery_point.value();
  Add(std::move(event));
}

void TimelineRecorder::OnLogDeleted(BrokerId id, const TopicPartition& partition) {
  Add(Of(Kind::kLogDeleted, id, partition));
}

void TimelineRecorder::OnTruncated(BrokerId id, const TopicPartition& partition, Offset log_end) {
  TimelineEvent event = Of(Kind::kTruncated, id, partition);
  event.to = log_end.value();
  Add(std::move(event));
}

void TimelineRecorder::OnHighWatermarkMoved(BrokerId id, const TopicPartition& partition,
                                            LeaderEpoch epoch, Offset high_watermark) {
  TimelineEvent event = Of(Kind::kHighWatermark, id, partition);
  event.to = high_watermark.value();
  event.epoch = epoch.value();
  Add(std::move(event));
}

void TimelineRecorder::OnAcknowledged(BrokerId id, const TopicPartition& partition,
                                      LeaderEpoch epoch, Offset base, Offset last, int16_t) {
  TimelineEvent event = Of(Kind::kAcknowledged, id, partition);
  event.from = base.value();
  event.to = last.value() + 1;
  event.epoch = epoch.value();
  Add(std::move(event));
}

void TimelineRecorder::OnBecameController(BrokerId id, broker::ControllerEpoch epoch) {
  TimelineEvent event = At(Kind::kController, IndexOf(id));
  event.epoch = epoch.value();
  Add(std::move(event));
}

void TimelineRecorder::OnResignedAsController(BrokerId id) {
  Add(At(Kind::kResigned, IndexOf(id)));
}

void TimelineRecorder::OnRequestServed(BrokerId id, const broker::RequestEvent& request) {
  TimelineEvent event = At(Kind::kRequest, IndexOf(id));
  event.at -= std::min(request.time, event.at - absl::ZeroDuration());
  std::string name = ApiName(request.api_key);
  if (request.from_follower) name += " of a follower";
  event.name = NameIndex(name);
  AddTraffic(std::move(event));
}

void TimelineRecorder::OnPartitionStateWritten(BrokerId controller,
                                               const broker::PartitionStateEvent& state) {
  TimelineEvent event = Of(Kind::kElection, controller, state.partition);
  event.peer = state.leader == broker::kNoBroker ? -1 : IndexOf(state.leader);
  event.epoch = state.leader_epoch.value();
  event.brokers = IndicesOf(state.isr);
  if (state.unclean) event.name = NameIndex("unclean");
  Add(std::move(event));
}

int32_t TimelineRecorder::NameOfFrame(const sim::MessageWay& way, absl::Span<const uint8_t> head) {
  // [int32 length][int16 api key][int16 version][int32 correlation id], or an answer's
  // [length][id].
  if (way.of_dialer) {
    if (head.size() < 12) return NameIndex("request");
    const int32_t name = NameIndex(ApiName(static_cast<int16_t>(BigEndian(head.subspan(4, 2)))));
    ways_[way.id].asked[static_cast<int32_t>(BigEndian(head.subspan(8, 4)))] = name;
    return name;
  }
  if (head.size() < 8) return NameIndex("answer");
  auto& asked = ways_[way.reverse].asked;
  const auto found = asked.find(static_cast<int32_t>(BigEndian(head.subspan(4, 4))));
  if (found == asked.end()) return NameIndex("answer");
  const int32_t request = found->second;
  asked.erase(found);
  return NameIndex(fmt::format("{} answer", timeline_.names[static_cast<size_t>(request)]));
}

void TimelineRecorder::OnSent(const sim::MessageWay& way, absl::Span<const uint8_t> head,
                              uint64_t bytes) {
  TimelineEvent event = At(Kind::kMessage, IndexOf(way.from));
  event.peer = IndexOf(way.to);
  event.to = static_cast<int64_t>(bytes);
  event.ended = false;
  Way& state = ways_[way.id];
  if (way.acceptor_port == kBrokerPort) {
    // A frame may leave in several segments; of several frames in one segment the first gives the
    // name.
    if (state.frame_left > 0) {
      state.frame_left -= std::min(state.frame_left, bytes);
    } else {
      state.name = NameOfFrame(way, head);
      const uint64_t frame = head.size() < 4 ? bytes : BigEndian(head.subspan(0, 4)) + 4;
      state.frame_left = frame > bytes ? frame - bytes : 0;
    }
    event.name = state.name;
  } else {
    event.name = NameIndex(way.acceptor_port == kZooKeeperPort           ? "ZooKeeper"
                           : way.acceptor_port == kZooKeeperPeerPort     ? "Zab"
                           : way.acceptor_port == kZooKeeperElectionPort ? "ZooKeeper election"
                                                                         : "message");
  }
  state.flying.push_back({next_order_, bytes});
  AddTraffic(std::move(event));
}

void TimelineRecorder::OnArrived(const sim::MessageWay& way, uint64_t bytes) {
  std::deque<Way::Flying>& flying = ways_[way.id].flying;
  while (bytes > 0 && !flying.empty()) {
    const uint64_t part = std::min(bytes, flying.front().left);
    bytes -= part;
    flying.front().left -= part;
    if (flying.front().left > 0) return;
    const uint64_t order = flying.front().order;
    flying.pop_front();
    const auto placed = std::lower_bound(traffic_.begin(), traffic_.end(), order,
                                         [](const Placed& p, uint64_t o) { return p.order < o; });
    if (placed == traffic_.end() || placed->order != order) continue;  // left out
    placed->event.until = world_.Elapsed();
    placed->event.ended = true;
  }
}

Timeline TimelineRecorder::Take(const invariants::ClientHistory& history) && {
  static constexpr std::string_view kOutcomes[] = {"pending", "acked", "failed", "unknown"};
  for (uint32_t client = 0; client < history.producers(); ++client) {
    const sim::Host* host = world_.network().Find(history.NameOf(client));
    if (host == nullptr) continue;
    for (const invariants::Send& send : history.SendsOf(client)) {
      TimelineEvent event{.at = send.invoked,
                          .until = std::max(send.completed, send.invoked),
                          .kind = Kind::kSend,
                          .ended = send.outcome != invariants::SendOutcome::kPending,
                          .host = IndexOf(*host)};
      if (send.partition.partition.value() >= 0) event.partition = PartitionIndex(send.partition);
      event.name = NameIndex(kOutcomes[static_cast<size_t>(send.outcome)]);
      event.from = send.offset.value();
      Add(std::move(event));
    }
  }
  events_.insert(events_.end(), std::make_move_iterator(traffic_.begin()),
                 std::make_move_iterator(traffic_.end()));
  std::sort(events_.begin(), events_.end(), [](const Placed& a, const Placed& b) {
    return std::tie(a.event.at, a.order) < std::tie(b.event.at, b.order);
  });
  for (Placed& placed : events_) timeline_.events.push_back(std::move(placed.event));
  return std::move(timeline_);
}

}  // namespace highwater::scenarios
