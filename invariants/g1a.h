#pragma once

// G1a: a record whose send failed for certain is never read.
//
// In the client's words: "I was told that my record is not stored; so nobody reads it." A send of
// unknown outcome promises nothing of the sort. Jepsen's (and Adya's) class G1a, aborted read.
// Judged at each consumed record and at each failed send, whichever comes later.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeG1a(const RunFacts& facts, ViolationSink& sink);

}  // namespace highwater::invariants
