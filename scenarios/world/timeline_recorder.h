#pragma once

// TimelineRecorder: gathers a run's Timeline from what brokers report, what goes over the network
// and what is done to them. Only a run that is to be drawn has one; it never changes what happens.
//
//   TimelineRecorder recorder(world, kMessages, without_leader);
//   world.network().SetMessageSink(&recorder);
//   ... the brokers tell it, the world runs ...
//   result.timeline = std::move(recorder).Take(history);
//
// Not responsible for: words (narrator.h).
//
// Invariant: of what comes with every message (messages, requests, fetches) the newest so many are
// kept; of everything else, all. So a soak's timeline has an end, and the end of the story.

#include <absl/time/time.h>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/observer.h"
#include "invariants/history.h"
#include "invariants/violation.h"
#include "scenarios/timeline.h"
#include "sim/network/message_sink.h"
#include "sim/world.h"

namespace highwater::scenarios {

class TimelineRecorder final : public broker::Observer, public sim::MessageSink {
 public:
  // `without_leader`: how many partitions have no leader that can serve, at this moment.
  TimelineRecorder(sim::World& world, uint64_t most_messages,
                   std::function<size_t()> without_leader)
      : world_(world), most_messages_(most_messages), without_leader_(std::move(without_leader)) {}

  void ProcessEnded(const sim::Host& host, std::string_view how);
  // Some broker can be reached again, or no more.
  void ReachChanged() { NoticeUnavailable(); }
  // `length`: until it is withdrawn.
  void Fault(std::string_view text, const std::vector<sim::Host*>& victims, absl::Duration length);
  // Faults that are still in force end now.
  void Healed();
  void Violated(const invariants::Violation& violation);

  // What there is, with the producers' records as `history` knows them.
  [[nodiscard]] Timeline Take(const invariants::ClientHistory& history) &&;

  // broker::Observer
  void OnBrokerStarted(broker::BrokerId id) override;
  void OnLogLoaded(broker::BrokerId id, const broker::LogLoadedEvent& event) override;
  void OnBecameLeader(broker::BrokerId id, const broker::TopicPartition& partition,
                      broker::LeaderEpoch epoch, broker::Offset log_end) override;
  void OnBecameFollower(broker::BrokerId id, const broker::TopicPartition& partition,
                        broker::LeaderEpoch epoch, broker::BrokerId leader,
                        broker::Offset log_end) override;
  void OnStoppedLeading(broker::BrokerId, const broker::TopicPartition&,
                        broker::LeaderEpoch) override {
    NoticeUnavailable();
  }
  void OnIsrChanged(broker::BrokerId id, const broker::TopicPartition& partition,
                    broker::LeaderEpoch epoch, broker::PartitionEpoch partition_epoch,
                    absl::Span<const broker::BrokerId> isr) override;
  void OnFollowerFetched(broker::BrokerId leader, const broker::TopicPartition& partition,
                         broker::LeaderEpoch epoch, broker::BrokerId follower,
                         broker::Offset fetch_offset) override;
  void OnAppended(broker::BrokerId id, const broker::AppendedEvent& event) override;
  void OnFlushed(broker::BrokerId id, const broker::TopicPartition& partition,
                 broker::Offset recovery_point) override;
  void OnLogDeleted(broker::BrokerId id, const broker::TopicPartition& partition) override;
  void OnTruncated(broker::BrokerId id, const broker::TopicPartition& partition,
                   broker::Offset log_end) override;
  void OnHighWatermarkMoved(broker::BrokerId id, const broker::TopicPartition& partition,
                            broker::LeaderEpoch epoch, broker::Offset high_watermark) override;
  void OnAcknowledged(broker::BrokerId id, const broker::TopicPartition& partition,
                      broker::LeaderEpoch epoch, broker::Offset base, broker::Offset last,
                      int16_t acks) override;
  void OnBecameController(broker::BrokerId id, broker::ControllerEpoch epoch) override;
  void OnResignedAsController(broker::BrokerId id) override;
  void OnTopicDeleted(broker::BrokerId, std::string_view) override { NoticeUnavailable(); }
  void OnRequestServed(broker::BrokerId id, const broker::RequestEvent& event) override;
  void OnPartitionStateWritten(broker::BrokerId controller,
                               const broker::PartitionStateEvent& event) override;

  // sim::MessageSink
  void OnSent(const sim::MessageWay& way, absl::Span<const uint8_t> head, uint64_t bytes) override;
  void OnArrived(const sim::MessageWay& way, uint64_t bytes) override;

 private:
  struct Placed {
    uint64_t order;
    TimelineEvent event;
  };
  // What one direction of a connection carries now.
  struct Way {
    uint64_t frame_left = 0;  // bytes of the frame that is being sent
    int32_t name = -1;        // of that frame
    struct Flying {
      uint64_t order;
      uint64_t left;  // bytes
    };
    std::deque<Flying> flying;
    std::map<int32_t, int32_t> asked;  // correlation id → name of the request
  };

  [[nodiscard]] TimelineEvent At(TimelineKind kind, int32_t host) const;
  [[nodiscard]] TimelineEvent Of(TimelineKind kind, broker::BrokerId id,
                                 const broker::TopicPartition& partition);
  void Add(TimelineEvent event) { events_.push_back({next_order_++, std::move(event)}); }
  void AddTraffic(TimelineEvent event);
  void NoticeUnavailable();
  [[nodiscard]] int32_t IndexOf(const sim::Host& host);
  [[nodiscard]] int32_t IndexOf(broker::BrokerId id);
  [[nodiscard]] std::vector<int32_t> IndicesOf(absl::Span<const broker::BrokerId> ids);
  [[nodiscard]] int32_t NameIndex(std::string_view name);
  [[nodiscard]] int32_t PartitionIndex(const broker::TopicPartition& partition);
  // What a frame of the brokers' protocol is called, from its first bytes.
  [[nodiscard]] int32_t NameOfFrame(const sim::MessageWay& way, absl::Span<const uint8_t> head);

  sim::World& world_;
  uint64_t most_messages_;
  std::function<size_t()> without_leader_;
  Timeline timeline_;
  uint64_t next_order_ = 0;
  std::vector<Placed> events_;
  std::deque<Placed> traffic_;
  std::map<std::string, int32_t, std::less<>> hosts_;
  std::map<broker::BrokerId, int32_t> brokers_;
  std::map<std::string, int32_t, std::less<>> names_;
  std::map<broker::TopicPartition, int32_t> partitions_;
  std::map<uint64_t, Way> ways_;
  std::map<std::pair<int32_t, int32_t>, int64_t> fetched_;  // by partition and follower
  size_t unavailable_ = 0;
};

}  // namespace highwater::scenarios
