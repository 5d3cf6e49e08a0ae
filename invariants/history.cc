#include "invariants/history.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/mix.h"

namespace highwater::invariants {
namespace {

constexpr uint32_t kMagic = 0x48571a7e;
constexpr size_t kFillerPeriod = 251;  // a prime, so that a shifted record shows

struct Header {
  uint32_t magic;
  uint32_t size;
  uint32_t client;
  uint32_t operation;
  uint64_t seal;  // of the four fields above
};
static_assert(sizeof(Header) == kSmallestValue);

uint64_t SealOf(const Header& header) {
  const uint64_t named = core::Mix(header.client, header.operation);
  return core::Mix(named, uint64_t{header.size} << 32 | header.magic);
}

// The bytes of a value behind its header, eight or 64 at a time: byte i is i mod the period,
// changed by whose it is.
class Filler {
 public:
  static constexpr size_t kStride = 64;

  explicit Filler(RecordId id) : key_(uint8_t(id.operation * 31 + id.client) * kEachByte) {}

  uint64_t NextEight() {
    uint64_t eight;
    std::memcpy(&eight, &kRamp[phase_], sizeof(eight));
    phase_ += sizeof(eight);
    if (phase_ >= kFillerPeriod) phase_ -= kFillerPeriod;
    return eight ^ key_;
  }

  // Whether the next kStride bytes are those at `data`: every record that is read is compared
  // whole.
  bool MatchesStride(const uint8_t* data) {
    uint64_t wrong = 0;
    for (size_t i = 0; i < kStride; i += sizeof(uint64_t)) {
      uint64_t expected;
      uint64_t found;
      std::memcpy(&expected, &kRamp[phase_ + i], sizeof(expected));
      std::memcpy(&found, data + i, sizeof(found));
      wrong |= found ^ expected ^ key_;
    }
    phase_ += kStride;
    if (phase_ >= kFillerPeriod) phase_ -= kFillerPeriod;
    return wrong == 0;
  }

 private:
  static constexpr uint64_t kEachByte = 0x0101010101010101;
  static constexpr auto kRamp = [] {
    std::array<uint8_t, kFillerPeriod + kStride> ramp{};
    for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<uint8_t>(i % kFillerPeriod);
    return ramp;
  }();

  uint64_t key_;
  size_t phase_ = sizeof(Header);
};

}  // namespace

uint32_t ClientHistory::AddProducer(std::string name, ProducerPromises promises) {
  producers_.push_back({.name = std::move(name), .promises = promises, .sends = {}});
  return static_cast<uint32_t>(producers_.size() - 1);
}

RecordId ClientHistory::AddSend(uint32_t client, Send send) {
  std::vector<Send>& sends = producers_[client].sends;
  sends.push_back(std::move(send));
  return {.client = client, .operation = static_cast<uint32_t>(sends.size() - 1)};
}

const Send* ClientHistory::Find(RecordId id) const {
  if (id.client >= producers_.size()) return nullptr;
  const std::vector<Send>& sends = producers_[id.client].sends;
  return id.operation < sends.size() ? &sends[id.operation] : nullptr;
}

Send& ClientHistory::Of(RecordId id) { return producers_[id.client].sends[id.operation]; }

std::string ClientHistory::Describe(RecordId id) const {
  if (id.client >= producers_.size()) return fmt::format("client {}/{}", id.client, id.operation);
  return fmt::format("{}/{}", producers_[id.client].name, id.operation);
}

core::Bytes MakeValue(RecordId id, uint32_t size) {
  size = std::max(size, kSmallestValue);
  Header header{
      .magic = kMagic, .size = size, .client = id.client, .operation = id.operation, .seal = 0};
  header.seal = SealOf(header);
  core::BytesBuilder builder(size);
  uint8_t* data = builder.Grow(size);
  std::memcpy(data, &header, sizeof(header));
  Filler filler(id);
  size_t i = sizeof(header);
  for (; size - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
    const uint64_t eight = filler.NextEight();
    std::memcpy(data + i, &eight, sizeof(eight));
  }
  const uint64_t rest = filler.NextEight();
  std::memcpy(data + i, &rest, size - i);
  return std::move(builder).Freeze();
}

std::optional<RecordId> ParseValue(const core::Bytes& value) {
  Header header;
  if (value.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, value.data(), sizeof(header));
  if (header.magic != kMagic || header.size != value.size() || header.seal != SealOf(header)) {
    return std::nullopt;
  }
  const RecordId id{.client = header.client, .operation = header.operation};
  Filler filler(id);
  size_t i = sizeof(header);
  for (; value.size() - i >= Filler::kStride; i += Filler::kStride) {
    if (!filler.MatchesStride(value.data() + i)) return std::nullopt;
  }
  for (; value.size() - i >= sizeof(uint64_t); i += sizeof(uint64_t)) {
    uint64_t eight;
    std::memcpy(&eight, value.data() + i, sizeof(eight));
    if (eight != filler.NextEight()) return std::nullopt;
  }
  const uint64_t rest = filler.NextEight();
  if (std::memcmp(value.data() + i, &rest, value.size() - i) != 0) return std::nullopt;
  return id;
}

}  // namespace highwater::invariants
