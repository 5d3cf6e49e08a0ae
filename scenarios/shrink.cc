#include "scenarios/shrink.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/check.h"
#include "core/mix.h"
#include "scenarios/reducers.h"

namespace highwater::scenarios {
namespace {

std::set<std::string_view> InvariantsOf(const SeedResult& result) {
  std::set<std::string_view> invariants;
  for (const Violation& violation : result.violations) invariants.insert(violation.invariant);
  return invariants;
}

class Search {
 public:
  Search(Trial failing, std::optional<absl::Duration> violated, const FindFailing& find,
         const ShrinkLimits& limits)
      : smallest_(std::move(failing)), violated_(violated), find_(find), limits_(limits) {}

  ShrinkOutcome Run() {
    for (bool smaller = true; smaller && !OutOfBudget();) {
      smaller = StepToViolation();
      for (const Reducer& reducer : Reducers()) {
        while (!OutOfBudget() && Step(reducer.reduce(smallest_.run), smallest_.seed)) {
          smaller = true;
          (void)StepToViolation();
        }
      }
      smaller = smaller || StepUnderOtherSeeds();
    }
    return {.smallest = std::move(smallest_), .trials = trials_, .exhausted = OutOfBudget()};
  }

 private:
  bool OutOfBudget() const { return trials_ >= limits_.trials || (limits_.stop && limits_.stop()); }

  // Goes on to the first of `runs` that fails.
  bool Step(std::vector<Scenario> runs, uint64_t seed) {
    if (runs.empty()) return false;
    std::vector<Trial> trials;
    for (Scenario& run : runs) trials.push_back({.run = std::move(run), .seed = seed});
    const std::optional<Failing> found = find_(trials);
    trials_ += found ? found->index + 1 : trials.size();
    if (!found) return false;
    smallest_ = std::move(trials[found->index]);
    violated_ = found->violated;
    return true;
  }

  // What comes after the violation had no part in it; and each further trial is the shorter.
  bool StepToViolation() {
    if (!violated_) return false;
    return Step(WithoutWhatFollows(smallest_.run, *violated_), smallest_.seed);
  }

  bool StepUnderOtherSeeds() {
    for (uint64_t turn = 1; turn <= limits_.other_seeds && !OutOfBudget(); ++turn) {
      // Seeds that people can type.
      const uint64_t seed = core::Mix(smallest_.seed, turn) % 1'000'000 + 1;
      if (Step(WithFewerFaults(smallest_.run), seed)) return true;
    }
    return false;
  }

  Trial smallest_;
  std::optional<absl::Duration> violated_;
  const FindFailing& find_;
  const ShrinkLimits& limits_;
  uint64_t trials_ = 0;
};

int64_t CountOf(const Scenario& run, ClientKind kind) {
  int64_t count = 0;
  for (const ClientSpec& client : run.clients) count += client.kind == kind ? client.count : 0;
  return count;
}

int64_t PartitionsOf(const Scenario& run) {
  int64_t count = 0;
  for (const TopicSpec& topic : run.topics) count += topic.partitions;
  return count;
}

std::string Seconds(absl::Duration time) {
  const int64_t tenths = absl::ToInt64Milliseconds(time + absl::Milliseconds(50)) / 100;
  return tenths % 10 == 0 ? fmt::format("{}", tenths / 10)
                          : fmt::format("{}.{}", tenths / 10, tenths % 10);
}

absl::Duration Length(const Scenario& run) {
  return run.run.warmup + run.run.duration + run.run.heal;
}

}  // namespace

bool FailsAlike(const SeedResult& original, const SeedResult& result) {
  if (original.violations.empty()) {
    if (result.verdict != original.verdict) return false;
    // A failed check is named by its place, which the faults have no part in.
    return original.verdict != Verdict::kBrokerAborted || result.signature == original.signature;
  }
  const std::set<std::string_view> known = InvariantsOf(original);
  const std::set<std::string_view> found = InvariantsOf(result);
  return found.contains(original.violations.front().invariant) &&
         std::includes(known.begin(), known.end(), found.begin(), found.end());
}

ShrinkOutcome Shrink(Trial failing, std::optional<absl::Duration> violated, const FindFailing& find,
                     const ShrinkLimits& limits) {
  HW_CHECK(failing.run.materialised.has_value(), "{} is not materialised", failing.run.name);
  return Search(std::move(failing), violated, find, limits).Run();
}

std::string DescribeShrinking(const Scenario& before, const Scenario& after) {
  std::string text;
  const auto add = [&](auto from, auto to, std::string_view what) {
    if (from == to) return;
    const std::string_view plural = from == 1 ? "" : "s";
    text += text.empty() ? fmt::format("{} {}{} shrunk to {}", from, what, plural, to)
                         : fmt::format(", {} {}{} to {}", from, what, plural, to);
  };
  add(before.materialised->orders.size(), after.materialised->orders.size(), "fault");
  if (Length(before) != Length(after)) {
    text += fmt::format("{}{} s {} {} s", text.empty() ? "" : ", ", Seconds(Length(before)),
                        text.empty() ? "shrunk to" : "to", Seconds(Length(after)));
  }
  add(CountOf(before, ClientKind::kProducer), CountOf(after, ClientKind::kProducer), "producer");
  add(CountOf(before, ClientKind::kConsumer), CountOf(after, ClientKind::kConsumer), "consumer");
  add(PartitionsOf(before), PartitionsOf(after), "partition");
  add(before.cluster.brokers, after.cluster.brokers, "broker");
  add(before.cluster.zookeeper, after.cluster.zookeeper, "ZooKeeper server");
  if (after.materialised->operations && !before.materialised->operations) {
    text += fmt::format("{}at most {} record{} of each producer", text.empty() ? "" : ", ",
                        *after.materialised->operations,
                        *after.materialised->operations == 1 ? "" : "s");
  }
  return text;
}

}  // namespace highwater::scenarios
