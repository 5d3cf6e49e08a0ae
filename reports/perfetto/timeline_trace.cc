#include "reports/perfetto/timeline_trace.h"

#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

#include "reports/perfetto/trace_writer.h"

namespace highwater::reports {
namespace {

using scenarios::Timeline;
using scenarios::TimelineEvent;
using scenarios::TimelineHost;
using scenarios::TimelineHostKind;
using Kind = scenarios::TimelineKind;

// Perfetto takes process 0 for the idle one, so brokers count from 1 here: broker-0 has pid 1.
constexpr int32_t kFirstPid[scenarios::kTimelineHostKinds] = {1, 10'001, 20'001};
constexpr int32_t kFaultsPid = 30'001;

int32_t NumberOf(const TimelineHost& host) {
  int32_t number = 0;
  const size_t dash = host.name.rfind('-');
  if (dash == std::string::npos) return -1;
  const absl::string_view digits(host.name.data() + dash + 1, host.name.size() - dash - 1);
  return absl::SimpleAtoi(digits, &number) ? number : -1;
}

// The tracks of one machine, made as they are needed.
class Machine {
 public:
  Machine(TraceWriter& writer, Track process) : writer_(writer), process_(process) {}

  Track Named(std::string_view name) {
    const auto known = tracks_.find(name);
    if (known != tracks_.end()) return known->second;
    return tracks_.emplace(name, writer_.AddTrack(process_, name)).first->second;
  }
  // One below `replication`.
  Track Replica(const std::string& partition) {
    const auto known = replicas_.find(partition);
    if (known != replicas_.end()) return known->second;
    const Track parent = Named("replication");
    return replicas_.emplace(partition, writer_.AddTrack(parent, partition)).first->second;
  }
  void Count(std::string name, absl::Duration at, int64_t value) {
    auto counter = counters_.find(name);
    if (counter == counters_.end()) {
      const Track track = writer_.AddCounter(process_, name);
      counter = counters_.emplace(std::move(name), track).first;
    }
    writer_.Count(counter->second, at, value);
  }
  SliceLanes& Overlapping(const std::string& name) {
    auto lanes = lanes_.find(name);
    if (lanes == lanes_.end()) {
      lanes = lanes_.emplace(name, SliceLanes(writer_, process_, name)).first;
    }
    return lanes->second;
  }

  // A state that lasts until the next one of its track, or its process's end.
  void SetState(Track track, absl::Duration at, std::string_view name, Annotations about) {
    EndState(track, at);
    writer_.Begin(track, at, name, std::move(about));
    states_.emplace(track.uuid, track);
  }
  void EndState(Track track, absl::Duration at) {
    if (states_.erase(track.uuid) > 0) writer_.End(track, at);
  }
  void EndStates(absl::Duration at) {
    for (const auto& [uuid, track] : states_) writer_.End(track, at);
    states_.clear();
  }

 private:
  TraceWriter& writer_;
  Track process_;
  std::map<std::string, Track, std::less<>> tracks_;
  std::map<std::string, Track> replicas_;
  std::map<std::string, Track> counters_;
  std::map<std::string, SliceLanes> lanes_;
  std::map<uint64_t, Track> states_;
};

class Drawing {
 public:
  explicit Drawing(const Timeline& timeline) : timeline_(timeline) {
    faults_ = std::make_unique<Machine>(writer_, writer_.AddProcess(kFaultsPid, "faults"));
    machines_.resize(timeline.hosts.size());
    for (const size_t host : InOrder()) {
      const TimelineHost& h = timeline.hosts[host];
      machines_[host] = std::make_unique<Machine>(
          writer_, writer_.AddProcess(PidOf(host), fmt::format("{} ({})", h.name, h.zone)));
    }
  }

  std::string Draw() {
    absl::Duration end;
    for (const TimelineEvent& e : timeline_.events) {
      end = std::max({end, e.at, e.until});
      Add(e);
    }
    for (const auto& machine : machines_) machine->EndStates(end);
    return writer_.Finish();
  }

 private:
  // Brokers by zone, then ZooKeeper's servers, then clients.
  std::vector<size_t> InOrder() const {
    std::vector<std::tuple<int, std::string, int32_t, std::string, size_t>> order;
    for (size_t i = 0; i < timeline_.hosts.size(); ++i) {
      const TimelineHost& h = timeline_.hosts[i];
      order.emplace_back(static_cast<int>(h.kind), h.zone, NumberOf(h), h.name, i);
    }
    std::sort(order.begin(), order.end());
    std::vector<size_t> indices;
    for (const auto& entry : order) indices.push_back(std::get<4>(entry));
    return indices;
  }

  // Clients of several kinds count from 0 each: they are counted together.
  int32_t PidOf(size_t host) const {
    const TimelineHost& h = timeline_.hosts[host];
    const int32_t first = kFirstPid[static_cast<size_t>(h.kind)];
    if (h.kind != TimelineHostKind::kClient && NumberOf(h) >= 0) return first + NumberOf(h);
    int32_t rank = 0;
    for (const TimelineHost& other : timeline_.hosts) {
      rank += other.kind == h.kind && other.name < h.name ? 1 : 0;
    }
    return first + rank;
  }

  std::string PartitionOf(const TimelineEvent& e) const {
    return e.partition < 0 ? "" : timeline_.partitions[static_cast<size_t>(e.partition)];
  }
  std::string HostName(int32_t host) const {
    return host < 0 ? "nobody" : timeline_.hosts[static_cast<size_t>(host)].name;
  }
  std::string Numbers(const std::vector<int32_t>& hosts) const {
    std::string text;
    for (const int32_t host : hosts) text += (text.empty() ? "" : " ") + HostName(host);
    return text;
  }
  Annotations Records(const TimelineEvent& e) const {
    return {{"partition", 0, PartitionOf(e)},
            {"first offset", e.from},
            {"last offset", e.to - 1},
            {"leader epoch", e.epoch}};
  }

  void Add(const TimelineEvent& e) {
    if (e.host < 0) return AddOfNobody(e);
    Machine& machine = *machines_[static_cast<size_t>(e.host)];
    switch (e.kind) {
      case Kind::kUp:
      case Kind::kDown:
      case Kind::kController:
      case Kind::kResigned:
      case Kind::kElection:
        return AddOfProcess(e, machine);
      case Kind::kAppended:
      case Kind::kFlushed:
      case Kind::kLoaded:
        return AddOfDisk(e, machine);
      case Kind::kRequest:
      case Kind::kSend:
      case Kind::kMessage:
        return AddTraffic(e, machine);
      default:
        return AddOfReplica(e, machine);
    }
  }

  void AddOfNobody(const TimelineEvent& e) {
    const std::string name(timeline_.NameOf(e));
    if (e.kind == Kind::kFault) {
      faults_->Overlapping("faults").Slice(e.at, e.until, name, {{"hits", 0, Numbers(e.brokers)}});
    } else if (e.kind == Kind::kViolation) {
      writer_.Instant(faults_->Named("violations"), e.at, name,
                      {{"partition", 0, PartitionOf(e)}, {"offset", e.from}});
    } else if (e.kind == Kind::kUnavailable) {
      faults_->Count("partitions without a leader", e.at, e.to);
    }
  }

  void AddOfProcess(const TimelineEvent& e, Machine& machine) {
    const Track controller = machine.Named("controller");
    switch (e.kind) {
      case Kind::kUp:
        return machine.SetState(machine.Named("process"), e.at, "serves", {});
      case Kind::kDown:
        machine.EndStates(e.at);
        return writer_.Instant(machine.Named("process"), e.at, "is down",
                               {{"how", 0, std::string(timeline_.NameOf(e))}});
      case Kind::kController:
        return machine.SetState(controller, e.at, "is the controller",
                                {{"controller epoch", e.epoch}});
      case Kind::kResigned:
        return machine.EndState(controller, e.at);
      default:
        return writer_.Instant(controller, e.at, e.peer < 0 ? "no leader" : "elects",
                               {{"partition", 0, PartitionOf(e)},
                                {"leader", 0, HostName(e.peer)},
                                {"leader epoch", e.epoch},
                                {"ISR", 0, Numbers(e.brokers)}});
    }
  }

  void AddOfDisk(const TimelineEvent& e, Machine& machine) {
    const Track disk = machine.Named("disk");
    const std::string partition = PartitionOf(e);
    if (e.kind == Kind::kAppended) {
      writer_.Instant(disk, e.at, "append", Records(e));
    } else if (e.kind == Kind::kFlushed) {
      return writer_.Instant(disk, e.at, "flush", {{"partition", 0, partition}, {"up to", e.to}});
    } else {
      writer_.Instant(disk, e.at, "log opened",
                      {{"partition", 0, partition}, {"log end offset", e.to}});
    }
    machine.Count("log end offset " + partition, e.at, e.to);
  }

  void AddTraffic(const TimelineEvent& e, Machine& machine) {
    const std::string name(timeline_.NameOf(e));
    if (e.kind == Kind::kRequest) {
      return machine.Overlapping("requests").Slice(e.at, e.until, name);
    }
    if (e.kind == Kind::kSend) {
      return machine.Overlapping("sends").Slice(
          e.at, e.until, name, {{"partition", 0, PartitionOf(e)}, {"offset", e.from}});
    }
    const uint64_t flow = e.ended ? ++flows_ : 0;
    writer_.Instant(machine.Named("network"), e.at, name,
                    {{"to", 0, HostName(e.peer)}, {"bytes", e.to}}, flow);
    if (!e.ended || e.peer < 0) return;
    writer_.Instant(machines_[static_cast<size_t>(e.peer)]->Named("network"), e.until, name,
                    {{"from", 0, HostName(e.host)}, {"bytes", e.to}}, flow, true);
  }

  void AddOfReplica(const TimelineEvent& e, Machine& machine) {
    const std::string partition = PartitionOf(e);
    const Track replica = machine.Replica(partition);
    switch (e.kind) {
      case Kind::kLeads:
        return machine.SetState(replica, e.at, "leads",
                                {{"leader epoch", e.epoch}, {"from offset", e.to}});
      case Kind::kFollows:
        return machine.SetState(replica, e.at, fmt::format("follows {}", HostName(e.peer)),
                                {{"leader epoch", e.epoch}, {"from offset", e.to}});
      case Kind::kIsr:
        machine.Count("isr size " + partition, e.at, static_cast<int64_t>(e.brokers.size()));
        return writer_.Instant(replica, e.at, "ISR", {{"in sync", 0, Numbers(e.brokers)}});
      case Kind::kHighWatermark:
        return machine.Count("high watermark " + partition, e.at, e.to);
      case Kind::kTruncated:
        machine.Count("log end offset " + partition, e.at, e.to);
        return writer_.Instant(replica, e.at, "truncates", {{"log end offset", e.to}});
      case Kind::kLogDeleted:
        machine.EndState(replica, e.at);
        return writer_.Instant(replica, e.at, "deletes its log");
      case Kind::kFetched:
        return writer_.Instant(replica, e.at, "learns what a follower stores",
                               {{"follower", 0, HostName(e.peer)}, {"all below", e.to}});
      case Kind::kAcknowledged:
        return writer_.Instant(replica, e.at, "acknowledges", Records(e));
      default:
        return;
    }
  }

  const Timeline& timeline_;
  TraceWriter writer_;
  std::unique_ptr<Machine> faults_;
  std::vector<std::unique_ptr<Machine>> machines_;  // by host
  uint64_t flows_ = 0;
};

}  // namespace

std::string PerfettoTrace(const Timeline& timeline) { return Drawing(timeline).Draw(); }

}  // namespace highwater::reports
