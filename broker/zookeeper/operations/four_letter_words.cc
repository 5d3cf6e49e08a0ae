#include "broker/zookeeper/operations/four_letter_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace highwater::broker::zookeeper {
namespace {

constexpr std::array<std::string_view, 18> kWords = {
    "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro",
    "mntr", "ruok", "srst", "srvr", "stat", "stmk", "wchc", "wchp", "wchs"};

// Total / count with up to four digits behind the point, one at least, as Java prints it.
std::string Average(const LatencyStats& latency) {
  if (latency.count == 0) return "0.0";
  const int64_t scaled = (latency.total_ms * 10'000 + latency.count / 2) / latency.count;
  std::string text = fmt::format("{}.{:04}", scaled / 10'000, scaled % 10'000);
  while (text.back() == '0' && text[text.size() - 2] != '.') text.pop_back();
  return text;
}

std::string VersionLine() {
  return fmt::format("Zookeeper version: {}, built on 1970-01-01 00:00 UTC\n", kServerVersion);
}

// What `srvr` and `stat` share. Apache's server counts the root twice [4.1].
std::string Counters(const ServerStats& stats) {
  return fmt::format(
      "Latency min/avg/max: {}/{}/{}\nReceived: {}\nSent: {}\nConnections: {}\n"
      "Outstanding: {}\nZxid: 0x{:x}\nMode: {}\nNode count: {}\n",
      stats.latency.min_ms, Average(stats.latency), stats.latency.max_ms, stats.packets_received,
      stats.packets_sent, stats.connections, stats.outstanding, stats.zxid.value(),
      ServerModeName(stats.mode), stats.tree->node_count() + 1);
}

std::string_view ShortName(OpCode op) {
  switch (op) {
    case OpCode::kCreate:
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
      return "CREA";
    case OpCode::kDelete:
    case OpCode::kDeleteContainer:
      return "DELE";
    case OpCode::kExists:
      return "EXIS";
    case OpCode::kGetData:
      return "GETD";
    case OpCode::kSetData:
      return "SETD";
    case OpCode::kGetAcl:
      return "GETA";
    case OpCode::kSetAcl:
      return "SETA";
    case OpCode::kGetChildren:
    case OpCode::kGetChildren2:
      return "GETC";
    case OpCode::kSync:
      return "SYNC";
    case OpCode::kPing:
      return "PING";
    case OpCode::kMulti:
      return "MULT";
    case OpCode::kMultiRead:
      return "MLTR";
    case OpCode::kSetWatches:
    case OpCode::kSetWatches2:
      return "SETW";
    case OpCode::kCreateSession:
      return "SESS";
    case OpCode::kCloseSession:
      return "CLOS";
    default:
      return "NA";
  }
}

std::string ShortLine(const ConnectionStats& client, std::string_view more) {
  return fmt::format(" /{}[1](queued={},recved={},sent={}{})\n", client.peer, client.outstanding,
                     client.received, client.sent, more);
}

using PathsOf = std::map<ConnectionId, absl::btree_set<std::string>>;
using WatchersOf = std::map<std::string, absl::btree_set<ConnectionId>>;

WatchersOf WatchersByPath(const ServerStats& stats) {
  WatchersOf all;
  for (const WatchTable* table : {&stats.watches->data(), &stats.watches->children()}) {
    for (const auto& [path, watchers] : table->by_path()) {
      for (const auto& [watcher, kinds] : watchers) all[path].insert(watcher);
    }
  }
  return all;
}

constexpr std::string_view kNotServing =
    "This ZooKeeper instance is not currently serving requests\n";

std::string Print(std::string_view word, const ServerStats& stats) {
  if (word == "srvr") return PrintSrvr(stats);
  if (word == "stat") return PrintStat(stats);
  if (word == "mntr") return PrintMntr(stats);
  if (word == "cons") return PrintCons(stats);
  if (word == "dump") return PrintDump(stats);
  if (word == "wchs") return PrintWchs(stats);
  if (word == "wchc") return PrintWchc(stats);
  if (word == "wchp") return PrintWchp(stats);
  if (word == "srst") return "Server stats reset.\n";
  return fmt::format("{} is not executed because this server does not have it.\n", word);
}

}  // namespace

std::string_view ServerModeName(ServerMode mode) {
  switch (mode) {
    case ServerMode::kNotServing:
      return "not serving";
    case ServerMode::kStandalone:
      return "standalone";
    case ServerMode::kLeader:
      return "leader";
    case ServerMode::kFollower:
      return "follower";
    case ServerMode::kObserver:
      return "observer";
  }
  return "";
}

std::string PrintSrvr(const ServerStats& stats) { return VersionLine() + Counters(stats); }

std::string PrintStat(const ServerStats& stats) {
  std::string text = VersionLine() + "Clients:\n";
  for (const ConnectionStats& client : stats.clients) text += ShortLine(client, "");
  return text + "\n" + Counters(stats);
}

std::string PrintMntr(const ServerStats& stats) {
  std::string text;
  const auto line = [&](std::string_view key, const auto& value) {
    text += fmt::format("zk_{}\t{}\n", key, value);
  };
  line("version", fmt::format("{}, built on 1970-01-01 00:00 UTC", kServerVersion));
  line("server_state", ServerModeName(stats.mode));
  line("avg_latency", Average(stats.latency));
  line("max_latency", stats.latency.max_ms);
  line("min_latency", stats.latency.min_ms);
  line("packets_received", stats.packets_received);
  line("packets_sent", stats.packets_sent);
  line("num_alive_connections", stats.connections);
  line("connection_rejected", stats.connections_refused);
  line("outstanding_requests", stats.outstanding);
  line("znode_count", stats.tree->node_count() + 1);
  line("watch_count", stats.watches->size());
  line("ephemerals_count", stats.tree->ephemeral_count());
  line("global_sessions", stats.tree->sessions().size());
  line("local_sessions", 0);
  line("approximate_data_size", stats.tree->approximate_data_size());
  line("uptime", absl::ToInt64Milliseconds(stats.uptime));
  return text;
}

std::string PrintCons(const ServerStats& stats) {
  std::string text;
  for (const ConnectionStats& client : stats.clients) {
    std::string more;
    if (client.session != kNoSession) {
      more = fmt::format(
          ",sid=0x{:x},lop={},est={},to={},lcxid=0x{:x},lzxid=0x{:x},minlat={},avglat={},maxlat={}",
          client.session.value(), ShortName(client.last_op), client.since_ms, client.timeout_ms,
          client.last_xid.value(), client.last_zxid.value(), client.latency.min_ms,
          client.latency.count == 0 ? 0 : client.latency.total_ms / client.latency.count,
          client.latency.max_ms);
    }
    text += ShortLine(client, more);
  }
  return text + "\n";
}

std::string PrintDump(const ServerStats& stats) {
  std::string text =
      fmt::format("SessionTracker dump:\nSessions ({}):\n", stats.tree->sessions().size());
  std::string ephemerals;
  size_t owners = 0;
  for (const auto& [session, timeout_ms] : stats.tree->sessions()) {
    text += fmt::format("0x{:x}\t{}ms\n", session.value(), timeout_ms);
    const auto& paths = stats.tree->EphemeralsOf(session);
    if (paths.empty()) continue;
    ++owners;
    ephemerals += fmt::format("0x{:x}:\n", session.value());
    for (const std::string& path : paths) ephemerals += fmt::format("\t{}\n", path);
  }
  text += fmt::format("ephemeral nodes dump:\nSessions with Ephemerals ({}):\n", owners);
  return text + ephemerals;
}

std::string PrintWchs(const ServerStats& stats) {
  absl::btree_set<ConnectionId> watchers;
  const WatchersOf all = WatchersByPath(stats);
  for (const auto& [path, of_path] : all) watchers.insert(of_path.begin(), of_path.end());
  return fmt::format("{} connections watching {} paths\nTotal watches:{}\n", watchers.size(),
                     all.size(), stats.watches->size());
}

std::string PrintWchc(const ServerStats& stats) {
  PathsOf paths;
  for (const auto& [path, watchers] : WatchersByPath(stats)) {
    for (const ConnectionId watcher : watchers) paths[watcher].insert(path);
  }
  std::string text;
  for (const auto& [watcher, of_watcher] : paths) {
    text += fmt::format("connection {}\n", watcher);
    for (const std::string& path : of_watcher) text += fmt::format("\t{}\n", path);
  }
  return text + "\n";
}

std::string PrintWchp(const ServerStats& stats) {
  std::string text;
  for (const auto& [path, watchers] : WatchersByPath(stats)) {
    text += path + "\n";
    for (const ConnectionId watcher : watchers) text += fmt::format("\tconnection {}\n", watcher);
  }
  return text + "\n";
}

bool OperatorsWords::IsWord(std::string_view word) const {
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

FourLetterWords::Answer OperatorsWords::AnswerTo(std::string_view word, const ServerStats& stats) {
  if (!allowed_.contains("*") && !allowed_.contains(std::string(word))) {
    return {.text = fmt::format("{} is not executed because it is not in the whitelist.\n", word)};
  }
  const bool serving = stats.mode != ServerMode::kNotServing;
  if (word == "ruok") return {.text = "imok"};
  if (word == "isro") return {.text = serving ? "rw" : "null"};
  if (word == "envi") return {.text = "Environment:\n" + envi_};
  if (!serving) return {.text = std::string(kNotServing)};
  if (word == "conf") return {.text = conf_};
  return {.text = Print(word, stats), .reset = word == "srst"};
}

}  // namespace highwater::broker::zookeeper
