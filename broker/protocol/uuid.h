#pragma once

// Uuid: a 128-bit id of a topic or a cluster. All zero means "no id".
//
// The text form is URL-safe base64 without padding, 22 characters ("vPeOCWypqUOSepEvx0cbog"), not
// the dashed form. Not responsible for: drawing ids (ids whose text starts with '-' are never given
// out; see IsReservedUuid).

#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/plain_formatter.h"

namespace highwater::broker::protocol {

struct Uuid {
  uint64_t high = 0;
  uint64_t low = 0;

  [[nodiscard]] constexpr bool is_zero() const { return high == 0 && low == 0; }
  [[nodiscard]] std::string ToString() const;
  // The id whose ToString() is `text`; nullopt for anything else.
  [[nodiscard]] static std::optional<Uuid> Parse(std::string_view text);

  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Uuid& id) {
    return H::combine(std::move(state), id.high, id.low);
  }
};

// Ids that must not be given to a topic: "no id", (0, 1) which Kafka keeps for its metadata topic,
// and those whose text begins with '-', which command lines would take for an option.
[[nodiscard]] bool IsReservedUuid(const Uuid& id);

}  // namespace highwater::broker::protocol

template <>
struct fmt::formatter<highwater::broker::protocol::Uuid> : highwater::core::PlainFormatter {
  template <typename Context>
  auto format(const highwater::broker::protocol::Uuid& id, Context& context) const {
    return fmt::format_to(context.out(), "{}", id.ToString());
  }
};
