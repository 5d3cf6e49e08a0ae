#include "broker/protocol/uuid.h"

namespace highwater::broker::protocol {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr size_t kTextSize = 22;

}  // namespace

std::string Uuid::ToString() const {
  // 128 bits are 21 groups of six and one of two, which base64 fills with zeros on the right.
  std::string text(kTextSize, 'A');
  __extension__ using Wide = unsigned __int128;
  const Wide bits = static_cast<Wide>(high) << 64 | low;
  for (size_t i = 0; i < kTextSize - 1; ++i) {
    text[i] = kAlphabet[static_cast<size_t>(bits >> (122 - 6 * i)) & 63];
  }
  text[kTextSize - 1] = kAlphabet[static_cast<size_t>(bits & 3) << 4];
  return text;
}

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != kTextSize) return std::nullopt;
  __extension__ using Wide = unsigned __int128;
  Wide bits = 0;
  for (size_t i = 0; i < kTextSize; ++i) {
    const size_t value = kAlphabet.find(text[i]);
    if (value == std::string_view::npos) return std::nullopt;
    if (i < kTextSize - 1) {
      bits = bits << 6 | value;
    } else if ((value & 15) != 0) {
      return std::nullopt;
    } else {
      bits = bits << 2 | value >> 4;
    }
  }
  return Uuid{static_cast<uint64_t>(bits >> 64), static_cast<uint64_t>(bits)};
}

bool IsReservedUuid(const Uuid& id) {
  return (id.high == 0 && id.low <= 1) || id.high >> 58 == kAlphabet.find('-');
}

}  // namespace highwater::broker::protocol
