#pragma once

// Mix: folds one 64-bit value into another. The base of the state-hash chain and of keyed draws.
//
// A widening multiply of the operands, each offset by a constant so that zeros do not stick; the
// same on every machine.

#include <cstdint>
#include <string_view>

namespace highwater::core {

[[nodiscard]] constexpr uint64_t Mix(uint64_t state, uint64_t value) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(state ^ 0x9e3779b97f4a7c15u) *
                       static_cast<Wide>(value ^ 0xd6e8feb86659fd93u);
  const uint64_t folded = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  // A zero operand would erase the other one: keep a trace of both.
  return folded + (state << 1 | state >> 63) + value;
}

// A stable hash of a name, for keys: never an absl::Hash, which differs between processes.
[[nodiscard]] constexpr uint64_t MixName(std::string_view name, uint64_t state = 0) {
  uint64_t h = Mix(state, name.size());
  for (const char c : name) h = Mix(h, static_cast<uint8_t>(c));
  return h;
}

}  // namespace highwater::core
