#include "scenarios/seed_result.h"

#include <fmt/format.h>

#include <array>

namespace highwater::scenarios {
namespace {
constexpr std::array<std::string_view, kVerdicts> kNames = {
    "held",     "violated", "expected",       "inconclusive",   "vacuous",
    "livelock", "stuck",    "broker_aborted", "internal_error", "crashed"};
}  // namespace

std::string_view VerdictName(Verdict verdict) { return kNames[static_cast<size_t>(verdict)]; }

std::optional<Verdict> VerdictFromName(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Verdict>(i);
  }
  return std::nullopt;
}

bool IsFailure(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHeld:
    case Verdict::kExpected:
    case Verdict::kInconclusive:
      return false;
    default:
      return true;
  }
}

std::string FormatHash(uint64_t hash) { return fmt::format("{:016x}", hash); }

}  // namespace highwater::scenarios
