#include "invariants/zookeeper_committed_kept.h"

namespace highwater::invariants {
namespace {

constexpr std::string_view kId = "zookeeper-committed-kept";

class ZooKeeperCommittedKept final : public Invariant {
 public:
  explicit ZooKeeperCommittedKept(ViolationSink& sink) : sink_(sink) {}

  std::string_view id() const override { return kId; }

  void OnZooKeeperLeading(const ZooKeeperLeadership& leading) override {
    Checked();
    const ZooKeeperLogs::Log& log = leading.logs.LogOf(leading.server);
    for (const auto& [zxid, digest] : leading.logs.committed()) {
      const auto held = log.find(zxid);
      if (held != log.end() && held->second == digest) continue;
      Violation violation{.invariant = std::string(kId),
                          .sentence = "a ZooKeeper server leads without a committed transaction.",
                          .at = leading.at};
      violation.witnesses.push_back(fmt::format(
          "server {} leads in epoch {}; its log {} 0x{:x}, which was committed", leading.server,
          leading.epoch, held == log.end() ? "lacks" : "has something else as", zxid));
      return sink_.Report(std::move(violation));
    }
  }

 private:
  ViolationSink& sink_;
};

}  // namespace

std::unique_ptr<Invariant> MakeZooKeeperCommittedKept(const RunFacts&, ViolationSink& sink) {
  return std::make_unique<ZooKeeperCommittedKept>(sink);
}

}  // namespace highwater::invariants
