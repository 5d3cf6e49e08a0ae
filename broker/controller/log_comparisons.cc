#include "broker/controller/log_comparisons.h"

namespace highwater::broker::controller {

std::vector<BrokerId> LogComparisons::Ask(const TopicPartition& id,
                                          absl::Span<const BrokerId> compared,
                                          const Brokers& brokers) {
  std::vector<BrokerId> unasked;
  auto& questions = asked_[id];
  for (const BrokerId broker : compared) {
    const BrokerEpoch epoch = brokers.at(broker).epoch;
    const auto question = questions.find(broker);
    if (question != questions.end() && question->second.epoch == epoch) continue;
    questions.insert_or_assign(broker, Question{.epoch = epoch, .answer = std::nullopt});
    unasked.push_back(broker);
  }
  return unasked;
}

void LogComparisons::Answered(const TopicPartition& id, BrokerId broker, BrokerEpoch epoch,
                              LogEnd end) {
  const auto questions = asked_.find(id);
  if (questions == asked_.end()) return;
  const auto question = questions->second.find(broker);
  if (question == questions->second.end() || question->second.epoch != epoch) return;
  question->second.answer = end;
}

void LogComparisons::Refused(const TopicPartition& id, BrokerId broker) {
  const auto questions = asked_.find(id);
  if (questions != asked_.end()) questions->second.erase(broker);
}

std::optional<LogComparisons::LogEnds> LogComparisons::EndsOf(const TopicPartition& id,
                                                              absl::Span<const BrokerId> compared,
                                                              const Brokers& brokers) const {
  const auto questions = asked_.find(id);
  if (questions == asked_.end()) return std::nullopt;
  LogEnds ends;
  for (const BrokerId broker : compared) {
    const auto question = questions->second.find(broker);
    if (question == questions->second.end() || !question->second.answer) return std::nullopt;
    const auto now = brokers.find(broker);
    if (now == brokers.end() || now->second.epoch != question->second.epoch) return std::nullopt;
    ends[broker] = *question->second.answer;
  }
  return ends;
}

std::vector<TopicPartition> LogComparisons::Partitions() const {
  std::vector<TopicPartition> partitions;
  partitions.reserve(asked_.size());
  for (const auto& [id, questions] : asked_) partitions.push_back(id);
  return partitions;
}

}  // namespace highwater::broker::controller
