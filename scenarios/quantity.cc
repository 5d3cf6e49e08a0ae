#include "scenarios/quantity.h"

#include <absl/types/span.h>
#include <fmt/format.h>

#include <limits>
#include <optional>
#include <utility>

#include "core/status_macros.h"

namespace highwater::scenarios {
namespace {

__extension__ using Wide = __int128;

struct Unit {
  std::string_view name;
  int64_t factor;
};

// Each table is in ascending order of its factors.
constexpr Unit kTimeUnits[] = {{"ns", 1},
                               {"us", 1'000},
                               {"ms", 1'000'000},
                               {"s", 1'000'000'000},
                               {"m", 60'000'000'000},
                               {"h", 3'600'000'000'000}};
constexpr Unit kSizeUnits[] = {{"B", 1},
                               {"KiB", int64_t{1} << 10},
                               {"MiB", int64_t{1} << 20},
                               {"GiB", int64_t{1} << 30},
                               {"TiB", int64_t{1} << 40}};
constexpr Unit kPercentUnits[] = {{"%", 10'000}};
constexpr Unit kNoUnits[] = {{"", 1}};

struct Grammar {
  std::string_view what;  // `a duration such as "2ms"`
  absl::Span<const Unit> units;
  std::string_view suffix;  // after the unit: `/s`
};
constexpr Grammar kDuration = {R"(a duration such as "500us", "2ms" or "10s")", kTimeUnits, ""};
constexpr Grammar kSize = {R"(a size such as "512B", "1KiB" or "16MiB")", kSizeUnits, ""};
constexpr Grammar kBandwidth = {R"(a bandwidth such as "200MiB/s")", kSizeUnits, "/s"};
constexpr Grammar kPercent = {R"(a share such as "2%" or "0.5%")", kPercentUnits, ""};
constexpr Grammar kCount = {R"(a whole number such as "3")", kNoUnits, ""};

// Shortened so that a hostile file cannot make a hostile message.
std::string Quoted(std::string_view text) {
  constexpr size_t kShown = 40;
  if (text.size() <= kShown) return fmt::format("\"{}\"", text);
  return fmt::format("\"{}…\"", text.substr(0, kShown));
}

absl::Status Bad(const Grammar& grammar, std::string_view text, std::string_view reason) {
  return absl::InvalidArgumentError(fmt::format("expected {}, got {}{}{}", grammar.what,
                                                Quoted(text), reason.empty() ? "" : ": ", reason));
}

std::string UnitList(const Grammar& grammar) {
  std::string list;
  for (size_t i = 0; i < grammar.units.size(); ++i) {
    if (i > 0) list += i + 1 == grammar.units.size() ? " or " : ", ";
    list += fmt::format("{}{}", grammar.units[i].name, grammar.suffix);
  }
  return list;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The digits of a decimal number without its point, and how many of them are behind it.
struct Decimal {
  int64_t digits = 0;
  int64_t scale = 1;  // 10 to the number of digits behind the point
  size_t length = 0;  // characters read; 0: no number
};

std::optional<Decimal> ReadDecimal(std::string_view text) {
  Decimal decimal;
  size_t i = 0;
  int significant = 0;
  // Eighteen digits fit into 64 bits; zeros before them do not count.
  const auto take = [&](char c) {
    if (decimal.digits == 0 && c == '0') return true;
    if (++significant > 18) return false;
    decimal.digits = decimal.digits * 10 + (c - '0');
    return true;
  };
  for (; i < text.size() && IsDigit(text[i]); ++i) {
    if (!take(text[i])) return std::nullopt;
  }
  if (i == 0) return decimal;
  if (i + 1 < text.size() && text[i] == '.' && IsDigit(text[i + 1])) {
    for (++i; i < text.size() && IsDigit(text[i]); ++i) {
      if (decimal.scale > 100'000'000'000 || !take(text[i])) return std::nullopt;
      decimal.scale *= 10;
    }
  }
  decimal.length = i;
  return decimal;
}

// A number and its unit, in the grammar's base unit.
absl::StatusOr<int64_t> ParseQuantity(const Grammar& grammar, std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative) rest.remove_prefix(1);
  const std::optional<Decimal> decimal = ReadDecimal(rest);
  if (!decimal) return Bad(grammar, text, "too many digits");
  if (decimal->length == 0) return Bad(grammar, text, "");
  const std::string_view unit = rest.substr(decimal->length);
  if (decimal->digits == 0 && unit.empty()) return 0;

  for (const Unit& known : grammar.units) {
    if (unit.size() != known.name.size() + grammar.suffix.size() || !unit.starts_with(known.name) ||
        !unit.ends_with(grammar.suffix)) {
      continue;
    }
    const Wide scaled = static_cast<Wide>(decimal->digits) * known.factor;
    if (scaled % decimal->scale != 0) return Bad(grammar, text, "finer than its smallest unit");
    const Wide value = scaled / decimal->scale;
    if (value > std::numeric_limits<int64_t>::max()) return Bad(grammar, text, "too large");
    return static_cast<int64_t>(negative ? -value : value);
  }
  if (unit.empty())
    return Bad(grammar, text, fmt::format("a unit is missing: {}", UnitList(grammar)));
  if (grammar.units.size() == 1) return Bad(grammar, text, "");
  return Bad(grammar, text,
             fmt::format("unknown unit {}: use {}", Quoted(unit), UnitList(grammar)));
}

absl::StatusOr<int64_t> ParseNonNegative(const Grammar& grammar, std::string_view text) {
  HW_ASSIGN_OR_RETURN(const int64_t value, ParseQuantity(grammar, text));
  if (value < 0) return Bad(grammar, text, "it must not be negative");
  return value;
}

template <typename Parse>
auto ParseRangeOf(std::string_view text, Parse parse)
    -> absl::StatusOr<std::pair<typename decltype(parse(text))::value_type,
                                typename decltype(parse(text))::value_type>> {
  const size_t dots = text.find("..");
  if (dots == std::string_view::npos) {
    HW_ASSIGN_OR_RETURN(const auto value, parse(text));
    return std::pair(value, value);
  }
  HW_ASSIGN_OR_RETURN(const auto low, parse(text.substr(0, dots)));
  HW_ASSIGN_OR_RETURN(const auto high, parse(text.substr(dots + 2)));
  if (high < low) {
    return absl::InvalidArgumentError(
        fmt::format("the range {} goes backwards: write the smaller end first", Quoted(text)));
  }
  return std::pair(low, high);
}

template <typename Parse>
absl::StatusOr<IntegerRange> ParseIntegerRange(std::string_view text, Parse parse) {
  HW_ASSIGN_OR_RETURN(const auto ends, ParseRangeOf(text, parse));
  return IntegerRange{ends.first, ends.second};
}

std::string FormatUnits(int64_t value, absl::Span<const Unit> units, std::string_view zero) {
  if (value == 0) return std::string(zero);
  const Unit* best = &units[0];
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) best = &unit;
  }
  return fmt::format("{}{}", value / best->factor, best->name);
}

template <typename Value, typename Format>
std::string FormatRangeOf(const Value& low, const Value& high, Format format) {
  return low == high ? format(low) : fmt::format("{}..{}", format(low), format(high));
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(std::string_view text) {
  HW_ASSIGN_OR_RETURN(const int64_t nanos, ParseQuantity(kDuration, text));
  return absl::Nanoseconds(nanos);
}

absl::StatusOr<DurationRange> ParseDurationRange(std::string_view text) {
  HW_ASSIGN_OR_RETURN(const auto ends, ParseRangeOf(text, ParseDuration));
  return DurationRange{ends.first, ends.second};
}

absl::StatusOr<int64_t> ParseSize(std::string_view text) { return ParseNonNegative(kSize, text); }

absl::StatusOr<IntegerRange> ParseSizeRange(std::string_view text) {
  return ParseIntegerRange(text, ParseSize);
}

absl::StatusOr<int64_t> ParseBandwidth(std::string_view text) {
  return ParseNonNegative(kBandwidth, text);
}

absl::StatusOr<int64_t> ParseCount(std::string_view text) { return ParseNonNegative(kCount, text); }

absl::StatusOr<IntegerRange> ParseCountRange(std::string_view text) {
  return ParseIntegerRange(text, ParseCount);
}

absl::StatusOr<Rate> ParseRate(std::string_view text) {
  constexpr std::string_view kWhat = R"(a rate such as "30/s", "600/m" or "1/h")";
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos && slash > 0) {
    const std::string_view unit = text.substr(slash + 1);
    const absl::StatusOr<int64_t> count = ParseCount(text.substr(0, slash));
    if (count.ok()) {
      if (unit == "s") return Rate{*count, absl::Seconds(1)};
      if (unit == "m") return Rate{*count, absl::Minutes(1)};
      if (unit == "h") return Rate{*count, absl::Hours(1)};
    }
  }
  return absl::InvalidArgumentError(fmt::format("expected {}, got {}", kWhat, Quoted(text)));
}

absl::StatusOr<int64_t> ParsePercent(std::string_view text) {
  return ParseNonNegative(kPercent, text);
}

absl::StatusOr<IntegerRange> ParsePercentRange(std::string_view text) {
  return ParseIntegerRange(text, ParsePercent);
}

absl::StatusOr<SeedRange> ParseSeedRange(std::string_view text) {
  absl::StatusOr<IntegerRange> range = ParseCountRange(text);
  if (range.ok()) {
    return SeedRange{static_cast<uint64_t>(range->low), static_cast<uint64_t>(range->high)};
  }
  return absl::InvalidArgumentError(fmt::format(
      R"(expected a seed such as "7" or a range such as "1..2000", got {})", Quoted(text)));
}

std::string DurationText(absl::Duration duration) {
  return FormatUnits(absl::ToInt64Nanoseconds(duration), kTimeUnits, "0s");
}

std::string FormatSize(int64_t bytes) { return FormatUnits(bytes, kSizeUnits, "0B"); }

std::string FormatBandwidth(int64_t bytes_per_second) {
  return FormatSize(bytes_per_second) + "/s";
}

std::string FormatRate(const Rate& rate) {
  const std::string_view unit = rate.period == absl::Hours(1)     ? "h"
                                : rate.period == absl::Minutes(1) ? "m"
                                                                  : "s";
  return fmt::format("{}/{}", rate.count, unit);
}

std::string FormatPercent(int64_t parts_per_million) {
  const int64_t whole = parts_per_million / 10'000;
  const int64_t rest = parts_per_million % 10'000;
  if (rest == 0) return fmt::format("{}%", whole);
  std::string fraction = fmt::format("{:04}", rest);
  while (fraction.ends_with('0')) fraction.pop_back();
  return fmt::format("{}.{}%", whole, fraction);
}

std::string FormatSeedRange(const SeedRange& range) {
  return FormatRangeOf(range.first, range.last, [](uint64_t s) { return fmt::format("{}", s); });
}

std::string FormatDurationRange(const DurationRange& range) {
  return FormatRangeOf(range.low, range.high, DurationText);
}

std::string FormatSizeRange(const IntegerRange& range) {
  return FormatRangeOf(range.low, range.high, FormatSize);
}

std::string FormatCountRange(const IntegerRange& range) {
  return FormatRangeOf(range.low, range.high, [](int64_t n) { return fmt::format("{}", n); });
}

std::string FormatPercentRange(const IntegerRange& range) {
  return FormatRangeOf(range.low, range.high, FormatPercent);
}

}  // namespace highwater::scenarios
