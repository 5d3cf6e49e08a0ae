#pragma once

// ZoneLeftOut: which zone stays away while the cluster heals; the others are the core that must do
// without it.
//
// A cluster that has a replica of everything in each of three zones can lose one of them for good.
// So of the seeds in which that may be tried, a drawn third tries it: a zone that has lost a broker
// already is preferred, as faults leave it.

#include <absl/types/span.h>

#include <optional>
#include <string>

#include "faults/injector.h"
#include "scenarios/scenario.h"

namespace highwater::scenarios {

// Whether the rest can go on without one zone: three zones at least; each topic with three replicas
// and no more than two of them wanted in sync; nobody who moves replicas about; time to notice.
[[nodiscard]] bool CanLeaveAZoneOut(const Scenario& scenario);

// nullopt: every host is to be started. `members` as they are when the faults are withdrawn.
[[nodiscard]] std::optional<std::string> ZoneLeftOut(
    const Scenario& scenario, uint64_t seed, absl::Span<const faults::Cast::Member> members);

}  // namespace highwater::scenarios
