#pragma once

// StrongInt: an integer that is its own type, for ids and counts that must not be mixed.
//
//   using Offset = core::StrongInt<struct OffsetTag, int64_t>;
//   Offset next = last + 1;            // an offset and a plain distance give an offset
//   int64_t distance = next - last;    // two offsets give a plain distance
//
// Two different StrongInt types neither convert nor compare. The default is zero. Formats as its
// number; for a width or in hexadecimal format its value().

#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <functional>

#include "core/plain_formatter.h"

namespace highwater::core {

template <typename Tag, typename Rep>
class StrongInt {
 public:
  using Representation = Rep;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}

  [[nodiscard]] constexpr Rep value() const { return value_; }

  constexpr StrongInt& operator++() {
    ++value_;
    return *this;
  }
  constexpr StrongInt& operator+=(Rep distance) {
    value_ = static_cast<Rep>(value_ + distance);
    return *this;
  }
  friend constexpr StrongInt operator+(StrongInt a, Rep distance) { return a += distance; }
  friend constexpr StrongInt operator-(StrongInt a, Rep distance) {
    return StrongInt(static_cast<Rep>(a.value_ - distance));
  }
  friend constexpr Rep operator-(StrongInt a, StrongInt b) {
    return static_cast<Rep>(a.value_ - b.value_);
  }
  friend constexpr auto operator<=>(StrongInt a, StrongInt b) = default;

  template <typename H>
  friend H AbslHashValue(H state, StrongInt id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  Rep value_ = 0;
};

}  // namespace highwater::core

template <typename Tag, typename Rep>
struct fmt::formatter<highwater::core::StrongInt<Tag, Rep>> : highwater::core::PlainFormatter {
  template <typename Context>
  auto format(highwater::core::StrongInt<Tag, Rep> id, Context& context) const {
    return fmt::format_to(context.out(), "{}", id.value());
  }
};

template <typename Tag, typename Rep>
struct std::hash<highwater::core::StrongInt<Tag, Rep>> {
  size_t operator()(highwater::core::StrongInt<Tag, Rep> id) const noexcept {
    return std::hash<Rep>()(id.value());
  }
};
