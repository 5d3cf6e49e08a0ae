#pragma once

// What the fuzzers do with arbitrary bytes. Each is also run by an ordinary test over a small
// corpus (fuzz_targets_test.cc).
//
// A target returns normally for any input; a broken property ends the process by HW_CHECK.

#include <absl/types/span.h>

#include <cstdint>

namespace highwater::broker::protocol::fuzz {

// The first two bytes choose message and version, the rest is its body. What decodes has one
// canonical form.
void FuzzMessage(absl::Span<const uint8_t> input);
// A chain of batches of any magic with their records.
void FuzzRecordBatch(absl::Span<const uint8_t> input);
// The first byte chooses the codec.
void FuzzDecompress(absl::Span<const uint8_t> input);
// A stream of frames, each with a request header and a body that is decoded if it is a Produce or a
// Fetch.
void FuzzFrame(absl::Span<const uint8_t> input);

}  // namespace highwater::broker::protocol::fuzz
