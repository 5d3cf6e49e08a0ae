#pragma once

// ZooKeeperServer: what clients see of a server, on the seam: connections, frames, ticks around the
// machines that decide. On its own, or in an ensemble, where a QuorumPeer (quorum/) says when it
// may serve and by whom its writes are decided.
//
//   HW_ASSIGN_OR_RETURN(Recovered found, Recover(env.files, dirs));       // log/
//   ZooKeeperServer server(env, config, std::move(found.tree), log, words);
//   HW_RETURN_IF_ERROR(server.Start());     // clients may connect and are served
//   server.WaitUntilStopped();
//   server.Stop();
//
//   ZooKeeperServer server(env, config, tree, words);                     // in an ensemble
//   server.BeginServing(upstream); ... server.EndServing();               // a term
//
// Follows ZooKeeper facts 1.1 (frames), 2.2 (silent connections), 2.5 (order of output), 6.1
// and 6.2 (four-letter words, limits). Not responsible for: what a request means
// (request_processor.h), what is decided (prep_request_processor.h), files (log/), the texts of
// four-letter words.
//
// Invariants:
//   1. An idle connection holds no fiber.
//   2. A machine's step and the queueing of its effects are one step: no wait is between them.
//   3. What a connection is sent leaves in the order in which it was said; a client that does not
//      read is not read from either, and holds up nobody but itself.
//   4. A write is answered after its upstream said that it is committed.
//   5. Clients are served from BeginServing to EndServing, which closes them all; in between
//   connections are closed at their first bytes, and four-letter words are answered [3.9].

#include <absl/status/status.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "broker/zookeeper/log/txn_log.h"
#include "broker/zookeeper/server/server_config.h"
#include "broker/zookeeper/server/server_stats.h"
#include "broker/zookeeper/server/upstream.h"
#include "core/environment.h"
#include "core/wait_group.h"

namespace highwater::broker::zookeeper {

// Answers four-letter words [6.1].
class FourLetterWords {
 public:
  virtual ~FourLetterWords() = default;
  // Whether these four bytes are a word, allowed or not: then they are not the length of a frame.
  [[nodiscard]] virtual bool IsWord(std::string_view word) const = 0;
  // The whole text; the connection is closed behind it. `reset`: the server's counters are to start
  // again from zero (srst).
  struct Answer {
    std::string text;
    bool reset = false;
  };
  [[nodiscard]] virtual Answer AnswerTo(std::string_view word, const ServerStats& stats) = 0;
};

// Of a server that knows none.
class NoFourLetterWords final : public FourLetterWords {
 public:
  [[nodiscard]] bool IsWord(std::string_view) const override { return false; }
  [[nodiscard]] Answer AnswerTo(std::string_view, const ServerStats&) override { return {}; }
};

class ZooKeeperServer {
 public:
  // On its own. `tree` is what was recovered. `env`, `log` and `words` outlive it.
  ZooKeeperServer(core::Environment& env, ServerConfig config, DataTree tree, TxnLog& log,
                  FourLetterWords& words);
  // In an ensemble. All outlive it; `tree` may change by others' hands while nobody is served.
  ZooKeeperServer(core::Environment& env, ServerConfig config, DataTree& tree,
                  FourLetterWords& words);
  // REQUIRES: Stop was called, or the process's fibers are unwound.
  ~ZooKeeperServer();
  ZooKeeperServer(const ZooKeeperServer&) = delete;
  ZooKeeperServer& operator=(const ZooKeeperServer&) = delete;

  // Listens, and on its own serves. REQUIRES: on a fiber.
  [[nodiscard]] absl::Status Start();
  // In an ensemble. `upstream` is used until EndServing.
  void BeginServing(Upstream& upstream);
  void EndServing();
  // For the upstream. Nothing may be said to it while nobody is served.
  [[nodiscard]] UpstreamListener& listener();
  // Waits until Stop is called (OK), or the log failed: the server can promise nothing any more and
  // serves nobody from then on. REQUIRES: on a fiber.
  [[nodiscard]] absl::Status WaitUntilStopped();
  // Closes the listener and the connections, waits for the server's fibers. What was appended to
  // the log is made durable by closing the log, afterwards. Sessions go on in the next incarnation.
  // REQUIRES: on a fiber.
  void Stop();

  // REQUIRES: Start said OK.
  [[nodiscard]] const core::Endpoint& local() const;
  [[nodiscard]] ServerStats Stats() const;
  [[nodiscard]] const DataTree& tree() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace highwater::broker::zookeeper
