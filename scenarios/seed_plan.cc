#include "scenarios/seed_plan.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "core/status_macros.h"

namespace highwater::scenarios {

absl::StatusOr<Shard> ParseShard(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const absl::StatusOr<int64_t> index = ParseCount(text.substr(0, slash));
    const absl::StatusOr<int64_t> count = ParseCount(text.substr(slash + 1));
    if (index.ok() && count.ok() && *index >= 1 && *index <= *count) {
      return Shard{static_cast<uint64_t>(*index), static_cast<uint64_t>(*count)};
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("expected a shard such as 1/8, from 1/8 to 8/8, got \"{}\"", text));
}

absl::StatusOr<SeedChoice> ParseSeedChoice(std::string_view text) {
  constexpr std::string_view kRandom = "random:";
  constexpr int64_t kMostDrawn = 1'000'000;
  SeedChoice choice;
  if (text.starts_with(kRandom)) {
    const absl::StatusOr<int64_t> count = ParseCount(text.substr(kRandom.size()));
    if (!count.ok() || *count < 1 || *count > kMostDrawn) {
      return absl::InvalidArgumentError(
          fmt::format("expected random:1 to random:{}, got \"{}\"", kMostDrawn, text));
    }
    choice.drawn = static_cast<uint64_t>(*count);
    return choice;
  }
  absl::StatusOr<SeedRange> range = ParseSeedRange(text);
  if (!range.ok()) {
    return absl::InvalidArgumentError(
        fmt::format("expected seeds such as 7, 1..1000 or random:500, got \"{}\"", text));
  }
  choice.range = *range;
  return choice;
}

CasePlan::CasePlan(std::vector<SeedRange> own, SeedChoice choice, Shard shard, bool endless)
    : own_(std::move(own)),
      choice_(std::move(choice)),
      shard_(shard),
      endless_(endless),
      bounded_(choice_.range.has_value() || !choice_.list.empty()) {
  for (size_t i = 0; i < own_.size(); ++i) {
    if (__builtin_add_overflow(total_, SeedsOf(i), &total_)) {
      total_ = std::numeric_limits<uint64_t>::max();
    }
  }
}

uint64_t CasePlan::SeedsOf(size_t scenario) const {
  if (!choice_.list.empty()) return choice_.list.size();
  const SeedRange& range = choice_.range ? *choice_.range : own_[scenario];
  const uint64_t distance = range.last - range.first;
  return distance == std::numeric_limits<uint64_t>::max() ? distance : distance + 1;
}

uint64_t CasePlan::SeedAt(size_t scenario, uint64_t index) const {
  if (!choice_.list.empty()) return choice_.list[index];
  return (choice_.range ? *choice_.range : own_[scenario]).first + index;
}

std::optional<uint64_t> CasePlan::Size() const {
  if (endless_) return std::nullopt;
  const uint64_t before = shard_.index - 1;
  return total_ <= before ? 0 : (total_ - before - 1) / shard_.count + 1;
}

std::optional<Case> CasePlan::Next() {
  if (endless_) return NextInTurn();
  uint64_t index;
  if (__builtin_mul_overflow(next_, shard_.count, &index) ||
      __builtin_add_overflow(index, shard_.index - 1, &index) || index >= total_) {
    return std::nullopt;
  }
  ++next_;
  for (size_t scenario = 0; scenario < own_.size(); ++scenario) {
    if (index < SeedsOf(scenario)) return Case{scenario, SeedAt(scenario, index)};
    index -= SeedsOf(scenario);
  }
  return std::nullopt;
}

std::optional<Case> CasePlan::NextInTurn() {
  if (own_.empty()) return std::nullopt;
  const size_t scenario = next_ % own_.size();
  const uint64_t index = shard_.index - 1 + next_ / own_.size() * shard_.count;
  if (bounded_ && index >= SeedsOf(scenario)) return std::nullopt;
  ++next_;
  return Case{scenario, SeedAt(scenario, index)};
}

}  // namespace highwater::scenarios
