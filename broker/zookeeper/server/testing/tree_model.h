#pragma once

// TreeModel: what a sequence of requests must do, told as naively as can be: one request after the
// other on a map, no transactions, nothing pending. And arbitrary sequences of requests to hold
// against it. For tests.

#include <rapidcheck.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "broker/zookeeper/server/client_request.h"
#include "broker/zookeeper/wire/multi.h"

namespace highwater::broker::zookeeper::testing {

struct CloseRequest {};
// One client's request: one operation, several of them, or the end of its session.
struct ModelRequest {
  SessionId session;
  std::variant<MultiOp, std::vector<MultiOp>, CloseRequest> what;

  [[nodiscard]] ClientRequest ToRequest() const;
};
[[nodiscard]] std::string ToString(const ModelRequest& request);
inline void showValue(const ModelRequest& request, std::ostream& os) { os << ToString(request); }

inline constexpr int kModelSessions = 3;
[[nodiscard]] rc::Gen<ModelRequest> AnyModelRequest();

class TreeModel {
 public:
  TreeModel();

  // One error for a single operation, one an operation for a multi; the request took `zxid`.
  [[nodiscard]] std::vector<ErrorCode> Do(const ModelRequest& request, Zxid zxid);
  // Path and shown Stat (without times) of every node but the built-in ones, and of the root.
  [[nodiscard]] std::vector<std::string> Describe() const;

  struct Node {
    std::optional<std::string> data;
    SessionId owner;
    Zxid czxid, mzxid, pzxid;
    int32_t version = 0;
    int32_t creates = 0;
    int32_t deletes = 0;
  };
  [[nodiscard]] static std::string Describe(const std::string& path, const Node& node,
                                            int32_t children);

 private:
  [[nodiscard]] ErrorCode DoOp(SessionId session, const MultiOp& op, Zxid zxid);
  [[nodiscard]] ErrorCode Create(SessionId session, const CreateRequest& op, Zxid zxid);
  [[nodiscard]] ErrorCode Delete(const DeleteRequest& op, Zxid zxid);
  void Remove(const std::string& path, Zxid zxid);
  [[nodiscard]] int32_t ChildrenOf(const std::string& path) const;

  std::map<std::string, Node> nodes_;
  std::set<SessionId> sessions_;
};

}  // namespace highwater::broker::zookeeper::testing
