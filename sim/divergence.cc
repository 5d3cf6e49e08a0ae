#include "sim/divergence.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace highwater::sim {
namespace {

constexpr uint64_t kStretch = 1024;

// The chain after each stretch and at the end.
class Milestones final : public HashSink {
 public:
  void OnPoint(const HashPoint& point) override {
    if (point.index % kStretch == kStretch - 1) hashes.push_back(point.hash);
    last = point.hash;
    count = point.index + 1;
  }
  std::vector<uint64_t> hashes;
  uint64_t last = 0;
  uint64_t count = 0;
};

class Stretch final : public HashSink {
 public:
  explicit Stretch(uint64_t first) : first_(first) {}
  void OnPoint(const HashPoint& point) override {
    if (point.index >= first_ && point.index < first_ + kStretch) points.push_back(point);
  }
  std::vector<HashPoint> points;

 private:
  uint64_t first_;
};

std::string DescribePoint(const std::optional<HashPoint>& point) {
  if (!point) return "(ended)";
  const std::string host =
      point->host == kNoHost ? "world" : fmt::format("host {}", point->host.value());
  return StateHash::Describe(*point, host);
}

std::optional<HashPoint> At(const std::vector<HashPoint>& points, size_t i) {
  return i < points.size() ? std::optional(points[i]) : std::nullopt;
}

}  // namespace

std::string Divergence::ToString() const {
  if (!reproduced) {
    return fmt::format("the runs differ after point {}, but not so again", index);
  }
  return fmt::format("the runs differ first at point {}:\n  a: {}\n  b: {}", index,
                     DescribePoint(a), DescribePoint(b));
}

std::optional<Divergence> FindDivergence(const RecordedRun& run_a, const RecordedRun& run_b) {
  Milestones a;
  Milestones b;
  run_a(&a);
  run_b(&b);
  if (a.count == b.count && a.last == b.last) return std::nullopt;
  size_t equal = 0;
  const size_t both = std::min(a.hashes.size(), b.hashes.size());
  while (equal < both && a.hashes[equal] == b.hashes[equal]) ++equal;

  const uint64_t first = equal * kStretch;
  Stretch stretch_a(first);
  Stretch stretch_b(first);
  run_a(&stretch_a);
  run_b(&stretch_b);
  const size_t length = std::max(stretch_a.points.size(), stretch_b.points.size());
  for (size_t i = 0; i < length; ++i) {
    Divergence result{
        .index = first + i, .a = At(stretch_a.points, i), .b = At(stretch_b.points, i)};
    if (!result.a || !result.b || result.a->hash != result.b->hash) return result;
  }
  return Divergence{.index = first, .reproduced = false};
}

}  // namespace highwater::sim
