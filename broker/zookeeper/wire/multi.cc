#include "broker/zookeeper/wire/multi.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr OpCode kNoOp{-1};

struct MultiHeader {
  OpCode type = kNoOp;
  bool done = false;
  ErrorCode error = ErrorCode::kSystemError;  // -1

  template <typename Self, typename Visitor>
  static void Visit(Self& self, Visitor& visitor) {
    visitor(self.type);
    visitor(self.done);
    visitor(self.error);
  }
};

constexpr MultiHeader kEnd{.type = kNoOp, .done = true};

bool AllowedIn(OpCode multi, OpCode op) {
  switch (op) {
    case OpCode::kCreate:
    case OpCode::kDelete:
    case OpCode::kSetData:
    case OpCode::kCheck:
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
      return multi == OpCode::kMulti;
    case OpCode::kGetChildren:
    case OpCode::kGetData:
      return multi == OpCode::kMultiRead;
    default:
      return false;
  }
}

template <typename Record>
void ReadInto(JuteReader& reader, std::vector<MultiOp>& ops) {
  Record record;
  reader(record);
  if (reader.status().ok()) ops.emplace_back(std::move(record));
}

// Skips the rest, as an error, if `op` may not be in `multi`.
void ReadOp(OpCode multi, OpCode op, JuteReader& reader, std::vector<MultiOp>& ops) {
  if (!AllowedIn(multi, op)) return reader.Reject("an operation of a multi");
  switch (op) {
    case OpCode::kCreate:
      return ReadInto<CreateRequest>(reader, ops);
    case OpCode::kCreate2:
      return ReadInto<Create2Request>(reader, ops);
    case OpCode::kCreateContainer:
      return ReadInto<CreateContainerRequest>(reader, ops);
    case OpCode::kCreateTtl:
      return ReadInto<CreateTtlRequest>(reader, ops);
    case OpCode::kDelete:
      return ReadInto<DeleteRequest>(reader, ops);
    case OpCode::kSetData:
      return ReadInto<SetDataRequest>(reader, ops);
    case OpCode::kCheck:
      return ReadInto<CheckRequest>(reader, ops);
    case OpCode::kGetChildren:
      return ReadInto<GetChildrenRequest>(reader, ops);
    case OpCode::kGetData:
      return ReadInto<GetDataRequest>(reader, ops);
    default:
      HW_UNREACHABLE();
  }
}

template <typename Body>
void ReadBody(JuteReader& reader, MultiResult& result) {
  Body body;
  reader(body);
  result.body = std::move(body);
}

// [1.6] 3.8.4 answers creates with a Stat as type 15; 3.8.0 as type 1 without one.
void ReadResult(const MultiHeader& header, JuteReader& reader, MultiResult& result) {
  switch (header.type) {
    case kNoOp: {
      // A failed operation: its code once more.
      reader(result.error);
      return;
    }
    case OpCode::kCreate:
      return ReadBody<PathResponse>(reader, result);
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
      return ReadBody<PathAndStatResponse>(reader, result);
    case OpCode::kSetData:
      return ReadBody<StatResponse>(reader, result);
    case OpCode::kDelete:
    case OpCode::kCheck:
      return;
    case OpCode::kGetChildren:
      return ReadBody<GetChildrenResponse>(reader, result);
    case OpCode::kGetData:
      return ReadBody<GetDataResponse>(reader, result);
    default:
      return reader.Reject("a result of a multi");
  }
}

// The type under which a result is written: what its body says.
OpCode TypeOf(const MultiResult& result) {
  if (std::holds_alternative<PathResponse>(result.body)) return OpCode::kCreate;
  if (std::holds_alternative<PathAndStatResponse>(result.body)) return OpCode::kCreate2;
  if (std::holds_alternative<StatResponse>(result.body)) return OpCode::kSetData;
  if (std::holds_alternative<GetChildrenResponse>(result.body)) return OpCode::kGetChildren;
  if (std::holds_alternative<GetDataResponse>(result.body)) return OpCode::kGetData;
  // A check and a delete look alike to a client: neither has a body.
  return OpCode::kDelete;
}

}  // namespace

OpCode OpCodeOf(const MultiOp& op) {
  return std::visit([](const auto& record) { return std::decay_t<decltype(record)>::kOp; }, op);
}

const std::string& PathOf(const MultiOp& op) {
  return std::visit([](const auto& record) -> const std::string& { return record.path; }, op);
}

void MultiResponse::Visit(const MultiResponse& self, JuteWriter& writer) {
  const bool failed = self.error() != ErrorCode::kOk;
  for (const MultiResult& result : self.results) {
    if (failed) {
      writer(MultiHeader{.type = kNoOp, .error = result.error});
      writer(result.error);
    } else {
      writer(MultiHeader{.type = TypeOf(result), .error = ErrorCode::kOk});
      std::visit([&](const auto& body) { writer(body); }, result.body);
    }
  }
  writer(kEnd);
}

void MultiResponse::Visit(MultiResponse& self, JuteReader& reader) {
  self.results.clear();
  while (reader.status().ok()) {
    MultiHeader header;
    reader(header);
    if (header.done || !reader.status().ok()) return;
    ReadResult(header, reader, self.results.emplace_back());
  }
}

ErrorCode MultiResponse::error() const {
  for (const MultiResult& result : results) {
    if (result.error != ErrorCode::kOk) return result.error;
  }
  return ErrorCode::kOk;
}

template <OpCode kCode>
void MultiRecord<kCode>::Visit(const MultiRecord& self, JuteWriter& writer) {
  for (const MultiOp& op : self.ops) {
    writer(MultiHeader{.type = OpCodeOf(op)});
    std::visit([&](const auto& record) { writer(record); }, op);
  }
  writer(kEnd);
}

template <OpCode kCode>
void MultiRecord<kCode>::Visit(MultiRecord& self, JuteReader& reader) {
  self.ops.clear();
  while (reader.status().ok()) {
    MultiHeader header;
    reader(header);
    if (header.done || !reader.status().ok()) return;
    ReadOp(kCode, header.type, reader, self.ops);
  }
}

template struct MultiRecord<OpCode::kMulti>;
template struct MultiRecord<OpCode::kMultiRead>;

}  // namespace highwater::broker::zookeeper
