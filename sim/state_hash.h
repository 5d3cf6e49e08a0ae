#pragma once

// StateHash: the rolling hash of everything that a world executes. Equal seed and build input give
// an equal chain, on another run, at another optimization level, under the other compiler.
//
//   hash.Fold(now, host, EventKind::kDeliver, bytes.Digest());
//
// Fields are folded, never struct bytes; contents by their remembered digests. The last points are
// kept for the words of a failed check; a HashSink sees every point, for bisecting two runs
// (sim/divergence.h). Invariant: neither changes the hash.

#include <array>
#include <cstdint>
#include <string>

#include "core/mix.h"
#include "sim/event_kind.h"

namespace highwater::sim {

struct HashPoint {
  uint64_t index = 0;  // of this point in the chain, from 0
  int64_t time = 0;    // nanoseconds of the world
  HostId host = kNoHost;
  EventKind kind = EventKind::kCustom;
  uint64_t digest = 0;
  uint64_t hash = 0;  // after this point
};

class HashSink {
 public:
  virtual ~HashSink() = default;
  virtual void OnPoint(const HashPoint& point) = 0;
};

class StateHash {
 public:
  static constexpr size_t kKept = 64;

  explicit StateHash(uint64_t seed) : hash_(core::Mix(0x68696768, seed)) {}

  void Fold(int64_t time, HostId host, EventKind kind, uint64_t digest) {
    const uint64_t who = uint64_t{host.value()} << 8 | static_cast<uint64_t>(kind);
    hash_ = core::Mix(core::Mix(hash_, digest), static_cast<uint64_t>(time) ^ who << 24);
    Kept& kept = kept_[count_ % kKept];
    kept = {time, who, digest, hash_};
    ++count_;
    if (sink_ != nullptr) [[unlikely]]
      Tell(kept);
  }

  [[nodiscard]] uint64_t value() const { return hash_; }
  // Points folded so far.
  [[nodiscard]] uint64_t count() const { return count_; }
  // nullptr withdraws it.
  void SetSink(HashSink* sink) { sink_ = sink; }
  // The last points, a line each, oldest first. `name_of` gives a host's name.
  template <typename NameOf>
  [[nodiscard]] std::string DescribeLast(const NameOf& name_of) const {
    std::string result;
    const uint64_t first = count_ > kKept ? count_ - kKept : 0;
    for (uint64_t i = first; i < count_; ++i) {
      const HashPoint point = ToPoint(i, kept_[i % kKept]);
      result += Describe(point, name_of(point.host));
      result += '\n';
    }
    return result;
  }
  [[nodiscard]] static std::string Describe(const HashPoint& point, std::string_view host_name);

 private:
  struct Kept {
    int64_t time;
    uint64_t who;
    uint64_t digest;
    uint64_t hash;
  };
  static HashPoint ToPoint(uint64_t index, const Kept& kept);
  void Tell(const Kept& kept);

  uint64_t hash_;
  uint64_t count_ = 0;
  HashSink* sink_ = nullptr;
  std::array<Kept, kKept> kept_{};
};

}  // namespace highwater::sim
