#pragma once

// Random: a node's own stream of draws. In simulation every draw is keyed by who draws and when in
// its own life (host, fiber path, wake count), never by a global counter, so that "the same run
// without fault 7" keeps all other draws.

#include <cstdint>

#include "core/check.h"
#include "core/mix.h"

namespace highwater::core {

class Random {
 public:
  virtual ~Random() = default;
  // 64 uniform bits.
  [[nodiscard]] virtual uint64_t Next() = 0;

  // Uniform in [0, n) without bias worth naming (n / 2^64). REQUIRES: n > 0.
  [[nodiscard]] uint64_t Below(uint64_t n) {
    HW_CHECK(n > 0);
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>(static_cast<Wide>(Next()) * n >> 64);
  }
  // Uniform in [low, high]. REQUIRES: low <= high.
  [[nodiscard]] int64_t Between(int64_t low, int64_t high) {
    HW_CHECK(low <= high, "Between({}, {})", low, high);
    const uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
    const uint64_t draw = span == 0 ? Next() : Below(span);
    return static_cast<int64_t>(static_cast<uint64_t>(low) + draw);
  }
  // True with chance numerator / denominator.
  [[nodiscard]] bool Chance(uint64_t numerator, uint64_t denominator) {
    return Below(denominator) < numerator;
  }
};

// A stream whose draws are a pure function of its key: draw i is Mix'ed from (key, i).
//   KeyedRandom(Mix(seed, MixName("link"), ...)).Between(10, 40)
class KeyedRandom final : public Random {
 public:
  explicit KeyedRandom(uint64_t key) : key_(key) {}
  [[nodiscard]] uint64_t Next() override { return Draw(key_, count_++); }

  // Draw `index` of the stream `key`: two rounds, so that neighbouring keys are unrelated.
  [[nodiscard]] static uint64_t Draw(uint64_t key, uint64_t index) {
    const uint64_t mixed = Mix(key, index * 0xa0761d6478bd642fu + 1);
    return Mix(mixed, mixed >> 32 ^ 0xe7037ed1a0b428dbu);
  }

 private:
  uint64_t key_;
  uint64_t count_ = 0;
};

}  // namespace highwater::core
