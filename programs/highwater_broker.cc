// highwater-broker: a broker on this machine. Serves real clients on a real socket; no simulator is
// linked in.

#include <absl/time/clock.h>
#include <absl/time/time.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "broker/metrics/broker_metrics.h"
#include "broker/metrics/metrics_server.h"
#include "broker/observer.h"
#include "broker/observer_list.h"
#include "broker/server/broker.h"
#include "broker/server/broker_config.h"
#include "core/os/run.h"

namespace {

using highwater::broker::BrokerConfig;
using highwater::broker::BrokerId;
using highwater::broker::LeaderEpoch;
using highwater::broker::Offset;
using highwater::broker::TopicPartition;
using highwater::broker::metrics::BrokerMetrics;
using highwater::broker::metrics::MetricsServer;
using highwater::broker::metrics::OwnController;

constexpr int kFailed = 1;
constexpr int kBadUsage = 2;

// One line to stderr.
void Log(std::string_view message) {
  const std::string now =
      absl::FormatTime("%Y-%m-%d %H:%M:%E3S", absl::Now(), absl::LocalTimeZone());
  fmt::print(stderr, "{} {}\n", now, message);
}

// A line for each event that an operator would want to know of; none for each record.
class LogObserver final : public highwater::broker::Observer {
 public:
  void OnBrokerStarted(BrokerId id) override { Log(fmt::format("broker {} serves requests", id)); }
  void OnBrokerStopped(BrokerId id) override { Log(fmt::format("broker {} has stopped", id)); }
  void OnLogLoaded(BrokerId, const highwater::broker::LogLoadedEvent& event) override {
    // A new log says enough by getting a leader.
    if (event.log_end_offset == Offset(0) && event.truncated_bytes == 0) return;
    Log(fmt::format(
        "{}: log loaded after a{} stop, offsets {} to {}{}", event.partition,
        event.clean ? " clean" : "n unclean", event.log_start_offset, event.log_end_offset,
        event.truncated_bytes == 0 ? ""
                                   : fmt::format(", {} bytes cut off", event.truncated_bytes)));
  }
  void OnBecameLeader(BrokerId, const TopicPartition& partition, LeaderEpoch epoch,
                      Offset log_end) override {
    Log(fmt::format("{}: leader from offset {} in epoch {}", partition, log_end, epoch));
  }
  void OnBecameFollower(BrokerId, const TopicPartition& partition, LeaderEpoch epoch,
                        BrokerId leader, Offset log_end) override {
    Log(fmt::format("{}: follows broker {} from offset {} in epoch {}", partition, leader, log_end,
                    epoch));
  }
  void OnIsrChanged(BrokerId, const TopicPartition& partition, LeaderEpoch epoch,
                    highwater::broker::PartitionEpoch, absl::Span<const BrokerId> isr) override {
    Log(fmt::format("{}: [{}] in sync in epoch {}", partition, fmt::join(isr, ", "), epoch));
  }
  void OnBecameController(BrokerId id, highwater::broker::ControllerEpoch epoch) override {
    Log(fmt::format("broker {} is the controller in controller epoch {}", id, epoch));
  }
  void OnResignedAsController(BrokerId id) override {
    Log(fmt::format("broker {} is no longer the controller", id));
  }
  void OnTruncated(BrokerId, const TopicPartition& partition, Offset log_end) override {
    Log(fmt::format("{}: truncated to offset {}", partition, log_end));
  }
  void OnLogStartMoved(BrokerId, const TopicPartition& partition, Offset start) override {
    Log(fmt::format("{}: log starts at offset {} now", partition, start));
  }
  void OnTopicCreated(BrokerId, std::string_view topic, int32_t partitions) override {
    Log(fmt::format("topic {} created with {} partition{}", topic, partitions,
                    partitions == 1 ? "" : "s"));
  }
  void OnTopicDeleted(BrokerId, std::string_view topic) override {
    Log(fmt::format("topic {} deleted", topic));
  }
  void OnLogDirectoryFailed(BrokerId, std::string_view path, std::string_view error) override {
    Log(fmt::format("log directory {} is offline: {}", path, error));
  }
};

int RunBroker(highwater::core::Environment& env, const BrokerConfig& config,
              highwater::broker::Observer& observer) {
  highwater::broker::Broker broker(env, config, observer);
  if (absl::Status status = broker.Start(); !status.ok()) {
    Log(fmt::format("cannot start: {}", std::string(status.message())));
    return kFailed;
  }
  Log(fmt::format("listening on {}", broker.listening()));
  if (absl::Status status = broker.Run(); !status.ok()) {
    Log(fmt::format("did not stop cleanly: {}", std::string(status.message())));
    return kFailed;
  }
  return 0;
}

// Metrics are served from before the broker's start until after its stop: recovery can take long,
// and who is scraped meanwhile is up.
int Serve(highwater::core::Environment& env, const BrokerConfig& config) {
  LogObserver log;
  if (!config.metrics_listener.has_value()) return RunBroker(env, config, log);
  BrokerMetrics metrics(config.zookeeper_connect.empty() ? OwnController::kYes
                                                         : OwnController::kNo);
  MetricsServer server(env, [&] { return metrics.Render(); });
  if (absl::Status status = server.Start(*config.metrics_listener); !status.ok()) {
    Log(fmt::format("cannot start: highwater.metrics.listener: {}", std::string(status.message())));
    return kFailed;
  }
  Log(fmt::format("metrics at http://{}/metrics", server.local()));
  highwater::broker::ObserverList observers({&log, &metrics});
  const int code = RunBroker(env, config, observers);
  server.Stop();
  return code;
}

absl::StatusOr<BrokerConfig> ReadConfig(const std::string& path) {
  if (path.empty()) return BrokerConfig::FromMap({});
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("{}: cannot be read", path));
  std::ostringstream text;
  text << file.rdbuf();
  return BrokerConfig::FromProperties(path, text.str());
}

// Paths in log.dirs count from where the program was started.
absl::Status MakeAbsolute(BrokerConfig& config) {
  for (std::string& directory : config.log_dirs) {
    if (directory.front() == '/') continue;
    std::error_code error;
    directory = std::filesystem::absolute(directory, error).lexically_normal().string();
    if (error)
      return absl::FailedPreconditionError(fmt::format("{}: {}", directory, error.message()));
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A broker that speaks Kafka's protocol.", "highwater-broker"};
  std::string path;
  bool print = false;
  app.add_option("--config", path, "Settings: a .properties file with Kafka's names")
      ->type_name("FILE");
  app.add_flag("--print-config", print,
               "Print every setting with its value and what it is for, then exit");
  app.footer(
      "Exit: 0 stopped cleanly, 1 failed, 2 bad usage or settings.\n"
      "SIGTERM and SIGINT stop it cleanly; a second one at once.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  auto config = ReadConfig(path);
  if (config.ok()) {
    if (absl::Status status = MakeAbsolute(*config); !status.ok()) config = status;
  }
  if (!config.ok()) {
    fmt::print(stderr, "{}\n", std::string(config.status().message()));
    return kBadUsage;
  }
  if (print) {
    fmt::print("{}", highwater::broker::PrintConfig(*config));
    return 0;
  }
  if (path.empty()) {
    fmt::print(stderr, "--config FILE is required; --print-config shows what can be set\n");
    return kBadUsage;
  }
  return highwater::core::os::Run({.root_directory = "/"}, [&](highwater::core::Environment& env) {
    return Serve(env, *config);
  });
}
