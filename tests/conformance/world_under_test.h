#pragma once

// What the conformance suite needs of a world: nodes that run, a disk that outlives them, a death.
//
// Every test is written against core::Environment alone and runs in each world (core/os, sim), so
// that the simulated file system and network behave as Linux's do. A test states what the seam's
// headers promise and no more: where Linux may do either of two things, it accepts both.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/environment.h"

namespace highwater::conformance {

// How a node is killed.
enum class Death { kProcess, kPowerLoss };

class WorldUnderTest {
 public:
  using Body = std::function<void(core::Environment&)>;
  using Die = std::function<void()>;

  virtual ~WorldUnderTest() = default;

  // Runs bodies[i] as a new process of node i, all at the same time. A process lives until all
  // bodies have returned.
  virtual void RunNodes(std::vector<Body> bodies) = 0;
  void Run(Body body) { RunNodes({std::move(body)}); }
  // Runs `body` on node 0 as a new process; `die`, which does not return, kills it there and then.
  // The node can be run again afterwards. REQUIRES: CanDie(death).
  virtual void RunAndKill(Death death, std::function<void(core::Environment&, Die die)> body) = 0;
  [[nodiscard]] virtual bool CanDie(Death death) const = 0;

  // The name or address under which nodes reach node i.
  [[nodiscard]] virtual std::string HostOf(size_t node) const = 0;
  // An address at which nobody answers, not even with a refusal.
  [[nodiscard]] virtual core::Endpoint SilentEndpoint() = 0;
  // Asks node 0 to stop cleanly. REQUIRES: it is running.
  virtual void RequestStop() = 0;
};

using WorldFactory = std::unique_ptr<WorldUnderTest> (*)();
std::unique_ptr<WorldUnderTest> MakeOsWorld();
std::unique_ptr<WorldUnderTest> MakeSimulatedWorld();

struct WorldParam {
  const char* name;
  WorldFactory make;
};
std::vector<WorldParam> AllWorlds();
inline std::string WorldName(const ::testing::TestParamInfo<WorldParam>& info) {
  return info.param.name;
}

class ConformanceTest : public ::testing::TestWithParam<WorldParam> {
 protected:
  std::unique_ptr<WorldUnderTest> world_ = GetParam().make();
};

// Waits on a fiber until `condition` holds, which another node brings about.
inline void Await(core::Environment& env, const std::function<bool()>& condition) {
  for (int i = 0; i < 20'000 && !condition(); ++i) env.fibers.SleepFor(absl::Milliseconds(1));
  EXPECT_TRUE(condition()) << "the other node did not come so far";
}

inline core::MonotonicTime In(core::Environment& env, absl::Duration duration) {
  return env.clock.Now() + duration;
}

inline absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& status_or) {
  return status_or.status();
}

}  // namespace highwater::conformance

#define HW_EXPECT_OK(expression)                                                   \
  do {                                                                             \
    const absl::Status hw_status = ::highwater::conformance::StatusOf(expression); \
    EXPECT_TRUE(hw_status.ok()) << #expression << ": " << hw_status.ToString();    \
  } while (false)

#define HW_ASSERT_OK(expression)                                                   \
  do {                                                                             \
    const absl::Status hw_status = ::highwater::conformance::StatusOf(expression); \
    ASSERT_TRUE(hw_status.ok()) << #expression << ": " << hw_status.ToString();    \
  } while (false)

#define HW_EXPECT_CODE(expression, expected)                                       \
  do {                                                                             \
    const absl::Status hw_status = ::highwater::conformance::StatusOf(expression); \
    EXPECT_EQ(hw_status.code(), absl::StatusCode::expected)                        \
        << #expression << ": " << hw_status.ToString();                            \
  } while (false)

#define HW_CONFORMANCE_SUITE(suite) \
  INSTANTIATE_TEST_SUITE_P(Worlds, suite, ::testing::ValuesIn(AllWorlds()), WorldName)
