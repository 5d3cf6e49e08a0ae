#include "broker/zookeeper/server/client_request.h"

namespace highwater::broker::zookeeper {

OpKind KindOf(OpCode op) {
  switch (op) {
    case OpCode::kCreate:
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
    case OpCode::kDelete:
    case OpCode::kSetData:
    case OpCode::kSetAcl:
    case OpCode::kMulti:
    case OpCode::kReconfig:
    case OpCode::kCloseSession:
      return OpKind::kWrite;
    case OpCode::kSync:
      return OpKind::kSync;
    case OpCode::kExists:
    case OpCode::kGetData:
    case OpCode::kGetAcl:
    case OpCode::kGetChildren:
    case OpCode::kGetChildren2:
    case OpCode::kGetEphemerals:
    case OpCode::kGetAllChildrenNumber:
    case OpCode::kMultiRead:
    case OpCode::kPing:
    case OpCode::kSetWatches:
    case OpCode::kSetWatches2:
    case OpCode::kAddWatch:
    case OpCode::kCheckWatches:
    case OpCode::kRemoveWatches:
    case OpCode::kWhoAmI:
      return OpKind::kRead;
    default:
      return OpKind::kUnknown;
  }
}

}  // namespace highwater::broker::zookeeper
