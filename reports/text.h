#pragma once

// Small tools for text that people read: widths, colours, times.

#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace highwater::reports {

enum class Color { kPlain, kBold, kDim, kRed, kGreen, kYellow, kMagenta, kCyan };

// Whether text is coloured. Off: every method gives its text back unchanged.
class Style {
 public:
  explicit Style(bool colored) : colored_(colored) {}
  [[nodiscard]] std::string Paint(Color color, std::string_view text) const;
  [[nodiscard]] bool colored() const { return colored_; }

 private:
  bool colored_;
};

// Columns that UTF-8 text takes on a terminal, one a code point: we print no wide characters of our
// own.
[[nodiscard]] size_t Width(std::string_view text);
// `text` and blanks up to `width` columns; at least as much as the text itself.
[[nodiscard]] std::string PadRight(std::string_view text, size_t width);
[[nodiscard]] std::string PadLeft(std::string_view text, size_t width);
// Control characters, but for ends of lines and tabs, become `?`.
[[nodiscard]] std::string Printable(std::string_view text);

// Simulated time on a clock: `00:03.118`, `1:02:03.004`.
[[nodiscard]] std::string ClockTime(absl::Duration time);
// Spans for people, rounded: `41 s`, `3.2 s`, `20.8 h`.
[[nodiscard]] std::string RoughTime(absl::Duration time);
// An argument of `--until` that is not before `time`: `5.312s`.
[[nodiscard]] std::string UntilArgument(absl::Duration time);
// `1 234 567`: thin groups of three.
[[nodiscard]] std::string Grouped(uint64_t number);

}  // namespace highwater::reports
