#include "reports/failure_html.h"

#include <fmt/format.h>

#include "reports/charts.h"
#include "reports/failure_screen.h"
#include "reports/lanes.h"
#include "reports/log_table.h"
#include "reports/markup.h"
#include "reports/results_folder.h"
#include "reports/story.h"
#include "reports/text.h"

namespace highwater::reports {
namespace {

using scenarios::Timeline;
using scenarios::TimelineEvent;
using Kind = scenarios::TimelineKind;

// How many events had been told once the story's row had happened.
size_t EventsUpTo(const Timeline& timeline, const TimelineEvent* event) {
  return static_cast<size_t>(event - timeline.events.data()) + 1;
}

std::string Logs(const Story& story) {
  if (story.partition < 0 || story.offset < 0) return "";
  const Timeline& timeline = *story.timeline;
  const TimelineEvent* acknowledged = nullptr;
  for (const StoryRow& row : story.rows) {
    const bool told = row.event->kind == Kind::kAcknowledged;
    if (told && acknowledged == nullptr) acknowledged = row.event;
  }
  const TimelineEvent* end = story.rows.back().event;
  // Whatever the brokers told at the instant of the violation is part of it.
  while (end != &timeline.events.back() && end[1].at == end->at) ++end;
  std::string out = fmt::format("<h3>The logs of {}</h3>\n",
                                Escape(timeline.partitions[static_cast<size_t>(story.partition)]));
  out +=
      "<p>Green: below a high watermark that a leader has had, so committed. Yellow: stored, not "
      "committed.</p>\n<table cellpadding=\"6\"><tr valign=\"top\">";
  if (acknowledged != nullptr) {
    const LogTable before = LogsAt(timeline, story.partition, EventsUpTo(timeline, acknowledged));
    out += "<td>" +
           LogTableHtml(timeline, before, story.offset,
                        fmt::format("before: acknowledged at {}", ClockTime(acknowledged->at))) +
           "</td>";
  }
  const LogTable after = LogsAt(timeline, story.partition, EventsUpTo(timeline, end));
  return out + "<td>" +
         LogTableHtml(timeline, after, story.offset,
                      fmt::format("after: the violation at {}", ClockTime(end->at))) +
         "</td></tr></table>\n";
}

std::string Lanes(const Story& story) {
  const std::string svg = LanesSvg(story);
  if (svg.empty()) return "";
  std::string out =
      "<h3>What led to it</h3>\n<p>Time goes down; a column for each machine. S sent, + appended, "
      "r known to be stored by a follower, H high watermark, A acknowledged, f flushed, o log "
      "opened, E elected, L leads (bold lane), F follows, I in-sync replicas, T truncated, C "
      "controller, x down (grey), ^ serves; pink: a fault in force.</p>\n" +
      svg;
  if (story.left_out > 0) {
    out += fmt::format(
        "<p>{} more events of these machines had no room here; the replay prints "
        "them.</p>\n",
        story.left_out);
  }
  return out;
}

}  // namespace

std::string FailureHtml(const scenarios::ScenarioSummary& scenario,
                        const scenarios::SignatureGroup& group, const BuildInfo& build) {
  const scenarios::CaseResult& first = group.first;
  const std::string folder = FailureFolder(scenario.name, first.result.seed);
  std::string out =
      fmt::format("<pre>{}</pre>\n", Escape(FailureScreen(scenario, first, build, Style(false))));
  out += fmt::format("<p>More of it: <a href=\"{0}/\">{0}</a></p>\n", Escape(folder));
  const Timeline& timeline = first.result.timeline;
  if (timeline.events.empty()) return out;
  const Story story = TellStory(timeline, first.result.violations);
  out += Lanes(story);
  if (!story.rows.empty()) out += Logs(story);
  out += "<h3>How the run went</h3>\n<p>Pink: a fault in force. Red: a violation.</p>\n";
  return out + ChartsHtml(timeline);
}

}  // namespace highwater::reports
