#pragma once

// Admin::Impl: whom an admin asks, and how often.
//
// A connection that fails, an answer of a broker that is not the controller any more, and an error
// that may mend itself all end in the same way: a pause of retry.backoff.ms, new metadata, the same
// request again, until the deadline.

#include <memory>
#include <optional>
#include <utility>

#include "broker/client/admin.h"
#include "broker/client/network_client.h"
#include "core/status_macros.h"

namespace highwater::broker::client {

class Admin::Impl : public std::enable_shared_from_this<Admin::Impl> {
 public:
  Impl(core::Environment& env, AdminConfig config)
      : env_(env),
        config_(std::move(config)),
        network_(std::make_shared<NetworkClient>(env, config_, int64_t{100})) {}

  void Close() { network_->Close(); }

  // Sends `request` to the controller until somebody else than a wrong broker answers. `is_wrong`
  // says whether an answer came from a broker that is not the controller.
  template <typename Request, typename IsWrong>
  absl::StatusOr<typename Request::Response> CallController(const Request& request,
                                                            core::MonotonicTime deadline,
                                                            IsWrong is_wrong) {
    while (true) {
      std::shared_ptr<BrokerConnection> connection =
          network_->ConnectionTo(network_->metadata().controller());
      if (connection == nullptr) {
        HW_RETURN_IF_ERROR(NewMetadata(deadline));
        connection = network_->ConnectionTo(network_->metadata().controller());
      }
      if (connection != nullptr) {
        auto response = connection->Call(request, deadline);
        if (absl::IsUnimplemented(response.status())) return response;
        if (response.ok() && !is_wrong(*response)) return response;
      }
      HW_RETURN_IF_ERROR(LookAgain(deadline));
    }
  }

  // Sends `request` to this broker until it answers something that `again` does not hold for.
  template <typename Request, typename Again>
  absl::StatusOr<typename Request::Response> CallBroker(BrokerId id, const Request& request,
                                                        core::MonotonicTime deadline, Again again) {
    while (true) {
      if (network_->metadata().brokers().empty()) HW_RETURN_IF_ERROR(NewMetadata(deadline));
      const std::shared_ptr<BrokerConnection> connection = network_->ConnectionTo(id);
      if (connection != nullptr) {
        auto response = connection->Call(request, deadline);
        if (absl::IsUnimplemented(response.status())) return response;
        if (response.ok() && !again(*response)) return response;
      }
      HW_RETURN_IF_ERROR(LookAgain(deadline));
    }
  }

  template <typename Request>
  absl::StatusOr<typename Request::Response> CallAny(const Request& request,
                                                     core::MonotonicTime deadline) {
    return CallAny(request, deadline, [](const auto&) { return false; });
  }
  template <typename Request, typename Again>
  absl::StatusOr<typename Request::Response> CallAny(const Request& request,
                                                     core::MonotonicTime deadline, Again again) {
    while (true) {
      const std::shared_ptr<BrokerConnection> connection = network_->LeastLoaded();
      if (connection == nullptr) return absl::FailedPreconditionError("no brokers to ask");
      auto response = connection->Call(request, deadline);
      if (absl::IsUnimplemented(response.status())) return response;
      if (response.ok() && !again(*response)) return response;
      HW_RETURN_IF_ERROR(Pause(deadline));
    }
  }

  // After an answer of the wrong broker, or none: waits, then asks who is the right one.
  absl::Status LookAgain(core::MonotonicTime deadline) {
    HW_RETURN_IF_ERROR(Pause(deadline));
    return NewMetadata(deadline);
  }

  absl::Status NewMetadata(core::MonotonicTime deadline) {
    network_->RequestUpdate();
    return core::ToStatus(network_->AwaitUpdate(deadline), "cluster metadata");
  }

  absl::Status Pause(core::MonotonicTime deadline) {
    const core::MonotonicTime until = env_.clock.Now() + config_.retry_backoff;
    if (until >= deadline) return core::ToStatus(core::Wake::kDeadline, "an answer of a broker");
    if (env_.fibers.SleepUntil(until) == core::Wake::kCancelled) {
      return core::ToStatus(core::Wake::kCancelled, "an answer of a broker");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ListedOffset> ListOne(const TopicPartition& id, int64_t timestamp_ms,
                                       core::MonotonicTime deadline);

  core::Environment& env_;
  const AdminConfig config_;
  std::shared_ptr<NetworkClient> network_;
};

}  // namespace highwater::broker::client
