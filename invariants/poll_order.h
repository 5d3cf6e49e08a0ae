#pragma once

// poll-skip, nonmonotonic-poll, int-poll-skip, int-nonmonotonic-poll: a consumer that reads on
// reads every record once, in the order of the log.
//
// In the client's words: "from one poll to the next nothing is left out, nothing comes again"; the
// two whose names begin with `int` say the same of two records that one poll returned. Jepsen's
// classes of those names. A consumer that sought, or whose position was reset, begins anew, with
// what it was told: whether a reset was right is spurious-reset's matter. Offsets may lawfully be
// missing (control batches, compaction, retention): a skip is one only if somebody knows of a
// record in the hole, by an acknowledgement or a poll, and it lies above the log start offset.
// Going back is judged at the poll, skips at rest.
//
// Cost: a record that follows the one before it directly costs a lookup; a hole costs log n at
// rest.

#include "invariants/invariant.h"

namespace highwater::invariants {

[[nodiscard]] std::unique_ptr<Invariant> MakePollSkip(const RunFacts& facts, ViolationSink& sink);
[[nodiscard]] std::unique_ptr<Invariant> MakeNonmonotonicPoll(const RunFacts& facts,
                                                              ViolationSink& sink);
[[nodiscard]] std::unique_ptr<Invariant> MakeIntPollSkip(const RunFacts& facts,
                                                         ViolationSink& sink);
[[nodiscard]] std::unique_ptr<Invariant> MakeIntNonmonotonicPoll(const RunFacts& facts,
                                                                 ViolationSink& sink);

}  // namespace highwater::invariants
