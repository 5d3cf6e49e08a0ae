#include "broker/controller/election.h"

#include <algorithm>

#include "core/check.h"
#include "core/mark.h"

namespace highwater::broker::controller {

using protocol::ErrorCode;
using zk::Contains;
using zk::Without;

namespace {

Elected Fail(ErrorCode error) { return {.error = error}; }

// The first of `among`, in its order, that `fits`; kNoBroker if none does.
template <typename Fits>
BrokerId First(const std::vector<BrokerId>& among, Fits fits) {
  const auto found = std::find_if(among.begin(), among.end(), fits);
  return found == among.end() ? kNoBroker : *found;
}

// The members of `of` that are in `among`, in the order of `of`.
std::vector<BrokerId> Intersect(std::vector<BrokerId> of, const std::vector<BrokerId>& among) {
  std::erase_if(of, [&](BrokerId id) { return !Contains(among, id); });
  return of;
}

void Mark(std::vector<BrokerId>& unclean, BrokerId broker) {
  if (!Contains(unclean, broker)) unclean.push_back(broker);
  std::sort(unclean.begin(), unclean.end());
}

// A leader that nobody in sync vouches for: records may be lost, and it is asked for.
Elected ElectUnclean(const ElectionFacts& facts) {
  if (!facts.unclean_allowed || facts.live.empty()) {
    return Fail(ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE);
  }
  HW_MARK("unclean_leader_elected");
  Elected elected{.state = facts.state, .recipients = facts.live};
  elected.state.leader = facts.live.front();
  elected.state.isr = {facts.live.front()};
  elected.state.recovery = zk::LeaderRecoveryState::kRecovering;
  elected.state.eligible.clear();
  elected.state.unclean.clear();
  return elected;
}

}  // namespace

Elected ElectOffline(const ElectionFacts& facts) {
  const LeaderAndIsr& state = facts.state;
  const auto is_clean = [&](BrokerId id) { return !Contains(state.unclean, id); };
  Elected elected{.state = state, .recipients = facts.live};
  const BrokerId in_sync =
      First(facts.live, [&](BrokerId id) { return Contains(state.isr, id) && is_clean(id); });
  if (in_sync != kNoBroker) {
    elected.state.leader = in_sync;
    elected.state.isr = Without(Intersect(state.isr, facts.live), state.unclean);
  } else {
    const BrokerId eligible = First(
        facts.live, [&](BrokerId id) { return Contains(state.eligible, id) && is_clean(id); });
    // Nothing was committed since it left the ISR, so that it has what every member has to have.
    if (eligible == kNoBroker) return ElectUnclean(facts);
    HW_MARK("eligible_leader_elected");
    elected.state.leader = eligible;
    elected.state.isr = {eligible};
  }
  elected.state.eligible = EligibleAfter(state, elected.state.isr, facts.min_insync_replicas);
  elected.state.unclean = UncleanAfter(state, elected.state.eligible);
  return elected;
}

Elected ElectOfflineOfKafka323(const ElectionFacts& facts) {
  const BrokerId leader =
      First(facts.live, [&](BrokerId id) { return Contains(facts.state.isr, id); });
  if (leader == kNoBroker) return ElectUnclean(facts);
  Elected elected{.state = facts.state, .recipients = facts.live};
  elected.state.leader = leader;
  elected.state.isr = Intersect(facts.state.isr, facts.live);
  return elected;
}

Elected ElectReassigned(const ElectionFacts& facts) {
  const BrokerId leader = First(facts.target, [&](BrokerId id) {
    return Contains(facts.live, id) && Contains(facts.state.isr, id) &&
           !Contains(facts.state.unclean, id);
  });
  if (leader == kNoBroker) return Fail(ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE);
  Elected elected{.state = facts.state, .recipients = Intersect(facts.target, facts.live)};
  elected.state.leader = leader;
  return elected;
}

Elected ElectPreferred(const ElectionFacts& facts) {
  if (facts.replicas.empty()) return Fail(ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE);
  const BrokerId preferred = facts.replicas.front();
  if (!Contains(facts.live, preferred) || !Contains(facts.state.isr, preferred) ||
      Contains(facts.state.unclean, preferred)) {
    return Fail(ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE);
  }
  Elected elected{.state = facts.state, .recipients = facts.replicas};
  elected.state.leader = preferred;
  return elected;
}

Elected ElectAtShutdown(const ElectionFacts& facts) {
  const BrokerId leader = First(facts.live_or_shutting_down, [&](BrokerId id) {
    return Contains(facts.state.isr, id) && !Contains(facts.shutting_down, id) &&
           !Contains(facts.state.unclean, id);
  });
  if (leader == kNoBroker) return Fail(ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE);
  Elected elected{.state = facts.state, .recipients = facts.live_or_shutting_down};
  elected.state.leader = leader;
  elected.state.isr = Without(facts.state.isr, facts.shutting_down);
  return elected;
}

bool MayHaveLostRecords(const zk::BrokerRegistration& broker) { return broker.unclean_start; }

std::vector<BrokerId> EligibleAfter(const LeaderAndIsr& before, const std::vector<BrokerId>& isr,
                                    int32_t min_insync_replicas) {
  if (static_cast<int64_t>(isr.size()) >= min_insync_replicas) return {};
  std::vector<BrokerId> eligible = before.isr;
  for (const BrokerId id : before.eligible) {
    if (!Contains(eligible, id)) eligible.push_back(id);
  }
  eligible = Without(std::move(eligible), isr);
  std::sort(eligible.begin(), eligible.end());
  return eligible;
}

std::vector<BrokerId> NobodyIsEligible(const LeaderAndIsr&, const std::vector<BrokerId>&, int32_t) {
  return {};
}

std::vector<BrokerId> UncleanAfter(const LeaderAndIsr& before,
                                   const std::vector<BrokerId>& eligible) {
  return Intersect(before.unclean, eligible);
}

LeaderAndIsr AfterUncleanStart(const LeaderAndIsr& state, BrokerId broker,
                               int32_t min_insync_replicas) {
  LeaderAndIsr next = state;
  // Its process is new: whatever it led, it leads no more.
  if (next.leader == broker) next.leader = kNoBroker;
  const bool in_isr = Contains(state.isr, broker);
  const bool eligible = Contains(state.eligible, broker);
  if (!in_isr && !eligible) return next;
  std::vector<BrokerId> clean_isr = Without(Without(state.isr, state.unclean), {broker});
  if (!clean_isr.empty()) {
    HW_MARK("unclean_replica_left_the_isr");
    next.isr = std::move(clean_isr);
    // Too few are left to commit anything: should the rest come back unclean too, its log counts.
    next.eligible = EligibleAfter(state, next.isr, min_insync_replicas);
    Mark(next.unclean, broker);
    next.unclean = UncleanAfter(next, next.eligible);
    return next;
  }
  // Nobody in the ISR is known to have everything: it stays for the comparison, marked. A clean
  // eligible replica may still be elected before one.
  HW_MARK("unclean_replica_was_the_last");
  next.leader = kNoBroker;
  Mark(next.unclean, broker);
  return next;
}

std::vector<BrokerId> ReplicasToCompare(const LeaderAndIsr& state,
                                        absl::Span<const BrokerId> replicas) {
  if (state.leader != kNoBroker || state.unclean.empty()) return {};
  std::vector<BrokerId> compared;
  for (const BrokerId id : replicas) {
    const bool had_all = Contains(state.isr, id) || Contains(state.eligible, id);
    if (had_all) compared.push_back(id);
  }
  // A clean one is elected without a comparison, or waited for.
  for (const BrokerId id : compared) {
    if (!Contains(state.unclean, id)) return {};
  }
  return compared;
}

Elected ElectByLogEnd(const ElectionFacts& facts, const std::map<BrokerId, LogEnd>& ends) {
  BrokerId leader = kNoBroker;
  LogEnd best;
  for (const BrokerId id : ReplicasToCompare(facts.state, facts.replicas)) {
    const auto end = ends.find(id);
    HW_CHECK(end != ends.end(), "the log end of broker {} is missing", id);
    if (leader != kNoBroker && end->second <= best) continue;
    leader = id;
    best = end->second;
  }
  if (leader == kNoBroker || !Contains(facts.live, leader)) {
    return Fail(ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE);
  }
  HW_MARK("leader_elected_by_log_end");
  Elected elected{.state = facts.state, .recipients = facts.live};
  elected.state.leader = leader;
  elected.state.isr = {leader};
  // The others may lack only what was never committed: should the winner come back unclean before
  // enough are in sync with it, their logs count again.
  elected.state.eligible = EligibleAfter(facts.state, elected.state.isr, facts.min_insync_replicas);
  elected.state.unclean = UncleanAfter(facts.state, elected.state.eligible);
  // Who holds as much as the winner holds all that was committed.
  std::erase_if(elected.state.unclean, [&](BrokerId id) {
    const auto end = ends.find(id);
    return end != ends.end() && end->second == best;
  });
  return elected;
}

LeaderAndIsr WithoutReplica(const LeaderAndIsr& state, BrokerId replica) {
  HW_CHECK(Contains(state.isr, replica));
  LeaderAndIsr next = state;
  if (next.isr.size() > 1) next.isr = Without(next.isr, {replica});
  if (next.leader == replica) next.leader = kNoBroker;
  return next;
}

bool MayDropOthers(const LeaderAndIsr& state, const std::vector<BrokerId>& replicas,
                   int32_t min_insync_replicas) {
  const auto staying = Without(Intersect(state.isr, replicas), state.unclean).size();
  const auto wanted =
      std::min(static_cast<size_t>(std::max(min_insync_replicas, 1)), replicas.size());
  return staying >= wanted;
}

LeaderAndIsr LimitedTo(const LeaderAndIsr& state, const std::vector<BrokerId>& replicas) {
  const bool led_by_another = state.leader != kNoBroker && !Contains(replicas, state.leader);
  std::vector<BrokerId> isr = Intersect(state.isr, replicas);
  if (led_by_another || isr.empty()) return state;
  LeaderAndIsr next = state;
  next.isr = std::move(isr);
  next.unclean = Intersect(state.unclean, replicas);
  next.eligible = Intersect(state.eligible, replicas);
  return next;
}

}  // namespace highwater::broker::controller
