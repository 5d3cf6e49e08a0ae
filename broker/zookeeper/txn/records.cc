#include "broker/zookeeper/txn/records.h"

#include <fmt/format.h>

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {

namespace {

template <typename Record>
absl::StatusOr<TxnBody> Read(JuteReader& reader) {
  Record record;
  reader(record);
  HW_RETURN_IF_ERROR(reader.status());
  return TxnBody(std::move(record));
}

absl::StatusOr<TxnBody> ReadBody(OpCode type, JuteReader& reader) {
  switch (type) {
    case OpCode::kCreate:
    case OpCode::kCreate2:
      return Read<CreateTxn>(reader);
    case OpCode::kCreateContainer:
      return Read<CreateContainerTxn>(reader);
    case OpCode::kCreateTtl:
      return Read<CreateTtlTxn>(reader);
    case OpCode::kDelete:
    case OpCode::kDeleteContainer:
      return Read<DeleteTxn>(reader);
    case OpCode::kSetData:
      return Read<SetDataTxn>(reader);
    case OpCode::kSetAcl:
      return Read<SetAclTxn>(reader);
    case OpCode::kCheck:
      return Read<CheckVersionTxn>(reader);
    case OpCode::kCreateSession:
      return Read<CreateSessionTxn>(reader);
    case OpCode::kCloseSession:
      // Servers before 3.6 wrote none of the paths.
      if (reader.remaining() == 0) return TxnBody(CloseSessionTxn{});
      return Read<CloseSessionTxn>(reader);
    case OpCode::kError:
      return Read<ErrorTxn>(reader);
    case OpCode::kMulti:
      return Read<MultiTxn>(reader);
    default:
      return absl::InvalidArgumentError(
          fmt::format("no transaction has the type {}", OpCodeName(type)));
  }
}

}  // namespace

core::Bytes EncodeTxn(const Txn& txn) {
  JuteWriter writer;
  writer(txn.header);
  std::visit([&](const auto& body) { writer(body); }, txn.body);
  return std::move(writer).Finish();
}

absl::StatusOr<Txn> DecodeTxn(core::Bytes bytes) {
  JuteReader reader(std::move(bytes));
  Txn txn;
  reader(txn.header);
  HW_RETURN_IF_ERROR(reader.status());
  HW_ASSIGN_OR_RETURN(txn.body, ReadBody(txn.header.type, reader));
  return txn;
}

MultiTxnPart EncodePart(OpCode type, const TxnBody& body) {
  return {.type = type,
          .data = std::visit([](const auto& record) { return ToJute(record); }, body)};
}

absl::StatusOr<TxnBody> DecodePart(const MultiTxnPart& part) {
  JuteReader reader(part.data);
  return ReadBody(part.type, reader);
}

}  // namespace highwater::broker::zookeeper
