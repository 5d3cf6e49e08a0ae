#pragma once

// RequestRouter: finds the handler of a request by its API key.

#include "broker/server/handlers/handler.h"
#include "broker/server/socket_server.h"

namespace highwater::broker {

class RequestRouter final : public RequestDispatcher {
 public:
  explicit RequestRouter(Services services) : services_(services) {}

  // An unknown API, a version outside of its range and a body that does not parse close the
  // connection (facts 2.2).
  [[nodiscard]] absl::StatusOr<Answer> Dispatch(const core::ByteChain& request,
                                                const ClientCall& client) override;

 private:
  [[nodiscard]] absl::StatusOr<Answer> Handle(const Call& call);

  Services services_;
};

}  // namespace highwater::broker
