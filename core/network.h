#pragma once

// Network, Listener and Connection: byte streams between nodes, as TCP gives them to a program.
//
// Every call may wait on a fiber; none blocks the thread. Calls end at their deadline with
// DeadlineExceeded, and with Cancelled when the fiber is cancelled; the stream stays usable after
// either for reading (for writing it may have sent a part).
//
// Invariants:
//   1. Bytes arrive in order, unchanged, at most once. What Write accepted may still be lost if the
//   connection breaks.
//   2. A reader sees every byte sent before a Close of the other side, then the end of the stream.
//   A reset (Aborted) may
//      overtake bytes.
//   3. At most one fiber reads and at most one writes at a time.
//   4. An idle connection holds no fiber: OnReadable calls back instead.
//
// Errors: Unavailable (connection refused, network unreachable), Aborted (connection reset),
// DeadlineExceeded (also: the network gave up on silence), Cancelled, FailedPrecondition (closed by
// us), AlreadyExists (port in use).

#include <absl/container/inlined_vector.h>
#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "core/bytes.h"
#include "core/file_system.h"
#include "core/monotonic_time.h"
#include "core/plain_formatter.h"

namespace highwater::core {

struct Endpoint {
  std::string host;  // a name or an address; "" listens on all addresses
  uint16_t port = 0;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// A part of a file that is sent without passing through the program (sendfile). Holds the file
// open.
struct FileRange {
  std::shared_ptr<File> file;
  uint64_t offset = 0;
  uint64_t length = 0;
};

// What one Write sends: slices of memory and ranges of files, in order.
class Payload {
 public:
  using Piece = std::variant<Bytes, FileRange>;

  Payload() = default;
  explicit(false) Payload(Bytes bytes) { Append(std::move(bytes)); }
  explicit(false) Payload(const ByteChain& chain) { Append(chain); }

  void Append(Bytes bytes) {
    if (bytes.empty()) return;
    size_ += bytes.size();
    pieces_.emplace_back(std::move(bytes));
  }
  void Append(const ByteChain& chain) {
    for (const Bytes& slice : chain.slices()) Append(slice);
  }
  void Append(FileRange range) {
    if (range.length == 0) return;
    size_ += range.length;
    pieces_.emplace_back(std::move(range));
  }
  void Append(Payload payload) {
    for (Piece& piece : payload.pieces_) pieces_.push_back(std::move(piece));
    size_ += payload.size_;
  }

  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] absl::Span<const Piece> pieces() const { return pieces_; }

 private:
  absl::InlinedVector<Piece, 3> pieces_;
  uint64_t size_ = 0;
};

class Connection {
 public:
  // Closes without waiting if Close was not called.
  virtual ~Connection() = default;

  // Waits for at least one byte and returns up to `max` of them; empty at the end of the stream.
  [[nodiscard]] virtual absl::StatusOr<ByteChain> Read(size_t max, MonotonicTime deadline) = 0;
  // Bytes that a Read would return at once, up to `max`; empty if it would wait or the stream has
  // ended.
  [[nodiscard]] virtual absl::StatusOr<ByteChain> TryRead(size_t max) = 0;
  // Writes everything, waiting for room (back-pressure). After an error the connection is of no use
  // for writing. File ranges that turn out shorter than promised end the connection with DataLoss.
  [[nodiscard]] virtual absl::Status Write(const Payload& payload, MonotonicTime deadline) = 0;
  // Calls `callback` once, on the fiber thread but not on a fiber, as soon as a Read would not wait
  // (data, end or error); perhaps already inside this call's world step, never from within the call
  // itself. Replaces an earlier callback; nullptr withdraws it. The callback must not wait: it
  // spawns or wakes a fiber.
  virtual void OnReadable(absl::AnyInvocable<void()> callback) = 0;
  // Ends both directions: the peer reads what was written, then the end. Later calls here fail with
  // FailedPrecondition. Never waits; wakes a fiber that reads or writes here.
  virtual void Close() = 0;
  [[nodiscard]] virtual const Endpoint& local() const = 0;
  [[nodiscard]] virtual const Endpoint& peer() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<Connection>> Accept(
      MonotonicTime deadline) = 0;
  // The bound address: its port is the real one where 0 was asked for.
  [[nodiscard]] virtual const Endpoint& local() const = 0;
  // Refuses new connections and wakes Accept with FailedPrecondition.
  virtual void Close() = 0;
};

class Network {
 public:
  virtual ~Network() = default;
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<Connection>> Dial(
      const Endpoint& to, MonotonicTime deadline) = 0;
  [[nodiscard]] virtual absl::StatusOr<std::unique_ptr<Listener>> Listen(const Endpoint& at) = 0;
};

}  // namespace highwater::core

template <>
struct fmt::formatter<highwater::core::Endpoint> : highwater::core::PlainFormatter {
  template <typename Context>
  auto format(const highwater::core::Endpoint& endpoint, Context& context) const {
    return fmt::format_to(context.out(), "{}:{}", endpoint.host, endpoint.port);
  }
};
