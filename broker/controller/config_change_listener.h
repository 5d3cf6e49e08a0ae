#pragma once

// ConfigChangeListener: what a broker knows of the configs in ZooKeeper: of topics, and its own;
// kept fresh by the change notifications.
//
//   ConfigChangeListener configs(env, zk, broker_id, [&](ConfigKind kind, const std::string&
//   entity,
//       const zk::ConfigEntries& entries) { Apply(...); });
//   HW_RETURN_IF_ERROR(configs.Start());          // reads everything, calls back for each
//   configs.Find(ConfigKind::kTopics, "orders");
//
// Follows [Z13], [Z14]: notifications are numbered; those above the last one seen are read, in
// order; after a new session everything is read again. Each broker deletes those that are older
// than 15 minutes by its own clock.
//
// Not responsible for: what the settings mean.

#include <absl/functional/any_invocable.h>
#include <absl/status/status.h>

#include <map>
#include <memory>
#include <string>

#include "broker/zk/kafka_zk_client.h"
#include "broker/zookeeper/client/zookeeper_client.h"
#include "core/environment.h"
#include "core/wait_queue.h"

namespace highwater::broker::controller {

class ConfigChangeListener final : private zookeeper::ZNodeChildChangeHandler,
                                   private zookeeper::SessionStateHandler {
 public:
  // Entries are empty where a config was deleted. Must not wait.
  using OnChange =
      absl::AnyInvocable<void(zk::ConfigKind, const std::string&, const zk::ConfigEntries&)>;

  // All outlive it.
  ConfigChangeListener(core::Environment& env, zk::KafkaZkClient& zk, OnChange on_change);
  ~ConfigChangeListener() override;

  // REQUIRES: on a fiber, once.
  [[nodiscard]] absl::Status Start();
  void Stop();

  // Empty if there is none.
  [[nodiscard]] const zk::ConfigEntries& Find(zk::ConfigKind kind, const std::string& entity) const;

 private:
  [[nodiscard]] std::string_view path() const override { return zk::kConfigChangesPath; }
  void OnChildrenChanged() override { Wake(); }
  void AfterInitializingSession() override {
    reload_ = true;
    Wake();
  }
  void Wake();
  void Run();
  absl::Status ReadAll();
  absl::Status ReadChanges();
  absl::Status Read(zk::ConfigKind kind, const std::string& entity);
  void Set(zk::ConfigKind kind, const std::string& entity, zk::ConfigEntries entries);

  core::Environment& env_;
  zk::KafkaZkClient& zk_;
  OnChange on_change_;
  bool started_ = false;
  bool stopped_ = false;
  bool reload_ = false;
  bool changed_ = false;
  int64_t last_seen_ = -1;
  std::map<std::pair<zk::ConfigKind, std::string>, zk::ConfigEntries> configs_;
  // Shared with the fiber, which may outlive this object's stop.
  struct Shared {
    core::WaitQueue waiter;
    bool stopped = false;
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace highwater::broker::controller
