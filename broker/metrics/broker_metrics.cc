#include "broker/metrics/broker_metrics.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/metrics/exposition.h"
#include "broker/protocol/api.h"
#include "broker/protocol/error_code.h"

namespace highwater::broker::metrics {

const std::array<BrokerMetrics::Bound, 15> BrokerMetrics::kBounds = {{
    {"0.5", absl::Microseconds(500)},
    {"1", absl::Milliseconds(1)},
    {"2", absl::Milliseconds(2)},
    {"5", absl::Milliseconds(5)},
    {"10", absl::Milliseconds(10)},
    {"20", absl::Milliseconds(20)},
    {"50", absl::Milliseconds(50)},
    {"100", absl::Milliseconds(100)},
    {"200", absl::Milliseconds(200)},
    {"500", absl::Milliseconds(500)},
    {"1000", absl::Seconds(1)},
    {"2000", absl::Seconds(2)},
    {"5000", absl::Seconds(5)},
    {"10000", absl::Seconds(10)},
    {"30000", absl::Seconds(30)},
}};

// ---- What is observed.

BrokerMetrics::Partition& BrokerMetrics::PartitionOf(const TopicPartition& id) {
  const auto [found, is_new] = partitions_.try_emplace(id);
  if (is_new) ++topics_[id.topic].partitions;
  return found->second;
}

void BrokerMetrics::OnBrokerStarted(BrokerId) {
  if (own_controller_ == OwnController::kYes) active_controller_ = true;
}

void BrokerMetrics::OnAssignment(BrokerId, const TopicPartition& id,
                                 absl::Span<const BrokerId> replicas, int64_t min_insync_replicas) {
  Partition& partition = PartitionOf(id);
  partition.replicas = replicas.size();
  partition.min_insync_replicas = static_cast<size_t>(std::max<int64_t>(0, min_insync_replicas));
}

void BrokerMetrics::OnBecameLeader(BrokerId, const TopicPartition& id, LeaderEpoch, Offset) {
  Partition& partition = PartitionOf(id);
  partition.leads = true;
  partition.knows_isr = false;
}

void BrokerMetrics::OnBecameFollower(BrokerId, const TopicPartition& id, LeaderEpoch, BrokerId,
                                     Offset) {
  PartitionOf(id).leads = false;
}

void BrokerMetrics::OnStoppedLeading(BrokerId, const TopicPartition& id, LeaderEpoch) {
  PartitionOf(id).leads = false;
}

void BrokerMetrics::OnReplicaDeleted(BrokerId, const TopicPartition& id) {
  if (partitions_.erase(id) == 0) return;
  const auto topic = topics_.find(id.topic);
  if (--topic->second.partitions == 0) topics_.erase(topic);
}

void BrokerMetrics::OnIsrChanged(BrokerId, const TopicPartition& id, LeaderEpoch, PartitionEpoch,
                                 absl::Span<const BrokerId> isr) {
  Partition& partition = PartitionOf(id);
  std::set<BrokerId> now(isr.begin(), isr.end());
  // As a leader begins it only learns the ISR: nobody has changed it.
  if (partition.knows_isr) {
    if (!std::includes(now.begin(), now.end(), partition.isr.begin(), partition.isr.end())) {
      ++isr_shrinks_;
    }
    if (!std::includes(partition.isr.begin(), partition.isr.end(), now.begin(), now.end())) {
      ++isr_expands_;
    }
  }
  partition.isr = std::move(now);
  partition.knows_isr = true;
}

void BrokerMetrics::OnAppended(BrokerId, const AppendedEvent& event) {
  const auto partition = partitions_.find(event.partition);
  if (partition == partitions_.end() || !partition->second.leads) {
    replication_bytes_in_ += event.bytes;
    return;
  }
  Topic& topic = topics_.find(event.partition.topic)->second;
  topic.messages_in += static_cast<uint64_t>(event.last_offset - event.base_offset) + 1;
  topic.bytes_in += event.bytes;
}

void BrokerMetrics::OnRecordsFetched(BrokerId, const TopicPartition& id, BrokerId follower,
                                     uint64_t bytes) {
  if (follower != kNoBroker) {
    replication_bytes_out_ += bytes;
  } else if (const auto topic = topics_.find(id.topic); topic != topics_.end()) {
    topic->second.bytes_out += bytes;
  }
}

void BrokerMetrics::OnBecameController(BrokerId, ControllerEpoch) {
  active_controller_ = true;
  offline_.clear();
}

void BrokerMetrics::OnResignedAsController(BrokerId) {
  active_controller_ = false;
  offline_.clear();
}

void BrokerMetrics::OnPartitionOffline(BrokerId, const TopicPartition& id, bool offline) {
  if (offline) {
    offline_.insert(id);
  } else {
    offline_.erase(id);
  }
}

void BrokerMetrics::OnLogDirectoryFailed(BrokerId, std::string_view path, std::string_view) {
  failed_directories_.emplace(path);
}

void BrokerMetrics::OnRequestServed(BrokerId, const RequestEvent& event) {
  Request& request = requests_[{event.api_key, event.from_follower}];
  ++request.count;
  ++request.by_version[event.api_version];
  request.time += event.time;
  for (const RequestEvent::Errors& errors : event.errors) {
    request.errors[errors.code] += errors.count;
  }
  const auto bound = std::find_if(kBounds.begin(), kBounds.end(),
                                  [&](const Bound& b) { return event.time <= b.time; });
  if (bound != kBounds.end()) ++request.within[static_cast<size_t>(bound - kBounds.begin())];
}

// ---- What is told.

std::string BrokerMetrics::NameOf(const RequestKey& key) {
  const auto api = static_cast<protocol::ApiKey>(key.first);
  if (api == protocol::ApiKey::kFetch) return key.second ? "FetchFollower" : "FetchConsumer";
  return fmt::format("{}", api);
}

void BrokerMetrics::RenderPartitions(Exposition& out) const {
  uint64_t leaders = 0;
  uint64_t under_replicated = 0;
  uint64_t under_min_isr = 0;
  uint64_t at_min_isr = 0;
  for (const auto& [id, partition] : partitions_) {
    if (!partition.leads) continue;
    ++leaders;
    if (!partition.knows_isr) continue;
    if (partition.isr.size() < partition.replicas) ++under_replicated;
    if (partition.isr.size() < partition.min_insync_replicas) ++under_min_isr;
    if (partition.isr.size() == partition.min_insync_replicas) ++at_min_isr;
  }
  const auto gauge = [&](std::string_view name, std::string_view help, uint64_t value) {
    out.Family(name, MetricType::kGauge, help);
    out.Sample({}, value);
  };
  gauge("kafka_server_replicamanager_partitioncount", "Replicas of partitions that it holds.",
        partitions_.size());
  gauge("kafka_server_replicamanager_leadercount", "Partitions that it leads.", leaders);
  gauge("kafka_server_replicamanager_underreplicatedpartitions",
        "Partitions that it leads with fewer in-sync replicas than assigned ones.",
        under_replicated);
  gauge("kafka_server_replicamanager_underminisrpartitioncount",
        "Partitions that it leads with fewer in-sync replicas than min.insync.replicas: "
        "writes with acks=all are refused.",
        under_min_isr);
  gauge("kafka_server_replicamanager_atminisrpartitioncount",
        "Partitions that it leads with just min.insync.replicas in-sync replicas.", at_min_isr);
  gauge("kafka_log_logmanager_offlinelogdirectorycount",
        "Log directories that failed since it started.", failed_directories_.size());
  const auto counter = [&](std::string_view name, std::string_view help, uint64_t value) {
    out.Family(name, MetricType::kCounter, help);
    out.Sample({}, value);
  };
  counter("kafka_server_replicamanager_isrshrinks_total",
          "Replicas left the ISR of a partition that it leads.", isr_shrinks_);
  counter("kafka_server_replicamanager_isrexpands_total",
          "Replicas joined the ISR of a partition that it leads.", isr_expands_);
}

void BrokerMetrics::RenderController(Exposition& out) const {
  out.Family("kafka_controller_kafkacontroller_activecontrollercount", MetricType::kGauge,
             "1 if it is the active controller. The sum over a cluster is 1.");
  out.Sample({}, active_controller_ ? 1 : 0);
  // Who is its own controller has nobody else to lead what it does not.
  const auto led = std::count_if(partitions_.begin(), partitions_.end(),
                                 [](const auto& entry) { return entry.second.leads; });
  const uint64_t offline = own_controller_ == OwnController::kYes
                               ? partitions_.size() - static_cast<size_t>(led)
                               : offline_.size();
  out.Family("kafka_controller_kafkacontroller_offlinepartitionscount", MetricType::kGauge,
             "Partitions without a leader, as the active controller knows; 0 on other brokers.");
  out.Sample({}, offline);
}

void BrokerMetrics::RenderTopics(Exposition& out) const {
  const auto counter = [&](std::string_view name, std::string_view help, uint64_t Topic::* value) {
    out.Family(name, MetricType::kCounter, help);
    for (const auto& [topic, counts] : topics_) out.Sample({{"topic", topic}}, counts.*value);
  };
  counter("kafka_server_brokertopicmetrics_messagesin_total",
          "Records that producers wrote to partitions that it leads.", &Topic::messages_in);
  counter("kafka_server_brokertopicmetrics_bytesin_total",
          "Bytes of record batches that producers wrote to partitions that it leads.",
          &Topic::bytes_in);
  counter("kafka_server_brokertopicmetrics_bytesout_total",
          "Bytes of record batches that consumers fetched from it.", &Topic::bytes_out);
  out.Family("kafka_server_brokertopicmetrics_replicationbytesin_total", MetricType::kCounter,
             "Bytes of record batches that it fetched as a follower.");
  out.Sample({}, replication_bytes_in_);
  out.Family("kafka_server_brokertopicmetrics_replicationbytesout_total", MetricType::kCounter,
             "Bytes of record batches that followers fetched from it.");
  out.Sample({}, replication_bytes_out_);
}

void BrokerMetrics::RenderRequests(Exposition& out) const {
  out.Family("kafka_network_requestmetrics_requests_total", MetricType::kCounter,
             "Requests that were answered, by API and version.");
  for (const auto& [key, request] : requests_) {
    for (const auto& [version, count] : request.by_version) {
      out.Sample({{"request", NameOf(key)}, {"version", fmt::format("{}", version)}}, count);
    }
  }
  out.Family("kafka_network_requestmetrics_errors_total", MetricType::kCounter,
             "Error codes in answers, by API and code; one for each partition that had it.");
  for (const auto& [key, request] : requests_) {
    for (const auto& [code, count] : request.errors) {
      out.Sample({{"request", NameOf(key)},
                  {"error", fmt::format("{}", static_cast<protocol::ErrorCode>(code))}},
                 count);
    }
  }
  RenderTimes(out);
}

void BrokerMetrics::RenderTimes(Exposition& out) const {
  out.Family("kafka_network_requestmetrics_totaltimems", MetricType::kHistogram,
             "Milliseconds from when a whole request had come to when its answer had left.");
  for (const auto& [key, request] : requests_) {
    const std::string name = NameOf(key);
    uint64_t sum = 0;
    for (size_t i = 0; i < kBounds.size(); ++i) {
      sum += request.within[i];
      out.Sample({{"request", name}, {"le", kBounds[i].text}}, sum, "_bucket");
    }
    out.Sample({{"request", name}, {"le", "+Inf"}}, request.count, "_bucket");
    out.SampleThousandths({{"request", name}},
                          static_cast<uint64_t>(absl::ToInt64Microseconds(request.time)), "_sum");
    out.Sample({{"request", name}}, request.count, "_count");
  }
}

std::string BrokerMetrics::Render() const {
  Exposition out;
  RenderPartitions(out);
  RenderController(out);
  RenderTopics(out);
  RenderRequests(out);
  return std::move(out).Finish();
}

}  // namespace highwater::broker::metrics
