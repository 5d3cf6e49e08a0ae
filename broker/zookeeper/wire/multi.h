#pragma once

// multi and multiRead: several operations in one request, all of them or none.
//
// Follows ZooKeeper facts 1.6 (form), 4.6 (meaning). The reader takes both forms of a create2's
// answer (3.8.0 answers it as a plain create).

#include <variant>
#include <vector>

#include "broker/zookeeper/jute/jute.h"
#include "broker/zookeeper/wire/records.h"

namespace highwater::broker::zookeeper {

// What a multi may hold, and a multiRead (the last two).
using MultiOp =
    std::variant<CreateRequest, Create2Request, CreateContainerRequest, CreateTtlRequest,
                 DeleteRequest, SetDataRequest, CheckRequest, GetChildrenRequest, GetDataRequest>;
[[nodiscard]] OpCode OpCodeOf(const MultiOp& op);
[[nodiscard]] const std::string& PathOf(const MultiOp& op);

// One operation's part of the answer.
struct MultiResult {
  // kOk unless the multi failed: then kOk before the operation that failed, its code, and
  // kRuntimeInconsistency after it.
  ErrorCode error = ErrorCode::kOk;
  // Of a multi that succeeded; Empty for delete and check.
  std::variant<Empty, PathResponse, PathAndStatResponse, StatResponse, GetChildrenResponse,
               GetDataResponse>
      body;

  friend bool operator==(const MultiResult&, const MultiResult&) = default;
};

struct MultiResponse {
  std::vector<MultiResult> results;

  static void Visit(const MultiResponse& self, JuteWriter& writer);
  static void Visit(MultiResponse& self, JuteReader& reader);
  // The first error among the results; kOk if there is none.
  [[nodiscard]] ErrorCode error() const;
  friend bool operator==(const MultiResponse&, const MultiResponse&) = default;
};

// The reader refuses an operation that this kind may not hold (a server answers MARSHALLINGERROR).
template <OpCode kCode>
struct MultiRecord {
  static constexpr OpCode kOp = kCode;
  using Response = MultiResponse;
  std::vector<MultiOp> ops;

  static void Visit(const MultiRecord& self, JuteWriter& writer);
  static void Visit(MultiRecord& self, JuteReader& reader);
  friend bool operator==(const MultiRecord&, const MultiRecord&) = default;
};
using MultiRequest = MultiRecord<OpCode::kMulti>;
using MultiReadRequest = MultiRecord<OpCode::kMultiRead>;

}  // namespace highwater::broker::zookeeper
