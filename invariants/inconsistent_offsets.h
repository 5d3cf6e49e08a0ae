#pragma once

// inconsistent-offsets: an offset of a partition holds one record, whoever looks and whenever.
//
// In the client's words: "what I was told stands at offset 57 is what everybody reads there." Every
// acknowledgement and every consumed record says what stands at an offset; two that differ violate
// it. Jepsen's class of that name. Judged at each acknowledgement and each consumed record.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeInconsistentOffsets(const RunFacts& facts,
                                                                 ViolationSink& sink);

}  // namespace highwater::invariants
