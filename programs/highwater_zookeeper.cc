// highwater-zookeeper: a ZooKeeper server on this machine, on its own or as one of an ensemble.
// Serves real clients on a real socket; no simulator is linked in.

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "broker/zookeeper/operations/four_letter_words.h"
#include "broker/zookeeper/operations/zoo_config.h"
#include "broker/zookeeper/zookeeper_node.h"
#include "core/os/run.h"
#include "core/status_macros.h"

namespace {

namespace zookeeper = highwater::broker::zookeeper;
using zookeeper::ZooConfig;

constexpr int kFailed = 1;
constexpr int kBadUsage = 2;

// One line to stderr.
void Log(std::string_view message) {
  const std::string now =
      absl::FormatTime("%Y-%m-%d %H:%M:%E3S", absl::Now(), absl::LocalTimeZone());
  fmt::print(stderr, "{} {}\n", now, message);
}

int Fail(std::string_view what, const absl::Status& status) {
  Log(fmt::format("{}: {}", what, std::string(status.message())));
  return kFailed;
}

// Tells of the server's place in its ensemble.
class Reporter final : public highwater::broker::ZooKeeperObserver {
 public:
  void OnZooKeeperRecovered(int64_t, int64_t last_zxid) override {
    Log(fmt::format("the history ends at zxid 0x{:x}", last_zxid));
  }
  void OnZooKeeperLooking(int64_t) override { Log("LOOKING"); }
  void OnZooKeeperLeading(int64_t, int64_t epoch) override {
    Log(fmt::format("LEADING in epoch {}", epoch));
  }
  void OnZooKeeperFollowing(int64_t, int64_t epoch) override {
    Log(fmt::format("FOLLOWING in epoch {}", epoch));
  }
  void OnZooKeeperTruncated(int64_t, int64_t zxid) override {
    Log(fmt::format("the log was cut back to zxid 0x{:x}", zxid));
  }
  void OnZooKeeperInstalled(int64_t, int64_t zxid) override {
    Log(fmt::format("the leader's snapshot at zxid 0x{:x} was taken", zxid));
  }
};

// [ZK 3.2, ZK 6.2] The ensemble of the server.N lines.
zookeeper::QuorumConfig QuorumOf(const ZooConfig& config) {
  zookeeper::QuorumConfig quorum;
  for (const auto& [id, server] : config.servers) {
    quorum.servers[id] = {.peer = server.peer, .election = server.election};
  }
  quorum.timing = {.tick = absl::Milliseconds(config.server.tick_time_ms),
                   .init_limit = config.init_limit,
                   .sync_limit = config.sync_limit};
  return quorum;
}

int Serve(highwater::core::Environment& env, const ZooConfig& config) {
  const auto directories = zookeeper::DataDirectories::For(config.data_dir, config.data_log_dir);
  if (const absl::Status status = zookeeper::CreateDataDirectories(env.files, directories);
      !status.ok()) {
    return Fail("cannot make the data directories", status);
  }
  const auto lock = env.files.Lock(config.data_dir + "/.lock");
  if (!lock.ok()) {
    return Fail(fmt::format("cannot lock {} (does another server use it?)", config.data_dir),
                lock.status());
  }
  zookeeper::OperatorsWords words(config.allowed_words, config.PrintConf(),
                                  fmt::format("zookeeper.version={}\n", zookeeper::kServerVersion));
  Reporter reporter;
  zookeeper::ZooKeeperNodeOptions options{
      .server = config.server,
      .data_dir = config.data_dir,
      .data_log_dir = config.data_log_dir,
      .log = {.limits = {.transactions = config.snap_count, .bytes = config.snap_size_limit_bytes},
              .retain_snapshots = config.autopurge ? config.snap_retain_count : 0}};
  if (!config.IsStandalone()) options.quorum = QuorumOf(config);
  zookeeper::ZooKeeperNode node(env, std::move(options), words, reporter);
  if (const absl::Status status = node.Start(); !status.ok()) {
    return Fail("cannot serve", status);
  }
  for (const std::string& note : node.notes()) Log(note);
  Log(fmt::format("listening on {}:{}, zxid 0x{:x}", node.server().local().host,
                  node.server().local().port, node.server().tree().last_processed_zxid().value()));
  if (const absl::Status status = node.Run(); !status.ok()) return Fail("stopped", status);
  Log("stopped");
  return 0;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("{}: cannot be read", path));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// [ZK 3.2] Who of the server.N lines this is, says the file `myid`.
absl::Status ReadMyId(ZooConfig& config) {
  const std::string path = config.data_dir + "/myid";
  HW_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  HW_ASSIGN_OR_RETURN(config.server.server_id, zookeeper::ParseMyId(path, text));
  if (!config.servers.contains(config.server.server_id)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: there is no server.{} in the settings", path, config.server.server_id));
  }
  for (const auto& [id, server] : config.servers) {
    if (server.observer) {
      return absl::UnimplementedError(
          fmt::format("server.{} is an observer; this program knows voters only", id));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ZooConfig> ReadConfig(const std::string& path) {
  HW_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  HW_ASSIGN_OR_RETURN(ZooConfig config, ZooConfig::Parse(path, text));
  // Paths count from where the program was started.
  for (std::string* directory : {&config.data_dir, &config.data_log_dir}) {
    std::error_code error;
    *directory = std::filesystem::absolute(*directory, error).lexically_normal().string();
    if (error) {
      return absl::FailedPreconditionError(fmt::format("{}: {}", *directory, error.message()));
    }
    while (directory->size() > 1 && directory->back() == '/') directory->pop_back();
  }
  if (!config.IsStandalone()) HW_RETURN_IF_ERROR(ReadMyId(config));
  return config;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A server that speaks ZooKeeper's client protocol and keeps its files.",
               "highwater-zookeeper"};
  std::string path;
  app.add_option("ZOO_CFG", path, "Settings: a file with ZooKeeper's names, as zoo.cfg")
      ->required();
  app.set_version_flag("--version",
                       fmt::format("highwater-zookeeper {}", zookeeper::kServerVersion));
  app.footer(
      "Exit: 0 stopped cleanly, 1 failed, 2 bad usage or settings.\n"
      "SIGTERM and SIGINT stop it cleanly; a second one at once.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  const absl::StatusOr<ZooConfig> config = ReadConfig(path);
  if (!config.ok()) {
    fmt::print(stderr, "{}\n", std::string(config.status().message()));
    return kBadUsage;
  }
  for (const std::string& warning : config->warnings) Log(warning);
  return highwater::core::os::Run({.root_directory = "/"}, [&](highwater::core::Environment& env) {
    return Serve(env, *config);
  });
}
