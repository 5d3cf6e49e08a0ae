#include "broker/zookeeper/client/request_codec.h"

namespace highwater::broker::zookeeper {
namespace {

template <typename Body>
void ReadBody(JuteReader& reader, Response& response) {
  Body body;
  reader(body);
  response.body = std::move(body);
}

void ReadBodyOf(OpCode op, JuteReader& reader, Response& response) {
  switch (op) {
    case OpCode::kCreate:
    case OpCode::kSync:
      return ReadBody<PathResponse>(reader, response);
    case OpCode::kExists:
    case OpCode::kSetData:
    case OpCode::kSetAcl:
      return ReadBody<StatResponse>(reader, response);
    case OpCode::kGetData:
      return ReadBody<GetDataResponse>(reader, response);
    case OpCode::kGetAcl:
      return ReadBody<GetAclResponse>(reader, response);
    case OpCode::kGetChildren2:
      return ReadBody<GetChildren2Response>(reader, response);
    case OpCode::kMulti:
      return ReadBody<MultiResponse>(reader, response);
    default:
      return;  // nothing follows the header
  }
}

}  // namespace

core::Bytes EncodeRequest(Xid xid, const Request& request) {
  return std::visit(
      [xid](const auto& record) {
        return EncodeFrame(RequestHeader{xid, std::decay_t<decltype(record)>::kOp}, record);
      },
      request);
}

absl::StatusOr<Response> DecodeResponse(OpCode op, const ReplyHeader& header, JuteReader& reader) {
  Response response{.error = header.error, .zxid = header.zxid};
  if (header.error != ErrorCode::kOk) return response;
  ReadBodyOf(op, reader, response);
  if (!reader.status().ok()) return reader.status();
  if (const auto* multi = std::get_if<MultiResponse>(&response.body)) {
    response.error = multi->error();
  }
  return response;
}

}  // namespace highwater::broker::zookeeper
