#pragma once

// duplicate: a record stands in its partition's log once.
//
// In the client's words: "I sent it once; whatever was lost and resent on the way, a reader finds
// it once." Judged at rest, from a reading of every partition: at the event a record may well be
// seen at two offsets, one behind the other, when the log was cut in between. Only an idempotent
// producer was promised this; a scenario that names the invariant has it judged for all.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeDuplicate(const RunFacts& facts, ViolationSink& sink);

}  // namespace highwater::invariants
