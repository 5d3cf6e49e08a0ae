#pragma once

// OsConnection: a TCP socket, not blocking, watched edge-triggered.
//
// Every call tries first and waits for an edge only after EAGAIN, so that bytes which are there
// cost one system call. Bytes arrive in a buffer that all connections of the world share: a small
// message is copied into a block of its size, a large one takes the buffer along. An idle
// connection holds a descriptor and this object.
//
// File ranges go by sendfile in chunks: on the fiber thread if the chunk's pages are in memory,
// else on a worker. A worker sends until the socket is full and never waits for the peer. While it
// does, the descriptor is its own: Close shuts the socket down and leaves closing to the writer.
//
// Close. close(2) of a socket with unread input, or one that gets input later, resets the
// connection and throws away what the peer has not yet been sent. So a socket whose bytes are not
// all acknowledged lingers: it is drained until they are, for at most four seconds.

#include <memory>
#include <optional>
#include <vector>

#include "core/network.h"
#include "core/os/file_system.h"
#include "core/os/loop.h"
#include "core/os/workers.h"
#include "core/wait_queue.h"

namespace highwater::core::os {

class LingeringSockets;

// What all sockets of a world share.
struct SocketContext {
  Fibers& fibers;
  Loop& loop;
  Workers& workers;
  LingeringSockets& lingering;
  BytesBuilder receive_buffer{0};
};

// Sockets that were closed here and still have bytes on the way.
class LingeringSockets {
 public:
  explicit LingeringSockets(Loop& loop);
  ~LingeringSockets();
  // Closes `fd`, which is shut down for writing and not watched, now or a little later.
  void Close(Fd fd);
  [[nodiscard]] size_t size() const { return sockets_.size(); }

 private:
  struct Socket;
  Loop& loop_;
  std::vector<std::unique_ptr<Socket>> sockets_;
};

class OsConnection final : public Connection, private EventSource {
 public:
  // `fd` is a connected socket that does not block and is not watched yet.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Connection>> Make(SocketContext& context,
                                                                        Fd fd);
  ~OsConnection() override;

  absl::StatusOr<ByteChain> Read(size_t max, MonotonicTime deadline) override;
  absl::StatusOr<ByteChain> TryRead(size_t max) override;
  absl::Status Write(const Payload& payload, MonotonicTime deadline) override;
  void OnReadable(absl::AnyInvocable<void()> callback) override;
  void Close() override;
  const Endpoint& local() const override { return local_; }
  const Endpoint& peer() const override { return peer_; }

 private:
  // Calls back between fibers, never from within OnReadable itself.
  struct ReadableNode final : TimerNode {
    explicit ReadableNode(OsConnection& c) : connection(c) {}
    void OnTimer() override { connection.CallBack(); }
    OsConnection& connection;
  };
  class Busy;

  OsConnection(SocketContext& context, Fd fd);
  void OnEvents(uint32_t events) override;
  void CallBack();
  // Whether a Read would not wait. Asks the kernel.
  [[nodiscard]] bool ReadWouldNotWait();
  // One recv: the bytes, an empty chain at the end, or nothing if it would wait.
  [[nodiscard]] absl::StatusOr<std::optional<ByteChain>> Receive(size_t max);

  [[nodiscard]] absl::Status WriteSlices(absl::Span<const Payload::Piece> slices, bool more,
                                         MonotonicTime deadline);
  [[nodiscard]] absl::Status WriteRange(const FileRange& range, MonotonicTime deadline);
  [[nodiscard]] absl::Status SendFile(OsFile& file, uint64_t offset, uint64_t length,
                                      MonotonicTime deadline);
  struct Progress {
    size_t sent = 0;
    bool socket_is_full = false;
  };
  [[nodiscard]] absl::StatusOr<Progress> SendFileChunk(OsFile& file, uint64_t offset,
                                                       size_t length);
  [[nodiscard]] absl::Status WaitWritable(MonotonicTime deadline);
  [[nodiscard]] absl::Status Failed(int error, const char* what) const;
  [[nodiscard]] absl::Status ClosedByUs() const;
  void ReleaseSocket();

  SocketContext& context_;
  Fd fd_;
  bool closed_ = false;
  bool socket_is_lent_ = false;  // to a worker
  bool reading_ = false;
  bool writing_ = false;
  // False only after EAGAIN (or a short read without an end in sight) with no edge since.
  bool maybe_readable_ = true;
  bool maybe_writable_ = true;
  bool end_in_sight_ = false;
  uint8_t reads_in_a_row_ = 0;  // that did not wait
  WaitQueue reader_;
  WaitQueue writer_;
  absl::AnyInvocable<void()> on_readable_;
  ReadableNode readable_node_{*this};
  Endpoint local_;
  Endpoint peer_;
};

}  // namespace highwater::core::os
