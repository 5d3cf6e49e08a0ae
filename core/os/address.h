#pragma once

// SocketAddress: an IPv4 or IPv6 address with a port, as the kernel wants it.

#include <absl/status/statusor.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <vector>

#include "core/network.h"

namespace highwater::core::os {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] int family() const { return storage.ss_family; }
  // Numeric; an IPv4 address inside an IPv6 one is written as IPv4.
  [[nodiscard]] Endpoint ToEndpoint() const;

  // Both ends of a socket. The default address if the kernel does not say.
  [[nodiscard]] static SocketAddress LocalOf(int fd);
  [[nodiscard]] static SocketAddress PeerOf(int fd);
  // All addresses of this machine: IPv6 with IPv4 inside, or IPv4 alone.
  [[nodiscard]] static SocketAddress AnyV6(uint16_t port);
  [[nodiscard]] static SocketAddress AnyV4(uint16_t port);

  friend bool operator==(const SocketAddress& a, const SocketAddress& b) {
    return a.ToEndpoint() == b.ToEndpoint();
  }
};

// An address written in digits ("10.0.0.1", "::1", "fe80::1%eth0"), or nothing if `host` is a name.
[[nodiscard]] std::optional<SocketAddress> ParseNumeric(const Endpoint& endpoint);
// Asks the resolver. May block for a long time: never on the fiber thread.
[[nodiscard]] absl::StatusOr<std::vector<SocketAddress>> LookUpBlocking(const Endpoint& endpoint);

}  // namespace highwater::core::os
