#pragma once

// The small ports of a simulated process: itself, its clocks, its randomness, Buggify. All of them
// do nothing once it is dead.

#include "core/environment.h"

namespace highwater::sim {

class SimulatedProcess;

class ProcessPort final : public core::Process {
 public:
  explicit ProcessPort(SimulatedProcess& process) : process_(process) {}
  [[noreturn]] void Halt(std::string_view reason) override;
  [[nodiscard]] bool StopRequested() const override;
  void OnStopRequested(absl::AnyInvocable<void()> callback) override;
  [[nodiscard]] uint64_t RunId() const override;

 private:
  SimulatedProcess& process_;
};

class ClockPort final : public core::Clock {
 public:
  explicit ClockPort(SimulatedProcess& process) : process_(process) {}
  [[nodiscard]] core::MonotonicTime Now() const override;
  [[nodiscard]] absl::Time WallNow() const override;

 private:
  SimulatedProcess& process_;
};

class RandomPort final : public core::Random {
 public:
  explicit RandomPort(SimulatedProcess& process) : process_(process) {}
  [[nodiscard]] uint64_t Next() override;

 private:
  SimulatedProcess& process_;
};

class BuggifyPort final : public core::Buggify {
 public:
  explicit BuggifyPort(SimulatedProcess& process) : process_(process) {}
  [[nodiscard]] bool Fires(std::string_view site) override;

 private:
  SimulatedProcess& process_;
};

}  // namespace highwater::sim
