#include "invariants/invariant.h"

#include "invariants/acked_durable.h"
#include "invariants/committed_at_rest.h"
#include "invariants/committed_kept.h"
#include "invariants/duplicate.h"
#include "invariants/g1a.h"
#include "invariants/high_watermark_monotone.h"
#include "invariants/in_sync_at_rest.h"
#include "invariants/inconsistent_offsets.h"
#include "invariants/isr_admits_live.h"
#include "invariants/isr_holds_committed.h"
#include "invariants/log_matching.h"
#include "invariants/min_insync_acked.h"
#include "invariants/nonmonotonic_send.h"
#include "invariants/one_leader_per_epoch.h"
#include "invariants/phantom.h"
#include "invariants/poll_order.h"
#include "invariants/readable_at_rest.h"
#include "invariants/realtime_inversion.h"
#include "invariants/spurious_reset.h"
#include "invariants/unread.h"
#include "invariants/zookeeper_committed_kept.h"
#include "invariants/zookeeper_one_history.h"
#include "invariants/zookeeper_one_leader_per_epoch.h"

namespace highwater::invariants {
namespace {

constexpr InvariantInfo kCatalog[] = {
    {.id = "G1a",
     .guarantee = "A record whose send failed for certain is never read.",
     .judged = "at each consumed record and each failed send",
     .make = MakeG1a},
    {.id = "acked-durable",
     .guarantee = "A record that was acknowledged is never lost.",
     .judged = "whenever a broker begins to lead or opens the only replica, and at rest against a "
               "reading of every partition",
     .make = MakeAckedDurable},
    {.id = "committed-at-rest",
     .guarantee = "Once the faults are over, whatever a leader holds becomes visible.",
     .judged =
         "at rest, where the heal phase outlasts the brokers' socket time-outs; always where a "
         "scenario names it",
     .make = MakeCommittedAtRest},
    {.id = "committed-kept",
     .guarantee = "What is below a high watermark stays there, unchanged, on every later leader.",
     .judged = "whenever a broker begins to lead",
     .make = MakeCommittedKept},
    {.id = "duplicate",
     .guarantee = "A record that an idempotent producer sent is stored once.",
     .judged = "at rest; for all producers where a scenario names it",
     .make = MakeDuplicate},
    {.id = "high-watermark-monotone",
     .guarantee = "A record that a leader let me read stays readable from it.",
     .judged = "whenever a leader's high watermark moves",
     .make = MakeHighWatermarkMonotone},
    {.id = "in-sync-at-rest",
     .guarantee = "Once the faults are over, every replica is in sync again.",
     .judged =
         "at rest, where the heal phase outlasts the brokers' socket time-outs; always where a "
         "scenario names it",
     .make = MakeInSyncAtRest},
    {.id = "inconsistent-offsets",
     .guarantee = "An offset of a partition holds one record, whoever looks and whenever.",
     .judged = "at each acknowledgement and each consumed record",
     .make = MakeInconsistentOffsets},
    {.id = "int-nonmonotonic-poll",
     .guarantee = "The records that one poll returns stand in the order of the log, each once.",
     .judged = "at each consumed record",
     .make = MakeIntNonmonotonicPoll},
    {.id = "int-poll-skip",
     .guarantee = "The records that one poll returns leave none out.",
     .judged = "at rest, from all polls",
     .make = MakeIntPollSkip},
    {.id = "isr-admits-live",
     .guarantee = "Nobody is counted as in sync again who has gone or is about to go.",
     .judged = "whenever the controller changes an ISR that a leader proposed",
     .make = MakeIsrAdmitsLive},
    {.id = "isr-holds-committed",
     .guarantee = "Whichever in-sync replica takes over, it has my record.",
     .judged = "whenever a leader's high watermark moves",
     .make = MakeIsrHoldsCommitted},
    {.id = "log-matching",
     .guarantee = "What a replica holds to be committed is what its leader has there.",
     .judged = "whenever a follower's high watermark moves",
     .make = MakeLogMatching},
    {.id = "lost-write",
     .guarantee = "No reader gets past an acknowledged record that nobody ever read.",
     .judged = "at rest",
     .make = MakeLostWrite},
    {.id = "min-insync-acked",
     .guarantee = "When acks=all is answered, min.insync.replicas brokers store the record.",
     .judged = "at each answer to a Produce with acks=all",
     .make = MakeMinInsyncAcked},
    {.id = "nonmonotonic-poll",
     .guarantee = "A consumer that reads on is never handed a record again.",
     .judged = "at each consumed record",
     .make = MakeNonmonotonicPoll},
    {.id = "nonmonotonic-send",
     .guarantee = "A producer's records stand in a partition in the order in which it sent them.",
     .judged = "at rest, for idempotent producers and those with one request in flight; for all "
               "where a scenario names it",
     .make = MakeNonmonotonicSend},
    {.id = "one-leader-per-epoch",
     .guarantee = "Two brokers never both lead a partition in the same leader epoch.",
     .judged = "whenever a broker begins to lead",
     .make = MakeOneLeaderPerEpoch},
    {.id = "phantom",
     .guarantee = "A consumer only reads records that somebody sent, whole and unchanged.",
     .judged = "at each consumed record",
     .make = MakePhantom},
    {.id = "poll-skip",
     .guarantee = "A consumer that reads on is handed every record.",
     .judged = "at rest, from all polls",
     .make = MakePollSkip},
    {.id = "readable-at-rest",
     .guarantee = "Once the faults are over, every partition can be read to its end again.",
     .judged = "at rest",
     .make = MakeReadableAtRest},
    {.id = "realtime-inversion",
     .guarantee = "What was acknowledged before another record was sent stands before it.",
     .judged = "at each acknowledgement",
     .make = MakeRealtimeInversion},
    {.id = "spurious-reset",
     .guarantee = "A consumer is not sent elsewhere while its position is a good one.",
     .judged = "whenever a position is reset",
     .make = MakeSpuriousReset},
    {.id = "unseen",
     .guarantee = "At rest every acknowledged record was read by somebody.",
     .judged = "at rest",
     .make = MakeUnseen},
    {.id = "zookeeper-committed-kept",
     .guarantee = "What a ZooKeeper ensemble has committed is never lost.",
     .judged = "whenever a ZooKeeper server begins to lead",
     .make = MakeZooKeeperCommittedKept},
    {.id = "zookeeper-one-history",
     .guarantee = "All ZooKeeper servers apply the same transactions in the same order.",
     .judged = "at each transaction that a ZooKeeper server applies",
     .make = MakeZooKeeperOneHistory},
    {.id = "zookeeper-one-leader-per-epoch",
     .guarantee = "An epoch of a ZooKeeper ensemble belongs to one server.",
     .judged = "whenever a ZooKeeper server begins to lead",
     .make = MakeZooKeeperOneLeaderPerEpoch},
};

}  // namespace

absl::Span<const InvariantInfo> CatalogOfInvariants() { return kCatalog; }

}  // namespace highwater::invariants
