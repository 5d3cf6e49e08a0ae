#pragma once

// LogScript: what a process does with one partition's log on a simulated disk, incarnation after
// incarnation, and an oracle with a perfect memory of what the log must still hold.
//
// Not responsible for choosing scripts (the tests do).

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "broker/storage/log_manager.h"
#include "sim/disk/disk.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/world.h"

namespace highwater::broker::storage::testing {

struct Command {
  enum class Kind : uint8_t {
    kAppend,     // a: batches, b: size of values
    kReplicate,  // the same as one append of a follower, the last batch with the next epoch
    kBumpEpoch,  // becomes leader again
    kFlush,
    kRoll,
    kTruncate,       // a: per mille of the log that stays
    kTruncateFully,  // a: how far beyond the log's end it starts again
    kRaiseStart,     // a: per mille of the log that goes
    kRetain,         // drops what retention.bytes does not keep
    kCheckpoint,
    kSleep,  // a: milliseconds
    kDrain,
  };
  Kind kind = Kind::kDrain;
  int a = 0;
  int b = 0;
};

struct Incarnation {
  enum class End : uint8_t { kCleanStop, kPowerLoss, kCrash, kStopThenPowerLoss };
  std::vector<Command> commands;
  End end = End::kCleanStop;
  uint64_t at_effect = 0;  // the power fails, or the process dies, just before this effect; 0:
                           // behind the last command
};

// For failures: as C++ that a test can hold.
std::ostream& operator<<(std::ostream& out, const Command& command);
std::ostream& operator<<(std::ostream& out, const Incarnation& incarnation);

// One batch of a log.
struct Stored {
  Offset base;
  Offset last;
  LeaderEpoch epoch;
  uint32_t crc = 0;
  ProducerId producer = kNoProducerId;
  int32_t last_sequence = protocol::kNoSequence;
  friend bool operator==(const Stored&, const Stored&) = default;
};

// What the log of the script must hold, as observed from outside. Survives incarnations.
struct Oracle {
  std::vector<Stored> content;                    // everything that was admitted and not cut
  std::optional<std::vector<Stored>> before_cut;  // while a truncation is on its way
  std::optional<Offset> starting_over_at;         // while a full truncation is on its way
  Offset durable{0};                              // all below was flushed
  Offset start{0};                                // log start offset
  bool clean = true;                              // the last incarnation stopped cleanly
  std::string problem;                            // the first thing that was wrong
  uint64_t power_losses = 0;
  uint64_t lost_batches = 0;  // of those that were not flushed
};

struct ScriptOptions {
  LogConfig config;
  sim::DiskOptions disk;
  uint64_t seed = 1;
  sim::StrategyKind strategy = sim::StrategyKind::kRandom;
  bool buggify = false;
  RecoveryRules rules;
  ProducerStateRules producer_rules;
};

// Runs the incarnations, then one more that only checks. Returns what was wrong, or "".
[[nodiscard]] std::string RunScript(const std::vector<Incarnation>& incarnations,
                                    const ScriptOptions& options, Oracle* oracle = nullptr);

// How many effects the commands make when nothing fails.
[[nodiscard]] uint64_t CountEffects(const std::vector<Command>& commands,
                                    const ScriptOptions& options);

// Small segments and a dense index, so that little is much.
[[nodiscard]] LogConfig TinyConfig();

}  // namespace highwater::broker::storage::testing
