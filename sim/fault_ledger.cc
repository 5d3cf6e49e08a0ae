#include "sim/fault_ledger.h"

#include <absl/container/btree_map.h>

namespace highwater::sim {

FaultId FaultLedger::Request(std::string_view kind) {
  faults_.push_back({.kind = std::string(kind), .requested = 1});
  return FaultId(static_cast<uint32_t>(faults_.size()));
}

std::vector<FaultLedger::Entry> FaultLedger::ByKind() const {
  absl::btree_map<std::string, Entry> kinds;
  for (const Entry& fault : faults_) {
    Entry& kind = kinds[fault.kind];
    kind.kind = fault.kind;
    ++kind.requested;
    kind.applied += fault.applied > 0;
    kind.observed += fault.observed > 0;
  }
  std::vector<Entry> result;
  for (auto& [name, entry] : kinds) result.push_back(std::move(entry));
  return result;
}

}  // namespace highwater::sim
