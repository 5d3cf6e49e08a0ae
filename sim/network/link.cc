#include "sim/network/link.h"

#include "core/random.h"

namespace highwater::sim {

TcpParameters::TcpParameters(const NetworkOptions& options)
    : window(options.window_bytes),
      backlog(static_cast<size_t>(options.backlog)),
      rto_low(absl::ToInt64Nanoseconds(options.rto_low)),
      rto_high(absl::ToInt64Nanoseconds(options.rto_high)),
      give_up(absl::ToInt64Nanoseconds(options.give_up)),
      syn_timeout(absl::ToInt64Nanoseconds(options.syn_timeout)),
      syn_retries(options.syn_retries) {}

void Link::ClearFaults() {
  faulty = false;
  silenced = resetting = delayed = lossy = squeezed = kNoFault;
  extra_delay = extra_jitter = loss_ppm = 0;
  squeeze = Queue();
}

void Link::Add(const LinkFault& fault) {
  faulty = true;
  switch (fault.effect) {
    case LinkEffect::kSilence:
      silenced = fault.id;
      break;
    case LinkEffect::kReset:
      resetting = fault.id;
      break;
    case LinkEffect::kDelay:
      delayed = fault.id;
      extra_delay += absl::ToInt64Nanoseconds(fault.delay);
      extra_jitter += absl::ToInt64Nanoseconds(fault.jitter);
      if (fault.loss_ppm == 0) break;
      [[fallthrough]];
    case LinkEffect::kLoss:
      lossy = fault.id;
      loss_ppm = std::max(loss_ppm, fault.loss_ppm);
      break;
    case LinkEffect::kBandwidth:
      squeezed = fault.id;
      squeeze = Queue(fault.bytes_per_second);
      break;
  }
}

int64_t Link::Tail(uint64_t draw) const {
  // Of 2^20 messages: 105 take ten times the base longer, 944 four times, 9437 once.
  if (draw < 105) return 10 * base;
  if (draw < 1049) return 4 * base;
  return base;
}

int64_t Link::Suffer(int64_t at, int64_t bytes, uint64_t draw, int64_t retransmission,
                     FaultId& fault) {
  core::KeyedRandom random(draw);
  if (squeezed != kNoFault) {
    const int64_t through = squeeze.Pass(at, bytes);
    if (through > at) fault = squeezed;
    at = through;
  }
  if (delayed != kNoFault) {
    at += extra_delay + random.Between(0, extra_jitter);
    fault = delayed;
  }
  if (lossy != kNoFault) {
    for (int64_t wait = retransmission; random.Chance(static_cast<uint64_t>(loss_ppm), 1'000'000);
         wait *= 2) {
      at += wait;
      fault = lossy;
      if (wait >= int64_t{1} << 36) break;
    }
  }
  return at;
}

}  // namespace highwater::sim
