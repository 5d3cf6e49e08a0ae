#pragma once

// LinkFault: one change of the links between two groups of hosts, from when it is applied until it
// is withdrawn.
//
//   world.network().Apply({.id = id, .from = {leader}, .to = followers, .effect =
//   LinkEffect::kSilence}); world.network().Withdraw(id);
//
// Links appear when first used; a fault also holds for links that appear while it is applied.

#include <absl/time/time.h>

#include <cstdint>
#include <vector>

#include "sim/event_kind.h"
#include "sim/fault_ledger.h"

namespace highwater::sim {

enum class LinkEffect : uint8_t {
  kSilence,  // nothing arrives; senders retransmit
  kReset,    // what arrives is answered with a reset, a dial with a refusal
  kDelay,  // each message takes longer by `delay` and a uniform part of `jitter`; with kLoss's too
  kLoss,   // of a million segments `loss_ppm` are lost and sent again
  kBandwidth,  // at most `bytes_per_second` over each link
};

enum class Ways : uint8_t { kBoth, kOneWay };

struct LinkFault {
  FaultId id;
  std::vector<HostId> from;
  std::vector<HostId> to;
  Ways ways = Ways::kBoth;
  LinkEffect effect = LinkEffect::kSilence;
  absl::Duration delay;
  absl::Duration jitter;
  int64_t loss_ppm = 0;
  int64_t bytes_per_second = 0;
};

}  // namespace highwater::sim
