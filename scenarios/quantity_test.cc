#include "scenarios/quantity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace highwater::scenarios {
namespace {

using testing::HasSubstr;

std::string ErrorOf(const absl::Status& status) {
  return std::string(status.message().data(), status.message().size());
}

TEST(QuantityTest, ReadsEachUnitOfTime) {
  EXPECT_EQ(*ParseDuration("500us"), absl::Microseconds(500));
  EXPECT_EQ(*ParseDuration("2ms"), absl::Milliseconds(2));
  EXPECT_EQ(*ParseDuration("10s"), absl::Seconds(10));
  EXPECT_EQ(*ParseDuration("5m"), absl::Minutes(5));
  EXPECT_EQ(*ParseDuration("1h"), absl::Hours(1));
  EXPECT_EQ(*ParseDuration("0"), absl::ZeroDuration());
  EXPECT_EQ(*ParseDuration("-3s"), -absl::Seconds(3));
}

TEST(QuantityTest, ReadsDecimalFractionsExactly) {
  EXPECT_EQ(*ParseDuration("0.2ms"), absl::Microseconds(200));
  EXPECT_EQ(*ParseDuration("1.000000001s"), absl::Nanoseconds(1'000'000'001));
  EXPECT_EQ(*ParsePercent("0.5%"), 5'000);
  EXPECT_THAT(ErrorOf(ParseDuration("0.5ns").status()), HasSubstr("finer than"));
  EXPECT_THAT(ErrorOf(ParseSize("0.5B").status()), HasSubstr("finer than"));
}

TEST(QuantityTest, ReadsSizesRatesAndRanges) {
  EXPECT_EQ(*ParseSize("1KiB"), 1024);
  EXPECT_EQ(*ParseSize("16MiB"), 16 << 20);
  EXPECT_EQ(*ParseBandwidth("200MiB/s"), 200 << 20);
  EXPECT_EQ(*ParseRate("30/s"), (Rate{30, absl::Seconds(1)}));
  EXPECT_EQ(*ParseRate("600/m"), (Rate{600, absl::Minutes(1)}));
  EXPECT_EQ(*ParseDurationRange("2ms..20ms"),
            (DurationRange{absl::Milliseconds(2), absl::Milliseconds(20)}));
  EXPECT_EQ(*ParseDurationRange("2ms"),
            (DurationRange{absl::Milliseconds(2), absl::Milliseconds(2)}));
  EXPECT_EQ(*ParseSeedRange("1..2000"), (SeedRange{1, 2000}));
  EXPECT_EQ(*ParseSeedRange("7"), (SeedRange{7, 7}));
}

TEST(QuantityTest, NamesAMissingOrUnknownUnit) {
  EXPECT_EQ(ErrorOf(ParseDuration("5").status()),
            R"(expected a duration such as "500us", "2ms" or "10s", got "5": a unit is missing: )"
            "ns, us, ms, s, m or h");
  EXPECT_THAT(ErrorOf(ParseDuration("5sec").status()),
              HasSubstr(R"(unknown unit "sec": use ns, us)"));
  EXPECT_THAT(ErrorOf(ParseSize("1KB").status()), HasSubstr(R"(unknown unit "KB": use B, KiB)"));
  EXPECT_THAT(ErrorOf(ParseRate("30").status()), HasSubstr("30/s"));
}

TEST(QuantityTest, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(ParseDuration("").ok());
  EXPECT_FALSE(ParseDuration("s").ok());
  EXPECT_FALSE(ParseDuration("1e3s").ok());
  EXPECT_FALSE(ParseDuration("5s..2s").ok());
  EXPECT_FALSE(ParseDurationRange("5s..2s").ok());
  EXPECT_FALSE(ParseDurationRange("1s..").ok());
  EXPECT_FALSE(ParseDuration("9999999999999999999999h").ok());
  EXPECT_FALSE(ParseDuration("999999999999999h").ok());
  EXPECT_FALSE(ParseSize("-1KiB").ok());
  EXPECT_FALSE(ParseSeedRange("5..1").ok());
}

RC_GTEST_PROP(QuantityTest, ADurationRoundTrips, (int64_t nanos)) {
  RC_PRE(nanos != std::numeric_limits<int64_t>::min());
  const absl::Duration duration = absl::Nanoseconds(nanos % 1'000'000'000'000'000'000);
  RC_ASSERT(*ParseDuration(DurationText(duration)) == duration);
}

RC_GTEST_PROP(QuantityTest, WholeUnitsRoundTrip, ()) {
  const auto count = *rc::gen::inRange<int64_t>(0, 1'000'000);
  const auto unit = *rc::gen::element(absl::Microseconds(1), absl::Milliseconds(1),
                                      absl::Seconds(1), absl::Minutes(1), absl::Hours(1));
  RC_ASSERT(*ParseDuration(DurationText(count * unit)) == count * unit);
}

RC_GTEST_PROP(QuantityTest, SizesSharesAndRatesRoundTrip, ()) {
  const auto number = *rc::gen::inRange<int64_t>(0, int64_t{1} << 50);
  RC_ASSERT(*ParseSize(FormatSize(number)) == number);
  RC_ASSERT(*ParseBandwidth(FormatBandwidth(number)) == number);
  RC_ASSERT(*ParsePercent(FormatPercent(number)) == number);
  const Rate rate{number, *rc::gen::element(absl::Seconds(1), absl::Minutes(1), absl::Hours(1))};
  RC_ASSERT(*ParseRate(FormatRate(rate)) == rate);
}

RC_GTEST_PROP(QuantityTest, RangesRoundTrip, ()) {
  const auto low = *rc::gen::inRange<int64_t>(0, int64_t{1} << 40);
  const auto high = *rc::gen::inRange<int64_t>(low, int64_t{1} << 41);
  const DurationRange range{absl::Nanoseconds(low), absl::Nanoseconds(high)};
  RC_ASSERT(*ParseDurationRange(FormatDurationRange(range)) == range);
  const SeedRange seeds{static_cast<uint64_t>(low), static_cast<uint64_t>(high)};
  RC_ASSERT(*ParseSeedRange(FormatSeedRange(seeds)) == seeds);
}

RC_GTEST_PROP(QuantityTest, AnyTextGivesAValueOrAMessage, ()) {
  const auto text = *rc::gen::container<std::string>(
      rc::gen::element('0', '1', '9', '.', '-', 'm', 's', 'u', '%', '/', 'K', 'i', 'B', 'h', ' '));
  const auto checked = [](const auto& parsed) {
    RC_ASSERT(parsed.ok() || !parsed.status().message().empty());
  };
  checked(ParseDuration(text));
  checked(ParseDurationRange(text));
  checked(ParseSizeRange(text));
  checked(ParseBandwidth(text));
  checked(ParseRate(text));
  checked(ParsePercentRange(text));
  checked(ParseSeedRange(text));
}

}  // namespace
}  // namespace highwater::scenarios
