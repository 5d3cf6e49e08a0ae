#include "reports/lanes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "reports/markup.h"
#include "reports/text.h"

namespace highwater::reports {
namespace {

using scenarios::TimelineEvent;
using scenarios::TimelineHostKind;
using Kind = scenarios::TimelineKind;

constexpr double kRow = 19;
constexpr double kTop = 46;    // the names of the lanes
constexpr double kTimes = 84;  // width of the clock's column
constexpr double kLane = 92;
constexpr double kText = 640;  // width of the words' column
// A silence that is longer than this is said.
constexpr absl::Duration kPause = absl::Milliseconds(500);
constexpr std::string_view kFaultTint = "#f6c9e6";
constexpr std::string_view kDownTint = "#cfcfcf";

struct Mark {
  std::string_view letter;
  std::string_view color;
};

// Letters are those of `replay`'s lanes where there are such.
Mark MarkOf(Kind kind) {
  switch (kind) {
    case Kind::kUp:
      return {"^", "#2e7d32"};
    case Kind::kDown:
      return {"x", "#444444"};
    case Kind::kController:
    case Kind::kResigned:
      return {"C", "#6a1b9a"};
    case Kind::kElection:
      return {"E", "#6a1b9a"};
    case Kind::kLeads:
      return {"L", "#0d47a1"};
    case Kind::kFollows:
      return {"F", "#4f6d8f"};
    case Kind::kIsr:
      return {"I", "#00695c"};
    case Kind::kHighWatermark:
      return {"H", "#00695c"};
    case Kind::kAppended:
      return {"+", "#1976d2"};
    case Kind::kFlushed:
      return {"f", "#5d4037"};
    case Kind::kTruncated:
    case Kind::kLogDeleted:
      return {"T", "#c62828"};
    case Kind::kLoaded:
      return {"o", "#5d4037"};
    case Kind::kFetched:
      return {"r", "#4f6d8f"};
    case Kind::kAcknowledged:
      return {"A", "#ef6c00"};
    case Kind::kSend:
      return {"S", "#ef6c00"};
    default:
      return {"", "#777777"};
  }
}

class Lanes {
 public:
  explicit Lanes(const Story& story)
      : story_(story),
        timeline_(*story.timeline),
        width_(kTimes + kLane * static_cast<double>(story.lanes.size()) + kText),
        svg_(width_, Height(story)) {
    double y = kTop + kRow;
    for (size_t i = 0; i < story.rows.size(); ++i) {
      if (i > 0 && Pause(i) > kPause) y += kRow;
      ys_.push_back(y);
      y += kRow;
    }
    bottom_ = y;
    for (size_t i = 0; i < story.lanes.size(); ++i) {
      xs_[story.lanes[i]] = kTimes + kLane * (static_cast<double>(i) + 0.5);
    }
  }

  std::string Draw() {
    DrawFaults();
    DrawDeadProcesses();
    DrawLanes();
    DrawLeaders();
    for (size_t i = 0; i < story_.rows.size(); ++i) DrawRowBack(i);
    for (size_t i = 0; i < story_.rows.size(); ++i) DrawArrow(i);
    for (size_t i = 0; i < story_.rows.size(); ++i) DrawRow(i);
    return svg_.Done("What led to the violation: time goes down, a column for each machine");
  }

 private:
  static double Height(const Story& story) {
    double rows = 1.5;
    for (size_t i = 0; i < story.rows.size(); ++i) {
      rows += 1;
      if (i > 0 && story.rows[i].event->at - story.rows[i - 1].event->at > kPause) rows += 1;
    }
    return kTop + kRow * rows;
  }

  absl::Duration Pause(size_t row) const {
    return story_.rows[row].event->at - story_.rows[row - 1].event->at;
  }
  const TimelineEvent& Event(size_t row) const { return *story_.rows[row].event; }
  // Where a time is, between the rows.
  double YOf(absl::Duration at) const {
    for (size_t i = 0; i < ys_.size(); ++i) {
      if (Event(i).at >= at) return ys_[i];
    }
    return bottom_;
  }
  double FirstYAfter(size_t row) const { return row + 1 < ys_.size() ? ys_[row + 1] : bottom_; }

  void Shade(int32_t host, double from, double to, std::string_view color) {
    const auto lane = xs_.find(host);
    if (lane == xs_.end() || to <= from) return;
    svg_.Rect(lane->second - kLane / 2 + 4, from - kRow * 0.6, kLane - 8, to - from,
              {.fill = color, .opacity = 0.75});
  }

  void DrawFaults() {
    for (size_t i = 0; i < story_.rows.size(); ++i) {
      const TimelineEvent& e = Event(i);
      if (e.kind != Kind::kFault) continue;
      const double end = std::max(e.until > e.at ? YOf(e.until) : 0.0, ys_[i] + kRow);
      for (const int32_t victim : e.brokers) Shade(victim, ys_[i], end, kFaultTint);
    }
  }

  void DrawDeadProcesses() {
    std::map<int32_t, double> dead;
    for (size_t i = 0; i < story_.rows.size(); ++i) {
      const TimelineEvent& e = Event(i);
      if (e.kind == Kind::kDown) dead.emplace(e.host, ys_[i]);
      if (e.kind != Kind::kUp) continue;
      const auto since = dead.find(e.host);
      if (since == dead.end()) continue;
      Shade(e.host, since->second, ys_[i], kDownTint);
      dead.erase(since);
    }
    for (const auto& [host, since] : dead) Shade(host, since, bottom_, kDownTint);
  }

  void DrawLanes() {
    for (const int32_t host : story_.lanes) {
      const scenarios::TimelineHost& h = timeline_.hosts[static_cast<size_t>(host)];
      const double x = xs_.at(host);
      svg_.Text(x, 18, h.name, {.anchor = "middle", .bold = h.kind == TimelineHostKind::kBroker});
      svg_.Text(x, 34, h.zone, {.fill = "#777777", .size = 10, .anchor = "middle"});
      svg_.Line(x, kTop - 4, x, bottom_, {.stroke = "#aaaaaa", .width = 1});
    }
  }

  // A bold lane while the broker leads the partition.
  void DrawLeaders() {
    std::map<int32_t, double> leading;
    const auto end = [&](int32_t host, double y) {
      const auto since = leading.find(host);
      if (since == leading.end()) return;
      const auto lane = xs_.find(host);
      if (lane != xs_.end()) {
        svg_.Line(lane->second, since->second, lane->second, y,
                  {.stroke = "#0d47a1", .width = 5, .opacity = 0.55});
      }
      leading.erase(since);
    };
    for (size_t i = 0; i < story_.rows.size(); ++i) {
      const TimelineEvent& e = Event(i);
      const bool ends =
          e.kind == Kind::kDown || (e.kind == Kind::kFollows && e.partition == story_.partition);
      if (ends) end(e.host, ys_[i]);
      if (e.kind == Kind::kLeads && e.partition == story_.partition) {
        leading.emplace(e.host, ys_[i]);
      }
    }
    const std::map<int32_t, double> left = leading;
    for (const auto& [host, since] : left) end(host, bottom_);
  }

  void DrawRowBack(size_t i) {
    const StoryRow& row = story_.rows[i];
    const bool violation = row.event->kind == Kind::kViolation;
    const bool fault = row.event->kind == Kind::kFault;
    if (!violation && !fault && row.decisive.empty()) return;
    const std::string_view color = violation ? "#e53935" : fault ? kFaultTint : "#fff3b0";
    svg_.Rect(0, ys_[i] - kRow * 0.6, width_, kRow,
              {.fill = color, .opacity = violation ? 0.9 : 0.6});
  }

  void DrawArrow(size_t i) {
    const int32_t from_row = story_.rows[i].caused_by_row;
    if (from_row < 0) return;
    const auto sent = static_cast<size_t>(from_row);
    const auto from = xs_.find(Event(sent).host);
    const auto to = xs_.find(Event(i).host);
    if (from == xs_.end() || to == xs_.end()) return;
    const double side = from->second < to->second ? -9 : 9;
    svg_.Line(from->second, ys_[sent], to->second + side, ys_[i],
              {.stroke = "#555555", .width = 1.2, .arrow = true});
  }

  void DrawRow(size_t i) {
    const StoryRow& row = story_.rows[i];
    const TimelineEvent& e = *row.event;
    const double y = ys_[i];
    const bool violation = e.kind == Kind::kViolation;
    const std::string_view ink = violation ? "#ffffff" : "#222222";
    if (i > 0 && Pause(i) > kPause) {
      svg_.Text(kTimes - 8, y - kRow + 4, fmt::format("⋮ {}", RoughTime(Pause(i))),
                {.fill = "#777777", .size = 11, .anchor = "end"});
    }
    svg_.Text(kTimes - 8, y + 4, ClockTime(e.at), {.fill = ink, .anchor = "end"});
    if (e.host >= 0) DrawMark(e, xs_.at(e.host), y);
    const double x = width_ - kText + 8;
    std::string text = row.text;
    if (e.host >= 0) {
      text = fmt::format("{} {}", timeline_.hosts[static_cast<size_t>(e.host)].name, text);
    } else if (e.kind == Kind::kFault) {
      text = "FAULT  " + text;
    } else if (violation) {
      text = "VIOLATION  " + text;
    }
    if (!row.decisive.empty()) text += "   ← " + row.decisive;
    const bool bold = violation || e.kind == Kind::kFault || !row.decisive.empty();
    const std::string_view fill = e.kind == Kind::kMessage ? "#777777" : ink;
    svg_.Text(x, y + 4, text, {.fill = fill, .bold = bold});
  }

  void DrawMark(const TimelineEvent& e, double x, double y) {
    const Mark mark = MarkOf(e.kind);
    if (mark.letter.empty()) return svg_.Circle(x, y, 3, {.fill = mark.color});
    svg_.Circle(x, y, 8, {.fill = mark.color});
    svg_.Text(x, y + 4, mark.letter,
              {.fill = "#ffffff", .size = 11, .anchor = "middle", .bold = true});
  }

  const Story& story_;
  const scenarios::Timeline& timeline_;
  double width_;
  double bottom_ = 0;
  Svg svg_;
  std::vector<double> ys_;        // by row
  std::map<int32_t, double> xs_;  // by host
};

}  // namespace

std::string LanesSvg(const Story& story) { return story.rows.empty() ? "" : Lanes(story).Draw(); }

}  // namespace highwater::reports
