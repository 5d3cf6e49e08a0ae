#pragma once

// MetricsServer: answers `GET /metrics` over HTTP with what a function renders at that moment.
//
//   MetricsServer server(env, [&] { return metrics.Render(); });
//   HW_RETURN_IF_ERROR(server.Start(listener));
//   ...
//   server.Stop();
//
// It is for a scraper on a trusted network: no TLS, no authentication; HTTP/1.1 with a connection
// for each request.
//
// Invariants:
//   1. A connection is closed after one answer, or when its request is not complete in time, or
//      longer than a scraper's ever is.
//   2. At most a few connections are open at once; who comes beyond is closed.

#include <absl/status/status.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/environment.h"
#include "core/wait_group.h"

namespace highwater::broker::metrics {

// The answer to a request, of which `head` is everything up to the empty line: pure.
[[nodiscard]] std::string AnswerHttp(std::string_view head,
                                     const std::function<std::string()>& render);

class MetricsServer {
 public:
  // `env` outlives it. `render` must not wait.
  MetricsServer(core::Environment& env, std::function<std::string()> render);
  // REQUIRES: Stop was called, or its fibers are unwound.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  [[nodiscard]] absl::Status Start(const core::Endpoint& at);
  // Closes everything and waits for its fibers. REQUIRES: on a fiber.
  void Stop();
  // With the real port. REQUIRES: Start said OK.
  [[nodiscard]] const core::Endpoint& local() const { return listener_->local(); }

 private:
  void AcceptLoop();
  void Serve(core::Connection& connection);

  core::Environment& env_;
  std::function<std::string()> render_;
  std::unique_ptr<core::Listener> listener_;
  std::map<uint64_t, std::shared_ptr<core::Connection>> connections_;
  uint64_t next_id_ = 0;
  core::WaitGroup fibers_;
};

}  // namespace highwater::broker::metrics
