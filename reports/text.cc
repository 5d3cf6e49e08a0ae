#include "reports/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace highwater::reports {
namespace {

std::string_view Code(Color color) {
  switch (color) {
    case Color::kPlain:
      return "0";
    case Color::kBold:
      return "1";
    case Color::kDim:
      return "2";
    case Color::kRed:
      return "1;31";
    case Color::kGreen:
      return "32";
    case Color::kYellow:
      return "33";
    case Color::kMagenta:
      return "35";
    case Color::kCyan:
      return "36";
  }
  return "0";
}

}  // namespace

std::string Style::Paint(Color color, std::string_view text) const {
  if (!colored_ || color == Color::kPlain || text.empty()) return std::string(text);
  return fmt::format("\033[{}m{}\033[0m", Code(color), text);
}

size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string PadRight(std::string_view text, size_t width) {
  const size_t used = Width(text);
  return std::string(text) + std::string(used < width ? width - used : 0, ' ');
}

std::string PadLeft(std::string_view text, size_t width) {
  const size_t used = Width(text);
  return std::string(used < width ? width - used : 0, ' ') + std::string(text);
}

std::string Printable(std::string_view text) {
  std::string printable(text);
  for (char& c : printable) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f) c = '?';
  }
  return printable;
}

std::string ClockTime(absl::Duration time) {
  const int64_t ms = absl::ToInt64Milliseconds(time);
  const int64_t hours = ms / 3'600'000;
  const int64_t minutes = ms / 60'000 % 60;
  const int64_t seconds = ms / 1000 % 60;
  const std::string rest = fmt::format("{:02}:{:02}.{:03}", minutes, seconds, ms % 1000);
  return hours > 0 ? fmt::format("{}:{}", hours, rest) : rest;
}

std::string RoughTime(absl::Duration time) {
  const double seconds = absl::ToDoubleSeconds(time);
  if (seconds < 0.001) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 600) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.1f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string UntilArgument(absl::Duration time) {
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(time, absl::Milliseconds(1)));
  if (ms % 1000 == 0) return fmt::format("{}s", ms / 1000);
  return fmt::format("{}.{:03}s", ms / 1000, ms % 1000);
}

std::string Grouped(uint64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ' ';
    grouped += digits[i];
  }
  return grouped;
}

}  // namespace highwater::reports
