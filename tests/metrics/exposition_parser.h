#pragma once

// ParseExposition: a strict reader of Prometheus's text format for tests. It refuses what a lenient
// scraper would take.

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <string_view>

namespace highwater::tests {

// Series (`name{a="b"}`, labels as they stand) to value. An error names the line.
using Series = std::map<std::string, std::string, std::less<>>;

// Every family: HELP, then TYPE, then its samples together, once. Legal names; label names once; no
// series twice; counters end in _total; a histogram's buckets ascend in bound and count, end with
// +Inf, and that equals its _count.
[[nodiscard]] absl::StatusOr<Series> ParseExposition(std::string_view text);

}  // namespace highwater::tests
