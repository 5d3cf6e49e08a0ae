#pragma once

// LogComparisons: which partitions have the ends of all their logs compared, whom the controller
// has asked, and what they answered. Where everybody who may hold the committed records came back
// unclean, this decides who leads [W1].
//
//   const auto asked = comparisons.Ask(id, compared, brokers);     // whom to send the question to
//   comparisons.Answered(id, BrokerId(1), epoch, end);
//   if (auto ends = comparisons.EndsOf(id, compared, brokers)) ... // all are known: elect
//
// Not responsible for sending, nor for who leads (ElectByLogEnd).
//
// Invariants:
//   1. A broker is asked once for a partition in each of its registrations, and again where its
//      answer said nothing: so an unlucky answer cannot leave a partition without a leader.
//   2. An answer counts only while its broker has the registration under which it was asked: a
//      broker that was away since may have lost its log again.

#include <absl/types/span.h>

#include <map>
#include <optional>
#include <vector>

#include "broker/controller/controller_context.h"
#include "broker/controller/election.h"

namespace highwater::broker::controller {

class LogComparisons {
 public:
  using Brokers = std::map<BrokerId, zk::BrokerRegistration>;
  using LogEnds = std::map<BrokerId, LogEnd>;

  // Those of `compared` that have not been asked in their registration; from now on they have been.
  // REQUIRES: `brokers` holds each of `compared`.
  [[nodiscard]] std::vector<BrokerId> Ask(const TopicPartition& id,
                                          absl::Span<const BrokerId> compared,
                                          const Brokers& brokers);
  void Answered(const TopicPartition& id, BrokerId broker, BrokerEpoch epoch, LogEnd end);
  // The answer said nothing (a disk that fails, a log that is not open): it has to be asked again.
  void Refused(const TopicPartition& id, BrokerId broker);
  // What `compared` answered; nullopt while one of them has not, or was away since.
  [[nodiscard]] std::optional<LogEnds> EndsOf(const TopicPartition& id,
                                              absl::Span<const BrokerId> compared,
                                              const Brokers& brokers) const;

  [[nodiscard]] bool Contains(const TopicPartition& id) const { return asked_.contains(id); }
  [[nodiscard]] std::vector<TopicPartition> Partitions() const;
  void Forget(const TopicPartition& id) { asked_.erase(id); }
  void Clear() { asked_.clear(); }

 private:
  struct Question {
    BrokerEpoch epoch;
    std::optional<LogEnd> answer;
  };
  std::map<TopicPartition, std::map<BrokerId, Question>> asked_;
};

}  // namespace highwater::broker::controller
