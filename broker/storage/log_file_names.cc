#include "broker/storage/log_file_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace highwater::broker::storage {
namespace {

constexpr size_t kOffsetDigits = 20;
constexpr size_t kMaxNameLength = 255;

template <typename Number>
std::optional<Number> ParseDigits(std::string_view text) {
  Number number = 0;
  if (text.empty() ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string FileNameOf(Offset base, std::string_view suffix) {
  return fmt::format("{:020}{}", base.value(), suffix);
}

std::optional<Offset> OffsetOfFileName(std::string_view name, std::string_view suffix) {
  if (name.size() != kOffsetDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  const auto number = ParseDigits<int64_t>(name.substr(0, kOffsetDigits));
  if (!number) return std::nullopt;
  return Offset(*number);
}

std::string DirectoryNameOf(const TopicPartition& partition) {
  return fmt::format("{}-{}", partition.topic, partition.partition);
}

std::optional<TopicPartition> PartitionOfDirectoryName(std::string_view name) {
  const size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return std::nullopt;
  const auto number = ParseDigits<int32_t>(name.substr(dash + 1));
  if (!number) return std::nullopt;
  TopicPartition partition{std::string(name.substr(0, dash)), PartitionIndex(*number)};
  // "orders-007" is no directory of ours: two names must not mean one partition.
  if (DirectoryNameOf(partition) != name) return std::nullopt;
  return partition;
}

std::string DeleteDirectoryNameOf(const TopicPartition& partition, const protocol::Uuid& unique) {
  const std::string suffix =
      fmt::format("-{}.{:016x}{:016x}-delete", partition.partition, unique.high, unique.low);
  const size_t room = kMaxNameLength - suffix.size();
  return partition.topic.substr(0, room) + suffix;
}

bool IsDeleteDirectoryName(std::string_view name) {
  constexpr std::string_view kEnd = "-delete";
  constexpr size_t kHexDigits = 32;
  if (!name.ends_with(kEnd)) return false;
  name.remove_suffix(kEnd.size());
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot - 1 != kHexDigits)
    return false;
  return std::all_of(name.begin() + static_cast<ptrdiff_t>(dot) + 1, name.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace highwater::broker::storage
