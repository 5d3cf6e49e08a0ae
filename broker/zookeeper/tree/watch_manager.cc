#include "broker/zookeeper/tree/watch_manager.h"

#include "core/check.h"

namespace highwater::broker::zookeeper {

namespace {

constexpr uint8_t Bit(WatchTable::Kind kind) { return static_cast<uint8_t>(kind); }
constexpr uint8_t kAllKinds = 7;

}  // namespace

void WatchTable::Add(std::string_view path, ConnectionId watcher, Kind kind) {
  auto at = by_path_.find(path);
  if (at == by_path_.end()) at = by_path_.try_emplace(std::string(path)).first;
  uint8_t& kinds = at->second[watcher];
  if (kinds == 0) {
    ++size_;
    by_watcher_[watcher].insert(at->first);
  }
  if (kind == Kind::kPersistentRecursive && (kinds & Bit(kind)) == 0) ++recursive_;
  kinds |= Bit(kind);
}

void WatchTable::Forget(std::string_view path, ConnectionId watcher, uint8_t kinds) {
  const auto at = by_path_.find(path);
  const auto entry = at->second.find(watcher);
  if ((entry->second & kinds & Bit(Kind::kPersistentRecursive)) != 0) --recursive_;
  entry->second &= static_cast<uint8_t>(~kinds);
  if (entry->second != 0) return;
  --size_;
  const auto paths = by_watcher_.find(watcher);
  paths->second.erase(at->first);
  if (paths->second.empty()) by_watcher_.erase(paths);
  at->second.erase(entry);
  if (at->second.empty()) by_path_.erase(at);
}

bool WatchTable::Contains(std::string_view path, ConnectionId watcher) const {
  const auto at = by_path_.find(path);
  return at != by_path_.end() && at->second.contains(watcher);
}

bool WatchTable::Remove(std::string_view path, ConnectionId watcher) {
  if (!Contains(path, watcher)) return false;
  Forget(path, watcher, kAllKinds);
  return true;
}

void WatchTable::RemoveAll(ConnectionId watcher) {
  const auto found = by_watcher_.find(watcher);
  if (found == by_watcher_.end()) return;
  const absl::btree_set<std::string> paths = found->second;
  for (const std::string& path : paths) Forget(path, watcher, kAllKinds);
}

void WatchTable::CollectAt(std::string_view path, bool above, const TreeEvent& event,
                           absl::btree_set<ConnectionId>& watchers) {
  const auto at = by_path_.find(path);
  if (at == by_path_.end()) return;
  std::vector<ConnectionId> fired;
  for (const auto& [watcher, kinds] : at->second) {
    // [4.5] A recursive watch sees its descendants come and go, and so needs no children's event.
    const bool recursive = (kinds & Bit(Kind::kPersistentRecursive)) != 0 &&
                           event.type != WatchEventType::kNodeChildrenChanged;
    const bool own = !above && (kinds & ~Bit(Kind::kPersistentRecursive)) != 0;
    if (recursive || own) watchers.insert(watcher);
    if (own && (kinds & Bit(Kind::kOneShot)) != 0) fired.push_back(watcher);
  }
  for (const ConnectionId watcher : fired) Forget(path, watcher, Bit(Kind::kOneShot));
}

void WatchTable::Collect(const TreeEvent& event, absl::btree_set<ConnectionId>& watchers) {
  std::string_view at = event.path;
  CollectAt(at, false, event, watchers);
  while (recursive_ > 0 && at != "/") {
    at = ParentOf(at);
    CollectAt(at, true, event, watchers);
  }
}

std::vector<ConnectionId> WatchManager::Trigger(const TreeEvent& event) {
  absl::btree_set<ConnectionId> watchers;
  switch (event.type) {
    case WatchEventType::kNodeCreated:
    case WatchEventType::kNodeDataChanged:
      data_.Collect(event, watchers);
      break;
    case WatchEventType::kNodeDeleted:
      // [4.4] In both tables, but told once.
      data_.Collect(event, watchers);
      children_.Collect(event, watchers);
      break;
    case WatchEventType::kNodeChildrenChanged:
      children_.Collect(event, watchers);
      break;
    default:
      HW_UNREACHABLE("no tree makes the event {}", WatchEventTypeName(event.type));
  }
  return {watchers.begin(), watchers.end()};
}

void WatchManager::AddPersistent(std::string_view path, ConnectionId watcher, AddWatchMode mode) {
  const WatchTable::Kind kind = mode == AddWatchMode::kPersistentRecursive
                                    ? WatchTable::Kind::kPersistentRecursive
                                    : WatchTable::Kind::kPersistent;
  data_.Add(path, watcher, kind);
  children_.Add(path, watcher, kind);
}

bool WatchManager::Remove(std::string_view path, ConnectionId watcher, WatcherType type) {
  const bool data = type != WatcherType::kChildren && data_.Remove(path, watcher);
  const bool children = type != WatcherType::kData && children_.Remove(path, watcher);
  return data || children;
}

bool WatchManager::Contains(std::string_view path, ConnectionId watcher, WatcherType type) const {
  return (type != WatcherType::kChildren && data_.Contains(path, watcher)) ||
         (type != WatcherType::kData && children_.Contains(path, watcher));
}

void WatchManager::RemoveAll(ConnectionId watcher) {
  data_.RemoveAll(watcher);
  children_.RemoveAll(watcher);
}

}  // namespace highwater::broker::zookeeper
