#include "broker/zookeeper/client/connect_string.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

// The part of `text` up to the next separator; `text` keeps what is behind it, nullopt at the end.
std::string_view TakePart(std::optional<std::string_view>& text, char separator) {
  const size_t at = text->find(separator);
  const std::string_view part = text->substr(0, at);
  if (at == std::string_view::npos) {
    text.reset();
  } else {
    text->remove_prefix(at + 1);
  }
  return part;
}

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || stop != end || port == 0) return std::nullopt;
  return port;
}

absl::Status Wrong(std::string_view text, std::string_view what) {
  return absl::InvalidArgumentError(
      fmt::format("zookeeper.connect \"{}\": {}; expected host:port,host:port/chroot", text, what));
}

absl::StatusOr<core::Endpoint> ParseServer(std::string_view text, std::string_view server) {
  core::Endpoint endpoint{.host = "", .port = kDefaultClientPort};
  std::string_view rest;
  if (server.starts_with('[')) {
    server.remove_prefix(1);
    const size_t end = server.find(']');
    if (end == std::string_view::npos)
      return Wrong(text, "an address begins with [ and never ends");
    endpoint.host = server.substr(0, end);
    rest = server.substr(end + 1);
  } else {
    const size_t colon = server.find(':');
    endpoint.host = server.substr(0, colon);
    if (colon != std::string_view::npos) rest = server.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos) {
      return Wrong(text, fmt::format("\"{}\" has more than one colon (an IPv6 address stands in "
                                     "brackets)",
                                     server));
    }
  }
  if (endpoint.host.empty()) return Wrong(text, "a server without a host");
  if (rest.empty()) return endpoint;
  const std::string_view digits = rest.substr(1);
  const std::optional<uint16_t> port = rest.front() == ':' ? ParsePort(digits) : std::nullopt;
  if (!port.has_value()) {
    return Wrong(text, fmt::format("\"{}\" is not a port of {}", digits, endpoint.host));
  }
  endpoint.port = *port;
  return endpoint;
}

}  // namespace

absl::Status CheckPath(std::string_view path) {
  const auto wrong = [path](std::string_view what) {
    return absl::InvalidArgumentError(fmt::format("the path \"{}\" {}", path, what));
  };
  if (!path.starts_with('/')) return wrong("does not begin with /");
  if (path == "/") return absl::OkStatus();
  if (path.ends_with('/')) return wrong("ends with /");
  for (std::optional<std::string_view> rest = path.substr(1); rest.has_value();) {
    const std::string_view name = TakePart(rest, '/');
    if (name.empty()) return wrong("has an empty name in it");
    if (name == "." || name == "..") return wrong("is relative");
    if (name.find('\0') != std::string_view::npos) return wrong("has a null character in it");
  }
  return absl::OkStatus();
}

absl::StatusOr<ConnectString> ParseConnectString(std::string_view text) {
  ConnectString result;
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos && text.substr(slash) != "/") {
    result.chroot = text.substr(slash);
    if (result.chroot.find(',') != std::string::npos) {
      return Wrong(text, "the chroot stands once, behind the last server");
    }
    if (const absl::Status path = CheckPath(result.chroot); !path.ok()) {
      return Wrong(text, std::string(path.message()));
    }
  }
  for (std::optional<std::string_view> rest = text.substr(0, slash); rest.has_value();) {
    const std::string_view server = Trim(TakePart(rest, ','));
    if (server.empty()) return Wrong(text, "a server is empty");
    HW_ASSIGN_OR_RETURN(core::Endpoint endpoint, ParseServer(text, server));
    result.servers.push_back(std::move(endpoint));
  }
  return result;
}

}  // namespace highwater::broker::zookeeper
