#pragma once

// ConnectString: what stands in zookeeper.connect: servers, and the path below which everything of
// this cluster lies.
//
//   HW_ASSIGN_OR_RETURN(ConnectString where, ParseConnectString("zk1:2181,zk2,[::1]:2182/kafka"));
//   where.servers   {zk1:2181, zk2:2181, ::1:2182}
//   where.chroot    "/kafka"
//
// Follows ZooKeeper facts 5 (chroot suffix). A port left out is 2181, as in Apache's client.

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/network.h"

namespace highwater::broker::zookeeper {

inline constexpr uint16_t kDefaultClientPort = 2181;

struct ConnectString {
  std::vector<core::Endpoint> servers;  // at least one, as written
  std::string chroot;                   // "" or a path: "/kafka"

  friend bool operator==(const ConnectString&, const ConnectString&) = default;
};

// InvalidArgument names the part that cannot be read and what was expected in its place.
[[nodiscard]] absl::StatusOr<ConnectString> ParseConnectString(std::string_view text);

// [4.1] What is wrong with this as the path of a znode; OK if nothing is.
[[nodiscard]] absl::Status CheckPath(std::string_view path);

}  // namespace highwater::broker::zookeeper
