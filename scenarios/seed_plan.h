#pragma once

// CasePlan: which seeds of which scenarios a campaign runs, in which order; and how that is written
// on the command line.
//
// Without a budget of time the order is scenario by scenario, and of n shards, shard i takes each
// n-th case. With a budget every scenario gets its turn: seed after seed from the first on, without
// end; shard i takes the seeds first + i - 1 + k·n, so shards never overlap.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "scenarios/quantity.h"

namespace highwater::scenarios {

struct Shard {
  uint64_t index = 1;  // from 1
  uint64_t count = 1;
};
[[nodiscard]] absl::StatusOr<Shard> ParseShard(std::string_view text);  // `1/8`

// `--seeds`: the scenarios' own where nothing is said.
struct SeedChoice {
  std::optional<SeedRange> range;  // `7`, `1..1000`
  std::optional<uint64_t> drawn;   // `random:500`: so many, drawn by the caller into `list`
  std::vector<uint64_t> list;
};
[[nodiscard]] absl::StatusOr<SeedChoice> ParseSeedChoice(std::string_view text);

struct Case {
  size_t scenario = 0;
  uint64_t seed = 0;
};

class CasePlan {
 public:
  // `own` holds the scenarios' own ranges, one each.
  CasePlan(std::vector<SeedRange> own, SeedChoice choice, Shard shard, bool endless);

  // How many cases there are in all; nothing if there is no end.
  [[nodiscard]] std::optional<uint64_t> Size() const;
  [[nodiscard]] std::optional<Case> Next();

 private:
  [[nodiscard]] uint64_t SeedsOf(size_t scenario) const;
  [[nodiscard]] uint64_t SeedAt(size_t scenario, uint64_t index) const;
  [[nodiscard]] std::optional<Case> NextInTurn();

  std::vector<SeedRange> own_;
  SeedChoice choice_;
  Shard shard_;
  bool endless_;
  bool bounded_;        // with a budget of time, but over given seeds
  uint64_t total_ = 0;  // cases of all shards, where there is an end
  uint64_t next_ = 0;   // of all shards' cases, or of this shard's turns
};

}  // namespace highwater::scenarios
