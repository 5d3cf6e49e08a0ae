#include "invariants/invariant.h"

#include "invariants/acked_durable.h"
#include "invariants/duplicate.h"
#include "invariants/nonmonotonic_send.h"
#include "invariants/phantom.h"
#include "invariants/readable_at_rest.h"

namespace highwater::invariants {
namespace {

constexpr InvariantInfo kCatalog[] = {
    {.id = "acked-durable",
     .guarantee = "A record that was acknowledged is never lost.",
     .judged = "whenever a log is opened, and at rest against a reading of every partition",
     .make = MakeAckedDurable},
    {.id = "duplicate",
     .guarantee = "A record that an idempotent producer sent is stored once.",
     .judged = "at rest; for all producers where a scenario names it",
     .make = MakeDuplicate},
    {.id = "nonmonotonic-send",
     .guarantee = "A producer's records stand in a partition in the order in which it sent them.",
     .judged = "at rest, for idempotent producers and those with one request in flight; for all "
               "where a scenario names it",
     .make = MakeNonmonotonicSend},
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
