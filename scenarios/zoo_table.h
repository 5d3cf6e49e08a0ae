#pragma once

// The table of the zoo (docs/zoo.md): a row a defect, as it was measured last.
//
//   ZooRow row{.id = "M22", ..., .hunts = {found_from_base_0, found_from_base_1}};
//   document = UpdateZooTable(document, {row}, order);    // other rows stay as they are
//
// The table stands between the lines kTableBegin and kTableEnd; what is around it is people's.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "scenarios/hunt.h"

namespace highwater::scenarios {

inline constexpr std::string_view kTableBegin = "<!-- zoo: begin -->";
inline constexpr std::string_view kTableEnd = "<!-- zoo: end -->";

struct ZooRow {
  const PlantedDefect* defect = nullptr;
  std::string strategy;
  std::vector<Detection> hunts;  // one a base
};

[[nodiscard]] std::string ZooTableHead();
// One line. `>` stands before the number of trials of a hunt that found nothing.
[[nodiscard]] std::string FormatZooRow(const ZooRow& row);

// `document` with these rows in its table, each in place of the one with its id; all in the order
// of `zoo`. Rows of defects that `zoo` does not have are dropped. InvalidArgument without the two
// lines.
[[nodiscard]] absl::StatusOr<std::string> UpdateZooTable(std::string_view document,
                                                         const std::vector<ZooRow>& rows,
                                                         const std::vector<PlantedDefect>& zoo);

}  // namespace highwater::scenarios
