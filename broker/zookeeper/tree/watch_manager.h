#pragma once

// WatchManager: which connections want to know of which paths, and what an event tells to whom.
//
//   watches.data().Add("/a", connection, WatchTable::Kind::kOneShot);
//   for (ConnectionId watcher : watches.Trigger(event)) Send(watcher, event);
//
// Watches live on the connections of one server [4.4]; nothing of this is replicated.
// Follows ZooKeeper facts 4.4, 4.5. A one-shot watch beside a persistent one of the same connection
// leaves the persistent one alone, as from 3.9 on (3.8 turned it into a one-shot). Not responsible
// for: whether a watcher may READ the node (its server asks), catching up (server/).
//
// Invariants:
//   1. An event gives at most one notification a connection.
//   2. Notifications of one event are in the order of connection ids.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "broker/zookeeper/tree/data_tree.h"
#include "broker/zookeeper/wire/records.h"

namespace highwater::broker::zookeeper {

// A client's connection to this server; given in order of arrival.
using ConnectionId = core::StrongInt<struct ConnectionIdTag, uint64_t>;

// The watches of one kind: of nodes' data and existence, or of their children.
class WatchTable {
 public:
  enum class Kind : uint8_t { kOneShot = 1, kPersistent = 2, kPersistentRecursive = 4 };

  void Add(std::string_view path, ConnectionId watcher, Kind kind);
  // Of whatever kind; false if there was none.
  bool Remove(std::string_view path, ConnectionId watcher);
  void RemoveAll(ConnectionId watcher);
  [[nodiscard]] bool Contains(std::string_view path, ConnectionId watcher) const;
  // Adds to `watchers` those who want to know; takes one-shot watches of `path` away.
  void Collect(const TreeEvent& event, absl::btree_set<ConnectionId>& watchers);

  // Watches, a connection and path counted once.
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t path_count() const { return by_path_.size(); }
  // For statistics: who watches what.
  using ByPath = std::map<std::string, absl::btree_map<ConnectionId, uint8_t>, std::less<>>;
  [[nodiscard]] const ByPath& by_path() const { return by_path_; }

 private:
  void Forget(std::string_view path, ConnectionId watcher, uint8_t kinds);
  void CollectAt(std::string_view path, bool above, const TreeEvent& event,
                 absl::btree_set<ConnectionId>& watchers);

  ByPath by_path_;
  std::map<ConnectionId, absl::btree_set<std::string>> by_watcher_;
  size_t size_ = 0;
  size_t recursive_ = 0;  // watches: without any, ancestors need no look
};

class WatchManager {
 public:
  // [4.4] Who is told of `event`, in order.
  [[nodiscard]] std::vector<ConnectionId> Trigger(const TreeEvent& event);

  // [4.5] Both tables.
  void AddPersistent(std::string_view path, ConnectionId watcher, AddWatchMode mode);
  // False if there was none of this type.
  bool Remove(std::string_view path, ConnectionId watcher, WatcherType type);
  [[nodiscard]] bool Contains(std::string_view path, ConnectionId watcher, WatcherType type) const;
  void RemoveAll(ConnectionId watcher);

  [[nodiscard]] WatchTable& data() { return data_; }
  [[nodiscard]] WatchTable& children() { return children_; }
  [[nodiscard]] const WatchTable& data() const { return data_; }
  [[nodiscard]] const WatchTable& children() const { return children_; }
  [[nodiscard]] size_t size() const { return data_.size() + children_.size(); }

 private:
  WatchTable data_;
  WatchTable children_;
};

}  // namespace highwater::broker::zookeeper
