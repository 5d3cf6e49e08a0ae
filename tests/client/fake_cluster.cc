#include "tests/client/fake_cluster.h"

#include <algorithm>

#include "broker/protocol/api_versions.h"
#include "broker/protocol/create_topics.h"
#include "broker/protocol/delete_topics.h"
#include "broker/protocol/init_producer_id.h"
#include "broker/protocol/list_offsets.h"
#include "broker/protocol/message.h"
#include "broker/protocol/metadata.h"
#include "broker/protocol/offset_for_leader_epoch.h"
#include "broker/protocol/produce.h"
#include "broker/protocol/record.h"
#include "broker/protocol/record_batch_builder.h"
#include "sim/network/simulated_network.h"
#include "tests/client/fake_exchange.h"

namespace highwater::tests {

namespace protocol = broker::protocol;
namespace {

constexpr uint16_t kPort = 9092;

core::Payload Metadata(const Exchange& x) {
  const auto request = x.Decode<protocol::MetadataRequest>();
  protocol::MetadataResponse response;
  response.controller_id = x.cluster.controller.value();
  response.cluster_id = "fake";
  for (int b = 0; b < x.cluster.broker_count(); ++b) {
    if (x.cluster.unregistered.contains(BrokerId(b))) continue;
    response.brokers.push_back({.node_id = b, .host = FakeCluster::HostName(b), .port = kPort});
  }
  std::vector<std::string> names;
  if (request.topics.has_value()) {
    for (const auto& topic : *request.topics) names.push_back(topic.name.value_or(""));
  } else {
    for (const auto& [name, topic] : x.cluster.topics) names.push_back(name);
  }
  for (const std::string& name : names) {
    auto& out = response.topics.emplace_back();
    out.name = name;
    const auto found = x.cluster.topics.find(name);
    if (found == x.cluster.topics.end()) {
      out.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
      continue;
    }
    out.topic_id = found->second.id;
    int32_t index = 0;
    for (const FakePartition& p : found->second.partitions) {
      out.partitions.push_back({.partition_index = index++,
                                .leader_id = p.leader.value(),
                                .leader_epoch = p.leader_epoch.value(),
                                .replica_nodes = {0, 1},
                                .isr_nodes = {0, 1}});
    }
  }
  if (x.cluster.edit_metadata) x.cluster.edit_metadata(x.self, response);
  return x.Encode(response);
}

ErrorCode Append(const Exchange& x, FakePartition& partition, const protocol::Records& records,
                 int64_t& base_offset) {
  const auto batch = protocol::RecordBatch::Parse(records.bytes());
  if (!batch.ok() || !batch->Validate().ok()) return ErrorCode::CORRUPT_MESSAGE;
  if (static_cast<int64_t>(batch->size()) > x.cluster.max_batch_bytes)
    return ErrorCode::MESSAGE_TOO_LARGE;
  base_offset = partition.end.value();
  auto appended = broker::storage::ProducerAppend::Of(batch->header());
  if (batch->header().has_producer_id()) {
    const auto verdict = partition.producers.Check(appended);
    if (verdict.error != ErrorCode::NONE) return verdict.error;
    if (verdict.duplicate) {
      base_offset = verdict.duplicate->first_offset().value();
      return ErrorCode::NONE;
    }
    appended.first_offset = partition.end;
    appended.last_offset = partition.end + batch->header().last_offset_delta;
    partition.producers.Apply(appended);
  }
  partition.batches.push_back(batch->WithOffset(partition.end, partition.leader_epoch));
  partition.end = partition.batches.back().header().next_offset();
  return ErrorCode::NONE;
}

core::Payload Produce(const Exchange& x, bool& must_close) {
  const auto request = x.Decode<protocol::ProduceRequest>();
  protocol::ProduceResponse response;
  for (const auto& topic : request.topic_data) {
    auto& out = response.responses.emplace_back();
    out.name = topic.name;
    for (const auto& data : topic.partition_data) {
      auto& answer = out.partition_responses.emplace_back();
      answer.index = data.index;
      answer.base_offset = -1;
      FakePartition* partition = x.Led(topic.name, data.index, answer.error_code);
      if (partition != nullptr && x.Does()) {
        answer.error_code = Append(x, *partition, data.records, answer.base_offset);
      }
      if (x.verdict.error != ErrorCode::NONE) answer.error_code = x.verdict.error;
      if (answer.error_code != ErrorCode::NONE) must_close = request.acks == 0;
    }
  }
  return x.Encode(response);
}

core::Payload ListOffsets(const Exchange& x) {
  const auto request = x.Decode<protocol::ListOffsetsRequest>();
  protocol::ListOffsetsResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& asked : topic.partitions) {
      auto& answer = out.partitions.emplace_back();
      answer.partition_index = asked.partition_index;
      const FakePartition* p =
          x.Led(topic.name, asked.partition_index, answer.error_code, asked.current_leader_epoch);
      if (x.verdict.error != ErrorCode::NONE) answer.error_code = x.verdict.error;
      if (answer.error_code != ErrorCode::NONE) continue;
      // [P17] With the epoch of what is there: of the first record, or of the latest entry.
      answer.leader_epoch = p->leader_epoch.value();
      if (asked.timestamp == -2 && !p->batches.empty()) {
        answer.leader_epoch = p->batches.front().header().partition_leader_epoch.value();
      }
      if (asked.timestamp == -1) answer.offset = p->end.value();
      if (asked.timestamp == -2) answer.offset = p->start.value();
      if (asked.timestamp < 0) continue;
      for (const auto& batch : p->batches) {
        if (batch.header().max_timestamp_ms < asked.timestamp) continue;
        answer.offset = batch.header().base_offset.value();
        answer.timestamp = batch.header().base_timestamp_ms;
        break;
      }
    }
  }
  return x.Encode(response);
}

core::Payload OffsetForLeaderEpoch(const Exchange& x) {
  const auto request = x.Decode<protocol::OffsetForLeaderEpochRequest>();
  protocol::OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.topic = topic.topic;
    for (const auto& asked : topic.partitions) {
      auto& answer = out.partitions.emplace_back();
      answer.partition = asked.partition;
      const FakePartition* p =
          x.Led(topic.topic, asked.partition, answer.error_code, asked.current_leader_epoch);
      if (x.verdict.error != ErrorCode::NONE) answer.error_code = x.verdict.error;
      if (answer.error_code != ErrorCode::NONE) continue;
      const auto end = p->EndOfEpoch(LeaderEpoch(asked.leader_epoch));
      answer.leader_epoch = end.epoch.value();
      answer.end_offset = end.end_offset.value();
    }
  }
  return x.Encode(response);
}

core::Payload CreateTopics(const Exchange& x) {
  const auto request = x.Decode<protocol::CreateTopicsRequest>();
  protocol::CreateTopicsResponse response;
  for (const auto& topic : request.topics) {
    auto& answer = response.topics.emplace_back();
    answer.name = topic.name;
    answer.error_code = x.verdict.error;
    if (answer.error_code != ErrorCode::NONE) continue;
    if (x.self != x.cluster.controller) {
      answer.error_code = ErrorCode::NOT_CONTROLLER;
    } else if (x.cluster.topics.contains(topic.name)) {
      answer.error_code = ErrorCode::TOPIC_ALREADY_EXISTS;
    } else {
      x.cluster.AddTopic(topic.name, std::max(1, topic.num_partitions));
    }
  }
  return x.Encode(response);
}

core::Payload InitProducerId(const Exchange& x) {
  protocol::InitProducerIdResponse response;
  response.error_code = x.verdict.error;
  if (response.error_code == ErrorCode::NONE) response.producer_id = x.cluster.next_producer_id++;
  return x.Encode(response);
}

core::Payload DeleteTopics(const Exchange& x) {
  const auto request = x.Decode<protocol::DeleteTopicsRequest>();
  protocol::DeleteTopicsResponse response;
  for (const auto& topic : request.topics) {
    auto& answer = response.responses.emplace_back();
    answer.name = topic.name;
    if (x.self != x.cluster.controller) {
      answer.error_code = ErrorCode::NOT_CONTROLLER;
      continue;
    }
    if (x.cluster.topics.erase(topic.name.value_or("")) == 0) {
      answer.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    }
  }
  return x.Encode(response);
}

}  // namespace

std::vector<std::string> FakePartition::Values() const {
  std::vector<std::string> values;
  for (const auto& batch : batches) {
    auto reader = protocol::RecordReader::Open(batch);
    HW_CHECK(reader.ok());
    while (const auto* record = reader->Next()) values.emplace_back(*record->value);
  }
  return values;
}

void FakePartition::Truncate(Offset to) {
  while (!batches.empty() && batches.back().header().next_offset() > to) batches.pop_back();
  end = batches.empty() ? start : batches.back().header().next_offset();
  std::erase_if(epoch_starts, [this](const auto& entry) { return entry.second >= end; });
  for (auto& [broker, held] : followers) held = std::min(held, end);
  producers.Clear();
  for (const auto& batch : batches) {
    if (!batch.header().has_producer_id()) continue;
    producers.Apply(broker::storage::ProducerAppend::Of(batch.header()));
  }
}

void FakePartition::MoveTo(BrokerId new_leader) {
  leader = new_leader;
  ++leader_epoch;
  epoch_starts[leader_epoch] = end;
}

void FakePartition::Append(const std::vector<std::string>& values) {
  broker::protocol::RecordBatchBuilder builder(
      {.base_offset = end, .partition_leader_epoch = leader_epoch});
  for (const std::string& value : values) builder.Append(1, std::nullopt, value);
  auto batch = std::move(builder).Build();
  HW_CHECK(batch.ok());
  batches.push_back(*std::move(batch));
  end = batches.back().header().next_offset();
}

void FakePartition::DeleteBefore(Offset offset) {
  while (!batches.empty() && batches.front().header().next_offset() <= offset) {
    batches.erase(batches.begin());
  }
  start = batches.empty() ? end : batches.front().header().base_offset;
  // The epoch in which the log now begins is the first that is known.
  while (epoch_starts.size() > 1 && std::next(epoch_starts.begin())->second <= start) {
    epoch_starts.erase(epoch_starts.begin());
  }
  if (!epoch_starts.empty()) {
    Offset& first = epoch_starts.begin()->second;
    first = std::max(first, start);
  }
}

broker::client::EpochEnd FakePartition::EndOfEpoch(LeaderEpoch epoch) const {
  if (epoch_starts.empty() || epoch > epoch_starts.rbegin()->first) return {};
  const auto next = epoch_starts.upper_bound(epoch);
  if (next == epoch_starts.end()) return {epoch_starts.rbegin()->first, end};
  if (next == epoch_starts.begin()) return {epoch, next->second};
  return {std::prev(next)->first, next->second};
}

FakeCluster::FakeCluster(sim::World& world, int brokers) {
  for (int b = 0; b < brokers; ++b) {
    hosts_.push_back(
        &world.AddHost({.name = HostName(b), .zone = world.network().AddZone("az-a")}));
    hosts_.back()->SetMain([this, b](core::Environment& env) { Serve(env, BrokerId(b)); });
  }
}

std::string FakeCluster::HostName(int broker) { return "broker-" + std::to_string(broker); }

void FakeCluster::AddTopic(const std::string& name, int partitions) {
  FakeTopic topic;
  topic.id = {.high = 7, .low = topics.size() + 1};
  topic.partitions.resize(static_cast<size_t>(partitions));
  topics[name] = std::move(topic);
}

void FakeCluster::StartAll() {
  for (sim::Host* host : hosts_) host->Start();
}

int FakeCluster::CountOf(ApiKey key) const {
  const auto found = seen_.find(key);
  return found == seen_.end() ? 0 : found->second;
}

void FakeCluster::Serve(core::Environment& env, BrokerId id) {
  auto listener = env.network.Listen({.host = "", .port = kPort});
  HW_CHECK(listener.ok());
  while (true) {
    auto connection = (*listener)->Accept(core::MonotonicTime::Never());
    if (!connection.ok()) return;
    env.fibers.Spawn("fake", [this, &env, id, c = std::move(*connection)] {
      ServeConnection(env, id, *c);
      c->Close();
    });
  }
}

void FakeCluster::ServeConnection(core::Environment& env, BrokerId id,
                                  core::Connection& connection) {
  core::ByteChain buffered;
  while (true) {
    auto some = connection.Read(1 << 20, core::MonotonicTime::Never());
    if (!some.ok() || some->empty()) return;
    buffered.Append(*some);
    while (true) {
      auto frame = protocol::TakeFrame(buffered, protocol::kDefaultMaxRequestBytes);
      if (!frame.ok()) return;
      if (!frame->has_value()) break;
      if (!Answer(env, id, connection, **frame)) return;
    }
  }
}

bool FakeCluster::Answer(core::Environment& env, BrokerId id, core::Connection& connection,
                         const core::ByteChain& frame) {
  const auto request = protocol::ParseRequest(frame);
  HW_CHECK(request.ok(), "{}", request.status().ToString());
  const ApiKey key = request->header.api_key;
  const int serial = seen_[key]++;
  Verdict verdict;
  if (script && key != ApiKey::kApiVersions) verdict = script(id, key, serial);
  if (verdict.fate == Fate::kClosedBefore) return false;
  if (verdict.fate == Fate::kIgnored) return true;
  const Exchange x{*this, env, id, *request, verdict};
  core::Payload answer;
  bool must_close = false;
  bool quiet = false;
  switch (key) {
    case ApiKey::kApiVersions: {
      protocol::ApiVersionsResponse response;
      for (const auto& api : protocol::kApis) {
        const int16_t highest =
            api.key == ApiKey::kFetch ? highest_fetch_version : api.highest_version;
        response.api_keys.push_back({static_cast<int16_t>(api.key), api.lowest_version, highest});
      }
      answer = x.Encode(response);
      break;
    }
    case ApiKey::kMetadata:
      answer = Metadata(x);
      break;
    case ApiKey::kProduce:
      answer = Produce(x, must_close);
      quiet = x.Decode<protocol::ProduceRequest>().acks == 0;
      break;
    case ApiKey::kFetch:
      answer = AnswerFetch(x);
      break;
    case ApiKey::kListOffsets:
      answer = ListOffsets(x);
      break;
    case ApiKey::kOffsetForLeaderEpoch:
      answer = OffsetForLeaderEpoch(x);
      break;
    case ApiKey::kCreateTopics:
      answer = CreateTopics(x);
      break;
    case ApiKey::kInitProducerId:
      answer = InitProducerId(x);
      break;
    case ApiKey::kDeleteTopics:
      answer = DeleteTopics(x);
      break;
    default:
      if (!AnswerAdmin(x, answer)) return false;
  }
  if (must_close || verdict.fate == Fate::kClosedAfter) return false;
  if (quiet || verdict.fate == Fate::kSilent) return true;
  return connection.Write(answer, core::MonotonicTime::Never()).ok();
}

}  // namespace highwater::tests
