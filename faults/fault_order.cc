#include "faults/fault_order.h"

#include "core/check.h"

namespace highwater::faults {

int64_t FaultOrder::Number(std::string_view name) const {
  const auto found = numbers.find(name);
  HW_CHECK(found != numbers.end(), "fault {} without {}", kind, name);
  return found->second;
}

const std::string& FaultOrder::Choice(std::string_view name) const {
  const auto found = choices.find(name);
  HW_CHECK(found != choices.end(), "fault {} without {}", kind, name);
  return found->second;
}

}  // namespace highwater::faults
