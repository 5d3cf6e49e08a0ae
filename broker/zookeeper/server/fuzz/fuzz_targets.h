#pragma once

// What the fuzzer does with arbitrary bytes; also run by an ordinary test over a small corpus
// (fuzz_targets_test.cc). Returns normally for any input; a broken property ends the process.

#include <absl/types/span.h>

#include <cstdint>

namespace highwater::broker::zookeeper::fuzz {

// A stream of frames, the first a handshake, to a server whose writes are committed now and then.
// Whatever it decides, the transactions encode, decode and give the same tree when they are
// replayed.
void FuzzRequests(absl::Span<const uint8_t> input);

}  // namespace highwater::broker::zookeeper::fuzz
