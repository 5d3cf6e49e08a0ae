#pragma once

// spurious-reset: a consumer is not sent elsewhere while its position is a good one.
//
// In the client's words: "the broker told me that my offset is out of range, or that the log was
// cut below it, and I began again from the start (or skipped to the end); but the records were
// there all the time." A position is good from the log start offset to the commit point [N32,
// KAFKA-9543, KAFKA-14379]. Judged when a consumer's position is reset.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeSpuriousReset(const RunFacts& facts,
                                                           ViolationSink& sink);

}  // namespace highwater::invariants
