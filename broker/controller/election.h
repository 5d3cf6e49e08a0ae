#pragma once

// Elections: who leads a partition next, and with which ISR. Pure.
//
//   const ElectionFacts facts{.state = state, .assignment = assignment, .live = {1, 3}};
//   const Elected elected = ElectOffline(facts);
//   if (elected.error == ErrorCode::NONE) Write(elected.state);
//
// Follows [C32]-[C37]. The safe rules for the last replica standing (W1, KIP-966) keep those out
// who may have lost records: `unclean` members never win an ordinary election. See
// broker/zk/leader_and_isr.h for the two fields that carry this.
//
// A result's leader epoch is the one before: who writes it gives it the next one [C31].
//
// Invariants:
//   1. A leader of ElectOffline comes from the ISR, or from the eligible replicas, unless an
//   unclean
//      election is allowed.
//   2. A leader is in its own ISR, is live, and is assigned.
//   3. ElectOffline never puts an unclean member into the ISR unless an unclean election is
//   allowed.

#include <absl/types/span.h>

#include <map>
#include <vector>

#include "broker/protocol/error_code.h"
#include "broker/types.h"
#include "broker/zk/broker_registration.h"
#include "broker/zk/leader_and_isr.h"

namespace highwater::broker::controller {

using zk::LeaderAndIsr;

struct ElectionFacts {
  const LeaderAndIsr& state;
  // All in the order of the assignment [C33].
  std::vector<BrokerId> replicas;
  std::vector<BrokerId> live;                   // broker live, directory online
  std::vector<BrokerId> live_or_shutting_down;  // [C36]
  std::vector<BrokerId> target;                 // of a reassignment [C34]
  std::vector<BrokerId> shutting_down;
  bool unclean_allowed = false;
  int32_t min_insync_replicas = 1;
};

struct Elected {
  protocol::ErrorCode error = protocol::ErrorCode::NONE;
  LeaderAndIsr state;
  std::vector<BrokerId> recipients;  // of the LeaderAndIsr request [C37]
};

// [C32] With W1: clean members of the ISR first, then clean eligible ones.
[[nodiscard]] Elected ElectOffline(const ElectionFacts& facts);
// [C32] As Kafka 3.2.3: whoever is live and in the ISR.
[[nodiscard]] Elected ElectOfflineOfKafka323(const ElectionFacts& facts);
// [C34]
[[nodiscard]] Elected ElectReassigned(const ElectionFacts& facts);
// [C35]
[[nodiscard]] Elected ElectPreferred(const ElectionFacts& facts);
// [C36]
[[nodiscard]] Elected ElectAtShutdown(const ElectionFacts& facts);

// ---- The last replica standing (W1).

// [W1] Whether a broker that registers may have lost what it had not flushed.
[[nodiscard]] bool MayHaveLostRecords(const zk::BrokerRegistration& broker);

// [W1] Who stays eligible outside the ISR when it becomes `isr`: those that leave while fewer than
// min.insync.replicas stay, and the ones before them. What is in the ISR is not; once enough are in
// sync again records are committed without the others. One that came back unclean stays too,
// marked: it wins no ordinary election, but where all others come back unclean as well its log is
// compared with theirs.
// RELIES ON: leaders move no high watermark while their ISR is smaller than min.insync.replicas.
[[nodiscard]] std::vector<BrokerId> EligibleAfter(const LeaderAndIsr& before,
                                                  const std::vector<BrokerId>& isr,
                                                  int32_t min_insync_replicas);
[[nodiscard]] std::vector<BrokerId> NobodyIsEligible(const LeaderAndIsr& before,
                                                     const std::vector<BrokerId>& isr,
                                                     int32_t min_insync_replicas);

// [W1] The marks that stay where the partition has a leader and these are the eligible ones.
[[nodiscard]] std::vector<BrokerId> UncleanAfter(const LeaderAndIsr& before,
                                                 const std::vector<BrokerId>& eligible);

// [W1] The state once `broker` came back and may have lost records. While somebody clean is in the
// ISR it leaves; else it stays, marked, and the partition has no leader.
[[nodiscard]] LeaderAndIsr AfterUncleanStart(const LeaderAndIsr& state, BrokerId broker,
                                             int32_t min_insync_replicas);

// Whose logs have to be compared before the partition can have a leader again: all of the last ISR
// and the eligible ones, in the order of the assignment. Empty if no comparison is needed.
[[nodiscard]] std::vector<BrokerId> ReplicasToCompare(const LeaderAndIsr& state,
                                                      absl::Span<const BrokerId> replicas);

// The end of a replica's log.
struct LogEnd {
  LeaderEpoch last_epoch = kNoLeaderEpoch;  // of its last record
  Offset end{0};
  friend auto operator<=>(const LogEnd&, const LogEnd&) = default;
};

// [W1] The replica with the last (epoch, end) of all; the first of the assignment among equals.
// REQUIRES: `ends` holds each of ReplicasToCompare, and they are live.
[[nodiscard]] Elected ElectByLogEnd(const ElectionFacts& facts,
                                    const std::map<BrokerId, LogEnd>& ends);

// ---- Leaving the ISR.

// [C41] `replica` leaves; the last member stays. The leader becomes -1 if it was the leader.
// REQUIRES: it is in the ISR.
[[nodiscard]] LeaderAndIsr WithoutReplica(const LeaderAndIsr& state, BrokerId replica);
// [C94] Whether replicas may be dropped for `replicas`: enough of those that stay are in sync. To
// call off a reassignment drops what it had added, at once; where the ISR has gone over to that, it
// would drop the only copies. (Kafka 3.2.3 asks nothing.)
[[nodiscard]] bool MayDropOthers(const LeaderAndIsr& state, const std::vector<BrokerId>& replicas,
                                 int32_t min_insync_replicas);
// [C93] The state that goes with a new list of replicas: who is not on it leaves the ISR by the
// same write that tells the leader so. The leader holds its high watermark back for assigned
// replicas only [H4]: where another one stays in the ISR a moment longer, it lacks what is
// committed in that moment, and a controller that fails over then, with the old list still in the
// topic's znode, may elect it. Unchanged if the leader itself is not on the list, or nobody would
// be left.
[[nodiscard]] LeaderAndIsr LimitedTo(const LeaderAndIsr& state,
                                     const std::vector<BrokerId>& replicas);

}  // namespace highwater::broker::controller
