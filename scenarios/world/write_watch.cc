#include "scenarios/world/write_watch.h"

#include <algorithm>

namespace highwater::scenarios {

using broker::TopicPartition;
using invariants::ClientHistory;
using invariants::RecordId;
using invariants::Send;
using invariants::SendOutcome;

namespace {

// Calls visit(client, id, send) for each record that was ever sent.
template <typename Visit>
void ForEachSend(const ClientHistory& history, Visit visit) {
  for (uint32_t client = 0; client < history.producers(); ++client) {
    const std::vector<Send>& sends = history.SendsOf(client);
    for (uint32_t i = 0; i < sends.size(); ++i) visit(RecordId{client, i}, sends[i]);
  }
}

// With acks=0 nobody answers: that the request is on its way is all that a producer is ever told.
bool ToldSent(const Send& send) {
  return send.outcome == SendOutcome::kAcked ||
         (send.acks == 0 && send.outcome == SendOutcome::kUnknown);
}

WatchedWrites Count(const std::map<TopicPartition, bool>& partitions) {
  WatchedWrites writes{.offered = partitions.size()};
  for (const auto& [partition, written] : partitions) writes.written += written ? 1 : 0;
  return writes;
}

}  // namespace

WriteWatch::WriteWatch(const Scenario& scenario)
    : load_begin_(scenario.run.warmup), load_end_(scenario.run.warmup + scenario.run.duration) {
  if (scenario.run.watch) {
    window_ = {load_begin_ + scenario.run.watch->low, load_begin_ + scenario.run.watch->high};
  }
  for (const TopicSpec& topic : scenario.topics) {
    const std::string* policy = FindSetting(topic.settings, "cleanup.policy");
    if (policy != nullptr && policy->find("compact") != std::string::npos) {
      compacted_.insert(topic.name);
    }
  }
}

void WriteWatch::SetCutOff(const std::string& client, bool cut_off, absl::Duration at) {
  std::vector<Change>& changes = changes_[client];
  if ((!changes.empty() && changes.back().cut_off) != cut_off) {
    changes.push_back({at, cut_off});
  }
}

bool WriteWatch::IsCutOff(std::string_view client, absl::Duration at) const {
  const auto found = changes_.find(client);
  if (found == changes_.end()) return false;
  bool cut_off = false;
  for (const Change& change : found->second) {
    if (change.at > at) break;
    cut_off = change.cut_off;
  }
  return cut_off;
}

void WriteWatch::AtRest(const std::vector<invariants::PartitionAtRest>& partitions,
                        const std::function<bool(const std::string& topic)>& judged) {
  for (const invariants::PartitionAtRest& rest : partitions) {
    // Below a log start offset that has moved, records are retention's to take.
    const bool whole = rest.readable && rest.log_start == broker::Offset(0);
    const std::string& topic = rest.partition.topic;
    if (!whole || compacted_.contains(topic) || !judged(topic)) continue;
    read_.emplace(rest.partition, rest.as_of);
    for (const auto& [offset, id] : rest.records) found_.push_back(id);
  }
  std::sort(found_.begin(), found_.end());
}

bool WriteWatch::IsLost(const Send& send, RecordId id) const {
  if (!ToldSent(send)) return false;
  const auto read = read_.find(send.partition);
  if (read == read_.end() || send.completed > read->second) return false;
  return !std::binary_search(found_.begin(), found_.end(), id);
}

void WriteWatch::AddStalls(const ClientHistory& history, SeedMetrics& metrics) const {
  std::map<TopicPartition, std::vector<absl::Duration>> answers;
  ForEachSend(history, [&](RecordId, const Send& send) {
    const bool answered = send.outcome == SendOutcome::kAcked && send.completed >= load_begin_ &&
                          send.completed <= load_end_;
    std::vector<absl::Duration>& times = answers[send.partition];
    if (answered) times.push_back(send.completed);
  });
  for (auto& [partition, times] : answers) {
    std::sort(times.begin(), times.end());
    times.push_back(load_end_);
    absl::Duration longest;
    absl::Duration last = load_begin_;
    for (const absl::Duration time : times) {
      longest = std::max(longest, time - last);
      last = time;
    }
    metrics.write_stall.Record(longest);
  }
}

void WriteWatch::AddWatched(const ClientHistory& history, SeedMetrics& metrics) const {
  if (!window_) return;
  std::map<TopicPartition, bool> majority;
  std::map<TopicPartition, bool> minority;
  ForEachSend(history, [&](RecordId id, const Send& send) {
    if (send.invoked < window_->low || send.invoked >= window_->high) return;
    auto& side = IsCutOff(history.NameOf(id.client), send.invoked) ? minority : majority;
    bool& written = side[send.partition];
    written = written || (send.outcome == SendOutcome::kAcked && send.completed <= window_->high);
  });
  metrics.majority_writes = Count(majority);
  metrics.minority_writes = Count(minority);
}

void WriteWatch::AddTo(const ClientHistory& history, SeedMetrics& metrics) const {
  ForEachSend(history, [&](RecordId id, const Send& send) {
    if (IsLost(send, id)) ++metrics.lost;
  });
  AddStalls(history, metrics);
  AddWatched(history, metrics);
}

}  // namespace highwater::scenarios
