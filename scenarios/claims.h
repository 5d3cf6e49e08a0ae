#pragma once

// Claims: what a product's document says of situations that scenarios bring about, as values. The
// file that they come from stands beside the scenarios (load_claims.h); what was measured stands
// beside them in the reliability matrix (reports/reliability_matrix.h).

#include <absl/time/time.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace highwater::scenarios {

// Whether a record can be lost of which its producer was told that it is sent.
enum class ClaimedLoss { kSilent, kNone, kPossible };
// How many of the partitions that are offered records take them while the scenario watches.
enum class ClaimedWrites { kSilent, kAll, kSome, kNone };

// One situation: what the document says of it.
struct ClaimCase {
  std::string scenario;
  ClaimedLoss loss = ClaimedLoss::kSilent;
  ClaimedWrites writes = ClaimedWrites::kSilent;          // of the majority's clients
  ClaimedWrites cut_off_writes = ClaimedWrites::kSilent;  // of those on the other side
  std::optional<absl::Duration> time_to_leader;           // at most, in half of the cases
  std::optional<absl::Duration> produce_latency;          // at most, for half of the records
  std::string note;                                       // why it is as it was measured
};

// One sentence, or row, of the document, in our words.
struct Claim {
  std::string title;
  std::string where;  // lines of the document
  std::string says;
  std::vector<ClaimCase> cases;
};

struct ClaimSection {
  std::string title;
  std::string about;
  std::vector<Claim> claims;
};

struct Claims {
  std::string document;
  std::vector<ClaimSection> sections;
  std::vector<std::string> unmeasured;  // what is not in the matrix, and why
};

}  // namespace highwater::scenarios
