#pragma once

// phantom: a consumer is only ever handed records that somebody sent, whole and unchanged.
//
// In the client's words: "every record that I read was written by one of us, to this partition, and
// reads as it was written." Judged at each consumed record. A record whose send failed for certain
// is another matter (G1a).

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakePhantom(const ClientHistory& history,
                                                     ViolationSink& sink, Scope scope);

}  // namespace highwater::invariants
