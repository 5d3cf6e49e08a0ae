#include "reports/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/check.h"

namespace highwater::reports {
namespace {

using scenarios::Timeline;
using scenarios::TimelineEvent;
using scenarios::TimelineHostKind;
using scenarios::Violation;
using Kind = scenarios::TimelineKind;

// What a page can show and a reader takes in.
constexpr size_t kMostRows = 110;
// Without a record there is no beginning: this much before the end.
constexpr absl::Duration kWithoutBeginning = absl::Seconds(12);

std::string HostName(const Timeline& timeline, int32_t host) {
  return host < 0 ? "nobody" : timeline.hosts[static_cast<size_t>(host)].name;
}

// `records 57..58`, of [from, to).
std::string Records(const TimelineEvent& e) {
  return e.to - e.from == 1 ? fmt::format("record {}", e.from)
                            : fmt::format("records {}..{}", e.from, e.to - 1);
}

std::string BrokerNumbers(const Timeline& timeline, const std::vector<int32_t>& hosts) {
  std::vector<std::string> numbers;
  for (const int32_t host : hosts) {
    const std::string name = HostName(timeline, host);
    numbers.push_back(name.substr(name.find('-') + 1));
  }
  return fmt::format("{}", fmt::join(numbers, " "));
}

// Chooses what is told.
class Teller {
 public:
  Teller(const Timeline& timeline, const std::vector<Violation>& violations)
      : timeline_(timeline), violations_(violations), end_(timeline.events.size()) {
    story_.timeline = &timeline;
  }

  Story Tell() {
    FindEnd();
    FindBeginning();
    Choose();
    Thin();
    AddMessages();
    WriteRows();
    ChooseLanes();
    return std::move(story_);
  }

 private:
  const TimelineEvent& Event(size_t index) const { return timeline_.events[index]; }
  bool OfPartition(const TimelineEvent& e) const {
    return story_.partition >= 0 && e.partition == story_.partition;
  }
  bool HoldsRecord(const TimelineEvent& e) const {
    return OfPartition(e) && story_.offset >= 0 && e.from <= story_.offset && story_.offset < e.to;
  }

  void FindEnd() {
    for (size_t i = 0; i < timeline_.events.size(); ++i) {
      const TimelineEvent& e = Event(i);
      if (e.kind != Kind::kViolation) continue;
      story_.partition = e.partition;
      story_.offset = e.from;
      violation_ = &e;
      break;
    }
    if (violation_ == nullptr) return;
    // What was told of that instant after the violation belongs to it.
    while (end_ > 0 && Event(end_ - 1).at > violation_->at) --end_;
  }

  void FindBeginning() {
    const absl::Duration end = end_ == 0 ? absl::ZeroDuration() : Event(end_ - 1).at;
    absl::Duration begin = end - kWithoutBeginning;
    for (size_t i = 0; i < end_; ++i) {
      const TimelineEvent& e = Event(i);
      const bool stores = e.kind == Kind::kAppended && HoldsRecord(e);
      if (!stores && !IsSendOfRecord(e)) continue;
      begin = e.at;
      break;
    }
    while (begin_ < end_ && Event(begin_).at < begin) ++begin_;
  }

  // What was told that offset after the violation is the record that came instead.
  bool IsSendOfRecord(const TimelineEvent& e) const {
    const bool of_record = e.kind == Kind::kSend && OfPartition(e) && e.from == story_.offset;
    return of_record && story_.offset >= 0 && e.until <= violation_->at;
  }

  // What was durable and committed before the story begins.
  void ChooseBefore() {
    std::set<std::pair<int32_t, Kind>> known;
    for (size_t i = begin_; i-- > 0;) {
      const TimelineEvent& e = Event(i);
      const bool telling = e.kind == Kind::kFlushed || e.kind == Kind::kLeads;
      if (telling && OfPartition(e) && known.emplace(e.host, e.kind).second) chosen_.insert(i);
    }
  }

  void Choose() {
    if (story_.partition >= 0) ChooseBefore();
    std::set<std::pair<int32_t, Kind>> once;  // by host: the first time that it reaches the record
    for (size_t i = begin_; i < end_; ++i) {
      if (Tells(Event(i), once)) chosen_.insert(i);
    }
  }

  bool Tells(const TimelineEvent& e, std::set<std::pair<int32_t, Kind>>& once) const {
    switch (e.kind) {
      case Kind::kUp:
      case Kind::kDown:
      case Kind::kController:
      case Kind::kResigned:
      case Kind::kFault:
        return true;
      case Kind::kViolation:
        return &e == violation_;
      case Kind::kElection:
      case Kind::kLeads:
      case Kind::kFollows:
      case Kind::kIsr:
      case Kind::kLoaded:
      case Kind::kLogDeleted:
      case Kind::kTruncated:
        return OfPartition(e);
      case Kind::kAppended:
      case Kind::kAcknowledged:
        return HoldsRecord(e);
      case Kind::kSend:
        return IsSendOfRecord(e);
      case Kind::kHighWatermark:
      case Kind::kFlushed:
        return OfPartition(e) && story_.offset >= 0 && e.to > story_.offset &&
               once.emplace(e.host, e.kind).second;
      case Kind::kFetched:
        return OfPartition(e) && story_.offset >= 0 && e.to > story_.offset &&
               once.emplace(e.peer, e.kind).second;
      case Kind::kRequest:
      case Kind::kMessage:
      case Kind::kUnavailable:
        return false;
    }
    return false;
  }

  // What is dearest stays; of the rest, what is nearest to the end.
  static bool IsDear(const TimelineEvent& e) {
    return e.kind == Kind::kFault || e.kind == Kind::kViolation || e.kind == Kind::kAppended ||
           e.kind == Kind::kAcknowledged || e.kind == Kind::kSend || e.kind == Kind::kLoaded;
  }
  void Thin() {
    for (const bool spare_the_dear : {true, false}) {
      for (auto i = chosen_.begin(); i != chosen_.end() && chosen_.size() > kMostRows;) {
        if (spare_the_dear && IsDear(Event(*i))) {
          ++i;
        } else {
          i = chosen_.erase(i);
          ++story_.left_out;
        }
      }
    }
  }

  // Of each event that a message brought about, the last such message before it.
  void AddMessages() {
    const std::vector<size_t> chosen(chosen_.begin(), chosen_.end());
    for (const size_t i : chosen) {
      if (chosen_.size() >= kMostRows + kMostRows / 2) return;
      const TimelineEvent& e = Event(i);
      if (e.kind == Kind::kAppended) {
        const bool leader = IsLeaderAt(e.host, i);
        AddMessage(i, leader ? "Produce" : "Fetch answer", -1);
      } else if (e.kind == Kind::kFetched) {
        AddMessage(i, "Fetch", e.peer);
      } else if (e.kind == Kind::kLeads || e.kind == Kind::kFollows) {
        AddMessage(i, "LeaderAndIsr", -1);
      }
    }
  }

  bool IsLeaderAt(int32_t host, size_t index) const {
    for (size_t i = index; i-- > 0;) {
      const TimelineEvent& e = Event(i);
      if (e.host != host || !OfPartition(e)) continue;
      if (e.kind == Kind::kLeads) return true;
      if (e.kind == Kind::kFollows) return false;
    }
    return false;
  }

  // The last message `name` to the host of event `index` that had arrived by then; from `sender`,
  // if that is not negative.
  void AddMessage(size_t index, std::string_view name, int32_t sender) {
    const TimelineEvent& caused = Event(index);
    size_t best = timeline_.events.size();
    for (size_t i = index; i-- > 0;) {
      const TimelineEvent& e = Event(i);
      // What took longer than this did not bring it about.
      if (caused.at - e.at > absl::Seconds(2)) break;
      if (e.kind != Kind::kMessage || !e.ended || e.until > caused.at) continue;
      if (e.peer != caused.host || (sender >= 0 && e.host != sender)) continue;
      if (timeline_.NameOf(e) != name) continue;
      if (best == timeline_.events.size() || e.until > Event(best).until) best = i;
    }
    if (best == timeline_.events.size()) return;
    chosen_.insert(best);
    causes_.push_back({best, index});
  }

  void WriteRows() {
    std::vector<size_t> order(chosen_.begin(), chosen_.end());
    // The violation is the end of its instant.
    std::stable_partition(order.begin(), order.end(),
                          [&](size_t i) { return &Event(i) != violation_; });
    for (const size_t i : order) {
      story_.rows.push_back({.event = &Event(i), .text = DescribeEvent(timeline_, Event(i))});
    }
    for (const auto& [message, caused] : causes_) {
      const auto row = [&](size_t index) {
        return static_cast<int32_t>(std::find(order.begin(), order.end(), index) - order.begin());
      };
      story_.rows[static_cast<size_t>(row(caused))].caused_by_row = row(message);
    }
    if (!violations_.empty()) MarkDecisive(violations_.front());
  }

  void MarkDecisive(const Violation& violation) {
    for (const scenarios::ChainEvent& moment : violation.chain) {
      if (moment.decisive.empty()) continue;
      for (StoryRow& row : story_.rows) {
        const TimelineEvent& e = *row.event;
        const bool same = e.at == moment.at && e.host >= 0 &&
                          timeline_.hosts[static_cast<size_t>(e.host)].name == moment.actor &&
                          (e.kind == Kind::kAcknowledged || e.kind == Kind::kLoaded);
        if (same && row.decisive.empty()) {
          row.decisive = moment.decisive;
          break;
        }
      }
    }
  }

  void ChooseLanes() {
    std::set<int32_t> taking_part;
    for (const StoryRow& row : story_.rows) {
      if (row.event->host >= 0) taking_part.insert(row.event->host);
      if (row.event->peer >= 0) taking_part.insert(row.event->peer);
      taking_part.insert(row.event->brokers.begin(), row.event->brokers.end());
    }
    const auto add = [&](TimelineHostKind kind) {
      std::vector<std::pair<std::string, int32_t>> named;
      for (const int32_t host : taking_part) {
        if (host < 0) continue;
        const auto& h = timeline_.hosts[static_cast<size_t>(host)];
        // `broker-10` comes after `broker-9`.
        if (h.kind == kind) named.emplace_back(fmt::format("{:04}{}", h.name.size(), h.name), host);
      }
      std::sort(named.begin(), named.end());
      for (const auto& [name, host] : named) story_.lanes.push_back(host);
    };
    add(TimelineHostKind::kBroker);
    add(TimelineHostKind::kClient);
    add(TimelineHostKind::kZooKeeper);
  }

  const Timeline& timeline_;
  const std::vector<Violation>& violations_;
  Story story_;
  const TimelineEvent* violation_ = nullptr;
  size_t begin_ = 0;
  size_t end_;
  std::set<size_t> chosen_;
  std::vector<std::pair<size_t, size_t>> causes_;  // message, what it brought about
};

}  // namespace

Story TellStory(const Timeline& timeline, const std::vector<Violation>& violations) {
  return Teller(timeline, violations).Tell();
}

std::string DescribeEvent(const Timeline& timeline, const TimelineEvent& e) {
  const std::string name(timeline.NameOf(e));
  switch (e.kind) {
    case Kind::kUp:
      return "serves";
    case Kind::kDown:
      return name.empty() ? "is down" : name;
    case Kind::kController:
      return fmt::format("is the controller in controller epoch {}", e.epoch);
    case Kind::kResigned:
      return "resigns as controller";
    case Kind::kElection:
      return fmt::format("{}{}, leader epoch {}, ISR {}",
                         e.peer < 0 ? "no leader" : "elects " + HostName(timeline, e.peer),
                         name.empty() ? "" : " uncleanly", e.epoch,
                         BrokerNumbers(timeline, e.brokers));
    case Kind::kLeads:
      return fmt::format("leads from offset {}, leader epoch {}", e.to, e.epoch);
    case Kind::kFollows:
      return fmt::format("follows {} from offset {}, leader epoch {}", HostName(timeline, e.peer),
                         e.to, e.epoch);
    case Kind::kIsr:
      return fmt::format("ISR {}", BrokerNumbers(timeline, e.brokers));
    case Kind::kHighWatermark:
      return fmt::format("high watermark {}", e.to);
    case Kind::kAppended:
      return fmt::format("appends {}, leader epoch {}", Records(e), e.epoch);
    case Kind::kFlushed:
      return fmt::format("has flushed up to offset {}", e.to);
    case Kind::kTruncated:
      return fmt::format("truncates to log end offset {}", e.to);
    case Kind::kLoaded:
      return fmt::format("opens its log: log end offset {}", e.to);
    case Kind::kLogDeleted:
      return "deletes its log";
    case Kind::kFetched:
      return fmt::format("learns that {} stores all below {}", HostName(timeline, e.peer), e.to);
    case Kind::kAcknowledged:
      return fmt::format("acknowledges {}, leader epoch {}", Records(e), e.epoch);
    case Kind::kSend:
      return fmt::format("sends what becomes record {} ({})", e.from, name);
    case Kind::kRequest:
      return fmt::format("has answered {}", name);
    case Kind::kMessage:
      return fmt::format("{} to {}{}", name, HostName(timeline, e.peer),
                         e.ended ? "" : ", which never gets it");
    case Kind::kFault:
      return name;
    case Kind::kUnavailable:
      return fmt::format("{} partitions without a leader", e.to);
    case Kind::kViolation:
      return name;
  }
  HW_UNREACHABLE();
}

}  // namespace highwater::reports
