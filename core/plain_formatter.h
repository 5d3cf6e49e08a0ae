#pragma once

// PlainFormatter: the base of a fmt::formatter whose type is formatted in one way only, by "{}".
//
//   template <>
//   struct fmt::formatter<Endpoint> : highwater::core::PlainFormatter {
//     template <typename Context>
//     auto format(const Endpoint& endpoint, Context& context) const {
//       return fmt::format_to(context.out(), "{}:{}", endpoint.host, endpoint.port);
//     }
//   };
//
// A formatter that derives from fmt::formatter<int> or <std::string_view> takes their format
// specifications too, and each file that formats one then compiles fmt's parser and writer of them:
// half a second to two seconds a file. A specification is refused when the format string is
// compiled.

#include <fmt/format.h>

namespace highwater::core {

struct PlainFormatter {
  template <typename ParseContext>
  constexpr auto parse(ParseContext& context) {
    return context.begin();
  }
};

}  // namespace highwater::core
