#include "scenarios/world/recorder.h"

#include <absl/strings/numbers.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/mark.h"
#include "scenarios/world/applications.h"

namespace highwater::scenarios {
namespace {

using broker::BrokerId;
using broker::Offset;
using broker::TopicPartition;
using Kind = Narrator::Kind;

constexpr std::string_view kMinIsr = "min.insync.replicas";

std::string NameOf(BrokerId id) { return fmt::format("broker-{}", id); }

std::string Range(Offset base, Offset last) {
  return base == last ? fmt::format("record {}", base) : fmt::format("records {}..{}", base, last);
}

bool Settles(const Scenario& scenario) {
  const broker::BrokerConfig config = BrokerConfigOf(scenario, 0, "");
  return scenario.run.heal > config.replica_socket_timeout + config.controller_socket_timeout;
}

}  // namespace

Recorder::Recorder(const Scenario& scenario, Narrator& narrator,
                   std::function<absl::Duration()> now,
                   std::function<void(const invariants::Violation&)> on_violation)
    : scenario_(scenario),
      narrator_(narrator),
      now_(std::move(now)),
      on_violation_(std::move(on_violation)),
      judges_all_(scenario.check.guarantee == Guarantee::kAny),
      survivability_(logs_, [this](std::string_view topic) { return PromiseOf(topic); }),
      zookeeper_(narrator, now_, roles_, invariants_),
      writes_(scenario) {
  const invariants::RunFacts facts{
      .history = history_,
      .logs = logs_,
      .promise = [this](std::string_view topic) { return PromiseOf(topic); },
      .settles = Settles(scenario),
      .brokers_down = [this] { return static_cast<int32_t>(down_.size()); },
      .left_out = [this] { return left_out_; },
      // One that is named is judged also of those who were not promised it.
      .scope = scenario.check.all_invariants ? invariants::Scope::kPromised
                                             : invariants::Scope::kEverybody};
  for (const invariants::InvariantInfo& info : invariants::CatalogOfInvariants()) {
    const auto& chosen = scenario.check.invariants;
    const bool wanted = scenario.check.all_invariants ||
                        std::find(chosen.begin(), chosen.end(), info.id) != chosen.end();
    if (wanted) invariants_.push_back(info.make(facts, *this));
  }
}

// What the configuration promises of a topic: Kafka's default where it says nothing, the least that
// was ever in force where an operator has changed it.
invariants::TopicPromise Recorder::PromiseOf(std::string_view name) const {
  invariants::TopicPromise promise;
  const std::string* text = FindSetting(scenario_.cluster.settings, kMinIsr);
  for (const TopicSpec& topic : scenario_.topics) {
    if (topic.name != name) continue;
    promise.replicas = topic.replicas;
    if (const std::string* own = FindSetting(topic.settings, kMinIsr)) text = own;
  }
  if (text != nullptr) {
    HW_CHECK(absl::SimpleAtoi(*text, &promise.min_insync_replicas), "{}: {}", kMinIsr, *text);
  }
  if (const auto least = least_min_insync_.find(name); least != least_min_insync_.end()) {
    promise.min_insync_replicas = std::min(promise.min_insync_replicas, least->second);
  }
  return promise;
}

void Recorder::TopicSettingChanged(const std::string& topic, std::string_view name,
                                   std::string_view value) {
  int32_t count = 0;
  if (name != kMinIsr || !absl::SimpleAtoi(absl::string_view(value.data(), value.size()), &count))
    return;
  int32_t& least = least_min_insync_.try_emplace(topic, count).first->second;
  least = std::min(least, count);
}

bool Recorder::IsOfFormerTopic(std::string_view topic,
                               const std::optional<invariants::RecordId>& id) const {
  const auto created = created_at_.find(topic);
  if (created == created_at_.end() || !id.has_value()) return false;
  const invariants::Send* send = history_.Find(*id);
  return send != nullptr && send->invoked < created->second;
}

void Recorder::TopicGone(std::string_view topic) {
  gone_.emplace(topic);
  Forget(topic);
}

void Recorder::Forget(std::string_view topic) {
  logs_.OnTopicDeleted(topic);
  survivability_.OnTopicDeleted(topic);
  std::erase_if(newest_epochs_, [&](const auto& entry) { return entry.first.topic == topic; });
  for (const auto& invariant : invariants_) invariant->OnTopicDeleted(topic);
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
  if (outcome == invariants::SendOutcome::kFailed) {
    const invariants::FailedSend failed{
        .id = id, .partition = send.partition, .at = send.completed};
    for (const auto& invariant : invariants_) invariant->OnSendFailed(failed);
  }
  if (outcome != invariants::SendOutcome::kAcked) return;
  ++acked_;
  if (offset == broker::kNoOffset) return;  // acks=0 promises no place
  if (narrator_.active()) {
    narrator_.TellOf(send.partition, offset, offset, send.completed, Kind::kAcknowledged,
                     history_.NameOf(id.client),
                     fmt::format("learns that {} is record {} of {}", history_.Describe(id), offset,
                                 send.partition));
  }
  if (!Judges(send.partition) || IsOfFormerTopic(send.partition.topic, id)) return;
  const invariants::AckedRecord acked{
      .id = id, .partition = send.partition, .offset = offset, .at = send.completed};
  for (const auto& invariant : invariants_) invariant->OnAcked(acked);
}

void Recorder::Consumed(std::string_view consumer, const TopicPartition& partition, Offset offset,
                        const core::Bytes& value, uint64_t poll) {
  ++consumed_;
  if (!Judges(partition)) return;
  const std::optional<invariants::RecordId> id = invariants::ParseValue(value);
  if (IsOfFormerTopic(partition.topic, id)) return;
  const invariants::ConsumedRecord record{.consumer = consumer,
                                          .partition = partition,
                                          .offset = offset,
                                          .value = value,
                                          .id = id,
                                          .poll = poll,
                                          .at = now_()};
  for (const auto& invariant : invariants_) invariant->OnConsumed(record);
}

void Recorder::PositionJumped(std::string_view consumer, const TopicPartition& partition,
                              Offset from, invariants::JumpReason reason) {
  // A position in a topic that is no more.
  if (!Judges(partition) || created_at_.contains(partition.topic)) return;
  const invariants::PositionJump jump{
      .consumer = consumer, .partition = partition, .from = from, .reason = reason, .at = now_()};
  for (const auto& invariant : invariants_) invariant->OnPositionJumped(jump);
}

void Recorder::AtRest(std::vector<invariants::PartitionAtRest> partitions) {
  // A topic whose deletion is not over promises nothing.
  std::erase_if(partitions, [&](const auto& rest) { return !Judges(rest.partition); });
  for (const auto& invariant : invariants_) invariant->AtRest(partitions, now_());
  // Of a topic that was created anew the records before are rightly gone.
  writes_.AtRest(partitions, [&](const auto& topic) { return !created_at_.contains(topic); });
}

void Recorder::ProcessEnded(int32_t broker, std::string text) {
  availability_.ProcessEnded(BrokerId(broker), now_());
  down_.insert(BrokerId(broker));
  const bool by_itself = !text.empty();
  narrator_.Tell(now_(), by_itself ? Kind::kDown : Kind::kKilled, NameOf(BrokerId(broker)),
                 std::move(text));
}

void Recorder::SetReachable(int32_t broker, bool reachable) {
  availability_.SetReachable(BrokerId(broker), reachable, now_());
}

void Recorder::Fault(std::string text, std::string place) {
  narrator_.Tell(now_(), Kind::kFault, "", std::move(text), std::move(place));
}

void Recorder::Tell(std::string actor, std::string text) {
  narrator_.Tell(now_(), Kind::kOther, std::move(actor), std::move(text));
}

void Recorder::TellNews(std::string text) {
  narrator_.Tell(now_(), Kind::kNews, "", std::move(text));
}

void Recorder::OnBrokerStarted(BrokerId id) {
  down_.erase(id);
  narrator_.Tell(now_(), Kind::kUp, NameOf(id), "serves");
}

void Recorder::OnBrokerStopped(BrokerId id) {
  narrator_.Tell(now_(), Kind::kDown, NameOf(id), "stopped cleanly");
}

void Recorder::OnLogLoaded(BrokerId id, const broker::LogLoadedEvent& event) {
  if (!Judges(event.partition)) return;
  const invariants::ReplicaLog* before = logs_.Find(id, event.partition);
  const bool shorter = before != nullptr && event.log_end_offset < before->end;
  logs_.OnLogLoaded(id, event);
  lag_.LogEnds(event.partition, id, event.log_end_offset);
  survivability_.OnLogLoaded(id, event.partition);
  if (narrator_.active()) {
    narrator_.TellOf(
        event.partition, event.log_end_offset, event.log_end_offset, now_(),
        shorter ? Kind::kLoadedShorter : Kind::kLoaded, NameOf(id),
        fmt::format("opens {} {}: log end offset {}", event.partition,
                    event.clean ? "after a clean stop" : "and recovers it", event.log_end_offset),
        event.truncated_bytes > 0 ? fmt::format("{} bytes cut [K12]", event.truncated_bytes) : "");
  }
  for (const auto& invariant : invariants_) invariant->OnLogLoaded(id, event, now_());
}

void Recorder::OnBecameLeader(BrokerId id, const TopicPartition& partition,
                              broker::LeaderEpoch epoch, Offset log_end) {
  roles_.BecameLeader(partition, id.value());
  availability_.Leads(partition, id, epoch, now_());
  lag_.Leads(partition, id, log_end);
  if (!Judges(partition)) return;
  if (narrator_.active()) {
    narrator_.TellOf(partition, log_end, log_end, now_(), Kind::kLeader, NameOf(id),
                     fmt::format("leads from offset {}, leader epoch {}", log_end, epoch));
  }
  broker::LeaderEpoch& newest = newest_epochs_.try_emplace(partition, epoch).first->second;
  newest = std::max(newest, epoch);
  const invariants::Leadership leadership{.broker = id,
                                          .partition = partition,
                                          .epoch = epoch,
                                          .log_end = log_end,
                                          .at = now_(),
                                          .newest = epoch == newest};
  for (const auto& invariant : invariants_) invariant->OnBecameLeader(leadership);
}

void Recorder::OnBecameFollower(BrokerId id, const TopicPartition& partition,
                                broker::LeaderEpoch epoch, BrokerId leader, Offset log_end) {
  roles_.BecameFollower(partition, id.value());
  if (!narrator_.active()) return;
  narrator_.TellOf(
      partition, log_end, log_end, now_(), Kind::kFollower, NameOf(id),
      fmt::format("follows broker-{} from offset {}, leader epoch {}", leader, log_end, epoch));
}

void Recorder::OnStoppedLeading(BrokerId id, const TopicPartition& partition, broker::LeaderEpoch) {
  availability_.LeadsNoMore(partition, id, now_());
}

void Recorder::OnReplicaDeleted(BrokerId id, const TopicPartition& partition) {
  lag_.ReplicaRemoved(partition, id);
}

void Recorder::OnIsrChanged(BrokerId id, const TopicPartition& partition, broker::LeaderEpoch epoch,
                            broker::PartitionEpoch partition_epoch,
                            absl::Span<const BrokerId> isr) {
  if (!Judges(partition)) return;
  if (narrator_.active()) {
    narrator_.TellOf(partition, Offset(0), Offset(0), now_(), Kind::kIsr, NameOf(id),
                     news_.DescribeIsr(partition, isr),
                     fmt::format("partition epoch {}", partition_epoch));
  }
  const invariants::LeaderState state{
      .leader = id, .partition = partition, .epoch = epoch, .at = now_()};
  for (const auto& invariant : invariants_) invariant->OnIsrChanged(state, isr);
}

void Recorder::OnFollowerFetched(BrokerId leader, const TopicPartition& partition,
                                 broker::LeaderEpoch epoch, BrokerId follower,
                                 Offset fetch_offset) {
  if (!Judges(partition)) return;
  survivability_.OnFollowerFetched(follower, partition, fetch_offset);
  const invariants::LeaderState state{
      .leader = leader, .partition = partition, .epoch = epoch, .at = now_()};
  for (const auto& invariant : invariants_) {
    invariant->OnFollowerFetched(state, follower, fetch_offset);
  }
}

void Recorder::OnFollowerHighWatermarkMoved(BrokerId id, const TopicPartition& partition,
                                            broker::LeaderEpoch epoch, Offset high_watermark) {
  if (!Judges(partition)) return;
  const invariants::FollowerState state{
      .follower = id, .partition = partition, .epoch = epoch, .at = now_()};
  for (const auto& invariant : invariants_) {
    invariant->OnFollowerHighWatermarkMoved(state, high_watermark);
  }
}

void Recorder::OnHighWatermarkMoved(BrokerId id, const TopicPartition& partition,
                                    broker::LeaderEpoch epoch, Offset high_watermark) {
  if (!Judges(partition)) return;
  logs_.OnHighWatermarkMoved(id, partition, high_watermark);
  if (narrator_.active()) {
    narrator_.TellOf(partition, high_watermark - 1, high_watermark - 1, now_(),
                     Kind::kHighWatermark, NameOf(id),
                     fmt::format("high watermark {}", high_watermark));
  }
  const invariants::LeaderState state{
      .leader = id, .partition = partition, .epoch = epoch, .at = now_()};
  for (const auto& invariant : invariants_) {
    invariant->OnHighWatermarkMoved(state, high_watermark);
  }
}

void Recorder::OnBecameController(BrokerId id, broker::ControllerEpoch epoch) {
  roles_.BecameController(id.value());
  narrator_.Tell(now_(), Kind::kController, NameOf(id),
                 fmt::format("is the controller in controller epoch {}", epoch));
}

void Recorder::OnResignedAsController(BrokerId id) {
  narrator_.Tell(now_(), Kind::kController, NameOf(id), "resigns as controller");
}

void Recorder::OnAppended(BrokerId id, const broker::AppendedEvent& event) {
  if (!Judges(event.partition)) return;
  logs_.OnAppended(id, event);
  lag_.LogEnds(event.partition, id, event.last_offset + 1);
  for (const auto& invariant : invariants_) invariant->OnAppended(id, event, now_());
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
  if (!Judges(partition)) return;
  const invariants::ReplicaLog* log = logs_.Find(id, partition);
  const Offset before = log == nullptr ? log_end : std::max(log->end, log_end);
  logs_.OnTruncated(id, partition, log_end);
  lag_.LogEnds(partition, id, log_end);
  if (!narrator_.active()) return;
  // Each new follower asks for a cut; most of them take nothing.
  if (before == log_end) return;
  narrator_.TellOf(partition, log_end, log_end, now_(), Kind::kTruncation, NameOf(id),
                   fmt::format("truncates: log end offset {} → {}", before, log_end));
}

void Recorder::OnLogStartMoved(BrokerId id, const TopicPartition& partition, Offset log_start) {
  if (!Judges(partition)) return;
  logs_.OnLogStartMoved(id, partition, log_start);
  if (!narrator_.active()) return;
  narrator_.TellOf(partition, log_start, log_start, now_(), Kind::kOther, NameOf(id),
                   fmt::format("moves the log start offset of {} to {}", partition, log_start));
}

void Recorder::OnAcknowledged(BrokerId id, const TopicPartition& partition,
                              broker::LeaderEpoch epoch, Offset base, Offset last, int16_t acks) {
  if (!Judges(partition)) return;
  const invariants::LeaderState state{
      .leader = id, .partition = partition, .epoch = epoch, .at = now_()};
  for (const auto& invariant : invariants_) invariant->OnAcknowledged(state, last, acks);
  if (!narrator_.active()) return;
  narrator_.TellOf(
      partition, base, last, now_(), Kind::kAcknowledged, NameOf(id),
      fmt::format("acknowledges {} of {} (acks={}, leader epoch {})", Range(base, last), partition,
                  acks == -1 ? "all" : fmt::format("{}", acks), epoch));
}

// The first state of a partition: it is one of a topic that was created just now.
void Recorder::NoticeCreation(const broker::PartitionStateEvent& event) {
  if (event.leader_epoch != broker::LeaderEpoch(0)) return;
  if (event.partition_epoch != broker::PartitionEpoch(0)) return;
  const auto gone = gone_.find(event.partition.topic);
  if (gone == gone_.end()) return;
  gone_.erase(gone);
  Forget(event.partition.topic);
  created_at_[event.partition.topic] = now_();
}

void Recorder::OnPartitionStateWritten(BrokerId controller,
                                       const broker::PartitionStateEvent& event) {
  NoticeCreation(event);
  for (const auto& invariant : invariants_) invariant->OnPartitionStateWritten(event, now_());
  if (!narrator_.active()) return;
  const bool elects = news_.IsElection(event);
  const std::string leader = event.leader == broker::kNoBroker
                                 ? "no leader"
                                 : fmt::format("elects broker-{}", event.leader);
  const auto listed = [](std::string_view what, const std::vector<BrokerId>& replicas) {
    return replicas.empty() ? "" : fmt::format("{} {}", what, fmt::join(replicas, " "));
  };
  narrator_.TellOf(event.partition, Offset(0), Offset(0), now_(),
                   elects ? Kind::kElection : Kind::kOther, NameOf(controller),
                   fmt::format("{}{}, leader epoch {}, ISR {}{}{}", leader,
                               event.unclean ? " uncleanly" : "", event.leader_epoch,
                               fmt::join(event.isr, " "), listed(", eligible", event.eligible),
                               listed(", unclean", event.unclean_replicas)),
                   fmt::format("partition epoch {}", event.partition_epoch));
}

void Recorder::OnTopicCreated(BrokerId id, std::string_view topic, int32_t partitions) {
  narrator_.Tell(now_(), Kind::kOther, NameOf(id),
                 fmt::format("creates topic {} with {} partitions", topic, partitions));
}

void Recorder::OnTopicDeleted(BrokerId id, std::string_view topic) {
  narrator_.Tell(now_(), Kind::kOther, NameOf(id), fmt::format("deletes topic {}", topic));
  availability_.TopicDeleted(topic, now_());
  lag_.TopicDeleted(topic);
  Forget(topic);
}

void Recorder::OnLogDeleted(BrokerId id, const TopicPartition& partition) {
  roles_.NoLongerHosted(partition, id.value());
  if (!Judges(partition)) return;
  logs_.OnLogDeleted(id, partition);
  survivability_.OnLogDeleted(id, partition);
  if (!narrator_.active()) return;
  narrator_.TellOf(partition, Offset(0), Offset(0), now_(), Kind::kOther, NameOf(id),
                   fmt::format("deletes its log of {}", partition));
}

void Recorder::OnLogDirectoryFailed(BrokerId id, std::string_view path, std::string_view error) {
  narrator_.Tell(now_(), Kind::kLifecycle, NameOf(id),
                 fmt::format("takes log directory {} offline: {}", path, error));
}

void Recorder::Excuse(const TopicPartition& partition, std::string why) {
  HW_MARK("lawfully_stalled");
  ++excused_;
  narrator_.TellOf(partition, broker::Offset(0), broker::kNoOffset, now_(), Kind::kOther, "",
                   fmt::format("{} waits, as it must: {}", partition, why));
}

void Recorder::Report(invariants::Violation violation) {
  if (!judges_all_ && survivability_.Excuses(violation)) {
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

SeedMetrics Recorder::Metrics() const {
  SeedMetrics metrics{.produced = sent_, .acked = acked_, .consumed = consumed_};
  for (uint32_t client = 0; client < history_.producers(); ++client) {
    for (const invariants::Send& send : history_.SendsOf(client)) {
      if (send.outcome != invariants::SendOutcome::kAcked) continue;
      metrics.produce_latency.Record(send.completed - send.invoked);
    }
  }
  metrics.time_to_leader = availability_.time_to_leader();
  metrics.unavailable = availability_.Unavailable(now_());
  metrics.greatest_lag_records = lag_.greatest();
  writes_.AddTo(history_, metrics);
  return metrics;
}

std::vector<MarkCount> Recorder::Checks() const {
  std::vector<MarkCount> checks;
  for (const auto& invariant : invariants_) {
    checks.push_back({.name = std::string(invariant->id()), .count = invariant->checks()});
  }
  return checks;
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
