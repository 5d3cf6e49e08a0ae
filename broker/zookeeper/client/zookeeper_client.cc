#include "broker/zookeeper/client/zookeeper_client.h"

namespace highwater::broker::zookeeper {

OpCode OpCodeOf(const Request& request) {
  return std::visit([](const auto& record) { return std::decay_t<decltype(record)>::kOp; },
                    request);
}

}  // namespace highwater::broker::zookeeper
