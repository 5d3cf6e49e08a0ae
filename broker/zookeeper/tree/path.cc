#include "broker/zookeeper/tree/path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "core/check.h"

namespace highwater::broker::zookeeper {

namespace {

// [4.2] In UTF-16 units, as Apache's server sees a path.
bool IsLegalUnit(uint32_t unit) {
  return unit > 0x1f && (unit < 0x7f || unit > 0x9f) && (unit < 0xd800 || unit > 0xf8ff) &&
         (unit < 0xfff0 || unit > 0xffff);
}

// Takes one code point off `text`; nullopt-like 0 where it is not UTF-8 (0 is never legal).
uint32_t TakeCodePoint(std::string_view& text) {
  const auto first = static_cast<uint8_t>(text.front());
  text.remove_prefix(1);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  if (first < 0xc0 || first > 0xf7 || text.size() < static_cast<size_t>(more)) return 0;
  uint32_t point = first & (0x3fu >> more);
  for (int i = 0; i < more; ++i) {
    const auto next = static_cast<uint8_t>(text[static_cast<size_t>(i)]);
    if ((next & 0xc0) != 0x80) return 0;
    point = point << 6 | (next & 0x3f);
  }
  text.remove_prefix(static_cast<size_t>(more));
  return point;
}

bool IsValidName(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return false;
  while (!name.empty()) {
    const uint32_t point = TakeCodePoint(name);
    // Beyond 0xffff a point is two surrogates, which are not legal.
    if (point > 0xffff || !IsLegalUnit(point)) return false;
  }
  return true;
}

int Rank(char c) { return c == '/' ? 0 : 1 + static_cast<uint8_t>(c); }

}  // namespace

bool IsValidPath(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  if (path == "/") return true;
  std::string_view rest = path.substr(1);
  while (true) {
    const size_t slash = rest.find('/');
    if (!IsValidName(rest.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    rest.remove_prefix(slash + 1);
  }
}

bool IsSpecialPath(std::string_view path) {
  return path == "/" || path == "/zookeeper" || path == kQuotaPath || path == kConfigPath;
}

std::string_view ParentOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  HW_CHECK(slash != std::string_view::npos, "\"{}\" has no parent", path);
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string_view NameOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string ChildPath(std::string_view parent, std::string_view name) {
  return fmt::format("{}/{}", parent == "/" ? "" : parent, name);
}

std::string SequenceSuffix(int32_t parent_cversion) {
  return fmt::format("{:010}", parent_cversion);
}

bool PathLess::operator()(std::string_view a, std::string_view b) const {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at_b == b.end()) return false;
  return at_a == a.end() || Rank(*at_a) < Rank(*at_b);
}

}  // namespace highwater::broker::zookeeper
