#pragma once

// FakeCluster: brokers that answer clients by a script, on hosts of a simulated world: what the
// tests of broker/client talk to.
//
// They share one state, which outlives their processes. A script decides of each request what
// becomes of it; without one it is served as a broker without replicas would.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "broker/protocol/frame.h"
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
  // [N31] Where an epoch ended, for epochs before the present one.
  std::map<LeaderEpoch, Offset> epoch_ends;

  // The values of all records, by offset.
  [[nodiscard]] std::vector<std::string> Values() const;
  // Cuts the log; a new leader begins a new epoch.
  void Truncate(Offset to);
  void MoveTo(BrokerId new_leader);
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
  void StartAll();
  [[nodiscard]] int CountOf(ApiKey key) const;

  std::map<std::string, FakeTopic> topics;
  // Asked about each request but ApiVersions; its serial number among requests of its kind counts
  // from 0.
  std::function<Verdict(BrokerId, ApiKey, int serial)> script;
  int64_t max_batch_bytes = 1 << 30;
  int16_t highest_fetch_version = 13;
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
