#pragma once

// high-watermark-monotone: within a leader epoch the leader's high watermark only rises [H1].
//
// In the client's words: "a record that this leader let me read stays readable from it." Judged
// whenever a leader's high watermark moves.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeHighWatermarkMonotone(const RunFacts& facts,
                                                                   ViolationSink& sink);

}  // namespace highwater::invariants
