#include "reports/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "reports/markup.h"
#include "reports/text.h"

namespace highwater::reports {
namespace {

using scenarios::Timeline;
using scenarios::TimelineEvent;
using Kind = scenarios::TimelineKind;

constexpr double kWidth = 900;
constexpr double kHeight = 120;
constexpr double kLeft = 70;
constexpr double kRight = 10;
constexpr double kTop = 24;
constexpr double kBottom = 20;
constexpr size_t kBins = 120;
constexpr double kPlotWidth = kWidth - kLeft - kRight;
constexpr double kPlotHeight = kHeight - kTop - kBottom;

struct Step {
  absl::Duration at;
  double value;
};

class Charts {
 public:
  explicit Charts(const Timeline& timeline) : timeline_(timeline) {
    for (const TimelineEvent& e : timeline.events) end_ = std::max(end_, e.at);
    end_ = std::max(end_, absl::Milliseconds(1));
  }

  std::string Draw() { return Latency() + AckRate() + IsrSizes() + Unavailable(); }

 private:
  double XOf(absl::Duration at) const {
    return kLeft + kPlotWidth * std::clamp(absl::FDivDuration(at, end_), 0.0, 1.0);
  }
  size_t BinOf(absl::Duration at) const {
    return std::min(kBins - 1, static_cast<size_t>(absl::FDivDuration(at, end_) * kBins));
  }
  static double XOfBin(size_t bin) {
    return kLeft + kPlotWidth * (static_cast<double>(bin) + 0.5) / kBins;
  }

  // Axes, fault bands, the violation.
  Svg Frame(std::string_view title) const {
    Svg svg(kWidth, kHeight);
    bool violated = false;
    for (const TimelineEvent& e : timeline_.events) {
      const double x = XOf(e.at);
      if (e.kind == Kind::kFault) {
        svg.Rect(x, kTop, std::max(2.0, XOf(e.until) - x), kPlotHeight,
                 {.fill = "#f6c9e6", .opacity = 0.55});
      } else if (e.kind == Kind::kViolation) {
        // The first one matters; what follows it may be a hundred.
        const bool first = !std::exchange(violated, true);
        svg.Line(x, kTop, x, kTop + kPlotHeight,
                 {.stroke = "#e53935", .width = first ? 2.5 : 1, .opacity = first ? 1 : 0.25});
      }
    }
    svg.Rect(kLeft, kTop, kPlotWidth, kPlotHeight, {.stroke = "#999999"});
    svg.Text(kLeft, 15, title, {.bold = true});
    for (int i = 0; i <= 6; ++i) {
      const absl::Duration at = end_ * i / 6;
      svg.Text(XOf(at), kHeight - 5, ClockTime(at),
               {.fill = "#777777",
                .size = 10,
                .anchor = i == 0   ? "start"
                          : i == 6 ? "end"
                                   : "middle"});
    }
    return svg;
  }
  static void Label(Svg& svg, double y, std::string_view text) {
    svg.Line(kLeft, y, kLeft + kPlotWidth, y, {.stroke = "#dddddd", .width = 0.7});
    svg.Text(kLeft - 5, y + 4, text, {.fill = "#777777", .size = 10, .anchor = "end"});
  }

  // A logarithmic axis from 1 ms to 100 s: a time-out and a good answer on one picture.
  static double YOfLatency(double ms) {
    const double decades = std::clamp(std::log10(std::max(ms, 1.0)), 0.0, 5.0);
    return kTop + kPlotHeight * (1 - decades / 5);
  }
  std::string Latency() const {
    std::vector<std::vector<double>> bins(kBins);
    for (const TimelineEvent& e : timeline_.events) {
      if (e.kind != Kind::kSend || timeline_.NameOf(e) != "acked") continue;
      bins[BinOf(e.at)].push_back(absl::ToDoubleMilliseconds(e.until - e.at));
    }
    Svg svg = Frame("produce latency by when a record was sent: median (line) and worst (dots)");
    for (const auto& [ms, text] :
         {std::pair(1.0, "1 ms"), std::pair(10.0, "10 ms"), std::pair(100.0, "100 ms"),
          std::pair(1000.0, "1 s"), std::pair(10000.0, "10 s")}) {
      Label(svg, YOfLatency(ms), text);
    }
    std::string line;
    const auto flush = [&] {
      if (!line.empty()) svg.Polyline(line, {.stroke = "#1565c0", .width = 1.5});
      line.clear();
    };
    for (size_t i = 0; i < kBins; ++i) {
      if (bins[i].empty()) {
        flush();
        continue;
      }
      std::sort(bins[i].begin(), bins[i].end());
      const double median = bins[i][bins[i].size() / 2];
      line +=
          fmt::format("{}{:.1f},{:.1f}", line.empty() ? "" : " ", XOfBin(i), YOfLatency(median));
      svg.Circle(XOfBin(i), YOfLatency(bins[i].back()), 2, {.fill = "#ef6c00"});
    }
    flush();
    return svg.Done("Produce latency over simulated time");
  }

  std::string AckRate() const {
    std::vector<double> bins(kBins);
    for (const TimelineEvent& e : timeline_.events) {
      if (e.kind == Kind::kSend && timeline_.NameOf(e) == "acked") ++bins[BinOf(e.until)];
    }
    const double seconds = absl::ToDoubleSeconds(end_) / kBins;
    std::vector<Step> steps;
    for (size_t i = 0; i < kBins; ++i) {
      steps.push_back(
          {end_ * static_cast<int64_t>(i) / static_cast<int64_t>(kBins), bins[i] / seconds});
    }
    return Stepped("records acknowledged a second", steps, "#2e7d32");
  }

  // The partition that is worst off counts.
  std::string IsrSizes() const {
    std::map<int32_t, size_t> sizes;
    std::vector<Step> steps;
    for (const TimelineEvent& e : timeline_.events) {
      if (e.kind != Kind::kIsr) continue;
      sizes[e.partition] = e.brokers.size();
      size_t least = e.brokers.size();
      for (const auto& [partition, size] : sizes) least = std::min(least, size);
      steps.push_back({e.at, static_cast<double>(least)});
    }
    return steps.empty()
               ? ""
               : Stepped("in-sync replicas of the partition with the fewest", steps, "#00695c");
  }

  std::string Unavailable() const {
    std::vector<Step> steps = {{absl::ZeroDuration(), 0}};
    for (const TimelineEvent& e : timeline_.events) {
      if (e.kind == Kind::kUnavailable) steps.push_back({e.at, static_cast<double>(e.to)});
    }
    return Stepped("partitions without a leader that can serve", steps, "#c62828");
  }

  std::string Stepped(std::string_view title, const std::vector<Step>& steps,
                      std::string_view color) const {
    double most = 1;
    for (const Step& step : steps) most = std::max(most, step.value);
    const auto y_of = [&](double value) { return kTop + kPlotHeight * (1 - value / (most * 1.1)); };
    Svg svg = Frame(title);
    Label(svg, y_of(0), "0");
    Label(svg, y_of(most), fmt::format("{:.4g}", most));
    std::string points;
    double y = 0;
    for (const Step& step : steps) {
      const double x = XOf(step.at);
      if (!points.empty()) points += fmt::format(" {:.1f},{:.1f}", x, y);
      y = y_of(step.value);
      points += fmt::format("{}{:.1f},{:.1f}", points.empty() ? "" : " ", x, y);
    }
    points += fmt::format(" {:.1f},{:.1f}", kLeft + kPlotWidth, y);
    svg.Polyline(points, {.stroke = color, .width = 1.5});
    return svg.Done(fmt::format("{} over simulated time", title));
  }

  const Timeline& timeline_;
  absl::Duration end_;
};

}  // namespace

std::string ChartsHtml(const Timeline& timeline) {
  return timeline.events.empty() ? "" : Charts(timeline).Draw();
}

}  // namespace highwater::reports
