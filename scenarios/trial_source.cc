#include "scenarios/trial_source.h"

namespace highwater::scenarios {
namespace {

class FreshSeeds final : public TrialSource {
 public:
  FreshSeeds(const std::vector<Scenario>& campaigns, uint64_t first)
      : campaigns_(campaigns), first_(first) {}

  std::vector<HuntTrial> Next(size_t count) override {
    std::vector<HuntTrial> trials;
    for (size_t i = 0; i < count; ++i, ++next_) {
      trials.push_back({campaigns_[next_ % campaigns_.size()], first_ + next_ / campaigns_.size()});
    }
    return trials;
  }
  void Learn(const HuntTrial&, const SeedResult&) override {}

 private:
  const std::vector<Scenario>& campaigns_;
  uint64_t first_;
  uint64_t next_ = 0;
};

}  // namespace

std::unique_ptr<TrialSource> MakeFreshSeeds(const std::vector<Scenario>& campaigns,
                                            uint64_t first) {
  return std::make_unique<FreshSeeds>(campaigns, first);
}

}  // namespace highwater::scenarios
