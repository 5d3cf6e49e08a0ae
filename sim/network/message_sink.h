#pragma once

// MessageSink: sees what goes over the simulated network, segment by segment: for whoever draws it.
// It never changes what happens; a network without one pays a test of a pointer for each segment.

#include <absl/types/span.h>

#include <cstdint>

#include "sim/host.h"

namespace highwater::sim {

// One direction of one connection.
struct MessageWay {
  uint64_t id = 0;  // no other way of this world has it
  const Host& from;
  const Host& to;
  bool of_dialer = false;      // from who dialed to who accepted
  uint16_t acceptor_port = 0;  // tells the protocol
  uint64_t reverse = 0;        // the id of the other direction
};

class MessageSink {
 public:
  virtual ~MessageSink() = default;
  // A segment of `bytes` leaves. `head`: its first bytes, up to 16.
  virtual void OnSent(const MessageWay& way, absl::Span<const uint8_t> head, uint64_t bytes) = 0;
  // So many bytes of those that were sent and had not arrived reach the other kernel, in order.
  virtual void OnArrived(const MessageWay& way, uint64_t bytes) = 0;
};

}  // namespace highwater::sim
