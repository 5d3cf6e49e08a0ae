#pragma once

// What the fuzzers of a server's files do with arbitrary bytes. Each is also run by an ordinary
// test (fuzz_targets_test.cc).
//
// A target returns normally for any input; a broken property ends the process by HW_CHECK.

#include <absl/types/span.h>

#include <cstdint>

namespace highwater::broker::zookeeper::fuzz {

// A log file: its records, and what its tail means. The checksum of the first record is made right,
// so that a fuzzer gets past it.
void FuzzLog(absl::Span<const uint8_t> input);
// A snapshot: what decodes comes back when it is encoded again.
void FuzzSnapshot(absl::Span<const uint8_t> input);

}  // namespace highwater::broker::zookeeper::fuzz
