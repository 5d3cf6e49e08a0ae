#pragma once

// Arbitrary messages for tests: seeded, bounded in size, with the values at the edges drawn often.
//
//   ArbitrarySource source(seed);
//   FetchRequest request = Arbitrary<FetchRequest>(source, 13);
//
// A field that the version lacks keeps its default, so the value can be encoded in that version.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "broker/protocol/float64.h"
#include "broker/protocol/records.h"
#include "broker/protocol/uuid.h"
#include "core/bytes.h"
#include "core/random.h"

namespace highwater::broker::protocol::testing {

class ArbitrarySource {
 public:
  explicit ArbitrarySource(uint64_t seed) : random_(seed) {}

  core::Random& random() { return random_; }
  bool Coin() { return random_.Chance(1, 2); }
  // Whether a nullable field is null.
  bool Null() { return random_.Chance(1, 4); }

  bool Bool() { return Coin(); }
  int8_t Int8() { return static_cast<int8_t>(Integer(-128, 127)); }
  int16_t Int16() { return static_cast<int16_t>(Integer(INT16_MIN, INT16_MAX)); }
  uint16_t UInt16() { return static_cast<uint16_t>(Integer(0, UINT16_MAX)); }
  int32_t Int32() { return static_cast<int32_t>(Integer(INT32_MIN, INT32_MAX)); }
  uint32_t UInt32() { return static_cast<uint32_t>(Integer(0, UINT32_MAX)); }
  int64_t Int64() { return Integer(INT64_MIN, INT64_MAX); }
  protocol::Float64 Float64() { return static_cast<protocol::Float64>(Int32()) / 8; }
  protocol::Uuid Uuid();
  std::string String();
  core::ByteChain Bytes();
  protocol::Records Records() { return protocol::Records(Bytes()); }

  template <typename T, typename Make>
  std::vector<T> Vector(Make make) {
    const uint64_t count = random_.Below(4);
    std::vector<T> items;
    for (uint64_t i = 0; i < count; ++i) items.push_back(make());
    return items;
  }

 private:
  int64_t Integer(int64_t low, int64_t high);

  core::KeyedRandom random_;
};

// Defined for each message and each struct in it, by the generator.
template <typename T>
T Arbitrary(ArbitrarySource& source, int16_t version);

// The same bytes in slices of drawn sizes, so that values straddle them.
core::ByteChain CutAtRandom(core::Random& random, const core::ByteChain& bytes);
// The same bytes with up to three of them changed, cut off, doubled or added.
core::ByteChain Mutate(core::Random& random, const core::ByteChain& bytes);

}  // namespace highwater::broker::protocol::testing
