#pragma once

// LoadSurges: which producers send more than their scenario says, for whoever paces them.
//
//   surges.Add(host, name);                          // each producer
//   interval / surges.FactorOf(name)                 // 1: as the scenario says
//   surges.Sent(name);                               // counts as observed while it surges
//
// Of surges of one client that overlap the greatest counts: multiplied they would fill any queue.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "faults/injector.h"
#include "sim/world.h"

namespace highwater::scenarios {

class LoadSurges final : public faults::Load {
 public:
  explicit LoadSurges(sim::World& world) : world_(world) {}

  void Add(const std::string& producer) { surges_[producer]; }

  void Surge(const sim::Host& client, int64_t factor, sim::FaultId id) override {
    const auto found = surges_.find(client.name());
    if (found == surges_.end()) return;
    std::erase_if(found->second, [id](const Entry& entry) { return entry.id == id; });
    if (factor == 1) return;
    found->second.push_back({factor, id});
    world_.ledger().Applied(id);
  }

  [[nodiscard]] int64_t FactorOf(std::string_view producer) const {
    const auto found = surges_.find(producer);
    int64_t factor = 1;
    if (found == surges_.end()) return factor;
    for (const Entry& entry : found->second) factor = std::max(factor, entry.factor);
    return factor;
  }

  void Sent(std::string_view producer) {
    const auto found = surges_.find(producer);
    if (found == surges_.end()) return;
    for (const Entry& entry : found->second) world_.ledger().Observed(entry.id);
  }

 private:
  struct Entry {
    int64_t factor;
    sim::FaultId id;
  };
  sim::World& world_;
  std::map<std::string, std::vector<Entry>, std::less<>> surges_;
};

}  // namespace highwater::scenarios
