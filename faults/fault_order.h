#pragma once

// FaultOrder: one fault as it will be tried in one run: what, at whom, when, how long and how
// strong, everything drawn. A list of orders is the materialised fault schedule that replay and the
// shrinker work on.
//
// Orders of one run have different keys: a key is also the order's name.

#include <absl/time/time.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "faults/aim.h"
#include "faults/moment.h"

namespace highwater::faults {

struct FaultOrder {
  std::string kind;  // of the fault table: `power_loss`
  Aim aim;
  Aim other;          // the other side, of faults between two
  absl::Duration at;  // since the world began
  // The event that it waits for from `at` on, and how long it is tried after that event. None: it
  // is tried at `at`.
  std::optional<Moment> when;
  absl::Duration after;
  absl::Duration length;  // until it is withdrawn, or its victim is started again; zero: at once
  std::map<std::string, int64_t, std::less<>>
      numbers;  // counts, bytes, parts per million, nanoseconds
  std::map<std::string, std::string, std::less<>> choices;  // `kind` → `device`
  std::string place;  // where it was asked for: `faults.timeline[0]`
  uint64_t key = 0;   // of its own draws
  // Whom `aim` and `other` named when it fired in the run that this order was taken from. Where
  // given, these are hit: in a run with fewer faults a role may be another's.
  std::optional<Aim> hit;
  std::optional<Aim> other_hit;

  // REQUIRES: the fault table gives this kind such a parameter.
  [[nodiscard]] int64_t Number(std::string_view name) const;
  [[nodiscard]] const std::string& Choice(std::string_view name) const;

  friend bool operator==(const FaultOrder&, const FaultOrder&) = default;
};

}  // namespace highwater::faults
