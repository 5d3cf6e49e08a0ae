#include "broker/metrics/metrics_server.h"

#include <fmt/format.h>

#include <utility>

#include "broker/metrics/exposition.h"

namespace highwater::broker::metrics {
namespace {

constexpr size_t kMostConnections = 32;
constexpr size_t kLongestHead = 16 << 10;
constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);
constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::string_view kPlainText = "text/plain; charset=utf-8";

enum class Body : bool { kSent, kLeftOut };

std::string Response(std::string_view status, std::string_view type, std::string_view body,
                     Body sent = Body::kSent, std::string_view header = "") {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n{}",
      status, type, body.size(), header, sent == Body::kSent ? body : "");
}

}  // namespace

std::string AnswerHttp(std::string_view head, const std::function<std::string()>& render) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == line.npos || first == last || !line.substr(last + 1).starts_with("HTTP/1.")) {
    return Response("400 Bad Request", kPlainText, "expected an HTTP/1 request\n");
  }
  const std::string_view method = line.substr(0, first);
  std::string_view path = line.substr(first + 1, last - first - 1);
  path = path.substr(0, path.find('?'));
  if (path != "/metrics") {
    return Response("404 Not Found", kPlainText, "metrics are at /metrics\n");
  }
  if (method == "HEAD") return Response("200 OK", kContentType, render(), Body::kLeftOut);
  if (method == "GET") return Response("200 OK", kContentType, render());
  return Response("405 Method Not Allowed", kPlainText, "only GET and HEAD are served\n",
                  Body::kSent, "Allow: GET, HEAD\r\n");
}

MetricsServer::MetricsServer(core::Environment& env, std::function<std::string()> render)
    : env_(env), render_(std::move(render)), fibers_(env.fibers) {}

MetricsServer::~MetricsServer() = default;

absl::Status MetricsServer::Start(const core::Endpoint& at) {
  auto listener = env_.network.Listen(at);
  if (!listener.ok()) return listener.status();
  listener_ = *std::move(listener);
  fibers_.Add();
  env_.fibers.Spawn("metrics accept", [this] {
    AcceptLoop();
    fibers_.Done();
  });
  return absl::OkStatus();
}

void MetricsServer::Stop() {
  if (listener_ == nullptr) return;
  listener_->Close();
  for (const auto& [id, connection] : connections_) connection->Close();
  fibers_.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
}

void MetricsServer::AcceptLoop() {
  for (;;) {
    auto accepted = listener_->Accept(core::MonotonicTime::Never());
    if (absl::IsFailedPrecondition(accepted.status()) || absl::IsCancelled(accepted.status())) {
      return;
    }
    if (!accepted.ok()) {
      if (env_.fibers.SleepFor(kAcceptPause) == core::Wake::kCancelled) return;
      continue;
    }
    if (connections_.size() >= kMostConnections) continue;  // closed as it goes
    std::shared_ptr<core::Connection> connection = *std::move(accepted);
    const uint64_t id = ++next_id_;
    connections_.emplace(id, connection);
    fibers_.Add();
    env_.fibers.Spawn("metrics client", [this, id, connection] {
      Serve(*connection);
      connection->Close();
      connections_.erase(id);
      fibers_.Done();
    });
  }
}

void MetricsServer::Serve(core::Connection& connection) {
  const core::MonotonicTime deadline = env_.fibers.Now() + kPatience;
  std::string head;
  while (head.find(kEndOfHead) == head.npos) {
    if (head.size() > kLongestHead) return;
    const auto bytes = connection.Read(kLongestHead, deadline);
    if (!bytes.ok() || bytes->empty()) return;
    for (const core::Bytes& slice : bytes->slices()) head += slice.view();
  }
  const std::string answer =
      AnswerHttp(std::string_view(head).substr(0, head.find(kEndOfHead)), render_);
  // Who does not take it in time has only itself to tell.
  (void)connection.Write(core::Bytes::Copy(answer), deadline);
}

}  // namespace highwater::broker::metrics
