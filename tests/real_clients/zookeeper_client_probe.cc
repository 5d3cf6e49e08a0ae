// zookeeper_client_probe: our ZooKeeper client on this machine, driven line by line from a test.
//
//   zookeeper_client_probe CONNECT_STRING SESSION_TIMEOUT_MS MAX_IN_FLIGHT
//
// Prints "listening PORT", takes one connection there and answers each line with a line:
//   connect | create PATH DATA [ephemeral|sequential] | get PATH | exists PATH | set PATH DATA
//   VERSION | delete PATH VERSION | children PATH | multi CHECK_PATH VERSION SET_PATH DATA | watch
//   PATH | watch-children PATH | events | session | bench OP COUNT | close
// Its clock for figures is the environment's.

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "broker/zookeeper/client/session_client.h"
#include "core/os/run.h"

namespace highwater::tests {
namespace {

using namespace broker::zookeeper;  // NOLINT: the whole vocabulary

class Probe final : public SessionStateHandler {
 public:
  Probe(core::Environment& env, ZooKeeperClientOptions options)
      : env_(env), zk_(MakeZooKeeperClient(env, std::move(options))) {
    zk_->RegisterSessionStateHandler(*this);
  }
  void BeforeInitializingSession() override { events_.push_back("before"); }
  void AfterInitializingSession() override { events_.push_back("after"); }

  std::string Do(const std::string& line) {
    std::istringstream words(line);
    std::string verb, path, data, more;
    words >> verb >> path >> data >> more;
    if (verb == "connect") return zk_->Connect().ToString();
    if (verb == "session") return fmt::format("{}", zk_->session_id());
    if (verb == "events") return TakeEvents();
    if (verb == "close") return zk_->Close(absl::Seconds(10)), "closed";
    if (verb == "watch") return Watch(path);
    if (verb == "watch-children") return WatchChildren(path);
    if (verb == "bench") return Bench(path, std::stoi(data));
    if (verb == "multi") return Multi(path, std::stoi(data), more, words);
    if (verb == "delete") return Ask(DeleteRequest{.path = path, .version = std::stoi(data)});
    if (verb == "exists") return Ask(ExistsRequest{.path = path});
    if (verb == "get") return Ask(GetDataRequest{.path = path});
    if (verb == "children") return Ask(GetChildren2Request{.path = path});
    if (verb == "create") return Ask(Create(path, data, more));
    if (verb == "set") {
      return Ask(SetDataRequest{
          .path = path, .data = core::Bytes::Copy(data), .version = std::stoi(more)});
    }
    return "unknown verb";
  }

 private:
  class Watcher final : public ZNodeChangeHandler, public ZNodeChildChangeHandler {
   public:
    Watcher(std::string path, std::vector<std::string>& events)
        : path_(std::move(path)), events_(events) {}
    std::string_view path() const override { return path_; }
    void OnCreated() override { events_.push_back("created:" + path_); }
    void OnDeleted() override { events_.push_back("deleted:" + path_); }
    void OnDataChanged() override { events_.push_back("data:" + path_); }
    void OnChildrenChanged() override { events_.push_back("children:" + path_); }

   private:
    std::string path_;
    std::vector<std::string>& events_;
  };

  static CreateRequest Create(const std::string& path, const std::string& data,
                              const std::string& how) {
    CreateRequest request{.path = path, .data = core::Bytes::Copy(data), .acl = OpenAcl()};
    if (how == "ephemeral") request.mode = CreateMode::kEphemeral;
    if (how == "sequential") request.mode = CreateMode::kPersistentSequential;
    return request;
  }
  Watcher& NewWatcher(const std::string& path) {
    watchers_.push_back(std::make_unique<Watcher>(path, events_));
    return *watchers_.back();
  }
  std::string Watch(const std::string& path) {
    zk_->RegisterZNodeChangeHandler(NewWatcher(path));
    return Ask(ExistsRequest{.path = path});
  }
  std::string WatchChildren(const std::string& path) {
    zk_->RegisterZNodeChildChangeHandler(NewWatcher(path));
    return Ask(GetChildren2Request{.path = path});
  }
  std::string TakeEvents() {
    const std::string all = fmt::format("{}", fmt::join(events_, " "));
    events_.clear();
    return all;
  }
  std::string Multi(const std::string& check, int version, const std::string& set,
                    std::istringstream& words) {
    std::string data;
    words >> data;
    MultiRequest multi;
    multi.ops = {CheckRequest{.path = check, .version = version},
                 SetDataRequest{.path = set, .data = core::Bytes::Copy(data)}};
    return Ask(multi);
  }
  std::string Ask(Request request) {
    return Describe(zk_->RetryUntilConnected({std::move(request)})[0]);
  }
  static std::string Describe(const Response& response) {
    std::string text = ErrorCodeName(response.error);
    if (const auto* path = std::get_if<PathResponse>(&response.body)) text += " " + path->path;
    if (const auto* stat = std::get_if<StatResponse>(&response.body)) {
      text += fmt::format(" version {} owner {}", stat->stat.version, stat->stat.ephemeral_owner);
    }
    if (const auto* data = std::get_if<GetDataResponse>(&response.body)) {
      text += fmt::format(" {} version {}", data->data.has_value() ? data->data->view() : "null",
                          data->stat.version);
    }
    if (const auto* children = std::get_if<GetChildren2Response>(&response.body)) {
      std::vector<std::string> names = children->children;
      std::sort(names.begin(), names.end());
      text += fmt::format(" [{}]", fmt::join(names, " "));
    }
    return text;
  }
  // Requests pipelined as far as max_in_flight allows; answered and seconds.
  std::string Bench(const std::string& op, int count) {
    const Request request =
        op == "get" ? Request(GetDataRequest{.path = "/bench"})
                    : Request(SetDataRequest{.path = "/bench",
                                             .data = core::Bytes::Copy(std::string(100, 'x'))});
    const core::MonotonicTime before = env_.clock.Now();
    const auto got = zk_->HandleRequests(std::vector<Request>(static_cast<size_t>(count), request));
    const absl::Duration took = env_.clock.Now() - before;
    const auto ok = std::count_if(got.begin(), got.end(), [](const auto& r) { return r.ok(); });
    return fmt::format("{} {}", ok, absl::ToDoubleSeconds(took));
  }

  core::Environment& env_;
  std::unique_ptr<ZooKeeperClient> zk_;
  std::vector<std::string> events_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

int Serve(core::Environment& env, ZooKeeperClientOptions options) {
  auto listener = env.network.Listen({.host = "127.0.0.1", .port = 0});
  if (!listener.ok()) return 1;
  fmt::print("listening {}\n", (*listener)->local().port);
  std::fflush(stdout);
  auto connection = (*listener)->Accept(core::MonotonicTime::Never());
  if (!connection.ok()) return 1;
  Probe probe(env, std::move(options));
  std::string input;
  while (true) {
    const size_t end = input.find('\n');
    if (end == std::string::npos) {
      auto bytes = (*connection)->Read(64 << 10, core::MonotonicTime::Never());
      if (!bytes.ok() || bytes->empty()) return 0;
      input += bytes->ToString();
      continue;
    }
    const std::string answer = probe.Do(input.substr(0, end)) + "\n";
    input.erase(0, end + 1);
    if (!(*connection)->Write(core::Bytes::Copy(answer), core::MonotonicTime::Never()).ok()) {
      return 0;
    }
  }
}

}  // namespace
}  // namespace highwater::tests

int main(int argc, char** argv) {
  using namespace highwater;
  if (argc != 4) return 2;
  auto where = broker::zookeeper::ParseConnectString(argv[1]);
  if (!where.ok()) {
    fmt::print(stderr, "{}\n", std::string(where.status().message()));
    return 2;
  }
  const broker::zookeeper::ZooKeeperClientOptions options{
      .servers = where->servers,
      .chroot = where->chroot,
      .session_timeout = absl::Milliseconds(std::atoi(argv[2])),
      .max_in_flight = std::atoi(argv[3])};
  return core::os::Run({.root_directory = "/"},
                       [&](core::Environment& env) { return tests::Serve(env, options); });
}
