#include "reports/replay_log.h"

#include <fmt/format.h>

#include <algorithm>

namespace highwater::reports {
namespace {

using scenarios::RunEvent;
using scenarios::Transition;

// More brokers than this have no lanes: their names say who.
constexpr size_t kMostLanes = 16;
constexpr size_t kTime = 9;
// Columns begin as wide as this and grow.
constexpr size_t kWho = 8;
constexpr size_t kPartition = 9;
constexpr size_t kWidestWho = 24;
constexpr size_t kWidestPartition = 32;

char LetterOf(Transition transition) {
  switch (transition) {
    case Transition::kUp:
      return '^';
    case Transition::kDown:
      return 'x';
    case Transition::kController:
      return 'C';
    case Transition::kElection:
      return 'E';
    case Transition::kLeader:
      return 'L';
    case Transition::kFollower:
      return 'F';
    case Transition::kIsr:
      return 'I';
    case Transition::kHighWatermark:
      return 'H';
    case Transition::kTruncation:
      return 'T';
    case Transition::kFault:
    case Transition::kViolation:
    case Transition::kNews:
    case Transition::kOther:
      return '*';
  }
  return '*';
}

Color ColorOf(Transition transition) {
  switch (transition) {
    case Transition::kFault:
      return Color::kMagenta;
    case Transition::kViolation:
      return Color::kRed;
    case Transition::kElection:
    case Transition::kLeader:
    case Transition::kController:
      return Color::kBold;
    case Transition::kIsr:
    case Transition::kTruncation:
      return Color::kYellow;
    case Transition::kHighWatermark:
    case Transition::kOther:
      return Color::kDim;
    default:
      return Color::kPlain;
  }
}

std::string Trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

ReplayLog::ReplayLog(std::vector<std::string> brokers, const Style& style,
                     const ReplayLogOptions& options)
    : brokers_(std::move(brokers)),
      style_(style),
      options_(options),
      up_(brokers_.size()),
      who_width_(kWho),
      partition_width_(kPartition) {
  for (const std::string& broker : brokers_) who_width_ = std::max(who_width_, Width(broker));
}

std::string ReplayLog::Header() const {
  std::string lanes;
  if (brokers_.size() <= kMostLanes) {
    for (size_t i = 0; i < brokers_.size(); ++i) lanes += fmt::format("{} ", i % 10);
    lanes += ' ';
  }
  const std::string names =
      fmt::format("{}  {}{}  {}  what", PadRight("time", kTime), lanes, PadRight("who", who_width_),
                  PadRight("partition", partition_width_));
  return fmt::format(
      "{}\n{}\n",
      style_.Paint(
          Color::kDim,
          "A lane a broker: · serves, x does not, ^ begins to, C controller, E elects, L leads, "
          "F follows,\nI in-sync replicas, H high watermark, T truncates, * anything else"),
      style_.Paint(Color::kBold, names));
}

size_t ReplayLog::LaneOf(const std::string& actor) const {
  return static_cast<size_t>(std::find(brokers_.begin(), brokers_.end(), actor) - brokers_.begin());
}

bool ReplayLog::Shows(const RunEvent& event) {
  // A fault that ends a process has a line of its own.
  if (event.transition == Transition::kDown && event.event.text.empty()) return false;
  if (event.transition == Transition::kOther) return options_.every_event;
  if (event.transition != Transition::kHighWatermark) {
    if (!event.partition.empty()) high_watermarks_[event.partition].changed_since = true;
    return true;
  }
  if (options_.high_watermarks.none) return false;
  const HighWatermark& last = high_watermarks_[event.partition];
  return last.changed_since || event.event.at - last.shown_at >= options_.high_watermarks.interval;
}

std::string ReplayLog::Lanes(const RunEvent& event, size_t acting) const {
  if (brokers_.size() > kMostLanes) return "";
  std::string lanes;
  for (size_t i = 0; i < brokers_.size(); ++i) {
    if (i == acting) {
      const char letter = LetterOf(event.transition);
      lanes += style_.Paint(Color::kBold, std::string_view(&letter, 1));
    } else {
      lanes += up_[i] ? "·" : "x";
    }
    lanes += ' ';
  }
  return lanes + ' ';
}

std::string ReplayLog::TextOf(const RunEvent& event) {
  if (event.transition != Transition::kHighWatermark) return Printable(event.event.text);
  HighWatermark& last = high_watermarks_[event.partition];
  std::string text = fmt::format("high watermark {} → {}", last.shown, event.high_watermark);
  last = {.shown = event.high_watermark, .shown_at = event.event.at, .changed_since = false};
  return text;
}

std::string ReplayLog::Add(const RunEvent& event) {
  const size_t acting = LaneOf(event.event.actor);
  if (acting < up_.size() && event.transition == Transition::kUp) up_[acting] = true;
  if (acting < up_.size() && event.transition == Transition::kDown) up_[acting] = false;
  if (!Shows(event)) return "";
  std::string partition = event.partition;
  if (event.transition == Transition::kFault) partition = "FAULT";
  if (event.transition == Transition::kViolation) partition = "VIOLATION";
  const std::string who = Printable(event.event.actor);
  who_width_ = std::min(kWidestWho, std::max(who_width_, Width(who)));
  partition_width_ = std::min(kWidestPartition, std::max(partition_width_, Width(partition)));
  std::string rest =
      fmt::format("{}  {}", PadRight(Printable(partition), partition_width_), TextOf(event));
  if (!event.event.note.empty()) rest += fmt::format("  ({})", Printable(event.event.note));
  return fmt::format("{}  {}{}  {}\n", PadRight(ClockTime(event.event.at), kTime),
                     Lanes(event, acting), PadRight(who, who_width_),
                     style_.Paint(ColorOf(event.transition), Trimmed(rest)));
}

}  // namespace highwater::reports
