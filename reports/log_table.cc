#include "reports/log_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "reports/markup.h"

namespace highwater::reports {
namespace {

using scenarios::Timeline;
using scenarios::TimelineEvent;
using Kind = scenarios::TimelineKind;

constexpr int64_t kRowsBefore = 4;
constexpr int64_t kRowsAfter = 7;

void Cut(ReplicaState& replica, int64_t end) {
  std::erase_if(replica.spans, [&](const ReplicaState::Span& span) { return span.from >= end; });
  replica.end = end;
}

void Append(ReplicaState& replica, const TimelineEvent& e) {
  // What is appended stands at the end, whatever was there.
  Cut(replica, e.from);
  if (replica.spans.empty() || replica.spans.back().epoch != e.epoch) {
    replica.spans.push_back({e.from, e.epoch});
  }
  replica.end = e.to;
}

std::string Cell(const LogTable& table, const ReplicaState& replica, int64_t offset) {
  const std::optional<int64_t> epoch = replica.EpochAt(offset);
  if (!epoch.has_value()) return "<td align=\"center\" bgcolor=\"#ffffff\">–</td>";
  const bool committed = offset < table.committed;
  const std::string text =
      *epoch < 0 ? std::string("stored") : fmt::format("leader epoch {}", *epoch);
  return fmt::format("<td align=\"center\" bgcolor=\"{}\">{}</td>",
                     committed ? "#cdebcf" : "#fdf3c7", text);
}

std::string HeadCell(const Timeline& timeline, int32_t host, const ReplicaState& replica) {
  const std::string name = Escape(timeline.hosts[static_cast<size_t>(host)].name);
  std::string role;
  if (replica.down) {
    role = "<br>down";
  } else if (replica.leads) {
    role = fmt::format("<br>leads, epoch {}", replica.epoch);
  }
  return fmt::format("<th>{}{}<br>end {}</th>", replica.leads ? "<b>" + name + "</b>" : name, role,
                     replica.end);
}

}  // namespace

std::optional<int64_t> ReplicaState::EpochAt(int64_t offset) const {
  if (offset < 0 || offset >= end) return std::nullopt;
  int64_t epoch = -1;
  for (const Span& span : spans) {
    if (span.from <= offset) epoch = span.epoch;
  }
  return epoch;
}

LogTable LogsAt(const Timeline& timeline, int32_t partition, size_t events) {
  LogTable table;
  for (size_t i = 0; i < std::min(events, timeline.events.size()); ++i) {
    const TimelineEvent& e = timeline.events[i];
    if (e.kind == Kind::kDown || e.kind == Kind::kUp) {
      const auto replica = table.replicas.find(e.host);
      if (replica == table.replicas.end()) continue;
      replica->second.down = e.kind == Kind::kDown;
      replica->second.leads = false;
    }
    if (e.partition != partition || e.host < 0) continue;
    if (e.kind == Kind::kElection || e.kind == Kind::kSend) continue;  // not of a replica
    if (e.kind == Kind::kLogDeleted) {
      table.replicas.erase(e.host);
      continue;
    }
    ReplicaState& replica = table.replicas[e.host];
    replica.down = false;
    if (e.kind == Kind::kAppended) Append(replica, e);
    if (e.kind == Kind::kTruncated || e.kind == Kind::kLoaded) Cut(replica, e.to);
    if (e.kind == Kind::kHighWatermark) table.committed = std::max(table.committed, e.to);
    if (e.kind == Kind::kLeads || e.kind == Kind::kFollows) {
      replica.leads = e.kind == Kind::kLeads;
      replica.epoch = e.epoch;
    }
  }
  return table;
}

std::string LogTableHtml(const Timeline& timeline, const LogTable& table, int64_t offset,
                         const std::string& caption) {
  if (table.replicas.empty()) return "";
  std::string out = fmt::format(
      "<table border=\"1\" cellspacing=\"0\" cellpadding=\"4\">\n<caption>{}</caption>\n<tr>"
      "<th>offset</th>",
      Escape(caption));
  int64_t end = 0;
  for (const auto& [host, replica] : table.replicas) {
    out += HeadCell(timeline, host, replica);
    end = std::max(end, replica.end);
  }
  out += "</tr>\n";
  const int64_t first = std::max<int64_t>(0, offset - kRowsBefore);
  const int64_t last = std::min(std::max(offset, end - 1), offset + kRowsAfter);
  for (int64_t row = first; row <= last; ++row) {
    out += fmt::format("<tr><th{}>{}</th>", row == offset ? " bgcolor=\"#f6c9c9\"" : "", row);
    for (const auto& [host, replica] : table.replicas) out += Cell(table, replica, row);
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

}  // namespace highwater::reports
