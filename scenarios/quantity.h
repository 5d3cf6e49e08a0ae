#pragma once

// Quantities as people write them: `500us`, `2ms..20ms`, `16MiB`, `30/s`, `2.5%`, `1..2000`, and
// back.
//
//   ParseDuration("0.2ms")        → absl::Microseconds(200)
//   ParseDurationRange("1s..5s")  → {1 s, 5 s};   ParseDurationRange("1s") → {1 s, 1 s}
//   DurationText(absl::Milliseconds(1500)) → "1500ms"
//
// Arithmetic is exact: decimal fractions are read digit by digit, never as floating point, and what
// cannot be held exactly (less than a nanosecond, half a byte) is an error. A number without its
// unit is an error, except zero.
//
// Invariants
// 1. Parse(Format(x)) == x for every x that Parse can give.
// 2. Any text gives a value or an InvalidArgument error whose message says what was expected and
// what came; never a crash.

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace highwater::scenarios {

// Both ends belong to it; low <= high. A single value is a range of one.
struct DurationRange {
  absl::Duration low;
  absl::Duration high;
  friend bool operator==(const DurationRange&, const DurationRange&) = default;
};

// Counts, bytes and parts per million: what a number means is said by the field that holds it.
struct IntegerRange {
  int64_t low = 0;
  int64_t high = 0;
  friend bool operator==(const IntegerRange&, const IntegerRange&) = default;
};

// So many in each `period`, which is a second, a minute or an hour.
struct Rate {
  int64_t count = 0;
  absl::Duration period = absl::Seconds(1);
  friend bool operator==(const Rate&, const Rate&) = default;
};

struct SeedRange {
  uint64_t first = 1;
  uint64_t last = 1;
  friend bool operator==(const SeedRange&, const SeedRange&) = default;
};

// `500us 2ms 10s 5m 1h`, also `ns` and fractions (`0.2ms`). A leading `-` is accepted: callers
// state the range they allow.
[[nodiscard]] absl::StatusOr<absl::Duration> ParseDuration(std::string_view text);
[[nodiscard]] absl::StatusOr<DurationRange> ParseDurationRange(std::string_view text);
// Bytes: `512B 1KiB 16MiB 2GiB 1TiB`.
[[nodiscard]] absl::StatusOr<int64_t> ParseSize(std::string_view text);
[[nodiscard]] absl::StatusOr<IntegerRange> ParseSizeRange(std::string_view text);
// Bytes in a second: `200MiB/s`.
[[nodiscard]] absl::StatusOr<int64_t> ParseBandwidth(std::string_view text);
// A whole number, with no unit: `6`.
[[nodiscard]] absl::StatusOr<int64_t> ParseCount(std::string_view text);
[[nodiscard]] absl::StatusOr<IntegerRange> ParseCountRange(std::string_view text);
// `30/s`, `600/m`, `1/h`.
[[nodiscard]] absl::StatusOr<Rate> ParseRate(std::string_view text);
// Parts per million: `2%` is 20,000.
[[nodiscard]] absl::StatusOr<int64_t> ParsePercent(std::string_view text);
[[nodiscard]] absl::StatusOr<IntegerRange> ParsePercentRange(std::string_view text);
// `7` or `1..2000`.
[[nodiscard]] absl::StatusOr<SeedRange> ParseSeedRange(std::string_view text);

// The shortest form with the greatest unit that holds the value as a whole number.
[[nodiscard]] std::string DurationText(absl::Duration duration);
[[nodiscard]] std::string FormatSize(int64_t bytes);
[[nodiscard]] std::string FormatBandwidth(int64_t bytes_per_second);
[[nodiscard]] std::string FormatRate(const Rate& rate);
[[nodiscard]] std::string FormatPercent(int64_t parts_per_million);
[[nodiscard]] std::string FormatSeedRange(const SeedRange& range);
[[nodiscard]] std::string FormatDurationRange(const DurationRange& range);
[[nodiscard]] std::string FormatSizeRange(const IntegerRange& range);
[[nodiscard]] std::string FormatCountRange(const IntegerRange& range);
[[nodiscard]] std::string FormatPercentRange(const IntegerRange& range);

}  // namespace highwater::scenarios
