#pragma once

// Frames: a length, a header, a body. What goes over a connection between Kafka clients and
// brokers.
//
//   HW_ASSIGN_OR_RETURN(core::Payload frame, EncodeRequest(correlation_id, "orders-app", request,
//   9));
//   ...
//   HW_ASSIGN_OR_RETURN(std::optional<core::ByteChain> payload, TakeFrame(buffered,
//   kDefaultMaxRequestBytes)); HW_ASSIGN_OR_RETURN(ParsedRequest request, ParseRequest(*payload));
//
// Follows wire-protocol facts 1.1 (frame), 1.4 (headers) and 2.2-2.3 (what closes a connection).
// Not responsible for reading from a connection, nor for matching responses with requests. A frame
// that is parsed comes without its length.

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/protocol/api.h"
#include "broker/protocol/decoder.h"
#include "broker/protocol/encoder.h"
#include "broker/protocol/headers.h"
#include "broker/types.h"
#include "core/bytes.h"
#include "core/network.h"
#include "core/status_macros.h"

namespace highwater::broker::protocol {

inline constexpr size_t kFrameLengthBytes = 4;
// socket.request.max.bytes and sasl.server.max.receive.size, Kafka's defaults.
inline constexpr size_t kDefaultMaxRequestBytes = 104857600;
inline constexpr size_t kDefaultMaxSaslBytes = 524288;

// Writes a length that EndFrame fills in, and the header.
void BeginRequest(Encoder& encoder, ApiKey key, int16_t version, CorrelationId correlation_id,
                  const std::optional<std::string>& client_id);
void BeginResponse(Encoder& encoder, ApiKey key, int16_t version, CorrelationId correlation_id);
// The whole frame, or the encoder's error.
[[nodiscard]] absl::StatusOr<core::Payload> EndFrame(Encoder encoder);

template <typename Request>
[[nodiscard]] absl::StatusOr<core::Payload> EncodeRequest(
    CorrelationId correlation_id, const std::optional<std::string>& client_id,
    const Request& request, int16_t version) {
  Encoder encoder;
  BeginRequest(encoder, Request::kApiKey, version, correlation_id, client_id);
  request.Encode(encoder, version);
  return EndFrame(std::move(encoder));
}

template <typename Response>
[[nodiscard]] absl::StatusOr<core::Payload> EncodeResponse(CorrelationId correlation_id,
                                                           const Response& response,
                                                           int16_t version) {
  Encoder encoder;
  BeginResponse(encoder, Response::kApiKey, version, correlation_id);
  response.Encode(encoder, version);
  return EndFrame(std::move(encoder));
}

// Bytes in a row with a length in front: the raw tokens of SaslHandshake v0.
[[nodiscard]] core::Payload EncodeRawFrame(const core::ByteChain& content);

// Takes a whole frame from the front of `buffered`, without its length; nullopt if it has not all
// come yet. ResourceExhausted if its length is above `max_bytes`, InvalidArgument if negative: the
// connection must be closed.
[[nodiscard]] absl::StatusOr<std::optional<core::ByteChain>> TakeFrame(core::ByteChain& buffered,
                                                                       size_t max_bytes);

struct RequestHeaderFields {
  ApiKey api_key = ApiKey::kProduce;
  int16_t api_version = 0;
  CorrelationId correlation_id;
  std::string client_id;  // null counts as empty
};

// Reads the header and leaves the decoder at the body. InvalidArgument for an unknown API, a
// malformed header, or a version that is not served; but ApiVersions comes with any version, since
// its sender is owed an answer (facts 2.3).
[[nodiscard]] absl::StatusOr<RequestHeaderFields> ReadRequestHeader(Decoder& decoder);

struct ParsedRequest {
  RequestHeaderFields header;
  core::ByteChain body;
};
// As ReadRequestHeader, with the body as slices of the frame.
[[nodiscard]] absl::StatusOr<ParsedRequest> ParseRequest(const core::ByteChain& frame);

// The correlation id, which every response begins with, before anything else is known of it.
[[nodiscard]] absl::StatusOr<CorrelationId> PeekCorrelationId(const core::ByteChain& frame);
// Reads the header of a response to a request of this API and version and leaves the decoder at the
// body.
[[nodiscard]] absl::StatusOr<CorrelationId> ReadResponseHeader(Decoder& decoder, ApiKey key,
                                                               int16_t version);

// The response in a frame.
template <typename Response>
[[nodiscard]] absl::StatusOr<Response> DecodeResponse(const core::ByteChain& frame,
                                                      int16_t version) {
  Decoder decoder(frame);
  HW_RETURN_IF_ERROR(ReadResponseHeader(decoder, Response::kApiKey, version).status());
  absl::StatusOr<Response> response(Response::Decode(decoder, version));
  HW_RETURN_IF_ERROR(decoder.status());
  return response;
}

}  // namespace highwater::broker::protocol
