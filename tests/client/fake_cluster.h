#pragma once

// FakeCluster: brokers that answer clients by a script, on hosts of a simulated world: what the
// tests of broker/client talk to.
//
// They share one state, which outlives their processes: leaders, epochs and logs change when a test
// says so. A script decides of each request what
// becomes of it; without one it is served as a broker without replicas would.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/client/client_rules.h"
#include "broker/protocol/frame.h"
#include "broker/protocol/metadata.h"
#include "broker/protocol/record_batch.h"
#include "broker/protocol/uuid.h"
#include "broker/storage/producer_state_manager.h"
#include "broker/types.h"
#include "core/environment.h"
#include "sim/host.h"
#include "sim/world.h"

namespace highwater::tests {

using broker::BrokerId;
using broker::LeaderEpoch;
using broker::Offset;
using broker::PartitionIndex;
using broker::TopicPartition;
using broker::protocol::ApiKey;
using broker::protocol::ErrorCode;

// What becomes of one request.
enum class Fate : uint8_t {
  kServed,
  kClosedBefore,  // the connection ends, nothing was done
  kClosedAfter,   // it was done, the connection ends instead of an answer
  kIgnored,       // nothing is done and nothing answered
  kSilent,        // it is done and nothing answered
  kRefused,       // answered with `error`, nothing was done
  kDoneRefused,   // answered with `error`, but it was done
};

struct Verdict {
  Fate fate = Fate::kServed;
  ErrorCode error = ErrorCode::NONE;
};

struct FakePartition {
  BrokerId leader{0};
  LeaderEpoch leader_epoch{0};
  Offset start;
  Offset end;
  std::vector<broker::protocol::RecordBatch> batches;
  broker::storage::ProducerStateManager producers;
  std::map<LeaderEpoch, Offset> epoch_starts = {{LeaderEpoch(0), Offset(0)}};
  // [P19] Who else holds it, up to where; and whom the leader names to clients that tell their
  // rack.
  std::map<BrokerId, Offset> followers;
  std::optional<BrokerId> preferred_read_replica;

  // The values of all records, by offset.
  [[nodiscard]] std::vector<std::string> Values() const;
  // [K5]
  [[nodiscard]] broker::client::EpochEnd EndOfEpoch(LeaderEpoch epoch) const;
  // A batch of the present epoch.
  void Append(const std::vector<std::string>& values);
  // Cuts the log at a batch; a new leader begins a new epoch.
  void Truncate(Offset to);
  void MoveTo(BrokerId new_leader);
  // Drops whole batches below `offset`, as retention does.
  void DeleteBefore(Offset offset);
};

// [P14] What a broker remembers of one fetch session.
struct FakeSession {
  struct Partition {
    std::string topic;  // as the request named it
    broker::protocol::Uuid topic_id;
    int32_t index = 0;
    Offset fetch_offset;
    int32_t leader_epoch = -1;
    int32_t max_bytes = 0;
    Offset sent_high_watermark = broker::kNoOffset;
  };
  int32_t epoch = 0;
  bool uses_ids = false;
  std::vector<Partition> partitions;
};

struct FakeTopic {
  broker::protocol::Uuid id;
  std::vector<FakePartition> partitions;
};

class FakeCluster {
 public:
  // Adds hosts broker-0, broker-1, …; not started.
  FakeCluster(sim::World& world, int brokers);

  void AddTopic(const std::string& name, int partitions);
  [[nodiscard]] FakePartition& partition(const std::string& topic, int index = 0) {
    return topics.at(topic).partitions.at(static_cast<size_t>(index));
  }
  [[nodiscard]] sim::Host& host(int broker) { return *hosts_.at(static_cast<size_t>(broker)); }
  [[nodiscard]] static std::string HostName(int broker);
  [[nodiscard]] int broker_count() const { return static_cast<int>(hosts_.size()); }
  void StartAll();
  // Forgets all fetch sessions.
  void EvictSessions() { sessions.clear(); }
  [[nodiscard]] int CountOf(ApiKey key) const;

  std::map<std::string, FakeTopic> topics;
  // Asked about each request but ApiVersions; its serial number among requests of its kind counts
  // from 0.
  std::function<Verdict(BrokerId, ApiKey, int serial)> script;
  int64_t max_batch_bytes = 1 << 30;
  int16_t highest_fetch_version = 13;
  BrokerId controller{0};
  // Left out of metadata.
  std::set<BrokerId> unregistered;
  // Changes what a broker says of the cluster.
  std::function<void(BrokerId, broker::protocol::MetadataResponse&)> edit_metadata;
  // By broker and session id; without `keeps_sessions` every session is refused.
  std::map<std::pair<BrokerId, int32_t>, std::shared_ptr<FakeSession>> sessions;
  bool keeps_sessions = true;
  int full_fetches = 0;
  int incremental_fetches = 0;
  std::map<BrokerId, int> fetches;
  // What the admin's calls have left: "set topic/orders a=1", ...
  std::vector<std::string> admin_log;
  int64_t next_producer_id = 1000;

 private:
  void Serve(core::Environment& env, BrokerId id);
  void ServeConnection(core::Environment& env, BrokerId id, core::Connection& connection);
  // False: the connection must end.
  bool Answer(core::Environment& env, BrokerId id, core::Connection& connection,
              const core::ByteChain& frame);

  std::vector<sim::Host*> hosts_;
  std::map<ApiKey, int> seen_;
};

}  // namespace highwater::tests
