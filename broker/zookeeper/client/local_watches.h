#pragma once

// LocalWatches: what a client waits to be told of. A server knows a watch only as long as its
// connection lives; the client remembers it until it fires and sets it again on the next connection
// [2.4, 4.4].
//
//   watches.Register(WatchKind::kData, "/controller");
//   for (SetWatchesRequest& request : watches.ToSetAgain(last_zxid, rules)) Send(request);
//   if (watches.Take(event)) Deliver(event);
//
// Invariants: 1. One-shot: an event takes out every watch that it answers. 2. Several registrations
// of one kind for one path are one. 3. Order is by path, never by chance.

#include <set>
#include <string>
#include <vector>

#include "broker/zookeeper/client/session_rules.h"
#include "broker/zookeeper/wire/records.h"

namespace highwater::broker::zookeeper {

class LocalWatches {
 public:
  // [2.4] About how many bytes of paths go into one setWatches.
  static constexpr size_t kBytesPerRequest = 128 << 10;

  void Register(WatchKind kind, std::string path);
  // Whether somebody waits for this event; nobody does afterwards.
  [[nodiscard]] bool Take(const WatcherEvent& event);
  // What sets all of them again on a new connection, for changes after `last_seen`; empty if there
  // are none.
  [[nodiscard]] std::vector<SetWatchesRequest> ToSetAgain(Zxid last_seen,
                                                          const SessionRules& rules) const;
  [[nodiscard]] size_t size() const { return data_.size() + exist_.size() + child_.size(); }

 private:
  using Paths = std::set<std::string, std::less<>>;

  Paths data_;   // nodes that were there
  Paths exist_;  // nodes that were not
  Paths child_;
};

}  // namespace highwater::broker::zookeeper
