#include "scenarios/trials.h"

#include "scenarios/campaign.h"

namespace highwater::scenarios {
namespace {

class FirstWanted final : public CampaignObserver {
 public:
  explicit FirstWanted(const std::function<bool(const SeedResult&)>& wanted) : wanted_(wanted) {}

  void OnStart(const CampaignResult&, const CampaignProgress&) override {}
  void OnCase(const CampaignResult&, const CaseResult& result, const SignatureGroup*) override {
    if (!hit_ && wanted_(result.result)) hit_ = TrialHit{result.scenario, result.result};
  }
  void OnTick(const CampaignProgress&) override {}
  void OnEnd(const CampaignResult&) override {}

  [[nodiscard]] std::optional<TrialHit>& hit() { return hit_; }

 private:
  const std::function<bool(const SeedResult&)>& wanted_;
  std::optional<TrialHit> hit_;
};

}  // namespace

std::optional<TrialHit> FindTrial(const std::vector<Trial>& trials, const Harness& harness,
                                  const TrialOptions& options,
                                  const std::function<bool(const SeedResult&)>& wanted) {
  std::vector<Scenario> runs;
  for (const Trial& trial : trials) {
    runs.push_back(trial.run);
    runs.back().seeds = {trial.seed, trial.seed};
  }
  CampaignOptions campaign;
  campaign.workers = options.workers;
  campaign.case_timeout = options.timeout;
  campaign.max_failures = 0;
  campaign.determinism_ppm = 0;
  campaign.once = true;
  FirstWanted observer(wanted);
  const std::function<bool()> over = [&] {
    return observer.hit().has_value() || (options.stop && options.stop());
  };
  (void)RunCampaign(runs, harness, campaign, observer, over);
  return std::move(observer.hit());
}

}  // namespace highwater::scenarios
