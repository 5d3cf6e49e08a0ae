// Defects of ISR replication: leader epochs, truncation, the high watermark, who is in sync.

#include "scenarios/zoo/mutants.h"

#include <algorithm>

namespace highwater::scenarios {
namespace {

using broker::CommitQuorum;
using broker::FollowerLog;
using broker::LeaderEpoch;
using broker::LeaderProgress;
using broker::Offset;
using broker::ReplicaProgress;
using broker::Truncation;
using EpochEnd = std::optional<broker::storage::EpochEndOffset>;

constexpr Mutant kMutants[] = {
    {"M01", "replication", "KIP-101, KAFKA-1211",
     "a new follower truncates to its own high watermark, asking nobody",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.TruncationPoint = [](const EpochEnd&, const FollowerLog& log,
                                                       Offset high_watermark) {
         return Truncation{std::min(high_watermark, log.log_end_offset)};
       };
     }},
    {"M02", "replication", "KIP-279, KAFKA-6361",
     "the answer's epoch is not looked at when a follower truncates",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.TruncationPoint =
           [](const EpochEnd& theirs, const FollowerLog& log, Offset high_watermark) {
             if (!theirs.has_value())
               return Truncation{std::min(high_watermark, log.log_end_offset)};
             return Truncation{std::min(theirs->end_offset, log.log_end_offset)};
           };
     }},
    {"M02b", "replication", "KIP-101", "a new follower keeps its whole log: it never truncates",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.TruncationPoint = [](const EpochEnd&, const FollowerLog& log,
                                                       Offset) {
         return Truncation{log.log_end_offset};
       };
     }},
    {"M08", "replication", "KAFKA-18723, W10",
     "what was fetched under an older leader epoch is appended",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.MayUseAnswer = [](LeaderEpoch, LeaderEpoch) { return true; };
     }},
    {"M12", "replication", "KAFKA-14704, W8",
     "the high watermark of an answer counts that also says that the logs diverge",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.TrustsHighWatermarkOfDivergence = [] { return true; };
     }},
    {"M22", "replication", "KAFKA-7128",
     "a replica joins the ISR by the high watermark alone, not by the start of the leader's epoch",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.MayJoinIsr = [](const ReplicaProgress& replica,
                                                  const LeaderProgress& leader) {
         return replica.log_end_offset >= leader.high_watermark;
       };
     }},
    {"M22b", "replication", "KAFKA-7128", "whoever fetches joins the ISR, however far behind",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.MayJoinIsr = [](const ReplicaProgress&, const LeaderProgress&) {
         return true;
       };
     }},
    {"M24", "replication", "KAFKA-10301", "the high watermark does not wait for the followers",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.HoldsHighWatermark = [](const ReplicaProgress&, bool,
                                                          const LeaderProgress&) { return false; };
     }},
    {"M20", "replication", "KIP-497, KAFKA-8836",
     "the high watermark waits only for those that were caught up lately, not for the whole ISR",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.HoldsHighWatermark = [](const ReplicaProgress& replica, bool,
                                                          const LeaderProgress& leader) {
         return replica.last_caught_up.has_value() &&
                leader.now - *replica.last_caught_up <= leader.lag_max / 10;
       };
     }},
    {"M16", "replication", "KAFKA-9491, KAFKA-3978",
     "a follower's high watermark may lie behind the end of its log",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.FollowerHighWatermark = [](Offset leader_high_watermark,
                                                             const FollowerLog& log) {
         return std::max(leader_high_watermark, log.log_start_offset);
       };
     }},
    {"M63", "replication", "KAFKA-13972, R8, W9",
     "a StopReplica request of the leader epoch that a broker has is not obeyed",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.MustObeyStop = broker::ReplicationRules::Kafka323().MustObeyStop;
     }},
    {"M36", "replication", "KIP-966, KAFKA-15583, H3",
     "the high watermark moves while fewer than min.insync.replicas are in sync",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.MayCommit = [](const CommitQuorum&) { return true; };
     }},
    {"M37", "replication", "KIP-966, W1",
     "the last replica standing is elected although it has lost its tail",
     [](RunHooks& hooks) {
       const auto weak = broker::controller::ControllerRules::Kafka323();
       auto& rules = hooks.broker_options.controller_rules;
       rules.elect_offline = weak.elect_offline;
       rules.may_have_lost_records = weak.may_have_lost_records;
       rules.eligible_after = weak.eligible_after;
       hooks.broker_options.rules.MayCommit = [](const CommitQuorum&) { return true; };
     }},
    {"W7", "replication", "KIP-903, KAFKA-15221",
     "a leader that stays keeps what it knew of its followers under a new epoch",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.KeepsRemoteProgress = [](bool led) { return led; };
     }},
    {"W4", "replication", "R24", "a deposed leader goes on while it does not know its successor",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.GoesOnUnderUnknownLeader = [] { return true; };
     }},
    {"R5", "replication", "KAFKA-9769 class",
     "a LeaderAndIsr request of an older leader epoch is obeyed",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.MayChangeRole = [](LeaderEpoch requested, LeaderEpoch local) {
         return requested != local;
       };
     }},
    {"H10", "replication", "KAFKA-2729 class", "a replica that lags is never taken from the ISR",
     [](RunHooks& hooks) {
       hooks.broker_options.rules.MustLeaveIsr = [](const ReplicaProgress&, const LeaderProgress&) {
         return false;
       };
     }},
};

}  // namespace

absl::Span<const Mutant> ReplicationMutants() { return kMutants; }

}  // namespace highwater::scenarios
