#pragma once

// The name that somebody probably meant: for error messages about settings, keys and options.
//
//   NearestName("flush.mesages", {"flush.messages", "flush.ms"}) == "flush.messages"

#include <absl/types/span.h>

#include <string_view>

namespace highwater::core {

// The candidate nearest to `word` by insertions, deletions, substitutions and swaps of neighbours
// (case does not count); empty if none is near enough to have been meant: a third of the letters
// may be wrong. The first of equals wins.
[[nodiscard]] std::string_view NearestName(std::string_view word,
                                           absl::Span<const std::string_view> candidates);

}  // namespace highwater::core
