// highwater-zookeeper: a ZooKeeper server on this machine. Serves real clients on a real socket; no
// simulator is linked in.

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "broker/zookeeper/log/transaction_log.h"
#include "broker/zookeeper/operations/four_letter_words.h"
#include "broker/zookeeper/operations/zoo_config.h"
#include "broker/zookeeper/server/zookeeper_server.h"
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

absl::Status ServeUntilStopped(highwater::core::Environment& env, const ZooConfig& config,
                               zookeeper::RecoveredDatabase database,
                               zookeeper::TransactionLog& log) {
  zookeeper::OperatorsWords words(config.allowed_words, config.PrintConf(),
                                  fmt::format("zookeeper.version={}\n", zookeeper::kServerVersion));
  zookeeper::ZooKeeperServer server(env, config.server, std::move(database.tree), log, words);
  HW_RETURN_IF_ERROR(server.Start());
  Log(fmt::format("listening on {}:{}", server.local().host, server.local().port));
  highwater::core::WaitQueue stop;
  bool wanted = false;
  env.process.OnStopRequested([&] {
    wanted = true;
    stop.WakeAll();
  });
  highwater::core::FiberHandle stopper = env.fibers.Spawn("stopper", [&] {
    while (!wanted) {
      const auto wake =
          stop.Wait(env.fibers, "a stop request", highwater::core::MonotonicTime::Never());
      if (wake == highwater::core::Wake::kCancelled) return;
    }
    server.Stop();
  });
  const absl::Status status = server.WaitUntilStopped();
  server.Stop();
  stopper.Cancel();
  while (!stopper.finished()) env.fibers.Yield();
  return status;
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
  auto database = zookeeper::RecoverDatabase(env, directories);
  if (!database.ok()) return Fail("cannot serve this data", database.status());
  for (const std::string& note : database->notes) Log(note);
  Log(fmt::format("{}zxid 0x{:x}: snapshot 0x{:x} and {} transactions behind it",
                  database->fresh ? "a new server, " : "", database->last_logged.value(),
                  database->snapshot.value(), database->replayed));
  zookeeper::TransactionLog log(
      env, directories,
      {.limits = {.transactions = config.snap_count, .bytes = config.snap_size_limit_bytes},
       .retain_snapshots = config.autopurge ? config.snap_retain_count : 0},
      *database);
  const absl::Status status = ServeUntilStopped(env, config, *std::move(database), log);
  log.Close();
  if (!status.ok()) return Fail("stopped", status);
  Log("stopped");
  return 0;
}

absl::StatusOr<ZooConfig> ReadConfig(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("{}: cannot be read", path));
  std::ostringstream text;
  text << file.rdbuf();
  HW_ASSIGN_OR_RETURN(ZooConfig config, ZooConfig::Parse(path, text.str()));
  if (!config.IsStandalone()) {
    return absl::UnimplementedError(
        fmt::format("{}: {} servers are named, but this program runs one server on its own so far",
                    path, config.servers.size()));
  }
  // Paths count from where the program was started.
  for (std::string* directory : {&config.data_dir, &config.data_log_dir}) {
    std::error_code error;
    *directory = std::filesystem::absolute(*directory, error).lexically_normal().string();
    if (error) {
      return absl::FailedPreconditionError(fmt::format("{}: {}", *directory, error.message()));
    }
    while (directory->size() > 1 && directory->back() == '/') directory->pop_back();
  }
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
