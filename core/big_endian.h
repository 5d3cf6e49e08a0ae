#pragma once

// Stores and loads of big-endian integers at any address: the order of every format on the wire and
// on disk that we share with Kafka and ZooKeeper.

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace highwater::core {

template <typename T>
void StoreBigEndian(uint8_t* at, T value) {
  static_assert(std::is_unsigned_v<T> && std::endian::native == std::endian::little);
  if constexpr (sizeof(T) == 2) value = __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
  std::memcpy(at, &value, sizeof(T));
}

template <typename T>
[[nodiscard]] T LoadBigEndian(const uint8_t* at) {
  static_assert(std::is_unsigned_v<T> && std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, at, sizeof(T));
  if constexpr (sizeof(T) == 2) value = __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) value = __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) value = __builtin_bswap64(value);
  return value;
}

}  // namespace highwater::core
