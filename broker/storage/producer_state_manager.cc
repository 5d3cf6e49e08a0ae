#include "broker/storage/producer_state_manager.h"

namespace highwater::broker::storage {

ProducerVerdict ProducerStateManager::Check(const ProducerAppend& append) const {
  const auto found = states_.find(append.producer_id);
  if (found == states_.end()) return Judge(rules_, {}, append);
  const State& state = found->second;
  const bool ahead = state.admitted && rules_.CountsAdmitted();
  return Judge(rules_, ahead ? *state.admitted : state.applied, append);
}

void ProducerStateManager::Admit(const ProducerAppend& append) {
  State& state = states_[append.producer_id];
  if (!state.admitted) state.admitted = state.applied;
  state.admitted->Add(append);
  ++state.pending;
}

void ProducerStateManager::Apply(const ProducerAppend& append) {
  State& state = states_[append.producer_id];
  state.applied.Add(append);
  if (state.pending > 0 && --state.pending == 0) state.admitted.reset();
}

void ProducerStateManager::Load(absl::Span<const ProducerStateEntry> entries) {
  states_.clear();
  for (const ProducerStateEntry& entry : entries) states_[entry.producer_id].applied = entry;
}

std::vector<ProducerStateEntry> ProducerStateManager::Entries() const {
  std::vector<ProducerStateEntry> entries;
  for (const auto& [id, state] : states_) {
    if (state.applied.known()) entries.push_back(state.applied);
  }
  return entries;
}

ProducerStateEntry ProducerStateManager::Find(ProducerId id) const {
  const auto found = states_.find(id);
  return found == states_.end() ? ProducerStateEntry() : found->second.applied;
}

void ProducerStateManager::RemoveExpired(int64_t now_ms, int64_t expiration_ms) {
  absl::erase_if(states_, [&](const auto& item) {
    const State& state = item.second;
    return state.pending == 0 && !state.applied.open_transaction &&
           state.applied.last_timestamp <= now_ms - expiration_ms;
  });
}

}  // namespace highwater::broker::storage
