#include "broker/client/producer.h"

#include <algorithm>
#include <array>

#include "broker/client/producer_impl.h"
#include "core/mark.h"

namespace highwater::broker::client {

using core::MonotonicTime;
using core::Wake;
using protocol::ErrorCode;

namespace {

// The errors that a leader gives before it appends anything, and never after. Every other one
// leaves the outcome of the attempt open: NOT_LEADER_OR_FOLLOWER and UNKNOWN_TOPIC_OR_PARTITION,
// for one, also end a request that waited for followers after the append, and the record may
// survive on the next leader.
bool RulesOutAppend(ErrorCode error) {
  switch (error) {
    case ErrorCode::CORRUPT_MESSAGE:
    case ErrorCode::MESSAGE_TOO_LARGE:
    case ErrorCode::RECORD_LIST_TOO_LARGE:
    case ErrorCode::INVALID_TOPIC_EXCEPTION:
    case ErrorCode::NOT_ENOUGH_REPLICAS:
    case ErrorCode::INVALID_REQUIRED_ACKS:
    case ErrorCode::TOPIC_AUTHORIZATION_FAILED:
    case ErrorCode::CLUSTER_AUTHORIZATION_FAILED:
    case ErrorCode::INVALID_TIMESTAMP:
    case ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case ErrorCode::POLICY_VIOLATION:
    case ErrorCode::INVALID_RECORD:
    case ErrorCode::UNSUPPORTED_COMPRESSION_TYPE:
    case ErrorCode::UNSUPPORTED_VERSION:
    case ErrorCode::INVALID_REQUEST:
    case ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER:
    case ErrorCode::INVALID_PRODUCER_EPOCH:
    case ErrorCode::UNKNOWN_PRODUCER_ID:
    case ErrorCode::INVALID_TXN_STATE:
      return true;
    default:
      return false;
  }
}

// Magic 2 begins here, and zstd there.
constexpr int16_t kLowestProduceVersion = 3;
constexpr int16_t kZstdProduceVersion = 7;

RecordAccumulator::Options AccumulatorOptions(const ProducerConfig& config,
                                              const ProducerRules& rules) {
  return {.batch_size = config.batch_size,
          .buffer_memory = config.buffer_memory,
          .linger = config.linger,
          .retry_backoff = config.retry_backoff,
          .delivery_timeout = config.delivery_timeout,
          .codec = static_cast<protocol::Codec>(config.compression),
          .keep_order = config.max_in_flight == 1,
          .rules = rules};
}

}  // namespace

Producer::Impl::Impl(core::Environment& env, ProducerConfig config, const ProducerRules& rules)
    : env_(env),
      config_(std::move(config)),
      network_(std::make_shared<NetworkClient>(env, config_, config_.max_in_flight)),
      idempotent_(config_.IsIdempotent()),
      transactions_(rules),
      accumulator_(AccumulatorOptions(config_, rules), idempotent_ ? &transactions_ : nullptr) {
  request_.acks = static_cast<int16_t>(config_.acks);
  request_.timeout_ms = static_cast<int32_t>(absl::ToInt64Milliseconds(config_.request_timeout));
  network_->OnUpdate([this] { OnMetadata(); });
}

Producer::Impl::~Impl() { Shutdown(); }

void Producer::Impl::Shutdown() {
  if (std::exchange(shut_down_, true)) return;
  accepting_ = false;
  if (timer_.pending()) env_.fibers.CancelTimer(timer_);
  network_->Close();
  memory_.WakeAll();
  finished_.WakeAll();
}

// --- Records in ---

void Producer::Impl::Send(const ProducerRecord& record, SendCallback callback) {
  const MonotonicTime deadline = env_.clock.Now() + config_.max_block;
  const int64_t timestamp_ms = absl::ToUnixMillis(record.timestamp.value_or(env_.clock.WallNow()));
  std::array<protocol::RecordHeaderView, 1> one_header;
  std::vector<protocol::RecordHeaderView> headers;
  absl::Span<const protocol::RecordHeaderView> header_views;
  if (record.headers.size() == 1) {
    one_header[0] = {record.headers[0].key, record.headers[0].value};
    header_views = one_header;
  } else if (!record.headers.empty()) {
    for (const RecordHeader& header : record.headers) headers.push_back({header.key, header.value});
    header_views = headers;
  }
  const size_t size =
      protocol::RecordBatchBuilder::MaxRecordSize(record.key, record.value, header_views);
  const auto fail = [&](ErrorCode error) {
    if (!callback || shut_down_) return;
    callback({.outcome = SendOutcome::kFailed,
              .topic = record.topic,
              .partition = record.partition.value_or(PartitionIndex(-1)),
              .offset = kNoOffset,
              .timestamp = absl::FromUnixMillis(timestamp_ms),
              .error = error});
  };
  const int64_t batch_bytes = static_cast<int64_t>(size + protocol::kRecordBatchHeaderSize);
  if (batch_bytes > config_.max_request_size || batch_bytes > config_.buffer_memory) {
    return fail(ErrorCode::MESSAGE_TOO_LARGE);
  }
  const int32_t least_partitions = record.partition.has_value() ? record.partition->value() + 1 : 1;
  while (true) {
    ErrorCode error = ErrorCode::UNKNOWN_SERVER_ERROR;
    if (!accepting_ || least_partitions < 1) return fail(error);
    Topic* topic = AwaitTopic(record.topic, least_partitions, deadline, error);
    if (topic == nullptr) return fail(error);
    if (!accepting_) continue;
    const PartitionSlot slot = ChooseSlot(*topic, record, size);
    if (accumulator_.NeedsNewBatch(slot, size) && !accumulator_.HasMemoryFor(size)) {
      if (!AwaitMemory(size, deadline)) return fail(ErrorCode::REQUEST_TIMED_OUT);
      continue;
    }
    accumulator_.Append(slot, record, timestamp_ms, size, std::move(callback), env_.clock.Now());
    ++statistics_.records_appended;
    if (!memory_.empty() && accumulator_.HasMemoryFor(size)) memory_.WakeOne();
    return Proceed();
  }
}

Producer::Impl::Topic* Producer::Impl::AwaitTopic(std::string_view name, int32_t partitions,
                                                  MonotonicTime deadline, ErrorCode& error) {
  const auto found = topics_.find(absl::string_view(name.data(), name.size()));
  if (found != topics_.end() && found->second->partitions >= partitions) return found->second.get();
  error = ErrorCode::REQUEST_TIMED_OUT;
  if (!MayWait()) return nullptr;
  const std::string owned(name);
  while (true) {
    if (network_->AwaitTopic(owned, deadline) == 0) break;
    auto& topic = topics_[owned];
    if (topic == nullptr) {
      topic = std::make_unique<Topic>();
      topic->name = owned;
      topics_in_order_.push_back(topic.get());
      TakeIn(*topic, *network_->metadata().FindTopic(owned));
    }
    Topic* const known = topic.get();  // the map may grow while we wait
    if (known->partitions >= partitions) return known;
    network_->RequestUpdate();
    if (network_->AwaitUpdate(deadline) != Wake::kSignaled) return nullptr;
  }
  const TopicMetadata* heard = network_->metadata().FindTopic(owned);
  if (heard != nullptr && heard->error != ErrorCode::NONE && !protocol::IsRetriable(heard->error)) {
    error = heard->error;
  }
  return nullptr;
}

bool Producer::Impl::AwaitMemory(size_t size, MonotonicTime deadline) {
  if (!MayWait()) return false;
  HW_MARK("client_buffer_memory_exhausted");
  accumulator_.BeginHurry(env_.clock.Now());
  Proceed();
  Wake wake = Wake::kSignaled;
  while (accepting_ && !accumulator_.HasMemoryFor(size) && wake == Wake::kSignaled) {
    wake = memory_.Wait(env_.fibers, "buffer.memory", deadline);
  }
  accumulator_.EndHurry();
  return wake == Wake::kSignaled;
}

PartitionSlot Producer::Impl::ChooseSlot(Topic& topic, const ProducerRecord& record, size_t size) {
  const auto slot_of = [&topic](PartitionIndex p) {
    return topic.slots[static_cast<size_t>(p.value())];
  };
  if (record.partition.has_value()) return slot_of(*record.partition);
  if (record.key.has_value()) return slot_of(PartitionOfKey(*record.key, topic.partitions));
  const PartitionSlot slot =
      slot_of(topic.sticky.Current(topic.available, topic.partitions, env_.random));
  if (topic.partitions == 1 || !accumulator_.NeedsNewBatch(slot, size)) return slot;
  topic.sticky.Next(topic.available, topic.partitions, env_.random);
  return slot_of(topic.sticky.Current(topic.available, topic.partitions, env_.random));
}

void Producer::Impl::TakeIn(Topic& topic, const TopicMetadata& metadata) {
  if (metadata.partition_count() > 0) topic.partitions = metadata.partition_count();
  topic.available.clear();
  const MonotonicTime now = env_.clock.Now();
  for (int32_t p = 0; p < topic.partitions; ++p) {
    const size_t index = static_cast<size_t>(p);
    if (index >= topic.slots.size()) {
      topic.slots.push_back(accumulator_.AddPartition({topic.name, PartitionIndex(p)}));
    }
    BrokerId leader = kNoBroker;
    if (p < metadata.partition_count()) leader = metadata.partitions[index].leader;
    if (network_->metadata().FindBroker(leader) == nullptr) leader = kNoBroker;
    accumulator_.SetLeader(topic.slots[index], leader, now);
    if (leader != kNoBroker) topic.available.push_back(PartitionIndex(p));
  }
  for (size_t i = static_cast<size_t>(topic.partitions); i < topic.slots.size(); ++i) {
    accumulator_.SetLeader(topic.slots[i], kNoBroker, now);
  }
}

void Producer::Impl::OnMetadata() {
  for (Topic* topic : topics_in_order_) {
    const TopicMetadata* metadata = network_->metadata().FindTopic(topic->name);
    if (metadata != nullptr) TakeIn(*topic, *metadata);
  }
  Proceed();
}

void Producer::Impl::OnTimer() {
  accumulator_.Advance(env_.clock.Now());
  ExpireBatches();
  Proceed();
}

void Producer::Impl::Proceed() {
  if (shut_down_) return;
  MaybeAskForProducerId();
  accumulator_.TakeWoken(woken_);
  for (const BrokerId broker : woken_) {
    bool& sending = sending_[broker];
    if (std::exchange(sending, true)) continue;
    env_.fibers.Spawn("client-send", [self = shared_from_this(), broker] { self->SendTo(broker); });
  }
  if (accumulator_.HasLeaderless()) network_->RequestUpdate();
  const MonotonicTime next = accumulator_.NextEvent();
  if (next == MonotonicTime::Never()) return;
  // A timer that comes too early finds nothing to do: cheaper than moving it with every record.
  if (timer_.pending() && timer_at_ <= next) return;
  timer_at_ = next;
  env_.fibers.SetTimer(timer_, next);
}

// --- Batches out ---

void Producer::Impl::SendTo(BrokerId broker) {
  while (!shut_down_ && accumulator_.HasReady(broker)) {
    const std::shared_ptr<BrokerConnection> connection = network_->ConnectionTo(broker);
    if (connection == nullptr) break;
    if (!connection->CanSend()) {
      const absl::Status status = connection->AwaitRoom(MonotonicTime::Never());
      if (!status.ok()) network_->RequestUpdate();
      continue;
    }
    accumulator_.Drain(broker, config_.max_request_size, env_.clock.Now(), drained_);
    if (!drained_.empty()) SendBatches(*connection, drained_);
  }
  sending_[broker] = false;
}

void Producer::Impl::SendBatches(BrokerConnection& connection,
                                 const std::vector<ProducerBatch*>& batches) {
  ++statistics_.requests_sent;
  statistics_.batches_sent += batches.size();
  auto sent = std::make_unique<Sent>();
  sent->producer = shared_from_this();
  sent->batches.assign(batches.begin(), batches.end());
  const int16_t needed =
      config_.compression == CompressionType::kZstd ? kZstdProduceVersion : kLowestProduceVersion;
  sent->version = connection.VersionOf<protocol::ProduceRequest>().value_or(0);
  if (sent->version < needed) {
    for (ProducerBatch* batch : sent->batches)
      OnBatch(*batch, {.error = ErrorCode::UNSUPPORTED_VERSION});
    return Proceed();
  }
  FillRequest(batches);
  const int16_t version = sent->version;
  if (config_.acks != Acks::kNone) {
    connection.Send(request_, version, [sent = std::move(sent)](Reply reply) {
      sent->producer->OnReply(*sent, std::move(reply));
    });
    return;
  }
  bool written = false;
  const absl::Status status = connection.SendWithoutResponse(request_, version, written);
  for (ProducerBatch* batch : sent->batches) {
    // Nobody will ever say what became of it: what was handed over counts as unknown, without an
    // error.
    if (status.ok()) batch->maybe_written = true;
    OnBatch(*batch, {.error = status.ok() ? ErrorCode::NONE : ErrorCode::NETWORK_EXCEPTION,
                     .maybe_written = written});
  }
  Proceed();
}

void Producer::Impl::FillRequest(const std::vector<ProducerBatch*>& batches) {
  auto& topics = request_.topic_data;
  size_t used = 0;
  for (ProducerBatch* batch : batches) {
    const TopicPartition& id = accumulator_.PartitionOf(batch->slot);
    size_t at = 0;
    while (at < used && topics[at].name != id.topic) ++at;
    if (at == used) {
      if (used == topics.size()) topics.emplace_back();
      topics[used].name = id.topic;
      topics[used++].partition_data.clear();
    }
    topics[at].partition_data.push_back({id.partition.value(), protocol::Records(batch->bytes)});
  }
  topics.resize(used);
}

void Producer::Impl::OnReply(Sent& sent, Reply reply) {
  if (reply.status.ok()) {
    const auto response =
        protocol::DecodeResponse<protocol::ProduceResponse>(reply.frame, sent.version);
    if (response.ok()) return OnResponse(sent, *response);
    HW_MARK("client_malformed_produce_response");
    reply.written = true;
  }
  // [N3] A lost connection: tried again, and whether it was written is not known once a byte may
  // have left.
  for (ProducerBatch* batch : sent.batches) {
    OnBatch(*batch, {.error = ErrorCode::NETWORK_EXCEPTION, .maybe_written = reply.written});
  }
  network_->RequestUpdate();
  Proceed();
}

void Producer::Impl::OnResponse(Sent& sent, const protocol::ProduceResponse& response) {
  // Brokers answer in the order of the request: the next entry is nearly always the one.
  size_t topic = 0;
  size_t partition = 0;
  for (ProducerBatch* batch : sent.batches) {
    const TopicPartition& id = accumulator_.PartitionOf(batch->slot);
    const auto matches = [&] {
      return topic < response.responses.size() &&
             partition < response.responses[topic].partition_responses.size() &&
             response.responses[topic].partition_responses[partition].index ==
                 id.partition.value() &&
             response.responses[topic].name == id.topic;
    };
    if (!matches()) {
      for (topic = 0; topic < response.responses.size() && !matches(); ++topic) {
        const auto& entries = response.responses[topic].partition_responses;
        for (partition = 0; partition < entries.size() && !matches();) ++partition;
        if (matches()) break;
      }
    }
    if (!matches()) {
      OnBatch(*batch, {.error = ErrorCode::NETWORK_EXCEPTION, .maybe_written = true});
      continue;
    }
    const auto& answer = response.responses[topic].partition_responses[partition++];
    const ErrorCode error = protocol::KnownOrUnknown(answer.error_code);
    OnBatch(*batch, {.error = error,
                     .maybe_written = !RulesOutAppend(error),
                     .base_offset = answer.base_offset,
                     .log_append_time_ms = answer.log_append_time_ms});
    if (error != ErrorCode::NONE &&
        (protocol::RefreshesMetadata(error) || TransactionManager::DeniesBatch(error))) {
      network_->RequestUpdate();
    }
  }
  Proceed();
}

void Producer::Impl::OnBatch(ProducerBatch& batch, BatchResult result) {
  const MonotonicTime now = env_.clock.Now();
  // [N5] It is there; where, the broker does not know any more.
  if (result.error == ErrorCode::DUPLICATE_SEQUENCE_NUMBER) result = {};
  const bool ok = result.error == ErrorCode::NONE;
  const bool numbered = batch.sequence.numbered();
  bool again = protocol::IsRetriable(result.error);
  if (numbered && ok) transactions_.OnAcknowledged(batch.sequence);
  if (numbered && !ok) {
    again = transactions_.OnError(batch.sequence, result.error, result.maybe_written);
  }
  if (batch.state == ProducerBatch::State::kAbandoned) {
    if (numbered && !ok) transactions_.OnFailed(batch.sequence);
    return accumulator_.ForgetAbandoned(batch, now);
  }
  const PartitionSlot slot = batch.slot;
  if (ok) {
    const SendOutcome outcome =
        config_.acks == Acks::kNone ? SendOutcome::kUnknown : SendOutcome::kAcknowledged;
    return RunCallbacks(slot, accumulator_.Finish(batch, now), outcome, result);
  }
  if (result.maybe_written) batch.maybe_written = true;
  // The parts of an idempotent producer's batch are other batches to a broker that has the whole.
  const bool may_split = !(numbered && batch.maybe_written);
  if (result.error == ErrorCode::MESSAGE_TOO_LARGE && may_split && accumulator_.Split(batch, now)) {
    ++statistics_.batches_split;
    return;
  }
  const bool expired = batch.created + config_.delivery_timeout <= now;
  if (again && batch.attempts <= config_.retries && !expired && !shut_down_) {
    ++statistics_.batches_retried;
    return accumulator_.Retry(batch, now);
  }
  Fail(batch, result.error);
}

void Producer::Impl::Fail(ProducerBatch& batch, ErrorCode error) {
  const PartitionSlot slot = batch.slot;
  const SendOutcome outcome = batch.maybe_written ? SendOutcome::kUnknown : SendOutcome::kFailed;
  if (batch.sequence.numbered()) transactions_.OnFailed(batch.sequence);
  RunCallbacks(slot, accumulator_.Finish(batch, env_.clock.Now()), outcome, {.error = error});
}

// The delivery timeout is over, or the producer's time is.
void Producer::Impl::GiveUp(ProducerBatch& batch) {
  if (batch.state != ProducerBatch::State::kInFlight) {
    return Fail(batch, ErrorCode::REQUEST_TIMED_OUT);
  }
  const PartitionSlot slot = batch.slot;
  if (batch.sequence.numbered()) transactions_.OnAbandoned(batch.sequence);
  RunCallbacks(slot, accumulator_.Abandon(batch), SendOutcome::kUnknown,
               {.error = ErrorCode::REQUEST_TIMED_OUT});
}

void Producer::Impl::RunCallbacks(PartitionSlot slot, std::vector<PendingRecord> records,
                                  SendOutcome outcome, const BatchResult& result) {
  if (shut_down_) return;
  memory_.WakeOne();
  const bool outer = std::exchange(in_callback_, true);
  const TopicPartition id = accumulator_.PartitionOf(slot);  // a callback may add partitions
  const bool placed = outcome == SendOutcome::kAcknowledged && result.base_offset >= 0;
  for (size_t i = 0; i < records.size(); ++i) {
    PendingRecord& record = records[i];
    if (!record.callback || shut_down_) continue;
    const bool stamped = placed && result.log_append_time_ms >= 0;
    record.callback(
        {.outcome = outcome,
         .topic = id.topic,
         .partition = id.partition,
         .offset = placed ? Offset(result.base_offset + static_cast<int64_t>(i)) : kNoOffset,
         .timestamp =
             absl::FromUnixMillis(stamped ? result.log_append_time_ms : record.timestamp_ms),
         .error = result.error});
  }
  in_callback_ = outer;
  finished_.WakeAll();
}

void Producer::Impl::ExpireBatches() {
  while (ProducerBatch* batch = accumulator_.FindExpired(env_.clock.Now())) {
    HW_MARK("client_delivery_timeout");
    GiveUp(*batch);
  }
}

// --- Waiting for the end ---

Wake Producer::Impl::Flush(MonotonicTime deadline) {
  accumulator_.BeginHurry(env_.clock.Now());
  Proceed();
  const uint64_t end = accumulator_.next_number();
  Wake wake = Wake::kSignaled;
  while (!shut_down_ && wake == Wake::kSignaled && accumulator_.Oldest() != nullptr &&
         accumulator_.Oldest()->number < end) {
    wake = finished_.Wait(env_.fibers, "a flush", deadline);
  }
  accumulator_.EndHurry();
  return wake;
}

void Producer::Impl::Close(MonotonicTime deadline) {
  accepting_ = false;
  memory_.WakeAll();
  static_cast<void>(Flush(deadline));
  AbortAll();
  Shutdown();
}

void Producer::Impl::AbortAll() {
  while (ProducerBatch* batch = accumulator_.Oldest()) GiveUp(*batch);
}

int32_t Producer::Impl::PartitionsFor(std::string_view topic, MonotonicTime deadline) {
  ErrorCode error;
  const Topic* found = AwaitTopic(topic, 1, deadline, error);
  return found == nullptr ? 0 : found->partitions;
}

Producer::Producer(core::Environment& env, ProducerConfig config, const ProducerRules& rules)
    : impl_(std::make_shared<Impl>(env, std::move(config), rules)) {}
Producer::~Producer() { impl_->Shutdown(); }
void Producer::Send(const ProducerRecord& record, SendCallback callback) {
  impl_->Send(record, std::move(callback));
}
Wake Producer::Flush(MonotonicTime deadline) { return impl_->Flush(deadline); }
void Producer::Close(MonotonicTime deadline) { impl_->Close(deadline); }
int32_t Producer::PartitionsFor(std::string_view topic, MonotonicTime deadline) {
  return impl_->PartitionsFor(topic, deadline);
}
Producer::Statistics Producer::statistics() const { return impl_->statistics(); }

}  // namespace highwater::broker::client
