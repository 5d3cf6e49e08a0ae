#include "broker/protocol/init_producer_id.h"

#include "broker/server/handlers/handler.h"

namespace highwater::broker {

namespace {

using protocol::ErrorCode;
using protocol::InitProducerIdRequest;
using protocol::InitProducerIdResponse;

// What can be said before an id is asked for.
ErrorCode Check(const InitProducerIdRequest& request) {
  // Both or neither: a producer that wants another epoch tells which it had [KIP-360].
  if ((request.producer_id == -1) != (request.producer_epoch == -1)) {
    return ErrorCode::INVALID_REQUEST;
  }
  // The time-out counts for transactions only: librdkafka sends -1 without one. What the producer
  // had before does not matter either: it gets a new id.
  if (!request.transactional_id.has_value()) return ErrorCode::NONE;
  if (request.transactional_id->empty()) return ErrorCode::INVALID_REQUEST;  // [X10]
  // There is no transaction coordinator yet, as FindCoordinator says too.
  return ErrorCode::COORDINATOR_NOT_AVAILABLE;
}

}  // namespace

absl::StatusOr<Answer> HandleInitProducerId(Services& services, const Call& call) {
  HW_ASSIGN_OR_RETURN(const InitProducerIdRequest request,
                      ReadRequest<InitProducerIdRequest>(call));
  InitProducerIdResponse response;
  response.producer_id = -1;
  response.producer_epoch = -1;
  response.error_code = Check(request);
  if (response.error_code == ErrorCode::NONE) {
    call.client.ticket.ReleaseTurn();
    const ProducerIdManager::Result generated =
        services.producer_ids.Generate(services.env.fibers.Now() + services.config.request_timeout);
    response.error_code = generated.error;
    if (generated.error == ErrorCode::NONE) {
      response.producer_id = generated.id.value();
      response.producer_epoch = 0;
    }
  }
  return WriteAnswer(call, response);
}

}  // namespace highwater::broker
