#pragma once

// OsNetwork: TCP on Linux. Numeric addresses are taken as they are; names are looked up on a thread
// of their own, at most kLookUps at once, and a look-up whose fiber has gone is left to end alone.

#include <memory>

#include "core/os/address.h"
#include "core/os/connection.h"
#include "core/os/loop.h"

namespace highwater::core::os {

class OsNetwork final : public Network {
 public:
  OsNetwork(Fibers& fibers, Loop& loop, Workers& workers);

  absl::StatusOr<std::unique_ptr<Connection>> Dial(const Endpoint& to,
                                                   MonotonicTime deadline) override;
  absl::StatusOr<std::unique_ptr<Listener>> Listen(const Endpoint& at) override;

 private:
  static constexpr int kLookUps = 8;

  [[nodiscard]] absl::StatusOr<std::vector<SocketAddress>> LookUp(const Endpoint& endpoint,
                                                                  MonotonicTime deadline);
  [[nodiscard]] absl::StatusOr<std::unique_ptr<Connection>> DialAddress(
      const SocketAddress& address, MonotonicTime deadline);

  LingeringSockets lingering_;
  SocketContext context_;
  int look_ups_ = 0;
  WaitQueue look_up_ended_;
};

}  // namespace highwater::core::os
