// Generated histories: what a correct cluster could show passes every checker of client histories;
// with one anomaly planted, the checker of that name finds it.

#include <functional>

#include "core/random.h"
#include "invariants/history.h"
#include "invariants/invariant.h"

namespace highwater::invariants {
namespace {

using broker::Offset;
using broker::PartitionIndex;
using broker::TopicPartition;

class Collector final : public ViolationSink {
 public:
  void Report(Violation violation) override { found.insert(violation.invariant); }
  std::set<std::string> found;
};

struct Event {
  enum class Kind { kSent, kAcked, kFailed, kRead, kSought };
  Kind kind = Kind::kSent;
  RecordId id;
  size_t partition = 0;
  Offset offset = broker::kNoOffset;
  int consumer = 0;
  uint64_t poll = 0;
};

constexpr int kReader = 2;  // reads everything at rest

// A correct partition log, idempotent producers that wait for each answer, and consumers that poll.
class Model {
 public:
  explicit Model(uint64_t seed) : seed_(seed) {
    const uint64_t steps = 50 + Draw(250);
    for (int i = 0; i < kProducers; ++i) producers_[i].next = 0;
    for (uint64_t i = 0; i < steps; ++i) Step();
    for (size_t p = 0; p < kPartitions; ++p) {
      events.push_back({.kind = Event::Kind::kSought, .partition = p, .consumer = kReader});
      for (size_t i = 0; i < logs[p].size(); ++i) AddRead(kReader, p, i, 1);
    }
  }

  static constexpr int kProducers = 2;
  static constexpr size_t kPartitions = 2;
  std::vector<Event> events;
  std::vector<RecordId> logs[kPartitions];  // from offset 0 on

 private:
  struct Producer {
    uint32_t next;
    std::optional<Event> waiting;  // what it will be told
  };

  uint64_t Draw(uint64_t bound) {
    return core::KeyedRandom(core::Mix(seed_, ++draws_)).Below(bound);
  }
  void Step() {
    switch (Draw(6)) {
      case 0:
      case 1:
        return Send(static_cast<int>(Draw(kProducers)));
      case 2:
        return Answer(static_cast<int>(Draw(kProducers)));
      case 3:
      case 4:
        return Poll(static_cast<int>(Draw(2)));
      case 5:
        return Seek(Draw(8));
    }
  }
  void Send(int producer) {
    Producer& p = producers_[producer];
    if (p.waiting.has_value()) return;
    const Event sent{.id = {static_cast<uint32_t>(producer), p.next++},
                     .partition = static_cast<size_t>(Draw(kPartitions))};
    events.push_back(sent);
    Event answer = sent;
    const uint64_t fate = Draw(10);  // 8: it failed; 9: stored, but it never learns
    answer.kind = fate == 8 ? Event::Kind::kFailed : Event::Kind::kAcked;
    if (fate != 8) {
      answer.offset = Offset(static_cast<int64_t>(logs[sent.partition].size()));
      logs[sent.partition].push_back(sent.id);
    }
    if (fate != 9) p.waiting = answer;
  }
  void Answer(int producer) {
    Producer& p = producers_[producer];
    if (p.waiting.has_value()) events.push_back(*p.waiting);
    p.waiting.reset();
  }
  void Poll(int consumer) {
    ++polls_[consumer];
    for (size_t p = 0; p < kPartitions; ++p) {
      const size_t most = Draw(5);
      size_t& position = positions_[consumer][p];
      for (size_t i = 0; i < most && position < logs[p].size(); ++i) {
        AddRead(consumer, p, position++, polls_[consumer]);
      }
    }
  }
  void Seek(uint64_t to) {
    if (to > 0) return;
    positions_[0][0] = 0;
    events.push_back({.kind = Event::Kind::kSought, .partition = 0, .consumer = 0});
  }
  void AddRead(int consumer, size_t p, size_t index, uint64_t poll) {
    events.push_back({.kind = Event::Kind::kRead,
                      .id = logs[p][index],
                      .partition = p,
                      .offset = Offset(static_cast<int64_t>(index)),
                      .consumer = consumer,
                      .poll = poll});
  }

  uint64_t seed_;
  uint64_t draws_ = 0;
  Producer producers_[kProducers];
  size_t positions_[2][kPartitions] = {};
  uint64_t polls_[2] = {};
};

// What all checkers find in a history.
std::set<std::string> FoundIn(const Model& model) {
  ClientHistory history;
  ReplicaLogs logs;
  Collector sink;
  const RunFacts facts{.history = history, .logs = logs, .promise = [](std::string_view) {
                         return TopicPromise{.replicas = 3, .min_insync_replicas = 2};
                       }};
  std::vector<std::unique_ptr<Invariant>> invariants;
  for (const InvariantInfo& info : CatalogOfInvariants()) {
    invariants.push_back(info.make(facts, sink));
  }
  for (int i = 0; i < Model::kProducers; ++i) {
    history.AddProducer(fmt::format("producer-{}", i), {.idempotent = true, .ordered = true});
  }
  const TopicPartition partitions[] = {{"orders", PartitionIndex(0)},
                                       {"orders", PartitionIndex(1)}};
  std::vector<PartitionAtRest> rest(2);
  absl::Duration now;
  for (const Event& event : model.events) {
    now += absl::Seconds(1);
    const TopicPartition& partition = partitions[event.partition];
    const std::string consumer = fmt::format("consumer-{}", event.consumer);
    switch (event.kind) {
      case Event::Kind::kSent:
        history.AddSend(event.id.client,
                        {.partition = partition, .value_size = 100, .invoked = now});
        break;
      case Event::Kind::kAcked:
        for (const auto& invariant : invariants) {
          invariant->OnAcked(
              {.id = event.id, .partition = partition, .offset = event.offset, .at = now});
        }
        break;
      case Event::Kind::kFailed:
        history.Of(event.id).outcome = SendOutcome::kFailed;
        for (const auto& invariant : invariants) {
          invariant->OnSendFailed({.id = event.id, .partition = partition, .at = now});
        }
        break;
      case Event::Kind::kRead: {
        const core::Bytes value = MakeValue(event.id, 100);
        for (const auto& invariant : invariants) {
          invariant->OnConsumed({.consumer = consumer,
                                 .partition = partition,
                                 .offset = event.offset,
                                 .value = value,
                                 .id = event.id,
                                 .poll = event.poll,
                                 .at = now});
        }
        if (event.consumer == kReader) {
          rest[event.partition].records.emplace_back(event.offset, event.id);
        }
        break;
      }
      case Event::Kind::kSought:
        for (const auto& invariant : invariants) {
          invariant->OnPositionJumped({.consumer = consumer, .partition = partition, .at = now});
        }
        break;
    }
  }
  for (size_t p = 0; p < 2; ++p) {
    rest[p].partition = partitions[p];
    rest[p].readable = true;
    rest[p].as_of = now;
    rest[p].log_start = Offset(0);
    rest[p].log_end = Offset(static_cast<int64_t>(model.logs[p].size()));
  }
  for (const auto& invariant : invariants) invariant->AtRest(rest, now);
  return sink.found;
}

Model Generate() {
  return Model(*rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<uint64_t>()));
}

// Indices of the events that `wanted` holds for.
std::vector<size_t> Where(const Model& model, const std::function<bool(const Event&)>& wanted) {
  std::vector<size_t> result;
  for (size_t i = 0; i < model.events.size(); ++i) {
    if (wanted(model.events[i])) result.push_back(i);
  }
  return result;
}

size_t AnyOf(const std::vector<size_t>& indices) {
  return indices[*rc::gen::resize(rc::kNominalSize, rc::gen::inRange<size_t>(0, indices.size()))];
}

bool IsRead(const Event& event) { return event.kind == Event::Kind::kRead; }
bool IsAcked(const Event& event) { return event.kind == Event::Kind::kAcked; }

RC_GTEST_PROP(HistoryModelTest, WhatACorrectClusterShowsIsLegal, ()) {
  RC_ASSERT(FoundIn(Generate()) == std::set<std::string>());
}

RC_GTEST_PROP(HistoryModelTest, AnOffsetThatReadsOtherwiseIsFound, ()) {
  Model model = Generate();
  // Somebody else reads every offset, too.
  const auto reads = Where(model, IsRead);
  RC_PRE(reads.size() >= 2u);
  Event& changed = model.events[AnyOf(reads)];
  const Event& other = model.events[AnyOf(reads)];
  RC_PRE(other.id != changed.id && changed.consumer != kReader);
  changed.id = other.id;
  RC_ASSERT(FoundIn(model).contains("inconsistent-offsets"));
}

RC_GTEST_PROP(HistoryModelTest, AFailureThatIsReadIsFound, ()) {
  Model model = Generate();
  const auto acks = Where(model, IsAcked);
  RC_PRE(!acks.empty());
  model.events[AnyOf(acks)].kind = Event::Kind::kFailed;
  RC_ASSERT(FoundIn(model) == std::set<std::string>{"G1a"});
}

RC_GTEST_PROP(HistoryModelTest, AnAckedRecordThatNobodyReadsIsFound, ()) {
  Model model = Generate();
  const auto acks = Where(model, IsAcked);
  RC_PRE(!acks.empty());
  const Event lost = model.events[AnyOf(acks)];
  std::erase_if(model.events, [&](const Event& e) { return IsRead(e) && e.id == lost.id; });
  const auto found = FoundIn(model);
  RC_ASSERT(found.contains("unseen"));
  RC_ASSERT(found.contains("acked-durable"));
  const bool last =
      lost.offset.value() + 1 == static_cast<int64_t>(model.logs[lost.partition].size());
  RC_ASSERT(found.contains("lost-write") == !last);
}

// The reads of one consumer that lie between two others of it, in the order of the log.
std::optional<std::vector<size_t>> NeighbouringReads(const Model& model, bool one_poll) {
  const auto first = Where(model, [](const Event& e) { return IsRead(e) && e.consumer == 1; });
  for (size_t i = 0; i < first.size(); ++i) {
    std::vector<size_t> run;
    for (size_t j = i; j < first.size() && run.size() < 3; ++j) {
      const Event& event = model.events[first[j]];
      if (event.partition == model.events[first[i]].partition) run.push_back(first[j]);
    }
    if (run.size() < 3) continue;
    if ((model.events[run[0]].poll == model.events[run[2]].poll) == one_poll) return run;
  }
  return std::nullopt;
}

RC_GTEST_PROP(HistoryModelTest, ASkippedRecordIsFound, (bool one_poll)) {
  Model model = Generate();
  const auto run = NeighbouringReads(model, one_poll);
  RC_PRE(run.has_value());
  model.events.erase(model.events.begin() + static_cast<std::ptrdiff_t>((*run)[1]));
  const std::string rule = one_poll ? "int-poll-skip" : "poll-skip";
  RC_ASSERT(FoundIn(model) == std::set<std::string>{rule});
}

RC_GTEST_PROP(HistoryModelTest, ARecordThatComesAgainIsFound, (bool one_poll)) {
  Model model = Generate();
  const auto run = NeighbouringReads(model, one_poll);
  RC_PRE(run.has_value());
  Event again = model.events[(*run)[0]];
  again.poll = model.events[(*run)[2]].poll;
  // The record before it was of the first poll or of this one.
  const bool same = model.events[(*run)[1]].poll == again.poll;
  model.events.insert(model.events.begin() + static_cast<std::ptrdiff_t>((*run)[2]), again);
  const std::string rule = same ? "int-nonmonotonic-poll" : "nonmonotonic-poll";
  RC_ASSERT(FoundIn(model).contains(rule));
}

RC_GTEST_PROP(HistoryModelTest, AnInversionIsFound, ()) {
  Model model = Generate();
  // The first acknowledged of a partition and a later one exchange their offsets: by then the first
  // was acknowledged.
  const auto acks = Where(model, [](const Event& e) { return IsAcked(e) && e.partition == 0; });
  RC_PRE(acks.size() >= 2u);
  const RecordId last = model.events[acks.back()].id;
  const auto sent =
      Where(model, [&](const Event& e) { return e.kind == Event::Kind::kSent && e.id == last; });
  RC_PRE(sent.front() > acks.front());
  std::swap(model.events[acks.front()].offset, model.events[acks.back()].offset);
  RC_ASSERT(FoundIn(model).contains("realtime-inversion"));
}

}  // namespace
}  // namespace highwater::invariants
