// A small cluster of pure machines: three replicas, each a PartitionLeader and a PartitionFollower
// over a log in memory, and an abstract clean controller. Messages are delivered, delayed, lost and
// overtaken in any order; processes crash and come back. What leaders committed is never lost or
// changed, and in the end all logs are equal.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/replication/partition_follower.h"
#include "broker/replication/partition_leader.h"
#include "core/random.h"

namespace highwater::broker {
namespace {

using core::MonotonicTime;
using protocol::ErrorCode;
using Action = PartitionFollower::Action;

constexpr size_t kNodes = 3;
constexpr absl::Duration kLag = absl::Seconds(10);

struct Record {
  int32_t epoch;
  int64_t payload;
  bool operator==(const Record&) const = default;
};

struct Node {
  explicit Node(size_t i, const ReplicationRules& rules)
      : index(i), leader(BrokerId(static_cast<int32_t>(i)), rules, kLag), follower(rules) {}
  size_t index;
  // What outlives a crash.
  std::vector<Record> log;
  storage::LeaderEpochCache epochs;
  Offset checkpointed;
  // What does not.
  PartitionLeader leader;
  PartitionFollower follower;
  LeaderEpoch epoch = kNoLeaderEpoch;

  Offset end() const { return Offset(static_cast<int64_t>(log.size())); }
  FollowerLog view() const { return {epochs, Offset(0), end()}; }
  Offset high_watermark() const {
    return leader.leads() ? leader.high_watermark() : follower.high_watermark();
  }
};

struct LeaderAndIsr {
  size_t leader;
  Leadership leadership;
};

struct Exchange {  // a fetch on its way there, or its answer on its way back
  size_t from;
  size_t to;
  PartitionFollower::Fetch asked;
  std::optional<PartitionFollower::Fetched> answer;
  std::vector<Record> records;
};

class Cluster {
 public:
  explicit Cluster(const ReplicationRules& rules = ReplicationRules()) : rules_(rules) {
    for (size_t i = 0; i < kNodes; ++i) nodes_.push_back(std::make_unique<Node>(i, rules));
    state_.leadership = {.epoch = LeaderEpoch(0), .isr = {}, .replicas = {}};
    for (size_t i = 0; i < kNodes; ++i) {
      state_.leadership.isr.emplace_back(static_cast<int32_t>(i));
      state_.leadership.replicas.emplace_back(static_cast<int32_t>(i));
    }
    Announce();
  }

  // One arbitrary step. Changes of roles are rare against fetches, so that there is something to
  // lose.
  void Step(uint32_t command) {
    const uint32_t kind = command & 63;
    const size_t node = (command >> 6) % kNodes;
    const uint32_t choice = command >> 8;
    if (kind < 9) return Append(node);
    if (kind < 22) return SendFetch(node);
    if (kind < 44) return Deliver(choice);
    if (kind < 46) return Drop(choice);
    if (kind < 54) return DeliverRoles(node);
    if (kind < 59) return DecideProposal(choice);
    if (kind < 60) return Elect(choice);
    if (kind < 61) return Crash(node, choice);
    if (kind < 62) return Checkpoint(*nodes_[node]);
    now_ = now_ + absl::Seconds(choice % 12);
    Do(*nodes_[node], [&](auto& effects) { nodes_[node]->leader.CheckIsr(now_, effects); });
  }

  // Everything is delivered, and everybody fetches, until nothing changes any more.
  void Heal() {
    exchanges_.clear();
    Elect(0);
    for (size_t i = 0; i < kNodes; ++i) DeliverRoles(i);
    for (int round = 0; round < 20; ++round) {
      for (size_t i = 0; i < kNodes; ++i) {
        SendFetch(i);
        while (!exchanges_.empty()) Deliver(0);
        while (!proposals_.empty()) DecideProposal(0);
      }
    }
    const Node& leader = *nodes_[state_.leader];
    Require(leader.leader.isr().size() == kNodes, "the ISR is not whole");
    Require(leader.high_watermark() == leader.end(), "not everything is committed");
    for (const auto& node : nodes_) Require(node->log == leader.log, "logs differ");
  }

  // What went wrong first; "" if nothing did.
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  void Require(bool holds, std::string_view what) {
    if (!holds && failure_.empty()) failure_ = what;
  }

  template <typename StepFunction>
  void Do(Node& node, StepFunction step) {
    PartitionLeader::Effects effects;
    step(effects);
    if (effects.alter_partition) {
      proposals_.push_back({node.index, *effects.alter_partition});
    }
    CheckCommitted(node);
  }

  // The commit point: what any leader ever held below its high watermark.
  void CheckCommitted(const Node& node) {
    if (!node.leader.leads()) return;
    const auto high_watermark = static_cast<size_t>(node.leader.high_watermark().value());
    for (size_t i = 0; i < high_watermark; ++i) {
      if (i == committed_.size()) committed_.push_back(node.log[i]);
      Require(committed_[i] == node.log[i], "a committed record changed");
    }
  }

  void Announce() {
    for (auto& queue : roles_) queue.push_back(state_);
  }

  void DeliverRoles(size_t index) {
    while (!roles_[index].empty()) DeliverRole(index);
  }

  void DeliverRole(size_t index) {
    Node& node = *nodes_[index];
    const LeaderAndIsr role = roles_[index].front();
    roles_[index].pop_front();
    if (!rules_.MayChangeRole(role.leadership.epoch, node.epoch)) return;
    const Offset high_watermark = std::min(node.high_watermark(), node.end());
    node.epoch = role.leadership.epoch;
    if (role.leader == index) {
      node.follower.Stop();
      node.epochs.Assign(node.epoch, node.end());  // [R18]
      return Do(node, [&](auto& effects) {
        node.leader.BecomeLeader(role.leadership, high_watermark, node.end(), now_, effects);
      });
    }
    Do(node,
       [&](auto& effects) { node.leader.Resign(ErrorCode::NOT_LEADER_OR_FOLLOWER, effects); });
    node.follower.Follow(node.epoch, BrokerId(static_cast<int32_t>(role.leader)), high_watermark);
    node.epochs.TruncateFromEnd(node.end());
    Carry(node, node.follower.OnSettled(node.view()), nullptr);
  }

  void Append(size_t index) {
    Node& node = *nodes_[index];
    if (!node.leader.leads()) return;
    node.log.push_back({node.epoch.value(), ++payloads_});
    Do(node, [&](auto& effects) { node.leader.OnAppended(node.epoch, node.end(), now_, effects); });
  }

  void SendFetch(size_t index) {
    Node& node = *nodes_[index];
    node.follower.OnDelayOver(node.view());
    const auto fetch = node.follower.NextFetch();
    if (!fetch) return;
    exchanges_.push_back({.from = index,
                          .to = static_cast<size_t>(node.follower.leader().value()),
                          .asked = *fetch});
  }

  std::ptrdiff_t Pick(uint32_t choice) const {
    return static_cast<std::ptrdiff_t>(choice % exchanges_.size());
  }

  void Drop(uint32_t choice) {
    if (!exchanges_.empty()) exchanges_.erase(exchanges_.begin() + Pick(choice));
  }

  void Checkpoint(Node& node) { node.checkpointed = node.high_watermark(); }

  void Deliver(uint32_t choice) {
    if (exchanges_.empty()) return;
    const auto at = exchanges_.begin() + Pick(choice);
    Exchange exchange = *at;
    exchanges_.erase(at);
    if (exchange.answer.has_value()) return DeliverAnswer(exchange);
    AnswerFetch(exchange);
    exchanges_.push_back(std::move(exchange));
  }

  void AnswerFetch(Exchange& exchange) {
    Node& node = *nodes_[exchange.to];
    const PartitionFollower::Fetch& asked = exchange.asked;
    auto& answer = exchange.answer.emplace();
    answer.asked = asked;
    answer.error = node.leader.leads() ? node.leader.CheckEpoch(asked.leader_epoch)
                                       : ErrorCode::NOT_LEADER_OR_FOLLOWER;
    if (answer.error != ErrorCode::NONE) return;
    answer.leader_high_watermark = node.leader.high_watermark();
    answer.leader_log_start_offset = Offset(0);
    if (asked.last_fetched_epoch != kNoLeaderEpoch) {  // [P9]
      const auto end = node.epochs.EndOffsetFor(asked.last_fetched_epoch, node.end());
      if (!end) {
        answer.error = ErrorCode::OFFSET_OUT_OF_RANGE;
        return;
      }
      if (end->epoch < asked.last_fetched_epoch || end->end_offset < asked.offset) {
        answer.diverging = *end;
        return;
      }
    }
    if (asked.offset > node.end()) return Require(false, "a follower has more");
    exchange.records.assign(node.log.begin() + asked.offset.value(), node.log.end());
    if (!exchange.records.empty()) answer.first_base_offset = asked.offset;
    Do(node, [&](auto& effects) {
      node.leader.OnFollowerFetch(
          {.follower = BrokerId(static_cast<int32_t>(exchange.from)), .fetch_offset = asked.offset},
          now_, effects);
    });
  }

  void DeliverAnswer(const Exchange& exchange) {
    Node& node = *nodes_[exchange.from];
    Carry(node, node.follower.OnFetched(*exchange.answer, node.view()), &exchange.records);
  }

  void Carry(Node& node, const Action& action, const std::vector<Record>* records) {
    switch (action.kind) {
      case Action::Kind::kAppend:
        for (const Record& record : *records) {
          node.epochs.Assign(LeaderEpoch(record.epoch), node.end());
          node.log.push_back(record);
        }
        return node.follower.OnAppended(node.view());
      case Action::Kind::kTruncate:
        node.log.resize(static_cast<size_t>(std::min(action.offset, node.end()).value()));
        node.epochs.TruncateFromEnd(node.end());
        return Carry(node, node.follower.OnSettled(node.view()), nullptr);
      case Action::Kind::kNone:
      case Action::Kind::kDelay:
        return;
      default:
        Require(false, "a log that starts at 0 is out of range");
    }
  }

  // ---- The controller.

  void DecideProposal(uint32_t choice) {
    if (proposals_.empty()) return;
    const auto at = proposals_.begin() + static_cast<std::ptrdiff_t>(choice % proposals_.size());
    const auto [index, asked] = *at;
    proposals_.erase(at);
    IsrAnswer answer{.serial = asked.serial, .leader_epoch = asked.leader_epoch, .isr = asked.isr};
    if (asked.leader_epoch != state_.leadership.epoch) {
      answer.error = ErrorCode::FENCED_LEADER_EPOCH;
    } else if (asked.partition_epoch != state_.leadership.partition_epoch) {
      answer.error = ErrorCode::INVALID_UPDATE_VERSION;
    } else {
      state_.leadership.isr = asked.isr;
      ++state_.leadership.partition_epoch;
      answer.partition_epoch = state_.leadership.partition_epoch;
    }
    Node& node = *nodes_[index];
    Do(node, [&](auto& effects) { node.leader.OnIsrAnswer(answer, now_, effects); });
  }

  // A member of the ISR leads from now on, under the next epoch.
  void Elect(uint32_t choice) {
    const auto& isr = state_.leadership.isr;
    state_.leader = static_cast<size_t>(isr[choice % isr.size()].value());
    ++state_.leadership.epoch;
    ++state_.leadership.partition_epoch;
    Announce();
  }

  // The process dies and comes back with its log and an old high watermark; the controller may have
  // taken it from the ISR meanwhile.
  void Crash(size_t index, uint32_t choice) {
    auto fresh = std::make_unique<Node>(index, rules_);
    fresh->log = nodes_[index]->log;
    fresh->epochs = nodes_[index]->epochs;
    fresh->checkpointed = std::min(nodes_[index]->checkpointed, fresh->end());
    fresh->follower.set_high_watermark(fresh->checkpointed);
    nodes_[index] = std::move(fresh);
    roles_[index].clear();
    std::erase_if(proposals_, [&](const auto& proposal) { return proposal.first == index; });
    auto& isr = state_.leadership.isr;
    const bool leaves = choice % 2 == 0 && isr.size() > 1;
    if (leaves) std::erase(isr, BrokerId(static_cast<int32_t>(index)));
    if (leaves || state_.leader == index) return Elect(choice >> 1);
    roles_[index].push_back(state_);
  }

  ReplicationRules rules_;
  MonotonicTime now_ = MonotonicTime::FromNanos(1);
  std::vector<std::unique_ptr<Node>> nodes_;
  LeaderAndIsr state_{};
  std::deque<LeaderAndIsr> roles_[kNodes];
  std::vector<Exchange> exchanges_;
  std::vector<std::pair<size_t, IsrProposal>> proposals_;
  std::vector<Record> committed_;
  int64_t payloads_ = 0;
  std::string failure_;
};

// Up to 400 steps, any of them.
rc::Gen<std::vector<uint32_t>> Commands() {
  const auto command = rc::gen::resize(rc::kNominalSize, rc::gen::inRange<uint32_t>(0, 1 << 20));
  return rc::gen::scale(4.0, rc::gen::container<std::vector<uint32_t>>(command));
}

RC_GTEST_PROP(ReplicationModel, NothingCommittedIsLostAndLogsConverge, ()) {
  Cluster cluster;
  for (const uint32_t command : *Commands()) cluster.Step(command);
  cluster.Heal();
  RC_ASSERT(cluster.failure() == "");
}

// Whether a cluster with these rules shows a failure within so many histories.
bool Fails(const ReplicationRules& rules, uint64_t histories) {
  for (uint64_t history = 1; history <= histories; ++history) {
    core::KeyedRandom random(history);
    Cluster cluster(rules);
    for (int i = 0; i < 300 && cluster.failure().empty(); ++i) {
      cluster.Step(static_cast<uint32_t>(random.Next()));
    }
    if (cluster.failure().empty()) cluster.Heal();
    if (!cluster.failure().empty()) return true;
  }
  return false;
}

TEST(ReplicationModelTest, TheSafeRulesSurviveThousandsOfHistories) {
  EXPECT_FALSE(Fails(ReplicationRules(), 5000));
}

// [H12]
TEST(ReplicationModelTest, FindsAReplicaThatJoinsTheIsrTooEarly) {
  ReplicationRules rules;
  rules.MayJoinIsr = [](const ReplicaProgress&, const LeaderProgress&) { return true; };
  EXPECT_TRUE(Fails(rules, 5000));
}

TEST(ReplicationModelTest, FindsTruncationToTheHighWatermark) {  // KIP-101
  ReplicationRules rules;
  rules.TruncationPoint = [](const std::optional<storage::EpochEndOffset>&, const FollowerLog& log,
                             Offset high_watermark) {
    return Truncation{std::min(high_watermark, log.log_end_offset)};
  };
  EXPECT_TRUE(Fails(rules, 5000));
}

TEST(ReplicationModelTest, FindsAHighWatermarkThatWaitsForTheLeaderOnly) {
  ReplicationRules rules;
  rules.HoldsHighWatermark = [](const ReplicaProgress&, bool, const LeaderProgress&) {
    return false;
  };
  EXPECT_TRUE(Fails(rules, 5000));
}

}  // namespace
}  // namespace highwater::broker
