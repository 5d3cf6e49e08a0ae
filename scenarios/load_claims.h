#pragma once

// The loader of `claims.yaml`: what a document claims of the scenarios in the same folder.
//
//   highwater_claims: 1
//   document: the product document of 2025-09-19
//   sections:
//     - title: Replicas, acks and min.insync.replicas
//       claims:
//         - title: 3 replicas, acks=all, min.insync.replicas=2
//           where: lines 1572-1584
//           says: Tolerates the failure of one broker.
//           cases:
//             - { scenario: 3-all-2-crash, loss: none, writes: all, note: ... }
//   unmeasured: [ ... ]
//
// `loss` is none or possible; `writes` and `cut_off_writes` are all, some or none (of the
// partitions); `time_to_leader` and `produce_latency` are the most that half of them may take. Left
// out: the document says nothing of it. As in a scenario all errors are reported, each with its
// place.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenarios/claims.h"
#include "scenarios/diagnostics.h"

namespace highwater::scenarios {

struct LoadedClaims {
  std::optional<Claims> claims;  // if and only if no diagnostic is an error
  std::vector<Diagnostic> diagnostics;
};

// `known`: the names that cases may use; a case of another one is an error. So is one of `expected`
// that no case uses: nobody would look at what it measures.
[[nodiscard]] LoadedClaims LoadClaims(std::string_view file, std::string_view text,
                                      const std::vector<std::string_view>& known,
                                      const std::vector<std::string_view>& expected);

}  // namespace highwater::scenarios
