#pragma once

// Which build this is. A seed is good for one build only, so every report names it.

#include <string>

namespace highwater::reports {

struct BuildInfo {
  std::string id;        // `4f2c1e9`, of the commit; `unknown` outside a repository
  bool clean = false;    // nothing uncommitted
  std::string compiler;  // `gcc 12.2.0`
  std::string type;      // `release`
};

[[nodiscard]] const BuildInfo& ThisBuild();

// `4f2c1e9 (clean, gcc 12.2.0, release)`
[[nodiscard]] std::string DescribeBuild(const BuildInfo& build);

}  // namespace highwater::reports
