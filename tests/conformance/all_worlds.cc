#include "tests/conformance/world_under_test.h"

namespace highwater::conformance {

std::vector<WorldParam> AllWorlds() {
  std::vector<WorldParam> worlds{{"os", &MakeOsWorld}};
#if defined(HW_HAS_SIMULATED_WORLD)
  worlds.push_back({"sim", &MakeSimulatedWorld});
#endif
  return worlds;
}

}  // namespace highwater::conformance
