#include "scenarios/campaign.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "core/check.h"
#include "core/mark.h"
#include "core/mix.h"
#include "scenarios/host_clock.h"
#include "scenarios/judge.h"
#include "scenarios/resolved_yaml.h"
#include "scenarios/worker.h"

namespace highwater::scenarios {
namespace {

// Requests that a worker holds: one to run and one so that it need not wait for the next.
constexpr size_t kRequestsAhead = 2;
// How far the fastest worker may be ahead of the oldest case without a result.
constexpr uint64_t kWindow = 1024;
constexpr absl::Duration kTick = absl::Milliseconds(100);

class Campaign {
 public:
  Campaign(const std::vector<Scenario>& scenarios, const Harness& harness,
           const CampaignOptions& options, CampaignObserver& observer,
           const std::function<bool()>& interrupted)
      : scenarios_(scenarios),
        harness_(harness),
        options_(options),
        observer_(observer),
        interrupted_(interrupted),
        plan_(SeedsOf(scenarios), options.seeds, options.shard, options.budget.has_value()) {}

  CampaignResult Run() {
    begin_ = HostNow();
    for (const Scenario& scenario : scenarios_) {
      result_.scenarios.push_back(SummaryOf(scenario));
      result_.scenarios.back().resolved_yaml = ResolvedYaml(scenario);
    }
    for (const core::Mark::Count& mark : core::Mark::Counts()) {
      result_.marks.push_back({std::string(mark.name), 0});
    }
    for (const InvariantInfo& invariant : harness_.load.invariants) {
      result_.guarantees.push_back({.invariant = invariant.id, .sentence = invariant.sentence});
    }
    std::sort(result_.guarantees.begin(), result_.guarantees.end(),
              [](const auto& a, const auto& b) { return a.invariant < b.invariant; });
    result_.workers = options_.workers;
    slots_.resize(static_cast<size_t>(std::max(1, options_.workers)));
    observer_.OnStart(result_, Progress());
    while (!Done()) {
      Dispatch();
      if (Idle()) break;
      Wait();
      Collect();
      EndHungCases();
      Report();
      Tick();
    }
    slots_.clear();
    result_.elapsed = HostNow() - begin_;
    JudgeCampaign(result_);
    observer_.OnEnd(result_);
    return std::move(result_);
  }

 private:
  struct Slot {
    std::unique_ptr<Worker> worker;
    bool dying = false;  // it has reported its own death: what waits in it is not to blame
  };

  static std::vector<SeedRange> SeedsOf(const std::vector<Scenario>& scenarios) {
    std::vector<SeedRange> seeds;
    for (const Scenario& scenario : scenarios) seeds.push_back(scenario.seeds);
    return seeds;
  }

  bool Done() {
    if (interrupted_ && interrupted_()) result_.interrupted = true;
    return result_.interrupted || result_.stopped_at_failures;
  }

  bool Idle() const {
    return again_.empty() && std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
             return slot.worker == nullptr || slot.worker->waiting().empty();
           });
  }

  bool OutOfTime() const { return options_.budget && HostNow() - begin_ >= *options_.budget; }

  std::optional<CaseRequest> NextRequest() {
    if (!again_.empty()) {
      const CaseRequest request = again_.front();
      again_.pop_front();
      return request;
    }
    if (next_id_ >= next_report_ + kWindow || OutOfTime()) return std::nullopt;
    const std::optional<Case> next = plan_.Next();
    if (!next) return std::nullopt;
    const Scenario& scenario = scenarios_[next->scenario];
    const uint64_t draw = core::Mix(next->seed, core::MixName(scenario.name)) % 1'000'000;
    return CaseRequest{.id = next_id_++,
                       .scenario = next->scenario,
                       .seed = next->seed,
                       .run_twice = draw < static_cast<uint64_t>(options_.determinism_ppm),
                       .once = options_.once};
  }

  // One request for everyone before a second for anyone.
  void Dispatch() {
    for (size_t ahead = 1; ahead <= kRequestsAhead; ++ahead) {
      for (Slot& slot : slots_) {
        if (slot.worker != nullptr && (slot.dying || slot.worker->waiting().size() >= ahead))
          continue;
        const std::optional<CaseRequest> request = NextRequest();
        if (!request) return;
        if (slot.worker == nullptr) StartWorker(slot);
        slot.worker->Send(*request);
      }
    }
  }

  void StartWorker(Slot& slot) {
    auto worker = Worker::Start(scenarios_, harness_, {.memory_limit = options_.memory_limit});
    HW_CHECK(worker.ok(), "{}",
             std::string_view(worker.status().message().data(), worker.status().message().size()));
    slot = Slot{.worker = *std::move(worker)};
  }

  void Wait() {
    std::vector<pollfd> fds;
    for (const Slot& slot : slots_) {
      if (slot.worker != nullptr) fds.push_back({.fd = slot.worker->fd(), .events = POLLIN});
    }
    // An interrupted wait is as good as a short one.
    (void)poll(fds.data(), fds.size(), static_cast<int>(absl::ToInt64Milliseconds(kTick)));
  }

  void Collect() {
    for (Slot& slot : slots_) {
      if (slot.worker == nullptr) continue;
      for (Worker::Reply& reply : slot.worker->Receive()) {
        if (reply.result.died) slot.dying = true;
        Settle(reply.request, std::move(reply.result));
      }
      if (!slot.worker->Alive()) BuryWorker(slot);
    }
  }

  void BuryWorker(Slot& slot) {
    const Worker::Death death = slot.worker->Bury();
    std::deque<CaseRequest> waiting = slot.worker->waiting();
    if (!slot.dying && !waiting.empty()) {
      CaseResult result = Unfinished(waiting.front(), Verdict::kCrashed);
      result.died = true;
      result.result.signature = fmt::format("crashed/{}", death.cause);
      result.result.dump =
          fmt::format("The process ended with {}.\n{}", death.cause, death.last_words);
      Settle(waiting.front(), std::move(result));
      waiting.pop_front();
    }
    again_.insert(again_.end(), waiting.begin(), waiting.end());
    slot = Slot{};
  }

  void EndHungCases() {
    for (Slot& slot : slots_) {
      if (slot.worker == nullptr || slot.worker->waiting().empty()) continue;
      if (HostNow() - slot.worker->busy_since() < options_.case_timeout) continue;
      std::deque<CaseRequest> waiting = slot.worker->waiting();
      const Worker::Death death = slot.worker->Bury();
      CaseResult result = Unfinished(waiting.front(), Verdict::kInconclusive);
      result.result.signature = "case-timeout";
      result.result.host = options_.case_timeout;
      result.result.dump = fmt::format("No verdict after {} of the machine's time.\n{}",
                                       DurationText(options_.case_timeout), death.last_words);
      Settle(waiting.front(), std::move(result));
      waiting.pop_front();
      again_.insert(again_.end(), waiting.begin(), waiting.end());
      slot = Slot{};
    }
  }

  CaseResult Unfinished(const CaseRequest& request, Verdict verdict) const {
    CaseResult result{.scenario = request.scenario};
    result.result.scenario = scenarios_[request.scenario].name;
    result.result.seed = request.seed;
    result.result.verdict = verdict;
    return result;
  }

  // Takes a case's result, unless it died for the first time: then it gets a second run.
  void Settle(const CaseRequest& request, CaseResult result) {
    const auto first = first_deaths_.find(request.id);
    if (first == first_deaths_.end()) {
      if (result.died) {
        first_deaths_.emplace(request.id, std::move(result));
        again_.push_back(request);
      } else {
        finished_.emplace(request.id, std::move(result));
      }
      return;
    }
    CaseResult death = std::move(first->second);
    first_deaths_.erase(first);
    death.run_twice = true;
    if (result.result.verdict != death.result.verdict) {
      death.differs =
          fmt::format("{} in one run, {} in the next", VerdictName(death.result.verdict),
                      VerdictName(result.result.verdict));
    }
    finished_.emplace(request.id, std::move(death));
  }

  void Report() {
    while (!result_.stopped_at_failures) {
      const auto next = finished_.find(next_report_);
      if (next == finished_.end()) return;
      ++next_report_;
      CaseResult result = std::move(next->second);
      finished_.erase(next);
      const SignatureGroup* group = AddCase(result, result_);
      if (group != nullptr && options_.complete) Complete(*group, result);
      simulated_ += result.result.simulated;
      if (IsFailure(result.result.verdict) || !result.differs.empty()) {
        ++failures_;
        if (group->count == 1) ++distinct_failures_;
      }
      observer_.OnCase(result_, result, group);
      if (options_.max_failures > 0 && failures_ >= options_.max_failures) {
        result_.stopped_at_failures = true;
      }
    }
  }

  void Complete(const SignatureGroup& group, CaseResult& result) {
    const absl::Duration begin = HostNow();
    options_.complete(scenarios_[result.scenario], group.count == 1, result);
    if (group.count == 1) {
      result_.groups[static_cast<size_t>(&group - result_.groups.data())].first = result;
    }
    for (Slot& slot : slots_) {
      if (slot.worker != nullptr) slot.worker->Excuse(HostNow() - begin);
    }
  }

  void Tick() {
    const absl::Duration now = HostNow();
    if (now - last_tick_ < kTick) return;
    last_tick_ = now;
    observer_.OnTick(Progress());
  }

  CampaignProgress Progress() const {
    const absl::Duration now = HostNow();
    CampaignProgress progress{.done = next_report_,
                              .total = plan_.Size(),
                              .budget = options_.budget,
                              .elapsed = now - begin_,
                              .simulated = simulated_,
                              .failures = failures_,
                              .distinct_failures = distinct_failures_};
    for (const Slot& slot : slots_) {
      if (slot.worker == nullptr || slot.worker->waiting().empty()) continue;
      const CaseRequest& request = slot.worker->waiting().front();
      progress.running.push_back(
          {scenarios_[request.scenario].name, request.seed, now - slot.worker->busy_since()});
    }
    return progress;
  }

  const std::vector<Scenario>& scenarios_;
  const Harness& harness_;
  const CampaignOptions& options_;
  CampaignObserver& observer_;
  const std::function<bool()>& interrupted_;
  CasePlan plan_;
  CampaignResult result_;
  std::vector<Slot> slots_;

  uint64_t next_id_ = 0;      // of the case that is planned next
  uint64_t next_report_ = 0;  // of the case that is reported next
  std::deque<CaseRequest> again_;
  std::map<uint64_t, CaseResult> first_deaths_;
  std::map<uint64_t, CaseResult> finished_;

  absl::Duration begin_;
  absl::Duration last_tick_;
  absl::Duration simulated_;
  uint64_t failures_ = 0;
  size_t distinct_failures_ = 0;
};

}  // namespace

CampaignResult RunCampaign(const std::vector<Scenario>& scenarios, const Harness& harness,
                           const CampaignOptions& options, CampaignObserver& observer,
                           const std::function<bool()>& interrupted) {
  return Campaign(scenarios, harness, options, observer, interrupted).Run();
}

}  // namespace highwater::scenarios
