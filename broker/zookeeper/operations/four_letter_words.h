#pragma once

// The texts that answer four-letter words: what monitoring scripts read.
//
//   printf srvr | nc localhost 2181
//
// Follows ZooKeeper facts 6.1: the words, the white list, the lines and keys of Apache's server as
// far as this one knows them. Each text is a function of the server's statistics. Words of Apache's
// server that this one does not have (hash, dirs, gtmk, stmk, crst) say so.

#include <absl/container/btree_set.h>

#include <string>
#include <string_view>
#include <vector>

#include "broker/zookeeper/server/server_stats.h"
#include "broker/zookeeper/server/zookeeper_server.h"

namespace highwater::broker::zookeeper {

// What the first line says: the protocol's version, then whose server it is.
inline constexpr std::string_view kServerVersion = "3.8.4-highwater";

[[nodiscard]] std::string_view ServerModeName(ServerMode mode);

[[nodiscard]] std::string PrintSrvr(const ServerStats& stats);
[[nodiscard]] std::string PrintStat(const ServerStats& stats);
[[nodiscard]] std::string PrintMntr(const ServerStats& stats);
[[nodiscard]] std::string PrintCons(const ServerStats& stats);
[[nodiscard]] std::string PrintDump(const ServerStats& stats);
[[nodiscard]] std::string PrintWchs(const ServerStats& stats);
// By connection, and by path.
[[nodiscard]] std::string PrintWchc(const ServerStats& stats);
[[nodiscard]] std::string PrintWchp(const ServerStats& stats);

class OperatorsWords final : public FourLetterWords {
 public:
  // `allowed`: 4lw.commands.whitelist, "*" for every word. `conf`, `envi`: the lines of those.
  OperatorsWords(absl::btree_set<std::string> allowed, std::string conf, std::string envi)
      : allowed_(std::move(allowed)), conf_(std::move(conf)), envi_(std::move(envi)) {}

  [[nodiscard]] bool IsWord(std::string_view word) const override;
  [[nodiscard]] Answer AnswerTo(std::string_view word, const ServerStats& stats) override;

 private:
  const absl::btree_set<std::string> allowed_;
  const std::string conf_;
  const std::string envi_;
};

}  // namespace highwater::broker::zookeeper
