#include "core/os/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstring>

namespace highwater::core::os {
namespace {

struct FreeList {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, FreeList>;

AddressList GetAddresses(const Endpoint& endpoint, int flags, int& error) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  error = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list);
  return AddressList(error == 0 ? list : nullptr);
}

SocketAddress FromEntry(const addrinfo& entry) {
  SocketAddress address;
  std::memcpy(&address.storage, entry.ai_addr, entry.ai_addrlen);
  address.length = entry.ai_addrlen;
  return address;
}

}  // namespace

Endpoint SocketAddress::ToEndpoint() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof(v4));
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return {.host = text, .port = ntohs(v4.sin_port)};
  }
  if (family() != AF_INET6) return {};
  sockaddr_in6 v6;
  std::memcpy(&v6, &storage, sizeof(v6));
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  }
  return {.host = text, .port = ntohs(v6.sin6_port)};
}

SocketAddress SocketAddress::LocalOf(int fd) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  if (getsockname(fd, address.get(), &address.length) != 0) return {};
  return address;
}

SocketAddress SocketAddress::PeerOf(int fd) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  if (getpeername(fd, address.get(), &address.length) != 0) return {};
  return address;
}

SocketAddress SocketAddress::AnyV6(uint16_t port) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_any;
  v6.sin6_port = htons(port);
  SocketAddress address;
  std::memcpy(&address.storage, &v6, sizeof(v6));
  address.length = sizeof(v6);
  return address;
}

SocketAddress SocketAddress::AnyV4(uint16_t port) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_ANY);
  v4.sin_port = htons(port);
  SocketAddress address;
  std::memcpy(&address.storage, &v4, sizeof(v4));
  address.length = sizeof(v4);
  return address;
}

std::optional<SocketAddress> ParseNumeric(const Endpoint& endpoint) {
  if (endpoint.host.empty()) return std::nullopt;
  int error = 0;
  const AddressList list = GetAddresses(endpoint, AI_NUMERICHOST, error);
  if (list == nullptr) return std::nullopt;
  return FromEntry(*list);
}

absl::StatusOr<std::vector<SocketAddress>> LookUpBlocking(const Endpoint& endpoint) {
  int error = 0;
  const AddressList list = GetAddresses(endpoint, AI_ADDRCONFIG, error);
  if (list == nullptr) {
    return absl::UnavailableError(
        fmt::format("cannot resolve {}: {}", endpoint.host, gai_strerror(error)));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET || entry->ai_family == AF_INET6) {
      addresses.push_back(FromEntry(*entry));
    }
  }
  return addresses;
}

}  // namespace highwater::core::os
