#include "broker/zookeeper/client/local_watches.h"

namespace highwater::broker::zookeeper {

void LocalWatches::Register(WatchKind kind, std::string path) {
  switch (kind) {
    case WatchKind::kNone:
      return;
    case WatchKind::kData:
      data_.insert(std::move(path));
      return;
    case WatchKind::kExist:
      exist_.insert(std::move(path));
      return;
    case WatchKind::kChild:
      child_.insert(std::move(path));
      return;
  }
}

bool LocalWatches::Take(const WatcherEvent& event) {
  size_t taken = 0;
  switch (event.type) {
    case WatchEventType::kNodeCreated:
    case WatchEventType::kNodeDataChanged:
      taken = data_.erase(event.path);
      taken += exist_.erase(event.path);
      break;
    case WatchEventType::kNodeDeleted:
      // An exist watch of a node that came and went fires as deleted.
      taken = data_.erase(event.path);
      taken += exist_.erase(event.path);
      taken += child_.erase(event.path);
      break;
    case WatchEventType::kNodeChildrenChanged:
      taken = child_.erase(event.path);
      break;
    default:
      break;
  }
  return taken > 0;
}

std::vector<SetWatchesRequest> LocalWatches::ToSetAgain(Zxid last_seen,
                                                        const SessionRules& rules) const {
  std::vector<SetWatchesRequest> requests;
  size_t bytes = kBytesPerRequest;  // of the last request: a first one is begun
  const auto add = [&](WatchKind kind, const Paths& paths, auto member) {
    if (!rules.MustSetAgain(kind)) return;
    for (const std::string& path : paths) {
      if (bytes >= kBytesPerRequest) {
        requests.emplace_back().relative_zxid = last_seen;
        bytes = 0;
      }
      (requests.back().*member).push_back(path);
      bytes += path.size();
    }
  };
  add(WatchKind::kData, data_, &SetWatchesRequest::data_watches);
  add(WatchKind::kExist, exist_, &SetWatchesRequest::exist_watches);
  add(WatchKind::kChild, child_, &SetWatchesRequest::child_watches);
  return requests;
}

}  // namespace highwater::broker::zookeeper
