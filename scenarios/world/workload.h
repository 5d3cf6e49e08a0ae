#pragma once

// The simulated clients: a producer and a consumer that behave as a scenario says and tell the
// Recorder what they did and were told. Each is a process of its own on a host of its own and
// speaks to the brokers through the product's client library.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/client/admin.h"
#include "broker/client/client_config.h"
#include "broker/client/client_rules.h"
#include "broker/client/producer_rules.h"
#include "core/environment.h"
#include "scenarios/scenario.h"
#include "scenarios/world/load_surges.h"
#include "scenarios/world/recorder.h"

namespace highwater::scenarios {

// What a producer's settings promise.
[[nodiscard]] invariants::ProducerPromises PromisesOf(const ClientSpec& spec);

// How many partitions each topic has, as far as an operator has been told. Changes when topics are
// created, grow or are deleted.
class TopicLayout {
 public:
  explicit TopicLayout(const Scenario& scenario);
  void Set(const std::string& topic, int32_t partitions) {
    partitions_[topic] = partitions;
    ++version_;
  }
  [[nodiscard]] int32_t PartitionsOf(std::string_view topic) const;
  // Of all `topics` that are known, in the order of the scenario.
  [[nodiscard]] std::vector<broker::TopicPartition> PartitionsOf(
      const std::vector<std::string>& topics) const;
  // Changes with each Set.
  [[nodiscard]] uint64_t version() const { return version_; }

 private:
  const Scenario& scenario_;
  std::map<std::string, int32_t, std::less<>> partitions_;
  uint64_t version_ = 0;
};

// The topics that an operator creates in the course of the run: they do not exist before.
[[nodiscard]] std::set<std::string> CreatedLater(const Scenario& scenario);
// How a topic of the scenario is created.
[[nodiscard]] broker::client::NewTopic NewTopicOf(const TopicSpec& topic);
// How the harness's own administrators are set.
struct WorkloadContext;
[[nodiscard]] broker::client::AdminConfig AdminConfigOf(const WorkloadContext& context,
                                                        std::string_view name);

// What the clients of one world share. Outlives them.
struct WorkloadContext {
  const Scenario& scenario;
  Recorder& recorder;
  TopicLayout layout;
  std::vector<core::Endpoint> bootstrap;
  LoadSurges& surges;
  // The phases, in time since the world began: load from `load_begin` to `load_end`.
  std::function<absl::Duration()> now;
  absl::Duration load_end;
  broker::client::ProducerRules producer_rules;
  broker::client::ClientRules consumer_rules;
  // Hardware: a new broker's machine is switched on, or a running one's process stopped for good.
  // The first returns its id; the second says whether it ran.
  std::function<broker::BrokerId()> add_broker;
  std::function<bool(broker::BrokerId)> retire_broker;
  // Set once every topic exists: clients begin then, as applications do that were deployed after
  // their topics.
  bool topics_created = false;
};

// Sends records at the client's rate until the load ends, then waits for the outcomes. Runs on the
// main fiber of its process.
void RunProducer(core::Environment& env, WorkloadContext& context, const NamedClient& client,
                 uint32_t producer);

// Reads its topics from the beginning, through every fault, until its process is ended.
void RunConsumer(core::Environment& env, const WorkloadContext& context, const NamedClient& client);

// Creates the scenario's topics, trying again until all exist or the load ends.
void CreateTopics(core::Environment& env, WorkloadContext& context);

}  // namespace highwater::scenarios
