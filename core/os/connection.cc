#include "core/os/connection.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/os/address.h"
#include "core/os/errors.h"
#include "core/status_macros.h"

namespace highwater::core::os {
namespace {

// With its header a block of this fills a size class of the block cache.
constexpr size_t kReceiveBytes = (64 << 10) - 64;
constexpr size_t kVectorsPerSend = 64;
constexpr size_t kInlineSendFile = 128 << 10;
constexpr size_t kWorkerSendFile = 1 << 20;
// A fiber that never finds its connection empty lets others run after so many reads.
constexpr uint8_t kReadsInARow = 16;

}  // namespace

// Marks that a fiber is inside a read or a write: at most one may be.
class OsConnection::Busy {
 public:
  Busy(bool& flag, const char* what) : flag_(flag) {
    HW_CHECK(!flag_, "two fibers {} one connection at a time", what);
    flag_ = true;
  }
  ~Busy() { flag_ = false; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  bool& flag_;
};

absl::StatusOr<std::unique_ptr<Connection>> OsConnection::Make(SocketContext& context, Fd fd) {
  std::unique_ptr<OsConnection> connection(new OsConnection(context, std::move(fd)));
  HW_RETURN_IF_ERROR(context.loop.Watch(connection->fd_.get(), *connection));
  return connection;
}

OsConnection::OsConnection(SocketContext& context, Fd fd)
    : context_(context),
      fd_(std::move(fd)),
      local_(SocketAddress::LocalOf(fd_.get()).ToEndpoint()),
      peer_(SocketAddress::PeerOf(fd_.get()).ToEndpoint()) {}

OsConnection::~OsConnection() { Close(); }

absl::Status OsConnection::Failed(int error, const char* what) const {
  return NetworkError(error, what, fmt::format("{}", peer_));
}

absl::Status OsConnection::ClosedByUs() const {
  return absl::FailedPreconditionError(fmt::format("the connection to {} was closed here", peer_));
}

void OsConnection::OnEvents(uint32_t events) {
  constexpr uint32_t kEnd = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  if ((events & kEnd) != 0) end_in_sight_ = true;
  if ((events & (EPOLLIN | kEnd)) != 0) {
    maybe_readable_ = true;
    reader_.WakeAll();
    if (on_readable_ && ReadWouldNotWait()) context_.loop.SetTimer(readable_node_, MonotonicTime());
  }
  if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
    maybe_writable_ = true;
    writer_.WakeAll();
  }
}

absl::StatusOr<std::optional<ByteChain>> OsConnection::Receive(size_t max) {
  BytesBuilder& buffer = context_.receive_buffer;
  const size_t wanted = std::min(max, kReceiveBytes);
  buffer.Truncate(0);
  buffer.Reserve(kReceiveBytes);
  ssize_t n;
  do {
    n = recv(fd_.get(), buffer.Grow(wanted), wanted, MSG_DONTWAIT);
    buffer.Truncate(n > 0 ? static_cast<size_t>(n) : 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    if (errno != EAGAIN) return Failed(errno, "read from");
    maybe_readable_ = false;
    return std::nullopt;
  }
  const size_t got = static_cast<size_t>(n);
  if (got < wanted && !end_in_sight_) maybe_readable_ = false;  // the next bytes make an edge
  if (got < kReceiveBytes / 2) {
    return ByteChain(Bytes::Copy({reinterpret_cast<const char*>(buffer.data()), got}));
  }
  return ByteChain(std::move(buffer).Freeze());
}

absl::StatusOr<ByteChain> OsConnection::Read(size_t max, MonotonicTime deadline) {
  HW_CHECK(max > 0, "a read of no bytes");
  const Busy busy(reading_, "read");
  if (++reads_in_a_row_ > kReadsInARow) {
    reads_in_a_row_ = 0;
    static_cast<void>(context_.fibers.Yield());
  }
  while (true) {
    if (closed_) return ClosedByUs();
    HW_ASSIGN_OR_RETURN(std::optional<ByteChain> received, Receive(max));
    if (received.has_value()) return *std::move(received);
    reads_in_a_row_ = 0;
    const Wake wake = reader_.Wait(context_.fibers, "bytes of a connection", deadline);
    if (wake != Wake::kSignaled) return ToStatus(wake, "bytes of a connection");
  }
}

absl::StatusOr<ByteChain> OsConnection::TryRead(size_t max) {
  if (closed_) return ClosedByUs();
  if (max == 0) return ByteChain();
  HW_ASSIGN_OR_RETURN(std::optional<ByteChain> received, Receive(max));
  return received.has_value() ? *std::move(received) : ByteChain();
}

bool OsConnection::ReadWouldNotWait() {
  if (closed_) return true;
  if (!maybe_readable_) return false;
  uint8_t byte;
  ssize_t n;
  do {
    n = recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  maybe_readable_ = n >= 0 || errno != EAGAIN;
  return maybe_readable_;
}

void OsConnection::OnReadable(absl::AnyInvocable<void()> callback) {
  context_.loop.CancelTimer(readable_node_);
  on_readable_ = std::move(callback);
  if (on_readable_ && ReadWouldNotWait()) context_.loop.SetTimer(readable_node_, MonotonicTime());
}

void OsConnection::CallBack() {
  absl::AnyInvocable<void()> callback = std::exchange(on_readable_, nullptr);
  if (callback) callback();  // may destroy this connection
}

absl::Status OsConnection::Write(const Payload& payload, MonotonicTime deadline) {
  const Busy busy(writing_, "write to");
  absl::Span<const Payload::Piece> left = payload.pieces();
  if (closed_) return ClosedByUs();
  while (!left.empty()) {
    if (const auto* range = std::get_if<FileRange>(&left.front())) {
      HW_RETURN_IF_ERROR(WriteRange(*range, deadline));
      left.remove_prefix(1);
      continue;
    }
    size_t slices = 0;
    while (slices < left.size() && std::holds_alternative<Bytes>(left[slices])) ++slices;
    HW_RETURN_IF_ERROR(WriteSlices(left.subspan(0, slices), slices < left.size(), deadline));
    left.remove_prefix(slices);
  }
  return absl::OkStatus();
}

absl::Status OsConnection::WriteSlices(absl::Span<const Payload::Piece> slices, bool more,
                                       MonotonicTime deadline) {
  size_t first = 0;
  size_t sent_of_first = 0;
  while (first < slices.size()) {
    if (closed_) return ClosedByUs();
    absl::InlinedVector<iovec, 8> vectors;
    for (size_t i = first; i < slices.size() && vectors.size() < kVectorsPerSend; ++i) {
      const Bytes& slice = std::get<Bytes>(slices[i]);
      const size_t skipped = i == first ? sent_of_first : 0;
      vectors.push_back({.iov_base = const_cast<uint8_t*>(slice.data()) + skipped,
                         .iov_len = slice.size() - skipped});
    }
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = vectors.size();
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
    const ssize_t n = sendmsg(fd_.get(), &message, flags);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return Failed(errno, "write to");
      maybe_writable_ = false;
      HW_RETURN_IF_ERROR(WaitWritable(deadline));
      continue;
    }
    size_t sent = static_cast<size_t>(n) + sent_of_first;
    while (first < slices.size() && sent >= std::get<Bytes>(slices[first]).size()) {
      sent -= std::get<Bytes>(slices[first++]).size();
    }
    sent_of_first = sent;
  }
  return absl::OkStatus();
}

absl::Status OsConnection::WaitWritable(MonotonicTime deadline) {
  while (!maybe_writable_ && !closed_) {
    const Wake wake = writer_.Wait(context_.fibers, "room in a connection", deadline);
    if (wake != Wake::kSignaled) return ToStatus(wake, "room in a connection");
  }
  return closed_ ? ClosedByUs() : absl::OkStatus();
}

absl::Status OsConnection::WriteRange(const FileRange& range, MonotonicTime deadline) {
  if (auto* file = dynamic_cast<OsFile*>(range.file.get())) {
    return SendFile(*file, range.offset, range.length, deadline);
  }
  // A decorated file: through memory.
  for (uint64_t sent = 0; sent < range.length;) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(range.length - sent, 1 << 20));
    HW_ASSIGN_OR_RETURN(const ByteChain part, range.file->ReadAt(range.offset + sent, wanted));
    if (part.empty()) {
      shutdown(fd_.get(), SHUT_RDWR);
      return absl::DataLossError("a file range was shorter than promised");
    }
    const Payload payload(part);
    HW_RETURN_IF_ERROR(WriteSlices(payload.pieces(), sent + part.size() < range.length, deadline));
    sent += part.size();
  }
  return absl::OkStatus();
}

absl::Status OsConnection::SendFile(OsFile& file, uint64_t offset, uint64_t length,
                                    MonotonicTime deadline) {
  while (length > 0) {
    if (closed_) return ClosedByUs();
    const size_t chunk = static_cast<size_t>(std::min<uint64_t>(length, kWorkerSendFile));
    maybe_writable_ = false;  // before the try, so that an edge during it is not missed
    const absl::StatusOr<Progress> progress = SendFileChunk(file, offset, chunk);
    if (!progress.ok()) {
      if (absl::IsDataLoss(progress.status()) && !closed_) shutdown(fd_.get(), SHUT_RDWR);
      return progress.status();
    }
    offset += progress->sent;
    length -= progress->sent;
    if (length > 0 && progress->socket_is_full) HW_RETURN_IF_ERROR(WaitWritable(deadline));
  }
  return absl::OkStatus();
}

absl::StatusOr<OsConnection::Progress> OsConnection::SendFileChunk(OsFile& file, uint64_t offset,
                                                                   size_t length) {
  size_t sent = 0;
  int error = 0;
  const auto send = [&](size_t limit) {
    off_t at = static_cast<off_t>(offset);
    while (sent < limit && error == 0) {
      const ssize_t n = sendfile(fd_.get(), file.fd(), &at, limit - sent);
      if (n > 0) sent += static_cast<size_t>(n);
      if (n == 0) error = ENODATA;
      if (n < 0 && errno != EINTR) error = errno;
    }
  };
  if (file.IsResident(offset, std::min(length, kInlineSendFile))) {
    send(std::min(length, kInlineSendFile));
  } else {
    socket_is_lent_ = true;
    const absl::Status ran = context_.workers.Run(file.lane(), WorkKind::kOrdinary,
                                                  "a file range to be sent", [&] { send(length); });
    socket_is_lent_ = false;
    if (closed_) {
      ReleaseSocket();
      return ClosedByUs();
    }
    HW_RETURN_IF_ERROR(ran);
  }
  // After some bytes the next try meets the same error.
  if (sent > 0 || error == EAGAIN) return Progress{.sent = sent, .socket_is_full = error == EAGAIN};
  if (error == ENODATA) return absl::DataLossError("a file range was shorter than promised");
  if (error == EIO) return FileError(error, "send", file.path());
  return Failed(error, "write to");
}

void OsConnection::Close() {
  if (closed_) return;
  closed_ = true;
  context_.loop.Unwatch(fd_.get(), *this);
  shutdown(fd_.get(), SHUT_WR);
  if (!socket_is_lent_) ReleaseSocket();
  reader_.WakeAll();
  writer_.WakeAll();
  if (on_readable_) context_.loop.SetTimer(readable_node_, MonotonicTime());
}

void OsConnection::ReleaseSocket() { context_.lingering.Close(std::move(fd_)); }

// Drains its input and looks, less and less often, whether all output is acknowledged.
struct LingeringSockets::Socket final : EventSource, TimerNode {
  Socket(LingeringSockets& o, Fd f) : owner(o), fd(std::move(f)) {}
  ~Socket() override { owner.loop_.Unwatch(fd.get(), *this); }

  void OnEvents(uint32_t) override {
    if (IsDone()) Remove();
  }
  void OnTimer() override {
    if (IsDone() || ++looks == kLooks) return Remove();
    SetTimer();
  }
  void SetTimer() {
    owner.loop_.SetTimer(*this, owner.loop_.Now() + absl::Milliseconds(1 << looks));
  }
  // Whether nothing that the peer has not acknowledged would be lost by closing now.
  [[nodiscard]] bool IsDone() const {
    uint8_t discarded[4096];
    ssize_t n = 1;
    for (int i = 0; i < 256 && n > 0; ++i)
      n = recv(fd.get(), discarded, sizeof(discarded), MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return true;
    int unacknowledged = 0;
    return ioctl(fd.get(), SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0;
  }
  void Remove() {
    auto& all = owner.sockets_;
    const auto it =
        std::find_if(all.begin(), all.end(), [this](const auto& s) { return s.get() == this; });
    std::swap(*it, all.back());
    all.pop_back();  // destroys this
  }

  static constexpr int kLooks = 12;  // 1 + 2 + ... + 2048 ms
  LingeringSockets& owner;
  Fd fd;
  int looks = 0;
};

LingeringSockets::LingeringSockets(Loop& loop) : loop_(loop) {}

LingeringSockets::~LingeringSockets() = default;

void LingeringSockets::Close(Fd fd) {
  constexpr size_t kGreatestNumber = 1024;
  auto socket = std::make_unique<Socket>(*this, std::move(fd));
  if (socket->IsDone() || sockets_.size() >= kGreatestNumber) return;
  if (!loop_.Watch(socket->fd.get(), *socket).ok()) return;
  socket->SetTimer();
  sockets_.push_back(std::move(socket));
}

}  // namespace highwater::core::os
