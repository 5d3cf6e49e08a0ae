#include "scenarios/world/narrator.h"

#include <algorithm>

namespace highwater::scenarios {
namespace {

// A chain longer than this explains nothing any more.
constexpr size_t kLongestChain = 14;

ChainEventKind EventKindOf(Narrator::Kind kind) {
  if (kind == Narrator::Kind::kFault) return ChainEventKind::kFault;
  if (kind == Narrator::Kind::kViolation) return ChainEventKind::kViolation;
  return ChainEventKind::kEvent;
}

Transition TransitionOf(Narrator::Kind kind) {
  switch (kind) {
    case Narrator::Kind::kLifecycle:
    case Narrator::Kind::kNews:
      return Transition::kNews;
    case Narrator::Kind::kUp:
      return Transition::kUp;
    case Narrator::Kind::kDown:
    case Narrator::Kind::kKilled:
      return Transition::kDown;
    case Narrator::Kind::kController:
      return Transition::kController;
    case Narrator::Kind::kFault:
      return Transition::kFault;
    case Narrator::Kind::kElection:
      return Transition::kElection;
    case Narrator::Kind::kLeader:
      return Transition::kLeader;
    case Narrator::Kind::kFollower:
      return Transition::kFollower;
    case Narrator::Kind::kIsr:
      return Transition::kIsr;
    case Narrator::Kind::kHighWatermark:
      return Transition::kHighWatermark;
    case Narrator::Kind::kTruncation:
    case Narrator::Kind::kLoadedShorter:
      return Transition::kTruncation;
    case Narrator::Kind::kViolation:
      return Transition::kViolation;
    case Narrator::Kind::kAppended:
    case Narrator::Kind::kFlushed:
    case Narrator::Kind::kAcknowledged:
    case Narrator::Kind::kLoaded:
    case Narrator::Kind::kOther:
      return Transition::kOther;
  }
  HW_UNREACHABLE();
}

}  // namespace

RunEvent Narrator::RunEventOf(const Told& told) {
  const Transition transition = TransitionOf(told.kind);
  RunEvent event{.event = told.event, .transition = transition};
  const bool of_partition =
      transition >= Transition::kElection && transition <= Transition::kTruncation;
  if (of_partition) event.partition = fmt::format("{}", told.partition);
  // It is told as the last committed record.
  if (transition == Transition::kHighWatermark) event.high_watermark = told.last.value() + 1;
  return event;
}

void Narrator::Tell(absl::Duration at, Kind kind, std::string actor, std::string text,
                    std::string note) {
  if (!active()) return;
  Add({.event = {.at = at,
                 .kind = EventKindOf(kind),
                 .actor = std::move(actor),
                 .text = std::move(text),
                 .note = std::move(note)},
       .kind = kind});
}

void Narrator::TellOf(const broker::TopicPartition& partition, broker::Offset base,
                      broker::Offset last, absl::Duration at, Kind kind, std::string actor,
                      std::string text, std::string note) {
  if (!active()) return;
  Add({.event = {.at = at,
                 .kind = EventKindOf(kind),
                 .actor = std::move(actor),
                 .text = std::move(text),
                 .note = std::move(note)},
       .kind = kind,
       .partition = partition,
       .base = base,
       .last = last});
}

void Narrator::Add(Told told) {
  if (listener_ != nullptr) listener_(RunEventOf(told));
  if (keep_) told_.push_back(std::move(told));
}

std::vector<ChainEvent> Narrator::ChainOf(const invariants::Violation& violation) const {
  if (told_.empty()) return {};
  const bool about_record =
      violation.partition.has_value() && violation.offset != broker::kNoOffset;
  // Where the story begins: the append that stored the record.
  size_t begin = 0;
  if (about_record) {
    for (size_t i = 0; i < told_.size() && told_[i].event.at <= violation.at; ++i) {
      // The last before the violation: an earlier one stood at the same offset and was lost before.
      if (told_[i].kind == Kind::kAppended &&
          told_[i].Holds(*violation.partition, violation.offset))
        begin = i;
    }
  }
  std::vector<ChainEvent> chain;
  auto keep = [&](const Told& told, std::string_view decisive) {
    chain.push_back(told.event);
    chain.back().decisive = decisive;
  };
  // What was durable before: the last flush of the partition, if there was one.
  if (about_record) {
    for (size_t i = begin; i-- > 0;) {
      if (told_[i].kind == Kind::kFlushed && told_[i].partition == *violation.partition) {
        keep(told_[i], "");
        break;
      }
    }
  }
  bool acknowledged = false;
  bool lost = false;
  for (size_t i = begin; i < told_.size() && told_[i].event.at <= violation.at; ++i) {
    const Told& told = told_[i];
    switch (told.kind) {
      case Kind::kFault:
      case Kind::kLifecycle:
      case Kind::kUp:
      case Kind::kDown:
      case Kind::kController:
        keep(told, "");
        break;
      case Kind::kAppended:
      case Kind::kFlushed:
      case Kind::kAcknowledged:
        if (!about_record || !told.Holds(*violation.partition, violation.offset)) break;
        if (told.kind == Kind::kAcknowledged && !std::exchange(acknowledged, true)) {
          keep(told, "acknowledged here");
        } else if (chain.size() < kLongestChain) {
          keep(told, "");
        }
        break;
      case Kind::kLoaded:
      case Kind::kLoadedShorter:
        if (!violation.partition.has_value() || told.partition != *violation.partition) break;
        // `base` is the end of the log that was loaded.
        if (about_record && told.base <= violation.offset && !std::exchange(lost, true)) {
          keep(told, fmt::format("record {} lost here", violation.offset));
        } else {
          keep(told, "");
        }
        break;
      default:
        break;
    }
  }
  if (chain.size() > kLongestChain) {
    // The decisive moments stay, and what is nearest to the end.
    size_t surplus = chain.size() - kLongestChain;
    std::erase_if(chain, [&](const ChainEvent& event) {
      if (surplus == 0 || !event.decisive.empty()) return false;
      --surplus;
      return true;
    });
  }
  chain.push_back({.at = violation.at,
                   .kind = ChainEventKind::kViolation,
                   .text = violation.invariant,
                   .note = fmt::format("docs/invariants.md#{}", violation.invariant)});
  return chain;
}

}  // namespace highwater::scenarios
