#include "invariants/invariant.h"

#include "invariants/acked_durable.h"
#include "invariants/committed_kept.h"
#include "invariants/duplicate.h"
#include "invariants/high_watermark_monotone.h"
#include "invariants/in_sync_at_rest.h"
#include "invariants/isr_admits_live.h"
#include "invariants/isr_holds_committed.h"
#include "invariants/log_matching.h"
#include "invariants/min_insync_acked.h"
#include "invariants/nonmonotonic_send.h"
#include "invariants/one_leader_per_epoch.h"
#include "invariants/phantom.h"
#include "invariants/readable_at_rest.h"

namespace highwater::invariants {
namespace {

constexpr InvariantInfo kCatalog[] = {
    {.id = "acked-durable",
     .guarantee = "A record that was acknowledged is never lost.",
     .judged = "whenever a broker begins to lead or opens the only replica, and at rest against a "
               "reading of every partition",
     .make = MakeAckedDurable},
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
    {.id = "min-insync-acked",
     .guarantee = "When acks=all is answered, min.insync.replicas brokers store the record.",
     .judged = "at each answer to a Produce with acks=all",
     .make = MakeMinInsyncAcked},
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
    {.id = "readable-at-rest",
     .guarantee = "Once the faults are over, every partition can be read to its end again.",
     .judged = "at rest",
     .make = MakeReadableAtRest},
};

}  // namespace

absl::Span<const InvariantInfo> CatalogOfInvariants() { return kCatalog; }

}  // namespace highwater::invariants
