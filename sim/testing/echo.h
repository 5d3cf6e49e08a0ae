#pragma once

// A server that answers each message with itself and a client that asks it: what the tests and
// benchmarks of sim/ run.

#include <string>
#include <vector>

#include "core/environment.h"
#include "sim/host.h"
#include "sim/network/simulated_network.h"
#include "sim/simulated_process.h"
#include "sim/world.h"

namespace highwater::sim::testing {

inline constexpr uint16_t kEchoPort = 9092;

// Accepts for ever; each connection has a fiber that sends back what it reads.
inline void ServeEcho(core::Environment& env) {
  auto listener = env.network.Listen({.host = "", .port = kEchoPort});
  if (!listener.ok()) return;
  while (true) {
    auto accepted = (*listener)->Accept(core::MonotonicTime::Never());
    if (!accepted.ok()) return;
    env.fibers.Spawn("echo", [connection = std::move(*accepted)] {
      while (true) {
        auto bytes = connection->Read(64 << 10, core::MonotonicTime::Never());
        if (!bytes.ok() || bytes->empty()) return;
        if (!connection->Write(*bytes, core::MonotonicTime::Never()).ok()) return;
      }
    });
  }
}

// Sends `message` and reads as many bytes back.
inline absl::Status EchoOnce(core::Connection& connection, const core::Bytes& message,
                             core::MonotonicTime deadline = core::MonotonicTime::Never()) {
  if (auto status = connection.Write(message, deadline); !status.ok()) return status;
  for (size_t left = message.size(); left > 0;) {
    auto bytes = connection.Read(left, deadline);
    if (!bytes.ok()) return bytes.status();
    if (bytes->empty()) return absl::OutOfRangeError("the stream ended");
    left -= bytes->size();
  }
  return absl::OkStatus();
}

// Hosts without a disk, one to a zone in turn.
inline Host& AddHost(World& world, std::string_view name, std::string_view zone = "az-a",
                     CpuCost cpu = {}) {
  return world.AddHost(
      {.name = std::string(name), .zone = world.network().AddZone(zone), .cpu = cpu});
}

inline std::unique_ptr<core::Connection> MustDial(core::Environment& env, std::string_view host,
                                                  uint16_t port = kEchoPort) {
  while (true) {
    auto connection =
        env.network.Dial({.host = std::string(host), .port = port}, core::MonotonicTime::Never());
    if (connection.ok()) return std::move(*connection);
    env.fibers.SleepFor(absl::Milliseconds(1));
  }
}

}  // namespace highwater::sim::testing
