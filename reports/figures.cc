#include "reports/figures.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "reports/text.h"

namespace highwater::reports {
namespace {

using core::LatencyHistogram;
using scenarios::SeedMetrics;
using scenarios::ZoneTraffic;

std::string Quantiles(const LatencyHistogram& times) {
  return fmt::format("p50 {}, p99 {}, p99.9 {}", RoughTime(times.Quantile(50, 100)),
                     RoughTime(times.Quantile(99, 100)), RoughTime(times.Quantile(999, 1000)));
}

std::string Leaders(const LatencyHistogram& times) {
  if (times.empty()) return "no leader lost";
  return fmt::format("time to leader p50 {}, p99 {}, max {} ({} lost)",
                     RoughTime(times.Quantile(50, 100)), RoughTime(times.Quantile(99, 100)),
                     RoughTime(times.max()), Grouped(times.count()));
}

std::string BetweenZones(const SeedMetrics& metrics) {
  uint64_t between = 0;
  uint64_t all = 0;
  for (const ZoneTraffic& traffic : metrics.traffic) {
    all += traffic.bytes;
    if (traffic.from != traffic.to) between += traffic.bytes;
  }
  return fmt::format("{} of {} between zones", RoughBytes(between), RoughBytes(all));
}

}  // namespace

std::string RoughBytes(uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  size_t unit = 0;
  auto value = static_cast<double>(bytes);
  // What would be rounded up to a thousand is the next unit's one.
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  const bool whole = unit == 0 || value >= 9.95;
  return fmt::format("{:.{}f} {}", value, whole ? 0 : 1, kUnits[unit]);
}

std::string FigureLines(const SeedMetrics& metrics) {
  if (metrics.produced == 0) return "";
  const std::string indent(13, ' ');
  const std::string produce = metrics.produce_latency.empty()
                                  ? "nothing acknowledged"
                                  : "produce " + Quantiles(metrics.produce_latency);
  return fmt::format(
      "{}{} · {}\n{}{:.1f} partition-s unavailable · greatest follower lag {} records · {}\n",
      indent, produce, Leaders(metrics.time_to_leader), indent,
      absl::ToDoubleSeconds(metrics.unavailable), Grouped(metrics.greatest_lag_records),
      BetweenZones(metrics));
}

std::string TrafficTable(const scenarios::CampaignResult& campaign, std::string_view label,
                         size_t label_width) {
  std::map<std::pair<std::string, std::string>, uint64_t> bytes;
  std::set<std::string> zones;
  size_t width = 8;
  for (const scenarios::ScenarioSummary& scenario : campaign.scenarios) {
    for (const ZoneTraffic& traffic : scenario.totals.traffic) {
      bytes[{traffic.from, traffic.to}] += traffic.bytes;
      for (const std::string& zone : {traffic.from, traffic.to}) {
        zones.insert(zone);
        width = std::max(width, Width(zone));
      }
    }
  }
  if (zones.size() < 2) return "";
  std::string head = PadRight("from \\ to", width + 2);
  for (const std::string& zone : zones) head += "  " + PadLeft(zone, width);
  std::string table = fmt::format("{}  {}\n", PadLeft(label, label_width), head);
  for (const std::string& from : zones) {
    std::string line = PadRight(from, std::max<size_t>(width + 2, Width("from \\ to")));
    for (const std::string& to : zones) {
      line += "  " + PadLeft(RoughBytes(bytes[{from, to}]), width);
    }
    table += fmt::format("{}  {}\n", std::string(label_width, ' '), line);
  }
  return table;
}

}  // namespace highwater::reports
