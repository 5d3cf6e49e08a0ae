#include "faults/aim.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/check.h"

namespace highwater::faults {
namespace {

using Role = Aim::Role;

// What stands between the parentheses.
enum class Argument : uint8_t { kNone, kNumber, kName, kPartition };

struct Form {
  Role role;
  std::string_view word;  // in front of the parentheses, or all of it
  Argument argument;
  std::string_view form;
};

constexpr Form kForms[] = {
    {Role::kAny, "any", Argument::kNone, "any"},
    {Role::kAnyBroker, "any(broker)", Argument::kNone, "any(broker)"},
    {Role::kBroker, "broker", Argument::kNumber, "broker(N)"},
    {Role::kController, "controller", Argument::kNone, "controller"},
    {Role::kLeader, "leader", Argument::kPartition, "leader(TOPIC-P)"},
    {Role::kFollower, "follower", Argument::kPartition, "follower(TOPIC-P)"},
    {Role::kAnyZooKeeper, "any(zookeeper)", Argument::kNone, "any(zookeeper)"},
    {Role::kZooKeeper, "zookeeper", Argument::kNumber, "zookeeper(N)"},
    {Role::kZooKeeperLeader, "zookeeper-leader", Argument::kNone, "zookeeper-leader"},
    {Role::kClient, "client", Argument::kName, "client(NAME)"},
    {Role::kAllClients, "all(client)", Argument::kNone, "all(client)"},
    {Role::kAnyZone, "any(az)", Argument::kNone, "any(az)"},
    {Role::kZone, "az", Argument::kName, "az(ZONE)"},
    {Role::kControllerZone, "controller-az", Argument::kNone, "controller-az"},
    {Role::kAnyTopic, "any(topic)", Argument::kNone, "any(topic)"},
    {Role::kTopic, "topic", Argument::kName, "topic(TOPIC)"},
    {Role::kAnyPartition, "any(partition)", Argument::kNone, "any(partition)"},
    {Role::kPartition, "partition", Argument::kPartition, "partition(TOPIC-P)"},
    {Role::kAllBrokers, "all(broker)", Argument::kNone, "all(broker)"},
    {Role::kHere, "here", Argument::kNone, "here"},
};

const Form& FormOf(Role role) {
  for (const Form& form : kForms) {
    if (form.role == role) return form;
  }
  HW_UNREACHABLE("role {}", static_cast<int>(role));
}

bool ReadNumber(std::string_view text, int32_t& number) {
  const char* end = text.data() + text.size();
  const auto [read_to, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && read_to == end && number >= 0;
}

// What stands between `word(` and `)`, or nothing if `text` is not of that form.
std::optional<std::string_view> ArgumentOf(std::string_view word, std::string_view text) {
  if (text.size() < word.size() + 3 || !text.starts_with(word)) return std::nullopt;
  if (text[word.size()] != '(' || text.back() != ')') return std::nullopt;
  return text.substr(word.size() + 1, text.size() - word.size() - 2);
}

bool ReadArgument(Argument kind, std::string_view text, Aim& aim) {
  switch (kind) {
    case Argument::kNone:
      return false;
    case Argument::kNumber:
      return ReadNumber(text, aim.number);
    case Argument::kName:
      aim.name = std::string(text);
      return true;
    case Argument::kPartition: {
      // A topic's name may hold dashes itself.
      const size_t dash = text.rfind('-');
      if (dash == std::string_view::npos || dash == 0) return false;
      aim.name = std::string(text.substr(0, dash));
      return ReadNumber(text.substr(dash + 1), aim.number);
    }
  }
  HW_UNREACHABLE();
}

}  // namespace

std::string_view AimForm(Role role) { return FormOf(role).form; }

std::string FormatAim(const Aim& aim) {
  const Form& form = FormOf(aim.role);
  switch (form.argument) {
    case Argument::kNone:
      return std::string(form.word);
    case Argument::kNumber:
      return fmt::format("{}({})", form.word, aim.number);
    case Argument::kName:
      return fmt::format("{}({})", form.word, aim.name);
    case Argument::kPartition:
      return fmt::format("{}({}-{})", form.word, aim.name, aim.number);
  }
  HW_UNREACHABLE();
}

absl::StatusOr<Aim> ParseAim(std::string_view text) {
  for (const Form& form : kForms) {
    if (form.argument == Argument::kNone) {
      if (text == form.word) return Aim{.role = form.role};
      continue;
    }
    Aim aim{.role = form.role};
    const auto argument = ArgumentOf(form.word, text);
    if (argument.has_value() && ReadArgument(form.argument, *argument, aim)) return aim;
  }
  return absl::InvalidArgumentError(
      fmt::format("expected a target: any, any(broker), broker(0), controller, leader(orders-0), "
                  "follower(orders-0), zookeeper(0), client(producer-0), az(az-a), controller-az, "
                  "topic(orders), partition(orders-0), all(broker) or here; got \"{}\"",
                  text.substr(0, 40)));
}

}  // namespace highwater::faults
