#include "reports/binomial.h"

#include <fmt/format.h>

#include <boost/math/distributions/binomial.hpp>

namespace highwater::reports {

Bounds BinomialBounds(uint64_t successes, uint64_t trials) {
  using Binomial = boost::math::binomial_distribution<double>;
  const auto n = static_cast<double>(trials);
  const auto k = static_cast<double>(successes);
  const double alpha = successes == 0 || successes == trials ? 0.05 : 0.025;
  return {.low = successes == 0 ? 0 : Binomial::find_lower_bound_on_p(n, k, alpha),
          .high = successes == trials ? 1 : Binomial::find_upper_bound_on_p(n, k, alpha)};
}

std::string ShareText(uint64_t successes, uint64_t trials) {
  if (trials == 0) return "no run";
  const Bounds bounds = BinomialBounds(successes, trials);
  const std::string share = fmt::format("{} of {}", successes, trials);
  if (successes == 0) return fmt::format("{} (below {:.1f} %)", share, bounds.high * 100);
  if (successes == trials) return fmt::format("{} (above {:.1f} %)", share, bounds.low * 100);
  return fmt::format("{} ({:.1f} % to {:.1f} %)", share, bounds.low * 100, bounds.high * 100);
}

}  // namespace highwater::reports
