#include "invariants/zookeeper_one_leader_per_epoch.h"

#include <map>

namespace highwater::invariants {
namespace {

constexpr std::string_view kId = "zookeeper-one-leader-per-epoch";

class ZooKeeperOneLeaderPerEpoch final : public Invariant {
 public:
  explicit ZooKeeperOneLeaderPerEpoch(ViolationSink& sink) : sink_(sink) {}

  std::string_view id() const override { return kId; }

  // A server that leads again needs another epoch, too: it may have proposed in the former one.
  void OnZooKeeperLeading(const ZooKeeperLeadership& leading) override {
    Checked();
    const auto [place, fresh] = leaders_.emplace(leading.epoch, leading.server);
    if (fresh) return;
    Violation violation{.invariant = std::string(kId),
                        .sentence = "an epoch of the ZooKeeper ensemble has two leaders.",
                        .at = leading.at};
    violation.witnesses.push_back(fmt::format("server {} leads in epoch {}, as server {} has",
                                              leading.server, leading.epoch, place->second));
    sink_.Report(std::move(violation));
  }

 private:
  ViolationSink& sink_;
  std::map<int64_t, int64_t> leaders_;  // by epoch
};

}  // namespace

std::unique_ptr<Invariant> MakeZooKeeperOneLeaderPerEpoch(const RunFacts&, ViolationSink& sink) {
  return std::make_unique<ZooKeeperOneLeaderPerEpoch>(sink);
}

}  // namespace highwater::invariants
