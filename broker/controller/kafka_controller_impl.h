#pragma once

// The parts of KafkaController that only its own files need.

#include <string>
#include <utility>

#include "broker/controller/kafka_controller.h"

namespace highwater::broker::controller {

// What happens to a znode, as an event.
class KafkaController::PathHandler final : public zookeeper::ZNodeChangeHandler {
 public:
  // `callback` must not wait.
  PathHandler(std::string path, absl::AnyInvocable<void()> callback)
      : path_(std::move(path)), callback_(std::move(callback)) {}
  [[nodiscard]] std::string_view path() const override { return path_; }
  void OnCreated() override { callback_(); }
  void OnDeleted() override { callback_(); }
  void OnDataChanged() override { callback_(); }

 private:
  std::string path_;
  absl::AnyInvocable<void()> callback_;
};

class KafkaController::ChildHandler final : public zookeeper::ZNodeChildChangeHandler {
 public:
  ChildHandler(std::string path, absl::AnyInvocable<void()> callback)
      : path_(std::move(path)), callback_(std::move(callback)) {}
  [[nodiscard]] std::string_view path() const override { return path_; }
  void OnChildrenChanged() override { callback_(); }

 private:
  std::string path_;
  absl::AnyInvocable<void()> callback_;
};

}  // namespace highwater::broker::controller
