#include "invariants/invariant.h"

#include "invariants/acked_durable.h"
#include "invariants/phantom.h"
#include "invariants/readable_at_rest.h"

namespace highwater::invariants {
namespace {

constexpr InvariantInfo kCatalog[] = {
    {.id = "acked-durable",
     .guarantee = "A record that was acknowledged is never lost.",
     .judged = "whenever a log is opened, and at rest against a reading of every partition",
     .make = MakeAckedDurable},
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
