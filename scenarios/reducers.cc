#include "scenarios/reducers.h"

#include <algorithm>
#include <set>

#include "core/check.h"
#include "scenarios/fault_table.h"
#include "scenarios/reduce_faults.h"

namespace highwater::scenarios {
namespace {

using faults::FaultOrder;

// Less than this is not worth a run.
constexpr absl::Duration kLeastGain = absl::Milliseconds(250);
constexpr absl::Duration kShortestLoad = absl::Milliseconds(500);
// A healthy cluster needs so long until what is judged at rest holds: less would be another
// failure.
constexpr absl::Duration kShortestHeal = absl::Seconds(10);
constexpr absl::Duration kShortestWarmup = absl::Seconds(1);

// Who can write is counted no longer where there is no time left for it.
void EndLoadAfter(absl::Duration duration, Scenario& run) {
  run.run.duration = duration;
  if (run.run.watch && run.run.watch->high > duration) run.run.watch.reset();
}

absl::Duration LastEnd(const Scenario& run) {
  absl::Duration last;
  for (const FaultOrder& order : run.materialised->orders) {
    last = std::max(last, order.at + order.length);
  }
  return last;
}

// What ends earlier: the load just after the last fault or at half, then the healing.
std::vector<Scenario> WithLessTime(const Scenario& run) {
  std::vector<Scenario> smaller;
  const auto cut_load = [&](absl::Duration duration) {
    duration = std::max(absl::Floor(duration, absl::Milliseconds(1)), kShortestLoad);
    if (run.run.duration - duration < kLeastGain) return;
    Scenario less = run;
    EndLoadAfter(duration, less);
    std::erase_if(less.materialised->orders,
                  [&](const FaultOrder& order) { return order.at >= less.run.warmup + duration; });
    smaller.push_back(std::move(less));
  };
  const absl::Duration last = LastEnd(run) - run.run.warmup;
  cut_load(last + absl::Milliseconds(100));
  cut_load(last + absl::Seconds(1));
  cut_load(run.run.duration / 2);
  cut_load(run.run.duration * 3 / 4);
  if (run.run.heal / 2 >= kShortestHeal) {
    Scenario less = run;
    less.run.heal = absl::Floor(run.run.heal / 2, absl::Milliseconds(1));
    smaller.push_back(std::move(less));
  }
  return smaller;
}

// All faults earlier, and the load as much shorter, or the warm-up.
std::vector<Scenario> Earlier(const Scenario& run) {
  std::vector<Scenario> smaller;
  const auto shift = [&](absl::Duration by, bool warmup) {
    by = absl::Floor(by, absl::Milliseconds(1));
    if (by < kLeastGain) return;
    Scenario less = run;
    if (warmup) less.run.warmup -= by;
    if (!warmup) EndLoadAfter(less.run.duration - by, less);
    for (FaultOrder& order : less.materialised->orders) order.at -= by;
    smaller.push_back(std::move(less));
  };
  const std::vector<FaultOrder>& orders = run.materialised->orders;
  if (!orders.empty()) {
    const absl::Duration quiet =
        std::min(orders.front().at - run.run.warmup, run.run.duration - kShortestLoad);
    shift(quiet, false);
    shift(quiet / 2, false);
  }
  shift((run.run.warmup - kShortestWarmup) / 2, true);
  return smaller;
}

int64_t Producers(const Scenario& run) {
  return std::count_if(run.clients.begin(), run.clients.end(),
                       [](const ClientSpec& c) { return c.kind == ClientKind::kProducer; });
}

std::vector<Scenario> WithFewerClients(const Scenario& run) {
  std::vector<Scenario> smaller;
  for (size_t i = 0; i < run.clients.size(); ++i) {
    const ClientSpec& client = run.clients[i];
    if (client.kind == ClientKind::kConsumer || Producers(run) > 1) {
      Scenario less = run;
      less.clients.erase(less.clients.begin() + static_cast<ptrdiff_t>(i));
      smaller.push_back(std::move(less));
    }
    for (const int32_t count : std::set<int32_t>{1, client.count / 2, client.count - 1}) {
      if (count < 1 || count >= client.count) continue;
      Scenario less = run;
      less.clients[i].count = count;
      smaller.push_back(std::move(less));
    }
  }
  return smaller;
}

bool NamesTopic(const faults::Aim& aim, const std::string& topic, int32_t partitions) {
  using Role = faults::Aim::Role;
  const bool of_partition =
      aim.role == Role::kLeader || aim.role == Role::kFollower || aim.role == Role::kPartition;
  if (of_partition) return aim.name == topic && aim.number >= partitions;
  return aim.role == Role::kTopic && aim.name == topic && partitions == 0;
}

// Whether a fault aims at what would be gone if `topic` had so few partitions.
bool IsAimedAt(const Scenario& run, const std::string& topic, int32_t partitions) {
  return std::any_of(run.materialised->orders.begin(), run.materialised->orders.end(),
                     [&](const FaultOrder& order) {
                       const bool by_role = !order.hit && NamesTopic(order.aim, topic, partitions);
                       return by_role ||
                              (!order.other_hit && NamesTopic(order.other, topic, partitions));
                     });
}

std::vector<Scenario> WithFewerPartitions(const Scenario& run) {
  std::vector<Scenario> smaller;
  for (size_t i = 0; i < run.topics.size(); ++i) {
    const TopicSpec& topic = run.topics[i];
    const bool used =
        std::any_of(run.clients.begin(), run.clients.end(), [&](const ClientSpec& client) {
          return std::find(client.topics.begin(), client.topics.end(), topic.name) !=
                     client.topics.end() &&
                 client.topics.size() == 1;
        });
    if (!used && run.topics.size() > 1 && !IsAimedAt(run, topic.name, 0)) {
      Scenario less = run;
      for (ClientSpec& client : less.clients) std::erase(client.topics, topic.name);
      less.topics.erase(less.topics.begin() + static_cast<ptrdiff_t>(i));
      smaller.push_back(std::move(less));
    }
    for (const int32_t count : std::set<int32_t>{1, topic.partitions / 2, topic.partitions - 1}) {
      if (count < 1 || count >= topic.partitions || IsAimedAt(run, topic.name, count)) continue;
      Scenario less = run;
      less.topics[i].partitions = count;
      smaller.push_back(std::move(less));
    }
  }
  return smaller;
}

std::vector<Scenario> WithFewerRecords(const Scenario& run) {
  std::vector<Scenario> smaller;
  const auto limit = [&](int64_t operations) {
    if (operations < 1) return;
    if (operations >= run.materialised->operations.value_or(1'000'000)) return;
    Scenario less = run;
    less.materialised->operations = operations;
    smaller.push_back(std::move(less));
  };
  for (const int64_t operations : {1, 4, 16, 64, 256}) limit(operations);
  if (run.materialised->operations) {
    limit(*run.materialised->operations / 2);
    limit(*run.materialised->operations - 1);
  }
  return smaller;
}

std::vector<Scenario> WithFewerServers(const Scenario& run) {
  std::vector<Scenario> smaller;
  const ClusterSpec& cluster = run.cluster;
  for (const int32_t count : {1, 3}) {
    if (count >= cluster.zookeeper) continue;
    Scenario less = run;
    less.cluster.zookeeper = count;
    smaller.push_back(std::move(less));
  }
  int32_t least = 1;
  for (const TopicSpec& topic : run.topics) least = std::max(least, topic.replicas);
  for (const int32_t count : std::set<int32_t>{least, cluster.brokers / 2, cluster.brokers - 1}) {
    if (count < least || count >= cluster.brokers) continue;
    Scenario less = run;
    less.cluster.brokers = count;
    // Who has gone can no longer be hit.
    std::erase_if(less.materialised->orders, [&](const FaultOrder& order) {
      const faults::Aim& aim = order.hit.value_or(order.aim);
      return aim.role == faults::Aim::Role::kBroker && aim.number >= count;
    });
    smaller.push_back(std::move(less));
  }
  return smaller;
}

constexpr Reducer kReducers[] = {
    {"faults", WithFewerFaults},
    {"time", WithLessTime},
    {"clients", WithFewerClients},
    {"partitions", WithFewerPartitions},
    {"records", WithFewerRecords},
    {"servers", WithFewerServers},
    {"start", Earlier},
    {"lengths", WithShorterFaults},
    {"strengths", WithWeakerFaults},
    {"aims", WithNarrowerAims},
};

}  // namespace

absl::Span<const Reducer> Reducers() { return kReducers; }

std::vector<Scenario> WithoutWhatFollows(const Scenario& run, absl::Duration moment) {
  std::vector<Scenario> smaller;
  const absl::Duration duration =
      std::max(absl::Ceil(moment - run.run.warmup, absl::Milliseconds(100)), kShortestLoad);
  if (run.run.duration - duration < kLeastGain) return smaller;
  Scenario less = run;
  EndLoadAfter(duration, less);
  std::erase_if(less.materialised->orders,
                [&](const FaultOrder& order) { return order.at > moment; });
  const absl::Duration own = less.run.heal;
  less.run.heal = std::min(own, kShortestHeal);
  smaller.push_back(less);
  if (own > kShortestHeal) {
    less.run.heal = own;
    smaller.push_back(std::move(less));
  }
  return smaller;
}

// None; then those of each kind; then of ever smaller pieces either the piece alone or all but it.
std::vector<Scenario> WithFewerFaults(const Scenario& run) {
  std::vector<Scenario> smaller;
  const std::vector<FaultOrder>& orders = run.materialised->orders;
  const auto keep = [&](auto kept) {
    Scenario less = run;
    less.materialised->orders.clear();
    for (size_t i = 0; i < orders.size(); ++i) {
      if (kept(i)) less.materialised->orders.push_back(orders[i]);
    }
    const size_t left = less.materialised->orders.size();
    if (left < orders.size()) smaller.push_back(std::move(less));
  };
  if (orders.empty()) return smaller;
  keep([](size_t) { return false; });
  if (orders.size() == 1) return smaller;
  std::set<std::string> kinds;
  for (const FaultOrder& order : orders) kinds.insert(order.kind);
  if (kinds.size() > 1) {
    for (const std::string& kind : kinds) keep([&](size_t i) { return orders[i].kind != kind; });
  }
  for (size_t piece = (orders.size() + 1) / 2;; piece = (piece + 1) / 2) {
    for (size_t begin = 0; begin < orders.size(); begin += piece) {
      const auto inside = [&](size_t i) { return i >= begin && i < begin + piece; };
      if (2 * piece >= orders.size()) keep(inside);
      keep([&](size_t i) { return !inside(i); });
    }
    if (piece == 1) break;
  }
  return smaller;
}

}  // namespace highwater::scenarios
