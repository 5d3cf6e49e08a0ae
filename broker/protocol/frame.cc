#include "broker/protocol/frame.h"

#include <fmt/format.h>

namespace highwater::broker::protocol {

void BeginRequest(Encoder& encoder, ApiKey key, int16_t version, CorrelationId correlation_id,
                  const std::optional<std::string>& client_id) {
  encoder.WriteInt32(0);
  const RequestHeader header{.request_api_key = static_cast<int16_t>(key),
                             .request_api_version = version,
                             .correlation_id = correlation_id.value(),
                             .client_id = client_id};
  header.Encode(encoder, RequestHeaderVersion(key, version));
}

void BeginResponse(Encoder& encoder, ApiKey key, int16_t version, CorrelationId correlation_id) {
  encoder.WriteInt32(0);
  const ResponseHeader header{.correlation_id = correlation_id.value()};
  header.Encode(encoder, ResponseHeaderVersion(key, version));
}

absl::StatusOr<core::Payload> EndFrame(Encoder encoder) {
  const uint64_t size = encoder.size() - kFrameLengthBytes;
  if (size > 0x7fffffff) encoder.Fail("the frame is too long");
  HW_RETURN_IF_ERROR(encoder.status());
  encoder.PatchInt32(0, static_cast<int32_t>(size));
  return std::move(encoder).Finish();
}

core::Payload EncodeRawFrame(const core::ByteChain& content) {
  Encoder encoder;
  encoder.WriteBytes(content, false);
  return std::move(encoder).Finish();
}

absl::StatusOr<std::optional<core::ByteChain>> TakeFrame(core::ByteChain& buffered,
                                                         size_t max_bytes) {
  if (buffered.size() < kFrameLengthBytes) return std::nullopt;
  uint8_t prefix[kFrameLengthBytes];
  buffered.CopyTo(0, sizeof(prefix), prefix);
  const auto length = static_cast<int32_t>(LoadBigEndian<uint32_t>(prefix));
  if (length < 0) {
    return absl::InvalidArgumentError(fmt::format("a frame's length is negative: {}", length));
  }
  const auto size = static_cast<size_t>(length);
  if (size > max_bytes) {
    return absl::ResourceExhaustedError(
        fmt::format("a frame of {} bytes; at most {} are allowed", size, max_bytes));
  }
  if (buffered.size() - kFrameLengthBytes < size) return std::nullopt;
  core::ByteChain frame = buffered.Slice(kFrameLengthBytes, size);
  buffered.RemovePrefix(kFrameLengthBytes + size);
  return frame;
}

absl::StatusOr<RequestHeaderFields> ReadRequestHeader(Decoder& decoder) {
  RequestHeader raw;
  raw.request_api_key = decoder.ReadInt16();
  raw.request_api_version = decoder.ReadInt16();
  raw.correlation_id = decoder.ReadInt32();
  HW_RETURN_IF_ERROR(decoder.status());
  const ApiInfo* api = FindApi(raw.request_api_key);
  if (api == nullptr) {
    return absl::InvalidArgumentError(fmt::format("no API has the key {}", raw.request_api_key));
  }
  const int16_t version = raw.request_api_version;
  if (api->key != ApiKey::kApiVersions && !IsSupported(raw.request_api_key, version)) {
    return absl::InvalidArgumentError(
        fmt::format("{} has no version {}", std::string(api->name), version));
  }
  // What follows the three numbers is the client id, classic in every version, and in version 2 a
  // tag section.
  const int16_t header_version = RequestHeaderVersion(api->key, version);
  if (header_version >= 1) decoder.ReadNullableString(raw.client_id, false);
  if (header_version >= 2) decoder.SkipTags();
  HW_RETURN_IF_ERROR(decoder.status());
  return RequestHeaderFields{.api_key = api->key,
                             .api_version = version,
                             .correlation_id = CorrelationId(raw.correlation_id),
                             .client_id = std::move(raw.client_id).value_or(std::string())};
}

absl::StatusOr<ParsedRequest> ParseRequest(const core::ByteChain& frame) {
  Decoder decoder(frame);
  ParsedRequest request;
  HW_ASSIGN_OR_RETURN(request.header, ReadRequestHeader(decoder));
  request.body = decoder.ReadRaw(decoder.remaining());
  return request;
}

absl::StatusOr<CorrelationId> PeekCorrelationId(const core::ByteChain& frame) {
  Decoder decoder(frame);
  const CorrelationId correlation_id(decoder.ReadInt32());
  HW_RETURN_IF_ERROR(decoder.status());
  return correlation_id;
}

absl::StatusOr<CorrelationId> ReadResponseHeader(Decoder& decoder, ApiKey key, int16_t version) {
  const ResponseHeader header =
      ResponseHeader::Decode(decoder, ResponseHeaderVersion(key, version));
  HW_RETURN_IF_ERROR(decoder.status());
  return CorrelationId(header.correlation_id);
}

}  // namespace highwater::broker::protocol
