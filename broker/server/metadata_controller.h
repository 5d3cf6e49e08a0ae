#pragma once

// MetadataController: a broker's view of the controller where the controller is somewhere else in
// the cluster: what is known comes from the metadata cache [C114], and changes are refused with
// NOT_CONTROLLER.
//
// Not responsible for: asking the real controller.

#include <map>
#include <string>

#include "broker/controller/controller.h"
#include "broker/metadata/metadata_cache.h"

namespace highwater::broker {

class MetadataController : public Controller {
 public:
  // `metadata` outlives it.
  MetadataController(const MetadataCache& metadata, std::string cluster_id,
                     const TopicConfig& defaults)
      : metadata_(metadata), cluster_id_(std::move(cluster_id)), defaults_(defaults) {}

  [[nodiscard]] const std::string& cluster_id() const override { return cluster_id_; }
  [[nodiscard]] BrokerId controller_id() const override { return metadata_.controller(); }
  [[nodiscard]] std::vector<BrokerAddress> Brokers() const override;
  [[nodiscard]] std::vector<std::string> TopicNames() const override;
  [[nodiscard]] std::optional<TopicDescription> Describe(std::string_view topic) const override;
  [[nodiscard]] const TopicSettings* FindTopic(std::string_view topic) const override;
  [[nodiscard]] std::string NameOf(const protocol::Uuid& id) const override {
    return std::string(metadata_.NameOf(id));
  }
  [[nodiscard]] std::vector<TopicResult> CreateTopics(std::vector<NewTopic> topics, CreateMode mode,
                                                      core::MonotonicTime deadline) override;
  [[nodiscard]] std::vector<TopicResult> DeleteTopics(std::vector<std::string> names,
                                                      core::MonotonicTime deadline) override;

 private:
  const MetadataCache& metadata_;
  std::string cluster_id_;
  TopicConfig defaults_;
  mutable TopicSettings found_;  // of the last FindTopic
};

}  // namespace highwater::broker
