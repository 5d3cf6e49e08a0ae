#pragma once

// committed-kept: what is below a high watermark stays there, unchanged.
//
// In the client's words: "once any consumer could read a record, or acks=all was answered for it,
// every later leader has it, at the same offset, with the same content." The *commit point* of a
// partition is the greatest offset that any leader ever held below its high watermark; a replica's
// own high watermark may step back at a role change [H5, H7], the commit point does not. Judged
// whenever a broker begins to lead.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeCommittedKept(const RunFacts& facts,
                                                           ViolationSink& sink);

}  // namespace highwater::invariants
