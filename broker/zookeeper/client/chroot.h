#pragma once

// Chroot: the path below which a client lives: paths go out with it in front and come back without
// it.
//
//   Chroot chroot("/kafka");
//   chroot.ToServer("/brokers")          "/kafka/brokers"
//   chroot.ToClient("/kafka/brokers")    "/brokers"
//
// Follows ZooKeeper facts 5. Invariant: ToClient(ToServer(path)) == path.

#include <string>
#include <string_view>

#include "broker/zookeeper/client/zookeeper_client.h"

namespace highwater::broker::zookeeper {

class Chroot {
 public:
  // "" is the root itself.
  explicit Chroot(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string ToServer(std::string_view path) const;
  // A path that does not lie below stays as it is.
  [[nodiscard]] std::string ToClient(std::string_view path) const;
  // All paths in it.
  void ToServer(Request& request) const;
  void ToClient(Response& response) const;

 private:
  std::string path_;
};

// The path that a request names; "" for a multi.
[[nodiscard]] const std::string& PathOf(const Request& request);

}  // namespace highwater::broker::zookeeper
