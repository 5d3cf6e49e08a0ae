#pragma once

// How sure `successes` of `trials` independent runs make us of the chance behind them.

#include <cstdint>
#include <string>

namespace highwater::reports {

struct Bounds {
  double low;
  double high;
};

// The exact (Clopper-Pearson) bounds at 95 %. Where all runs agree only one side is unknown, and
// gets all of the 5 %: none of n is at most about 3/n (the rule of three).
// REQUIRES: 0 < trials, successes <= trials.
[[nodiscard]] Bounds BinomialBounds(uint64_t successes, uint64_t trials);

// `0 of 200 (below 1.5 %)`, `200 of 200 (above 98.5 %)`, `7 of 200 (1.4 % to 7.1 %)`, `no run`.
[[nodiscard]] std::string ShareText(uint64_t successes, uint64_t trials);

}  // namespace highwater::reports
