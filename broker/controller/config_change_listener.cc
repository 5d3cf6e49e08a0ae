#include "broker/controller/config_change_listener.h"

#include <optional>
#include <utility>
#include <vector>

#include "broker/zk/across_sessions.h"
#include "core/mark.h"
#include "core/status_macros.h"

namespace highwater::broker::controller {

namespace {

constexpr int64_t kPurgeAfterMs = 15 * 60 * 1000;

// The entity that a notification names: "topics/orders".
std::optional<std::pair<zk::ConfigKind, std::string>> ParseEntityPath(std::string_view path) {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto kind = zk::FindConfigKind(path.substr(0, slash));
  if (!kind) return std::nullopt;
  return std::pair(*kind, std::string(path.substr(slash + 1)));
}

}  // namespace

ConfigChangeListener::ConfigChangeListener(core::Environment& env, zk::KafkaZkClient& zk,
                                           OnChange on_change)
    : env_(env), zk_(zk), on_change_(std::move(on_change)) {}

ConfigChangeListener::~ConfigChangeListener() { Stop(); }

absl::Status ConfigChangeListener::Start() {
  zk_.client().RegisterZNodeChildChangeHandler(*this);
  zk_.client().RegisterSessionStateHandler(*this);
  started_ = true;
  HW_RETURN_IF_ERROR(zk::AcrossSessions(env_, [&] { return ReadAll(); }));
  env_.fibers.Spawn("config changes", [this, shared = shared_] {
    while (!shared->stopped) {
      if (!changed_) {
        shared->waiter.Wait(env_.fibers, "a config change", core::MonotonicTime::Never());
        continue;
      }
      Run();
    }
  });
  return absl::OkStatus();
}

void ConfigChangeListener::Stop() {
  if (!started_ || std::exchange(stopped_, true)) return;
  zk_.client().UnregisterZNodeChildChangeHandler(path());
  shared_->stopped = true;
  shared_->waiter.WakeAll();
}

void ConfigChangeListener::Wake() {
  changed_ = true;
  shared_->waiter.WakeAll();
}

void ConfigChangeListener::Run() {
  const std::shared_ptr<Shared> shared = shared_;
  changed_ = false;
  const bool reload = std::exchange(reload_, false);
  const absl::Status status = reload ? ReadAll() : ReadChanges();
  if (shared->stopped || status.ok()) return;
  // The session is over: the next one reads everything.
  HW_MARK("config_changes_not_read");
  reload_ = true;
}

absl::Status ConfigChangeListener::ReadAll() {
  // First the place in the list, with its watch, then the configs: what changes in between is seen
  // twice rather than never.
  HW_ASSIGN_OR_RETURN(const auto changes, zk_.GetConfigChanges(-1));
  if (!changes.empty()) last_seen_ = changes.back().sequence;
  for (const zk::ConfigKind kind : {zk::ConfigKind::kTopics, zk::ConfigKind::kBrokers}) {
    HW_ASSIGN_OR_RETURN(const auto all, zk_.GetConfigs(kind));
    std::vector<std::string> gone;
    for (const auto& [key, entries] : configs_) {
      if (key.first == kind && !all.contains(key.second)) gone.push_back(key.second);
    }
    for (const std::string& entity : gone) Set(kind, entity, {});
    for (const auto& [entity, entries] : all) Set(kind, entity, entries);
  }
  return absl::OkStatus();
}

absl::Status ConfigChangeListener::ReadChanges() {
  HW_ASSIGN_OR_RETURN(const auto changes, zk_.GetConfigChanges(-1));
  const int64_t now_ms = absl::ToUnixMillis(env_.clock.WallNow());
  std::vector<std::string> old;
  for (const auto& change : changes) {
    if (change.created_ms + kPurgeAfterMs < now_ms) old.push_back(change.name);
    if (change.sequence <= last_seen_) continue;
    if (const auto entity = ParseEntityPath(change.entity_path)) {
      HW_RETURN_IF_ERROR(Read(entity->first, entity->second));
    }
    last_seen_ = change.sequence;
  }
  return zk_.DeleteConfigChanges(old);
}

absl::Status ConfigChangeListener::Read(zk::ConfigKind kind, const std::string& entity) {
  HW_ASSIGN_OR_RETURN(auto entries, zk_.GetConfig(kind, entity));
  Set(kind, entity, std::move(entries));
  return absl::OkStatus();
}

void ConfigChangeListener::Set(zk::ConfigKind kind, const std::string& entity,
                               zk::ConfigEntries entries) {
  const std::pair key(kind, entity);
  const auto known = configs_.find(key);
  const bool same = known == configs_.end() ? entries.empty() : known->second == entries;
  if (same) return;
  if (entries.empty()) {
    configs_.erase(key);
  } else {
    configs_[key] = entries;
  }
  on_change_(kind, entity, entries);
}

const zk::ConfigEntries& ConfigChangeListener::Find(zk::ConfigKind kind,
                                                    const std::string& entity) const {
  static const zk::ConfigEntries none;
  const auto found = configs_.find({kind, entity});
  return found == configs_.end() ? none : found->second;
}

}  // namespace highwater::broker::controller
