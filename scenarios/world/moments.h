#pragma once

// Moments: tells the injector of the events for which faults wait, as brokers report them: in the
// step of the change, on a fiber of the broker that it happens to.
//
//   Moments moments(injector);
//   ObserverList observers({&recorder, &moments});   // last: roles are known by then
//
// Segments are no event of a broker: a decorator of its files tells of them (WatchSegments).
//
// Not responsible for: who waits (Injector). No effect on the run by itself.

#include <map>
#include <memory>
#include <set>

#include "broker/observer.h"
#include "core/file_system.h"
#include "faults/injector.h"

namespace highwater::scenarios {

class Moments final : public broker::Observer {
 public:
  explicit Moments(faults::Injector& injector) : injector_(injector) {}

  void OnBrokerStarted(broker::BrokerId id) override;
  void OnBecameLeader(broker::BrokerId id, const broker::TopicPartition& partition,
                      broker::LeaderEpoch epoch, broker::Offset log_end) override;
  void OnStoppedLeading(broker::BrokerId id, const broker::TopicPartition& partition,
                        broker::LeaderEpoch epoch) override;
  void OnIsrChanged(broker::BrokerId id, const broker::TopicPartition& partition,
                    broker::LeaderEpoch epoch, broker::PartitionEpoch partition_epoch,
                    absl::Span<const broker::BrokerId> isr) override;
  void OnAppended(broker::BrokerId id, const broker::AppendedEvent& event) override;
  void OnRecordsFetched(broker::BrokerId id, const broker::TopicPartition& partition,
                        broker::BrokerId follower, uint64_t bytes) override;
  void OnTruncated(broker::BrokerId id, const broker::TopicPartition& partition,
                   broker::Offset log_end) override;
  void OnHighWatermarkMoved(broker::BrokerId id, const broker::TopicPartition& partition,
                            broker::LeaderEpoch epoch, broker::Offset high_watermark) override;
  void OnAcknowledged(broker::BrokerId id, const broker::TopicPartition& partition,
                      broker::LeaderEpoch epoch, broker::Offset base, broker::Offset last,
                      int16_t acks) override;
  void OnBecameController(broker::BrokerId id, broker::ControllerEpoch epoch) override;
  void OnLogDirectoryFailed(broker::BrokerId id, std::string_view path,
                            std::string_view error) override;
  void OnPartitionStateWritten(broker::BrokerId controller,
                               const broker::PartitionStateEvent& event) override;

  // The files of broker `id` over `inner`, which outlives them: tells of each new segment of a log
  // that is not its first.
  [[nodiscard]] std::unique_ptr<core::FileSystem> WatchSegments(core::FileSystem& inner,
                                                                int32_t id);

 private:
  void Tell(faults::Moment::Event event, broker::BrokerId id,
            const broker::TopicPartition& partition);
  void Tell(faults::Moment::Event event, broker::BrokerId id);

  faults::Injector& injector_;
  // What leaders last told of their partitions' ISRs, and controllers wrote.
  std::map<broker::TopicPartition, std::set<broker::BrokerId>> isrs_;
  std::map<broker::TopicPartition, broker::LeaderEpoch> epochs_;
};

}  // namespace highwater::scenarios
