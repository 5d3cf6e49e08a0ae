#include "core/os/network.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "core/os/errors.h"
#include "core/status_macros.h"

namespace highwater::core::os {
namespace {

void SetOption(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof(value));
}

void PrepareConnected(int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

// A look-up that may outlive whoever asked. The fiber that asked owns it until it gives up.
class LookUpJob final : public Completion {
 public:
  explicit LookUpJob(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  static void Start(LookUpJob& job, std::shared_ptr<Mailbox> mailbox) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([&job, mailbox = std::move(mailbox)] {
      job.result_ = LookUpBlocking(job.endpoint_);
      if (!mailbox->Post(job)) delete &job;
    }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void OnComplete() override {
    done_ = true;
    if (abandoned_) {
      delete this;
    } else {
      waiter_.WakeOne();
    }
  }
  // By the fiber that asked, at the end of its interest.
  void Release() {
    abandoned_ = true;
    if (done_) delete this;
  }
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] WaitQueue& waiter() { return waiter_; }
  absl::StatusOr<std::vector<SocketAddress>>& result() { return result_; }

 private:
  const Endpoint endpoint_;
  absl::StatusOr<std::vector<SocketAddress>> result_ = std::vector<SocketAddress>();
  bool done_ = false;
  bool abandoned_ = false;
  WaitQueue waiter_;
};

// Waits for the first event of a socket that connects.
class ConnectWait final : public EventSource {
 public:
  ConnectWait(Loop& loop, int fd) : loop_(loop), fd_(fd) {}
  ~ConnectWait() override { loop_.Unwatch(fd_, *this); }

  absl::Status Wait(Fibers& fibers, MonotonicTime deadline) {
    HW_RETURN_IF_ERROR(loop_.Watch(fd_, *this));
    while (!ready_) {
      const Wake wake = waiter_.Wait(fibers, "a connection to be made", deadline);
      if (wake != Wake::kSignaled) return ToStatus(wake, "a connection to be made");
    }
    return absl::OkStatus();
  }

 private:
  void OnEvents(uint32_t events) override {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    ready_ = true;
    waiter_.WakeAll();
  }

  Loop& loop_;
  const int fd_;
  bool ready_ = false;
  WaitQueue waiter_;
};

// A fiber that never finds the backlog empty lets others run after so many connections.
constexpr int kAcceptsInARow = 16;

class OsListener final : public Listener, private EventSource {
 public:
  OsListener(SocketContext& context, Fd fd, std::string host)
      : context_(context),
        fd_(std::move(fd)),
        local_{.host = std::move(host),
               .port = SocketAddress::LocalOf(fd_.get()).ToEndpoint().port} {}
  ~OsListener() override { Close(); }

  [[nodiscard]] absl::Status Watch() { return context_.loop.Watch(fd_.get(), *this); }

  absl::StatusOr<std::unique_ptr<Connection>> Accept(MonotonicTime deadline) override {
    absl::Duration back_off = absl::Milliseconds(5);
    if (++accepts_in_a_row_ > kAcceptsInARow) {
      accepts_in_a_row_ = 0;
      static_cast<void>(context_.fibers.Yield());
    }
    while (true) {
      if (closed_) return absl::FailedPreconditionError("the listener was closed here");
      Fd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd.valid()) {
        PrepareConnected(fd.get());
        return OsConnection::Make(context_, std::move(fd));
      }
      MonotonicTime until = deadline;
      switch (errno) {
        case EAGAIN:
          break;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
          // The connection stays in the backlog: try again when descriptors may be free.
          back_off = std::min(back_off * 2, absl::Seconds(1));
          until = std::min(deadline, context_.fibers.Now() + back_off);
          break;
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
          return NetworkError(errno, "accept at", fmt::format("{}", local_));
        default:
          continue;  // an error of the one connection, gone with it
      }
      accepts_in_a_row_ = 0;
      const Wake wake = waiter_.Wait(context_.fibers, "a connection to accept", until);
      if (wake == Wake::kCancelled || (wake == Wake::kDeadline && until == deadline)) {
        return ToStatus(wake, "a connection to accept");
      }
    }
  }

  const Endpoint& local() const override { return local_; }

  void Close() override {
    if (closed_) return;
    closed_ = true;
    context_.loop.Unwatch(fd_.get(), *this);
    fd_.Reset();
    waiter_.WakeAll();
  }

 private:
  void OnEvents(uint32_t) override { waiter_.WakeAll(); }

  SocketContext& context_;
  Fd fd_;
  bool closed_ = false;
  int accepts_in_a_row_ = 0;  // that did not wait
  const Endpoint local_;
  WaitQueue waiter_;
};

// A bound and listening socket.
absl::StatusOr<Fd> ListenAt(const SocketAddress& address, bool any, const Endpoint& asked) {
  Fd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return NetworkError(errno, "listen at", fmt::format("{}", asked));
  SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.family() == AF_INET6) {
    SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, any ? 0 : 1);
  }
  if (bind(fd.get(), address.get(), address.length) != 0 || listen(fd.get(), SOMAXCONN) != 0) {
    return NetworkError(errno, "listen at", fmt::format("{}", asked));
  }
  return fd;
}

}  // namespace

OsNetwork::OsNetwork(Fibers& fibers, Loop& loop, Workers& workers)
    : lingering_(loop),
      context_{.fibers = fibers, .loop = loop, .workers = workers, .lingering = lingering_} {}

absl::StatusOr<std::vector<SocketAddress>> OsNetwork::LookUp(const Endpoint& endpoint,
                                                             MonotonicTime deadline) {
  if (const auto numeric = ParseNumeric(endpoint)) return std::vector<SocketAddress>{*numeric};
  while (look_ups_ >= kLookUps) {
    const Wake wake = look_up_ended_.Wait(context_.fibers, "other look-ups", deadline);
    if (wake != Wake::kSignaled) return ToStatus(wake, "other look-ups");
  }
  struct Turn {
    explicit Turn(OsNetwork& n) : network(n) { ++network.look_ups_; }
    ~Turn() {
      --network.look_ups_;
      network.look_up_ended_.WakeOne();
    }
    OsNetwork& network;
  };
  const Turn turn(*this);
  struct ReleaseJob {
    void operator()(LookUpJob* job) const { job->Release(); }
  };
  const std::unique_ptr<LookUpJob, ReleaseJob> job(new LookUpJob(endpoint));
  LookUpJob::Start(*job, context_.loop.mailbox());
  while (!job->done()) {
    const Wake wake = job->waiter().Wait(context_.fibers, "a name look-up", deadline);
    if (wake != Wake::kSignaled) return ToStatus(wake, "a name look-up");
  }
  return std::move(job->result());
}

absl::StatusOr<std::unique_ptr<Connection>> OsNetwork::Dial(const Endpoint& to,
                                                            MonotonicTime deadline) {
  if (to.host.empty() || to.port == 0) {
    return absl::InvalidArgumentError(fmt::format("cannot dial \"{}\"", to));
  }
  HW_ASSIGN_OR_RETURN(const std::vector<SocketAddress> addresses, LookUp(to, deadline));
  absl::Status last = absl::UnavailableError(fmt::format("{} has no address", to));
  for (size_t i = 0; i < addresses.size(); ++i) {
    // Each address gets an equal share of the time that is left, so that a silent one does not hide
    // the next.
    MonotonicTime until = deadline;
    if (deadline != MonotonicTime::Never()) {
      const MonotonicTime now = context_.fibers.Now();
      until = now + (deadline - now) / static_cast<int64_t>(addresses.size() - i);
    }
    absl::StatusOr<std::unique_ptr<Connection>> connection = DialAddress(addresses[i], until);
    if (connection.ok() || absl::IsCancelled(connection.status())) return connection;
    last = connection.status();
  }
  return last;
}

absl::StatusOr<std::unique_ptr<Connection>> OsNetwork::DialAddress(const SocketAddress& address,
                                                                   MonotonicTime deadline) {
  const std::string subject = fmt::format("{}", address.ToEndpoint());
  Fd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return NetworkError(errno, "dial", subject);
  if (connect(fd.get(), address.get(), address.length) != 0) {
    if (errno != EINPROGRESS) return NetworkError(errno, "dial", subject);
    HW_RETURN_IF_ERROR(ConnectWait(context_.loop, fd.get()).Wait(context_.fibers, deadline));
    int error = 0;
    socklen_t length = sizeof(error);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
      // A reset during the handshake refuses, too.
      return NetworkError(error == ECONNRESET ? ECONNREFUSED : error, "dial", subject);
    }
  }
  // TCP connects a socket to itself if the port that nobody listens at is the one that it was
  // given.
  if (SocketAddress::LocalOf(fd.get()) == address) {
    return NetworkError(ECONNREFUSED, "dial", subject);
  }
  PrepareConnected(fd.get());
  return OsConnection::Make(context_, std::move(fd));
}

absl::StatusOr<std::unique_ptr<Listener>> OsNetwork::Listen(const Endpoint& at) {
  absl::StatusOr<Fd> fd = absl::UnavailableError(fmt::format("{} has no address", at));
  if (at.host.empty()) {
    fd = ListenAt(SocketAddress::AnyV6(at.port), true, at);
    // A machine without IPv6.
    if (absl::IsInvalidArgument(fd.status()) || absl::IsUnavailable(fd.status())) {
      fd = ListenAt(SocketAddress::AnyV4(at.port), true, at);
    }
  } else {
    HW_ASSIGN_OR_RETURN(const std::vector<SocketAddress> addresses,
                        LookUp(at, MonotonicTime::Never()));
    for (size_t i = 0; i < addresses.size() && !fd.ok(); ++i) {
      fd = ListenAt(addresses[i], false, at);
    }
  }
  HW_RETURN_IF_ERROR(fd.status());
  auto listener = std::make_unique<OsListener>(context_, *std::move(fd), at.host);
  HW_RETURN_IF_ERROR(listener->Watch());
  return listener;
}

}  // namespace highwater::core::os
