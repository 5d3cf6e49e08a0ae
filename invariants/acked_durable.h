#pragma once

// acked-durable: a record that was acknowledged is never lost.
//
// In the client's words: "the broker told me the offset of my record; from then on a reader of that
// offset finds my record." Records sent with acks=0 are never acknowledged in this sense. Judged at
// the event (a log is opened and ends before an acknowledged record) and at rest (a reader of the
// whole partition finds something else, or nothing, at that offset).

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakeAckedDurable(const ClientHistory& history,
                                                          ViolationSink& sink, Scope scope);

}  // namespace highwater::invariants
