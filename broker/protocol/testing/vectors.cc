#include "broker/protocol/testing/vectors.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "core/check.h"

namespace highwater::broker::protocol::testing {

std::vector<std::vector<std::string>> ReadVectorFile(std::string_view name) {
  const std::string path = fmt::format("{}/{}", HW_PROTOCOL_TESTDATA, name);
  std::ifstream file(path);
  HW_CHECK(file.is_open(), "cannot open {}", path);
  std::vector<std::vector<std::string>> lines;
  for (std::string line; std::getline(file, line);) {
    std::istringstream stream(line);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    if (!words.empty()) lines.push_back(std::move(words));
  }
  return lines;
}

std::optional<std::string> FromHex(std::string_view hex) {
  if (hex == "-") return std::string();
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    int value = 0;
    for (const char c : hex.substr(i, 2)) {
      const size_t digit = std::string_view("0123456789abcdef").find(c);
      if (digit == std::string_view::npos) return std::nullopt;
      value = value * 16 + static_cast<int>(digit);
    }
    bytes.push_back(static_cast<char>(value));
  }
  return bytes;
}

std::string ToHex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return hex.empty() ? "-" : hex;
}

}  // namespace highwater::broker::protocol::testing
