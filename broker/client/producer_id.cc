// How an idempotent producer comes by its id: any broker gives one. Before there is one nothing is
// sent; a broker that cannot or may not give any fails everything.

#include "broker/client/producer_impl.h"
#include "broker/protocol/init_producer_id.h"
#include "core/mark.h"

namespace highwater::broker::client {

using protocol::ErrorCode;

void Producer::Impl::MaybeAskForProducerId() {
  if (fatal_ != ErrorCode::NONE) {
    while (ProducerBatch* batch = accumulator_.Oldest()) Fail(*batch, fatal_);
    return;
  }
  const bool needed =
      idempotent_ && transactions_.NeedsProducerId() && accumulator_.Oldest() != nullptr;
  if (!needed || std::exchange(asking_for_id_, true)) return;
  env_.fibers.Spawn("client-producer-id", [self = shared_from_this()] {
    self->AskForProducerId();
    self->asking_for_id_ = false;
    self->Proceed();
  });
}

void Producer::Impl::AskForProducerId() {
  while (!shut_down_) {
    const ErrorCode error = AskOnce();
    if (error == ErrorCode::NONE) return accumulator_.Reconsider(env_.clock.Now());
    if (!protocol::IsRetriable(error)) {
      HW_MARK("client_producer_id_refused");
      fatal_ = error;
      return;
    }
    if (env_.fibers.SleepFor(config_.retry_backoff) == core::Wake::kCancelled) return;
  }
}

ErrorCode Producer::Impl::AskOnce() {
  const std::shared_ptr<BrokerConnection> connection = network_->LeastLoaded();
  if (connection == nullptr) return ErrorCode::REQUEST_TIMED_OUT;
  protocol::InitProducerIdRequest request;
  request.transactional_id.reset();
  request.transaction_timeout_ms = std::numeric_limits<int32_t>::max();
  const auto response = connection->Call(request, env_.clock.Now() + config_.request_timeout);
  if (absl::IsUnimplemented(response.status())) return ErrorCode::UNSUPPORTED_VERSION;
  if (!response.ok()) return ErrorCode::NETWORK_EXCEPTION;
  const ErrorCode error = protocol::KnownOrUnknown(response->error_code);
  if (error == ErrorCode::NONE && response->producer_id < 0) {
    return ErrorCode::UNKNOWN_SERVER_ERROR;
  }
  if (error == ErrorCode::NONE) {
    transactions_.OnProducerId({ProducerId(response->producer_id), response->producer_epoch});
  }
  return error;
}

}  // namespace highwater::broker::client
