#include "broker/protocol/testing/arbitrary.h"

#include <algorithm>

namespace highwater::broker::protocol::testing {

int64_t ArbitrarySource::Integer(int64_t low, int64_t high) {
  switch (random_.Below(6)) {
    case 0:
      return low;
    case 1:
      return high;
    case 2:
      return std::clamp<int64_t>(random_.Between(-2, 2), low, high);
    case 3:
      return std::clamp<int64_t>(random_.Between(-300, 300), low, high);
    default:
      return random_.Between(low, high);
  }
}

protocol::Uuid ArbitrarySource::Uuid() {
  protocol::Uuid id;
  if (Null()) return id;
  id.high = random_.Next();
  id.low = random_.Next();
  return id;
}

std::string ArbitrarySource::String() {
  // Around 127 the compact length takes a second byte.
  const uint64_t size = random_.Chance(1, 8) ? random_.Below(300) : random_.Below(12);
  std::string text(size, 'x');
  for (char& c : text) c = static_cast<char>(random_.Below(256));
  return text;
}

core::ByteChain ArbitrarySource::Bytes() {
  core::ByteChain chain;
  const uint64_t slices = random_.Below(3);
  for (uint64_t i = 0; i < slices; ++i) {
    // Long enough now and then to be shared by the encoder.
    const uint64_t size = random_.Chance(1, 4) ? 200 + random_.Below(200) : random_.Below(20);
    std::string content(size, 'y');
    for (char& c : content) c = static_cast<char>(random_.Below(256));
    chain.Append(core::Bytes::Copy(content));
  }
  return chain;
}

core::ByteChain CutAtRandom(core::Random& random, const core::ByteChain& bytes) {
  const std::string whole = bytes.ToString();
  core::ByteChain cut;
  const uint64_t longest = 1 + random.Below(40);
  for (size_t at = 0; at < whole.size();) {
    const size_t n = std::min<size_t>(whole.size() - at, 1 + random.Below(longest));
    cut.Append(core::Bytes::Copy(std::string_view(whole).substr(at, n)));
    at += n;
  }
  return cut;
}

core::ByteChain Mutate(core::Random& random, const core::ByteChain& bytes) {
  std::string whole = bytes.ToString();
  const uint64_t changes = 1 + random.Below(3);
  for (uint64_t i = 0; i < changes; ++i) {
    const size_t at = whole.empty() ? 0 : random.Below(whole.size());
    const char value = random.Chance(1, 2) ? '\xff' : static_cast<char>(random.Below(256));
    switch (random.Below(5)) {
      case 0:
        whole.resize(at);
        break;
      case 1:
        whole.insert(at, 1, value);
        break;
      case 2:
        whole.insert(at, whole.substr(at, 8));
        break;
      default:
        if (!whole.empty()) whole[at] = value;
    }
  }
  return core::ByteChain(core::Bytes::Copy(whole));
}

}  // namespace highwater::broker::protocol::testing
