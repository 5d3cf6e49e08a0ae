#include "scenarios/world/rest_reader.h"

#include <algorithm>
#include <utility>

#include "broker/client/admin.h"
#include "broker/client/consumer.h"
#include "core/wait_group.h"
#include "scenarios/world/client_configs.h"

namespace highwater::scenarios {
namespace {

using broker::Offset;
using broker::TopicPartition;
using invariants::PartitionAtRest;
namespace client = broker::client;

// So many partitions are asked for at the same time.
constexpr size_t kSideBySide = 64;

class RestReader {
 public:
  RestReader(core::Environment& env, const WorkloadContext& context, core::MonotonicTime until)
      : env_(env),
        context_(context),
        until_(until),
        admin_(env, HarnessConfigOf<client::AdminConfig>({}, context, "reader")) {
    std::vector<std::string> topics;
    for (const TopicSpec& topic : context.scenario.topics) topics.push_back(topic.name);
    for (const TopicPartition& partition : context.layout.PartitionsOf(topics)) {
      found_.push_back({.partition = partition, .obstacle = "no broker answered"});
    }
  }

  std::vector<PartitionAtRest> Read() {
    LetSettle();
    for (PartitionAtRest& rest : found_) rest.as_of = context_.now();
    std::vector<size_t> all(found_.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    const core::MonotonicTime half = env_.clock.Now() + (until_ - env_.clock.Now()) / 2;
    std::vector<size_t> known =
        List(all, client::kEarliestTimestamp, &PartitionAtRest::log_start, half);
    known = List(known, client::kLatestTimestamp, &PartitionAtRest::log_end, until_);
    if (!known.empty()) {
      ReadToEnd(known);
      // Retention goes on meanwhile: what it took since is not lost.
      (void)List(known, client::kEarliestTimestamp, &PartitionAtRest::log_start, until_);
    }
    return std::move(found_);
  }

 private:
  // Half of the time belongs to the producers, and to whoever was thawed or cut off and still takes
  // itself for a leader: a reader that asks it is told what was.
  void LetSettle() { static_cast<void>(env_.fibers.SleepFor((until_ - env_.clock.Now()) / 2)); }

  // Asks for an offset of each of `wanted` until it has answered, or the deadline. Who has. One
  // that has no leader holds up nobody else: they are asked side by side.
  std::vector<size_t> List(const std::vector<size_t>& wanted, int64_t timestamp,
                           Offset PartitionAtRest::* field, core::MonotonicTime deadline) {
    std::vector<bool> known(found_.size());
    size_t next = 0;
    core::WaitGroup at_work(env_.fibers);
    for (size_t worker = 0; worker < std::min(kSideBySide, wanted.size()); ++worker) {
      at_work.Add();
      env_.fibers.Spawn("reader-list", [&, timestamp, field, deadline] {
        while (next < wanted.size()) {
          const size_t i = wanted[next++];
          known[i] = ListOne(found_[i], timestamp, field, deadline);
        }
        at_work.Done();
      });
    }
    at_work.Wait(core::MonotonicTime::Never(), core::Cancellation::kIgnored);
    std::vector<size_t> answered;
    for (const size_t i : wanted) {
      if (known[i]) answered.push_back(i);
    }
    return answered;
  }

  bool ListOne(PartitionAtRest& rest, int64_t timestamp, Offset PartitionAtRest::* field,
               core::MonotonicTime deadline) {
    while (env_.clock.Now() < deadline) {
      const auto offsets = admin_.ListOffsets({&rest.partition, 1}, timestamp, deadline);
      if (!offsets.ok()) {
        rest.obstacle = std::string(offsets.status().message());
      } else if (const auto& listed = offsets->front();
                 listed.error != broker::protocol::ErrorCode::NONE) {
        rest.obstacle = fmt::format("error {} to ListOffsets", static_cast<int>(listed.error));
      } else {
        // Of a partition whose replicas have not all deleted as much, the most.
        rest.*field = std::max(rest.*field, listed.offset);
        return true;
      }
      static_cast<void>(env_.fibers.SleepFor(absl::Milliseconds(200)));
    }
    return false;
  }

  void ReadToEnd(const std::vector<size_t>& known) {
    std::vector<TopicPartition> partitions;
    for (const size_t i : known) partitions.push_back(found_[i].partition);
    client::Consumer consumer(env_, HarnessConfigOf<client::ConsumerConfig>(
                                        {{"auto.offset.reset", "earliest"}}, context_, "reader"));
    consumer.Assign(partitions);
    for (const TopicPartition& partition : partitions) consumer.SeekToBeginning(partition);
    const auto at_end = [&](size_t i) {
      const PartitionAtRest& rest = found_[i];
      const std::optional<Offset> position = consumer.Position(rest.partition);
      return rest.log_start == rest.log_end || (position.has_value() && *position >= rest.log_end);
    };
    for (uint64_t poll = 1; env_.clock.Now() < until_; ++poll) {
      if (std::all_of(known.begin(), known.end(), at_end)) break;
      Take(consumer.Poll(until_), poll);
    }
    for (const size_t i : known) found_[i].readable = at_end(i);
  }

  void Take(const client::PollResult& polled, uint64_t poll) {
    for (const client::PositionReset& reset : polled.resets) {
      context_.recorder.PositionJumped("reader", reset.partition, reset.from,
                                       ReasonOf(reset.reason));
      if (reset.reason != client::ResetReason::kOutOfRange) continue;
      PartitionAtRest& rest = RestOf(reset.partition);
      rest.log_start = std::max(rest.log_start, reset.to);
    }
    for (const client::PolledPartition& batch : polled.partitions) {
      PartitionAtRest& rest = RestOf(batch.partition);
      for (const client::ConsumerRecord& record : batch.records) {
        const core::Bytes value = record.value.value_or(core::Bytes());
        context_.recorder.Consumed("reader", batch.partition, record.offset, value, poll);
        if (const auto id = invariants::ParseValue(value)) {
          rest.records.emplace_back(record.offset, *id);
        }
      }
    }
    for (const client::ConsumerError& error : polled.errors) {
      RestOf(error.partition).obstacle =
          fmt::format("offset {}: {}", error.position, error.message);
    }
  }

  PartitionAtRest& RestOf(const TopicPartition& partition) {
    return *std::find_if(found_.begin(), found_.end(),
                         [&](const PartitionAtRest& rest) { return rest.partition == partition; });
  }

  core::Environment& env_;
  const WorkloadContext& context_;
  core::MonotonicTime until_;
  client::Admin admin_;
  std::vector<PartitionAtRest> found_;
};

}  // namespace

void ReadAtRest(core::Environment& env, const WorkloadContext& context, absl::Duration deadline,
                const std::function<void(std::vector<PartitionAtRest>)>& done) {
  RestReader reader(env, context, env.clock.Now() + (deadline - context.now()));
  done(reader.Read());
}

}  // namespace highwater::scenarios
