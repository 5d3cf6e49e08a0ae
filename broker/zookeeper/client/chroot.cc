#include "broker/zookeeper/client/chroot.h"

namespace highwater::broker::zookeeper {

std::string Chroot::ToServer(std::string_view path) const {
  if (path_.empty()) return std::string(path);
  return path == "/" ? path_ : path_ + std::string(path);
}

std::string Chroot::ToClient(std::string_view path) const {
  if (path_.empty() || !path.starts_with(path_)) return std::string(path);
  const std::string_view rest = path.substr(path_.size());
  if (rest.empty()) return "/";
  return std::string(rest.front() == '/' ? rest : path);
}

void Chroot::ToServer(Request& request) const {
  if (path_.empty()) return;
  const auto change = [this](auto& record) { record.path = ToServer(record.path); };
  if (auto* multi = std::get_if<MultiRequest>(&request)) {
    for (MultiOp& op : multi->ops) std::visit(change, op);
    return;
  }
  std::visit(
      [&](auto& record) {
        if constexpr (requires { record.path; }) change(record);
      },
      request);
}

void Chroot::ToClient(Response& response) const {
  if (path_.empty()) return;
  const auto change = [this](auto& body) {
    if constexpr (requires { body.path; }) body.path = ToClient(body.path);
  };
  std::visit(change, response.body);
  if (auto* multi = std::get_if<MultiResponse>(&response.body)) {
    for (MultiResult& result : multi->results) std::visit(change, result.body);
  }
}

const std::string& PathOf(const Request& request) {
  static const std::string kNone;
  return std::visit(
      [](const auto& record) -> const std::string& {
        if constexpr (requires { record.path; }) {
          return record.path;
        } else {
          return kNone;
        }
      },
      request);
}

}  // namespace highwater::broker::zookeeper
