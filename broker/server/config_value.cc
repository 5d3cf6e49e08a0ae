#include "broker/server/config_value.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <fmt/format.h>

#include <algorithm>

namespace highwater::broker {

namespace {

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

bool Contains(std::string_view choices, std::string_view value) {
  for (const std::string& choice : ReadList(choices)) {
    if (choice == value) return true;
  }
  return false;
}

absl::Status NotAmong(const ConfigKey& key, std::string_view value) {
  return absl::InvalidArgumentError(
      fmt::format("expected one of {}, got \"{}\"", key.choices, value));
}

absl::Status ValidateNumber(const ConfigKey& key, std::string_view text) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(Abseil(text), &value)) {
    return absl::InvalidArgumentError(fmt::format(
        "expected a whole number{}, got \"{}\"",
        key.type == ConfigType::kMillis ? " of milliseconds (without a unit)" : "", text));
  }
  if (value < key.min || value > key.max) {
    return absl::InvalidArgumentError(
        fmt::format("expected a number from {} to {}, got {}", key.min, key.max, value));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateValue(const ConfigKey& key, std::string_view text) {
  switch (key.type) {
    case ConfigType::kBool:
      if (text == "true" || text == "false") return absl::OkStatus();
      return absl::InvalidArgumentError(fmt::format("expected true or false, got \"{}\"", text));
    case ConfigType::kInt:
    case ConfigType::kLong:
    case ConfigType::kMillis:
      return ValidateNumber(key, text);
    case ConfigType::kDouble: {
      // Kept as text: nothing computes with it yet, and the broker knows no floating point.
      const bool digits = !text.empty() && text.find_first_not_of("0123456789.") == text.npos &&
                          std::count(text.begin(), text.end(), '.') <= 1;
      if (digits) return absl::OkStatus();
      return absl::InvalidArgumentError(fmt::format("expected a decimal number, got \"{}\"", text));
    }
    case ConfigType::kString:
      if (key.choices.empty() || Contains(key.choices, text) || text == key.default_value) {
        return absl::OkStatus();
      }
      return NotAmong(key, text);
    case ConfigType::kList:
      for (const std::string& element : ReadList(text)) {
        if (!key.choices.empty() && !Contains(key.choices, element)) return NotAmong(key, element);
      }
      return absl::OkStatus();
  }
  HW_UNREACHABLE();
}

bool ReadBool(std::string_view text) { return text == "true"; }

int64_t ReadInteger(std::string_view text) {
  int64_t value = 0;
  HW_CHECK(absl::SimpleAtoi(Abseil(text), &value), "\"{}\" is not a number", text);
  return value;
}

absl::Duration ReadMillis(std::string_view text) {
  const int64_t value = ReadInteger(text);
  if (value == kMaxLong || value < 0) return absl::InfiniteDuration();
  return absl::Milliseconds(value);
}

std::vector<std::string> ReadList(std::string_view text) {
  std::vector<std::string> list;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view element = Trim(text.substr(0, comma));
    if (!element.empty()) list.emplace_back(element);
    if (comma == text.npos) break;
    text.remove_prefix(comma + 1);
  }
  return list;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.front()))) {
    text.remove_prefix(1);
  }
  while (!text.empty() && absl::ascii_isspace(static_cast<unsigned char>(text.back()))) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace highwater::broker
