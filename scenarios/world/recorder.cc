#include "scenarios/world/recorder.h"

#include <algorithm>

namespace highwater::scenarios {
namespace {

using broker::BrokerId;
using broker::Offset;
using broker::TopicPartition;
using Kind = Narrator::Kind;

std::string NameOf(BrokerId id) { return fmt::format("broker-{}", id); }

std::string Range(Offset base, Offset last) {
  return base == last ? fmt::format("record {}", base) : fmt::format("records {}..{}", base, last);
}

absl::Duration Percentile(const std::vector<absl::Duration>& sorted, size_t per_mille) {
  if (sorted.empty()) return absl::ZeroDuration();
  return sorted[std::min(sorted.size() - 1, sorted.size() * per_mille / 1000)];
}

}  // namespace

Recorder::Recorder(const Scenario& scenario, Narrator& narrator,
                   std::function<absl::Duration()> now,
                   std::function<void(const invariants::Violation&)> on_violation,
                   std::function<bool(const invariants::Violation&)> excused)
    : narrator_(narrator),
      now_(std::move(now)),
      on_violation_(std::move(on_violation)),
      excused_(std::move(excused)),
      down_since_(static_cast<size_t>(scenario.cluster.brokers)) {
  for (const invariants::InvariantInfo& info : invariants::CatalogOfInvariants()) {
    const auto& chosen = scenario.check.invariants;
    const bool wanted = scenario.check.all_invariants ||
                        std::find(chosen.begin(), chosen.end(), info.id) != chosen.end();
    // One that is named is judged also of those who were not promised it.
    const auto scope = scenario.check.all_invariants ? invariants::Scope::kPromised
                                                     : invariants::Scope::kEverybody;
    if (wanted) invariants_.push_back(info.make(history_, *this, scope));
  }
}

invariants::RecordId Recorder::Sent(uint32_t producer, const TopicPartition& partition,
                                    uint32_t size, int16_t acks) {
  ++sent_;
  return history_.AddSend(
      producer, {.partition = partition, .value_size = size, .acks = acks, .invoked = now_()});
}

void Recorder::Completed(invariants::RecordId id, invariants::SendOutcome outcome,
                         broker::PartitionIndex partition, Offset offset) {
  invariants::Send& send = history_.Of(id);
  send.outcome = outcome;
  send.offset = offset;
  send.completed = now_();
  if (partition.value() >= 0) send.partition.partition = partition;
  if (outcome != invariants::SendOutcome::kAcked) return;
  ++acked_;
  if (offset == broker::kNoOffset) return;  // acks=0 promises no place
  if (narrator_.active()) {
    narrator_.TellOf(send.partition, offset, offset, send.completed, Kind::kAcknowledged,
                     history_.NameOf(id.client),
                     fmt::format("learns that {} is record {} of {}", history_.Describe(id), offset,
                                 send.partition));
  }
  const invariants::AckedRecord acked{
      .id = id, .partition = send.partition, .offset = offset, .at = send.completed};
  for (const auto& invariant : invariants_) invariant->OnAcked(acked);
}

void Recorder::Consumed(std::string_view consumer, const TopicPartition& partition, Offset offset,
                        const core::Bytes& value) {
  ++consumed_;
  const invariants::ConsumedRecord record{
      .consumer = consumer, .partition = partition, .offset = offset, .value = value, .at = now_()};
  for (const auto& invariant : invariants_) invariant->OnConsumed(record);
}

void Recorder::AtRest(const std::vector<invariants::PartitionAtRest>& partitions) {
  for (const auto& invariant : invariants_) invariant->AtRest(partitions, now_());
}

void Recorder::ProcessEnded(int32_t broker, std::string text) {
  auto& since = down_since_[static_cast<size_t>(broker)];
  if (!since.has_value()) since = now_();
  if (text.empty()) return;
  narrator_.Tell(now_(), Kind::kLifecycle, NameOf(BrokerId(broker)), std::move(text));
}

void Recorder::Fault(std::string text, std::string place) {
  narrator_.Tell(now_(), Kind::kFault, "", std::move(text), std::move(place));
}

void Recorder::Tell(std::string actor, std::string text) {
  narrator_.Tell(now_(), Kind::kOther, std::move(actor), std::move(text));
}

void Recorder::OnBrokerStarted(BrokerId id) {
  auto& since = down_since_[static_cast<size_t>(id.value())];
  if (since.has_value()) unavailable_ += now_() - *since;
  since.reset();
  narrator_.Tell(now_(), Kind::kLifecycle, NameOf(id), "serves");
}

void Recorder::OnBrokerStopped(BrokerId id) {
  narrator_.Tell(now_(), Kind::kLifecycle, NameOf(id), "stopped cleanly");
}

void Recorder::OnLogLoaded(BrokerId id, const broker::LogLoadedEvent& event) {
  if (narrator_.active()) {
    narrator_.TellOf(
        event.partition, event.log_end_offset, event.log_end_offset, now_(), Kind::kLoaded,
        NameOf(id),
        fmt::format("opens {} {}: log end offset {}", event.partition,
                    event.clean ? "after a clean stop" : "and recovers it", event.log_end_offset),
        event.truncated_bytes > 0 ? fmt::format("{} bytes cut [K12]", event.truncated_bytes) : "");
  }
  for (const auto& invariant : invariants_) invariant->OnLogLoaded(id, event, now_());
}

void Recorder::OnBecameLeader(BrokerId id, const TopicPartition& partition,
                              broker::LeaderEpoch epoch, Offset log_end) {
  if (!narrator_.active()) return;
  narrator_.TellOf(
      partition, log_end, log_end, now_(), Kind::kOther, NameOf(id),
      fmt::format("leads {} in leader epoch {} from offset {}", partition, epoch, log_end));
}

void Recorder::OnAppended(BrokerId id, const broker::AppendedEvent& event) {
  if (!narrator_.active()) return;
  narrator_.TellOf(event.partition, event.base_offset, event.last_offset, now_(), Kind::kAppended,
                   NameOf(id),
                   fmt::format("appends {} to {}", Range(event.base_offset, event.last_offset),
                               event.partition));
}

void Recorder::OnFlushed(BrokerId id, const TopicPartition& partition, Offset recovery_point) {
  if (!narrator_.active()) return;
  narrator_.TellOf(partition, Offset(0), recovery_point - 1, now_(), Kind::kFlushed, NameOf(id),
                   fmt::format("has flushed {} up to offset {}", partition, recovery_point));
}

void Recorder::OnTruncated(BrokerId id, const TopicPartition& partition, Offset log_end) {
  if (!narrator_.active()) return;
  narrator_.TellOf(partition, log_end, log_end, now_(), Kind::kOther, NameOf(id),
                   fmt::format("truncates {}: log end offset {}", partition, log_end));
}

void Recorder::OnLogStartMoved(BrokerId id, const TopicPartition& partition, Offset log_start) {
  if (!narrator_.active()) return;
  narrator_.TellOf(partition, log_start, log_start, now_(), Kind::kOther, NameOf(id),
                   fmt::format("moves the log start offset of {} to {}", partition, log_start));
}

void Recorder::OnAcknowledged(BrokerId id, const TopicPartition& partition,
                              broker::LeaderEpoch epoch, Offset base, Offset last, int16_t acks) {
  if (!narrator_.active()) return;
  narrator_.TellOf(
      partition, base, last, now_(), Kind::kAcknowledged, NameOf(id),
      fmt::format("acknowledges {} of {} (acks={}, leader epoch {})", Range(base, last), partition,
                  acks == -1 ? "all" : fmt::format("{}", acks), epoch));
}

void Recorder::OnTopicCreated(BrokerId id, std::string_view topic, int32_t partitions) {
  narrator_.Tell(now_(), Kind::kOther, NameOf(id),
                 fmt::format("creates topic {} with {} partitions", topic, partitions));
}

void Recorder::OnTopicDeleted(BrokerId id, std::string_view topic) {
  narrator_.Tell(now_(), Kind::kOther, NameOf(id), fmt::format("deletes topic {}", topic));
  for (const auto& invariant : invariants_) invariant->OnTopicDeleted(topic);
}

void Recorder::OnLogDirectoryFailed(BrokerId id, std::string_view path, std::string_view error) {
  narrator_.Tell(now_(), Kind::kLifecycle, NameOf(id),
                 fmt::format("takes log directory {} offline: {}", path, error));
}

void Recorder::Report(invariants::Violation violation) {
  if (excused_(violation)) {
    narrator_.Tell(violation.at, Kind::kOther, "",
                   fmt::format("beyond the guarantee: {}", violation.sentence));
    return;
  }
  narrator_.Tell(violation.at, Kind::kViolation, "",
                 fmt::format("{}: {}", violation.invariant, violation.sentence));
  violations_.push_back(std::move(violation));
  on_violation_(violations_.back());
}

std::vector<Violation> Recorder::Violations() const {
  std::vector<Violation> result;
  for (const invariants::Violation& violation : violations_) {
    const auto same = [&](const auto& other) { return other.invariant == violation.invariant; };
    if (std::any_of(result.begin(), result.end(), same))
      continue;  // the first of each rule explains
    result.push_back({.invariant = violation.invariant,
                      .sentence = violation.sentence,
                      .witnesses = violation.witnesses,
                      .chain = narrator_.ChainOf(violation),
                      .at = violation.at});
    const auto count = std::count_if(violations_.begin(), violations_.end(), same);
    if (count > 1) {
      result.back().witnesses.push_back(fmt::format(
          "later       the same rule is violated {} more times in this run", count - 1));
    }
  }
  return result;
}

SeedMetrics Recorder::Metrics(int32_t partitions) const {
  SeedMetrics metrics{.produced = sent_, .acked = acked_, .consumed = consumed_};
  std::vector<absl::Duration> latencies;
  for (uint32_t client = 0; client < history_.producers(); ++client) {
    for (const invariants::Send& send : history_.SendsOf(client)) {
      if (send.outcome == invariants::SendOutcome::kAcked)
        latencies.push_back(send.completed - send.invoked);
    }
  }
  std::sort(latencies.begin(), latencies.end());
  metrics.produce_latency_p50 = Percentile(latencies, 500);
  metrics.produce_latency_p99 = Percentile(latencies, 990);
  metrics.produce_latency_p999 = Percentile(latencies, 999);
  absl::Duration unavailable = unavailable_;
  for (const auto& since : down_since_) {
    if (since.has_value()) unavailable += now_() - *since;
  }
  metrics.unavailable = unavailable * partitions;
  return metrics;
}

std::string Recorder::HistoryText() const {
  static constexpr std::string_view kOutcomes[] = {"pending", "acked", "failed", "unknown"};
  std::string text = "# producer operation partition invoked_us completed_us outcome offset\n";
  for (uint32_t client = 0; client < history_.producers(); ++client) {
    const auto& sends = history_.SendsOf(client);
    for (size_t i = 0; i < sends.size(); ++i) {
      const invariants::Send& send = sends[i];
      text += fmt::format("{} {} {} {} {} {} {}\n", history_.NameOf(client), i, send.partition,
                          absl::ToInt64Microseconds(send.invoked),
                          absl::ToInt64Microseconds(send.completed),
                          kOutcomes[static_cast<size_t>(send.outcome)], send.offset);
    }
  }
  return text;
}

}  // namespace highwater::scenarios
