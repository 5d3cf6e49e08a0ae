#pragma once

// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), as Kafka's record batches v2 carry it.

#include <absl/types/span.h>

#include <cstdint>

namespace highwater::core {

// The checksum of `data`. Uses the SSE4.2 instruction where the processor has it.
[[nodiscard]] uint32_t Crc32c(absl::Span<const uint8_t> data);
// The checksum of what gave `crc` with `data` behind it: Crc32cExtend(Crc32c(a), b) == Crc32c(a +
// b).
[[nodiscard]] uint32_t Crc32cExtend(uint32_t crc, absl::Span<const uint8_t> data);
// As Crc32cExtend, by table, on any processor. For tests and as the fallback.
[[nodiscard]] uint32_t Crc32cExtendPortable(uint32_t crc, absl::Span<const uint8_t> data);

}  // namespace highwater::core
