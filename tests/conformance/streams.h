#pragma once

// Helpers of the tests about connections: two ends, and exact reads.

#include <functional>
#include <string>
#include <utility>

#include "core/network.h"
#include "tests/conformance/world_under_test.h"

namespace highwater::conformance {

inline core::Payload ToPayload(std::string_view content) {
  return core::Payload(core::Bytes::Copy(content));
}

// Reads until `length` bytes are there, the stream ends or a read fails.
inline absl::StatusOr<std::string> ReadUpTo(core::Connection& connection, size_t length,
                                            core::MonotonicTime deadline) {
  std::string result;
  while (result.size() < length) {
    absl::StatusOr<core::ByteChain> part = connection.Read(length - result.size(), deadline);
    if (!part.ok()) return part.status();
    if (part->empty()) break;
    result += part->ToString();
  }
  return result;
}

class StreamTest : public ConformanceTest {
 protected:
  using Side = std::function<void(core::Environment&, core::Connection&)>;

  // Node 0 accepts one connection, node 1 dials it. Each side's connection ends with its function.
  void RunPair(const Side& server, const Side& client) {
    uint16_t port = 0;
    world_->RunNodes({[&](core::Environment& env) {
                        auto listener = env.network.Listen({.host = "", .port = 0});
                        HW_ASSERT_OK(listener);
                        port = (*listener)->local().port;
                        auto connection = (*listener)->Accept(In(env, absl::Seconds(20)));
                        HW_ASSERT_OK(connection);
                        server(env, **connection);
                      },
                      [&](core::Environment& env) {
                        Await(env, [&port] { return port != 0; });
                        auto connection = env.network.Dial(
                            {.host = world_->HostOf(0), .port = port}, In(env, absl::Seconds(20)));
                        HW_ASSERT_OK(connection);
                        client(env, **connection);
                      }});
  }
};

}  // namespace highwater::conformance
