#include "scenarios/fault_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>

#include "core/check.h"

namespace highwater::scenarios {
namespace {

constexpr TargetKind kBrokers[] = {TargetKind::kAny, TargetKind::kAnyBroker, TargetKind::kBroker};
constexpr TargetKind kAnyone[] = {TargetKind::kAny, TargetKind::kAnyBroker, TargetKind::kBroker,
                                  TargetKind::kClient, TargetKind::kZone};

constexpr std::string_view kStallKinds[] = {"device", "writes"};
constexpr std::string_view kOperations[] = {"read", "write", "sync"};
constexpr std::string_view kCuts[] = {"two-way", "one-way", "reset", "silence"};

constexpr FaultParameter Lasting(std::string_view about, std::string_view default_value) {
  return {.name = "for",
          .about = about,
          .type = ParameterType::kDuration,
          .default_value = default_value,
          .minimum = "1us",
          .maximum = "1h"};
}

// What is started again afterwards.
constexpr FaultParameter Down(std::string_view about) {
  FaultParameter parameter = Lasting(about, "1s..5s");
  parameter.alias = "down";
  return parameter;
}

constexpr FaultParameter kClockJump[] = {
    {.name = "by",
     .about = "how far the wall clock jumps; negative: backwards",
     .type = ParameterType::kDuration,
     .default_value = "",
     .minimum = "-24h",
     .maximum = "24h"},
};
constexpr FaultParameter kCrash[] = {
    Down("how long the process stays down"),
};
constexpr FaultParameter kDiskError[] = {
    {.name = "operation",
     .about = "which calls fail with EIO",
     .type = ParameterType::kChoice,
     .default_value = "",
     .choices = kOperations},
    Lasting("how long they fail", "1s..5s"),
};
constexpr FaultParameter kFillDisk[] = {
    Lasting("how long no space is free", "1s..5s"),
};
constexpr FaultParameter kFlipBits[] = {
    {.name = "count",
     .about = "how many bits of stored files flip",
     .type = ParameterType::kCount,
     .default_value = "1",
     .minimum = "1",
     .maximum = "1000000"},
};
constexpr FaultParameter kFreeze[] = {
    Lasting("how long the process stands still while its kernel goes on", "500ms..5s"),
};
constexpr FaultParameter kPartition[] = {
    {.name = "from",
     .about = "the other side; any: everybody else",
     .type = ParameterType::kTarget,
     .default_value = "any",
     .targets = kAnyone},
    {.name = "cut",
     .about = "two-way and one-way drop packets; reset closes connections; silence also hides the "
              "closing",
     .type = ParameterType::kChoice,
     .default_value = "two-way",
     .choices = kCuts},
    Lasting("how long the sides are apart", "1s..5s"),
};
constexpr FaultParameter kPowerLoss[] = {
    Down("how long the host stays off"),
};
constexpr FaultParameter kSlowDisk[] = {
    {.name = "factor",
     .about = "how many times as long each read, write-back and sync takes",
     .type = ParameterType::kCount,
     .default_value = "10",
     .minimum = "2",
     .maximum = "10000"},
    Lasting("how long the disk is slow", "1s..5s"),
};
constexpr FaultParameter kSlowNetwork[] = {
    {.name = "delay",
     .about = "added to each message, one way",
     .type = ParameterType::kDuration,
     .default_value = "10ms..200ms",
     .minimum = "0s",
     .maximum = "10m"},
    {.name = "loss",
     .about = "share of packets lost, felt as retransmission delay",
     .type = ParameterType::kPercent,
     .default_value = "0%",
     .minimum = "0%",
     .maximum = "99%"},
    Lasting("how long the network is slow", "1s..5s"),
};
constexpr FaultParameter kStallDisk[] = {
    {.name = "kind",
     .about =
         "device: write-back, syncs and cache-missing reads wait; writes: write calls wait too",
     .type = ParameterType::kChoice,
     .default_value = "device",
     .choices = kStallKinds},
    Lasting("how long the disk stands still", "1s..5s"),
};

constexpr FaultKind kTable[] = {
    {"clock_jump", "The wall clock of a host jumps.", kBrokers, kClockJump},
    {"crash_broker", "The broker's process ends at once; its page cache survives.", kBrokers,
     kCrash},
    {"disk_error",
     "Calls of one kind to a broker's disk fail with EIO; what a failed sync covered is lost "
     "later.",
     kBrokers, kDiskError},
    {"fill_disk", "A broker's disk has no space left.", kBrokers, kFillDisk},
    {"flip_bits", "Stored bits of a broker's files flip and are not noticed until read.", kBrokers,
     kFlipBits},
    {"freeze", "The broker's process stops for a while, as in a long garbage collection.", kBrokers,
     kFreeze},
    {"partition_network", "One side no longer hears the other.", kAnyone, kPartition},
    {"power_loss", "The host goes off; what was not synced may be gone or torn.", kBrokers,
     kPowerLoss},
    {"slow_disk", "Every disk operation of a broker takes longer.", kBrokers, kSlowDisk},
    {"slow_network", "Messages from and to a host take longer or are lost.", kAnyone, kSlowNetwork},
    {"stall_disk", "A broker's disk stands still.", kBrokers, kStallDisk},
};

constexpr bool Sorted() {
  for (size_t i = 1; i < std::size(kTable); ++i) {
    if (kTable[i - 1].name >= kTable[i].name) return false;
  }
  return true;
}
static_assert(Sorted());

// What stands between `role(` and `)`, or nothing if `text` is not of that form.
std::optional<std::string_view> ArgumentOf(std::string_view role, std::string_view text) {
  if (text.size() < role.size() + 2 || !text.starts_with(role)) return std::nullopt;
  if (text[role.size()] != '(' || text.back() != ')') return std::nullopt;
  return text.substr(role.size() + 1, text.size() - role.size() - 2);
}

}  // namespace

absl::Span<const FaultKind> FaultTable() { return kTable; }

const FaultKind* FindFaultKind(std::string_view name) {
  const auto* found = std::lower_bound(
      std::begin(kTable), std::end(kTable), name,
      [](const FaultKind& kind, std::string_view wanted) { return kind.name < wanted; });
  return found != std::end(kTable) && found->name == name ? found : nullptr;
}

std::string_view TargetForm(TargetKind kind) {
  switch (kind) {
    case TargetKind::kAny:
      return "any";
    case TargetKind::kAnyBroker:
      return "any(broker)";
    case TargetKind::kBroker:
      return "broker(N)";
    case TargetKind::kClient:
      return "client(NAME)";
    case TargetKind::kZone:
      return "az(ZONE)";
  }
  HW_UNREACHABLE("target {}", static_cast<int>(kind));
}

absl::StatusOr<Target> ParseTarget(std::string_view text) {
  if (text == "any") return Target{.kind = TargetKind::kAny};
  if (text == "any(broker)") return Target{.kind = TargetKind::kAnyBroker};
  if (const auto number = ArgumentOf("broker", text)) {
    Target target{.kind = TargetKind::kBroker};
    const char* end = number->data() + number->size();
    const auto [read_to, error] = std::from_chars(number->data(), end, target.broker);
    if (error == std::errc() && read_to == end && target.broker >= 0) return target;
  }
  if (const auto name = ArgumentOf("client", text); name && !name->empty()) {
    return Target{.kind = TargetKind::kClient, .name = std::string(*name)};
  }
  if (const auto name = ArgumentOf("az", text); name && !name->empty()) {
    return Target{.kind = TargetKind::kZone, .name = std::string(*name)};
  }
  return absl::InvalidArgumentError(fmt::format(
      "expected a target: any, any(broker), broker(0), client(producer-0) or az(az-a); got \"{}\"",
      text.substr(0, 40)));
}

}  // namespace highwater::scenarios
