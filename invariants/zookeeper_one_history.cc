#include "invariants/zookeeper_one_history.h"

namespace highwater::invariants {
namespace {

constexpr std::string_view kId = "zookeeper-one-history";

class ZooKeeperOneHistory final : public Invariant {
 public:
  explicit ZooKeeperOneHistory(ViolationSink& sink) : sink_(sink) {}

  std::string_view id() const override { return kId; }

  void OnZooKeeperCommitted(const ZooKeeperCommit& commit) override {
    const ZooKeeperLogs::Log& committed = commit.logs.committed();
    Checked();
    const int64_t before = commit.logs.AppliedBy(commit.server);
    if (commit.zxid <= before) {
      return Report(commit, fmt::format("it had applied 0x{:x} already", before));
    }
    const auto next = committed.upper_bound(before);
    if (next == committed.end()) return;  // the first to apply it
    if (next->first != commit.zxid) {
      return Report(commit, fmt::format("behind 0x{:x} the ensemble had committed 0x{:x}", before,
                                        next->first));
    }
    if (next->second != commit.digest) Report(commit, "the ensemble had committed another as that");
  }

 private:
  void Report(const ZooKeeperCommit& commit, std::string why) {
    Violation violation{.invariant = std::string(kId),
                        .sentence = "two ZooKeeper servers apply different histories.",
                        .at = commit.at};
    violation.witnesses.push_back(
        fmt::format("server {} applies 0x{:x} as committed; {}", commit.server, commit.zxid, why));
    sink_.Report(std::move(violation));
  }

  ViolationSink& sink_;
};

}  // namespace

std::unique_ptr<Invariant> MakeZooKeeperOneHistory(const RunFacts&, ViolationSink& sink) {
  return std::make_unique<ZooKeeperOneHistory>(sink);
}

}  // namespace highwater::invariants
