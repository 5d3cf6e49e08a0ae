#include "tests/conformance/world_under_test.h"

namespace highwater::conformance {

std::vector<WorldParam> AllWorlds() { return {{"os", &MakeOsWorld}, {"sim", &MakeSimulatedWorld}}; }

}  // namespace highwater::conformance
