#include "sim/strategy.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <vector>

#include "core/mix.h"
#include "core/random.h"

namespace highwater::sim {
namespace {

constexpr int64_t kMicrosecond = 1'000;
constexpr int64_t kMillisecond = 1'000'000;

// Between 2^low and 2^high, every power of two as likely as every other.
int64_t LogUniform(core::Random& random, int low, int high) {
  const int64_t base = int64_t{1} << random.Between(low, high - 1);
  return base + static_cast<int64_t>(random.Below(static_cast<uint64_t>(base)));
}

class RandomStrategy final : public Strategy {
 public:
  explicit RandomStrategy(uint64_t seed) : key_(core::MixName("strategy.random", seed)) {
    static constexpr int64_t kGreatest[] = {0, 200, 2 * kMicrosecond, 20 * kMicrosecond,
                                            200 * kMicrosecond};
    greatest_delay_ = kGreatest[core::KeyedRandom(key_).Below(std::size(kGreatest))];
  }

  int64_t WhenReady(const Candidate& candidate, int64_t now) override {
    const uint64_t draw = DrawFor(candidate, 1);
    // Half of the wakes are not delayed: else nothing would ever meet at one instant.
    if (greatest_delay_ == 0 || fair_ || (draw & 1) != 0) return now;
    return now + static_cast<int64_t>((draw >> 1) % static_cast<uint64_t>(greatest_delay_));
  }
  uint64_t Rank(const Candidate& candidate) override { return DrawFor(candidate, 2); }
  int64_t HoldChosen(const Candidate&, int64_t now) override { return now; }
  int64_t WhenDelivered(uint64_t, int64_t arrival, int64_t) override { return arrival; }
  void SetFair(bool fair) override { fair_ = fair; }

 private:
  uint64_t DrawFor(const Candidate& candidate, uint64_t purpose) const {
    const uint64_t who = core::Mix(candidate.path, candidate.host.value());
    return core::KeyedRandom::Draw(core::Mix(key_, who), candidate.wakes * 4 + purpose);
  }

  uint64_t key_;
  bool fair_ = false;
  int64_t greatest_delay_;
};

// Probabilistic concurrency testing, after Burckhardt et al., with delays in place of its strict
// priorities across time.
class PctStrategy final : public Strategy {
 public:
  explicit PctStrategy(uint64_t seed) : key_(core::MixName("strategy.pct", seed)) {
    core::KeyedRandom random(core::Mix(key_, 1));
    const int64_t points = random.Between(3, 8);
    for (int64_t i = 0; i < points; ++i) {
      // Runs differ in length by orders of magnitude, so change points are spread over orders of
      // magnitude too.
      const auto step = static_cast<uint64_t>(LogUniform(random, 2, 18));
      const int64_t hold =
          std::clamp<int64_t>(LogUniform(random, 20, 33), kMillisecond, 5'000 * kMillisecond);
      changes_.push_back({step, hold});
    }
    std::sort(changes_.begin(), changes_.end(),
              [](const Change& a, const Change& b) { return a.step < b.step; });
  }

  int64_t WhenReady(const Candidate& candidate, int64_t now) override {
    return fair_ ? now : std::max(now, ClassOf(candidate).held_until);
  }
  uint64_t Rank(const Candidate& candidate) override { return ClassOf(candidate).rank; }
  int64_t HoldChosen(const Candidate& candidate, int64_t now) override {
    return Step(ClassOf(candidate), now);
  }
  int64_t WhenDelivered(uint64_t link, int64_t arrival, int64_t now) override {
    Class& c = Find(core::Mix(0x6c696e6b, link));
    return std::max(arrival, Step(c, now));
  }
  void SetFair(bool fair) override { fair_ = fair; }

 private:
  struct Change {
    uint64_t step;
    int64_t hold;
  };
  struct Class {
    uint64_t rank = 0;
    int64_t held_until = 0;
  };

  Class& ClassOf(const Candidate& candidate) {
    return Find(core::Mix(candidate.role, candidate.host.value()));
  }
  Class& Find(uint64_t id) {
    const auto [entry, is_new] = classes_.try_emplace(id);
    if (is_new) entry->second.rank = core::KeyedRandom::Draw(key_, id) >> 1;
    return entry->second;
  }
  // Counts a step of `c`; at a change point demotes it below all others and holds it back.
  int64_t Step(Class& c, int64_t now) {
    if (fair_) return now;
    if (next_ < changes_.size() && ++steps_ >= changes_[next_].step) [[unlikely]] {
      c.rank = ~uint64_t{0} - changes_.size() + next_;
      c.held_until = now + changes_[next_].hold;
      ++next_;
    }
    return std::max(now, c.held_until);
  }

  uint64_t key_;
  bool fair_ = false;
  uint64_t steps_ = 0;
  size_t next_ = 0;
  std::vector<Change> changes_;
  absl::flat_hash_map<uint64_t, Class> classes_;
};

}  // namespace

std::string_view StrategyName(StrategyKind kind) {
  switch (kind) {
    case StrategyKind::kFifo:
      return "fifo";
    case StrategyKind::kRandom:
      return "random";
    case StrategyKind::kPct:
      return "pct";
  }
  return "unknown";
}

StrategyKind DrawStrategy(uint64_t seed) {
  switch (core::KeyedRandom(core::MixName("strategy", seed)).Below(4)) {
    case 0:
      return StrategyKind::kFifo;
    case 1:
      return StrategyKind::kRandom;
    default:
      return StrategyKind::kPct;
  }
}

std::unique_ptr<Strategy> MakeStrategy(StrategyKind kind, uint64_t seed) {
  switch (kind) {
    case StrategyKind::kFifo:
      return nullptr;
    case StrategyKind::kRandom:
      return std::make_unique<RandomStrategy>(seed);
    case StrategyKind::kPct:
      return std::make_unique<PctStrategy>(seed);
  }
  return nullptr;
}

}  // namespace highwater::sim
