#pragma once

// PartitionFollower: what a follower of one partition decides: from where it fetches, what it does
// with an answer, where it cuts its log, where its high watermark stands. A state machine without
// I/O; Partition drives it.
//
//   follower.Follow(epoch, leader, high_watermark);
//   Do(follower.OnSettled(log));                        // the log's queue has come to rest
//   if (auto fetch = follower.NextFetch()) ...          // to be asked of the leader
//   Do(follower.OnFetched({.asked = *fetch, ...}, log));   // its answer
//
// Each step returns one Action for the log or the leader; its outcome comes back by the matching
// On... call. Follows replication facts 3.1 (R22), 3.2 (H5) and 3.4 (F2, F3, F5-F9, F15-F20). Not
// responsible for: sessions, requests for many partitions and their times (ReplicaFetcher).
//
// Invariants:
//   1. One action is under way at a time; meanwhile nothing is fetched.
//   2. It fetches at its log end only, under the epoch of its leader [F6].
//   3. high watermark <= log end offset whenever the log is at rest.
//   4. What comes back for an older epoch changes nothing [F5, W10].

#include <optional>

#include "broker/protocol/error_code.h"
#include "broker/replication/replication_rules.h"
#include "broker/types.h"

namespace highwater::broker {

class PartitionFollower {
 public:
  enum class State : uint8_t {
    kIdle,      // does not follow
    kSettling,  // follows as soon as the log's queue has come to rest
    kFetching,  // may fetch
    kChanging,  // the log is appended to or cut
    kAsking,    // the leader is asked for its log's ends [F20]
    kDelayed,   // after an error, for a while [F9]
    kFailed,    // until the next LeaderAndIsr request [F9]
  };
  struct Action {
    enum class Kind : uint8_t {
      kNone,
      kAppend,         // the records of the answer
      kTruncate,       // to `offset`
      kTruncateFully,  // and start at `offset`
      kTruncateFullyAndAppend,
      kAskLatestOffset,  // of the leader, by ListOffsets under the current epoch
      kAskEarliestOffset,
      kDelay,  // replica.fetch.backoff.ms, then OnDelayOver
    };
    Kind kind = Kind::kNone;
    Offset offset{0};
  };
  // One partition of a fetch request.
  struct Fetch {
    Offset offset{0};
    LeaderEpoch leader_epoch = kNoLeaderEpoch;
    LeaderEpoch last_fetched_epoch = kNoLeaderEpoch;

    friend bool operator==(const Fetch&, const Fetch&) = default;
  };
  // Its answer.
  struct Fetched {
    Fetch asked;
    protocol::ErrorCode error = protocol::ErrorCode::NONE;
    Offset leader_high_watermark = kNoOffset;
    Offset leader_log_start_offset = kNoOffset;
    std::optional<storage::EpochEndOffset> diverging;
    std::optional<Offset> first_base_offset;  // of the records; nullopt: there are none
  };

  explicit PartitionFollower(const ReplicationRules& rules = ReplicationRules()) : rules_(rules) {}

  // [R22, F3] From now on nothing is fetched until the log has settled.
  void Follow(LeaderEpoch epoch, BrokerId leader, Offset high_watermark);
  // It does not follow, or no more. The high watermark stays.
  void Stop();
  [[nodiscard]] bool follows() const { return state_ != State::kIdle; }

  // Everything that was in the log's queue has happened. Also after kTruncate, kTruncateFully.
  [[nodiscard]] Action OnSettled(const FollowerLog& log);
  // [F2] nullopt: not now.
  [[nodiscard]] std::optional<Fetch> NextFetch() const;
  [[nodiscard]] Action OnFetched(const Fetched& answer, const FollowerLog& log);
  // The records of the last answer are in the log [F7].
  void OnAppended(const FollowerLog& log);
  // They are not: damaged in transit [F10], or not to be had by this log [F6].
  [[nodiscard]] Action OnDamagedRecords();
  void OnFailed() { state_ = State::kFailed; }
  // [F20]
  [[nodiscard]] Action OnLeaderLatestOffset(LeaderEpoch asked, Offset offset,
                                            const FollowerLog& log);
  [[nodiscard]] Action OnLeaderEarliestOffset(LeaderEpoch asked, Offset offset,
                                              const FollowerLog& log);
  // The request failed, or its answer did not hold this partition [F9].
  [[nodiscard]] Action OnRequestFailed(LeaderEpoch asked);
  void OnDelayOver(const FollowerLog& log);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] LeaderEpoch epoch() const { return epoch_; }
  [[nodiscard]] BrokerId leader() const { return leader_; }
  [[nodiscard]] Offset high_watermark() const { return high_watermark_; }
  void set_high_watermark(Offset high_watermark) { high_watermark_ = high_watermark; }
  // [F7, L12] Up to where the log start offset is to be raised.
  [[nodiscard]] Offset leader_log_start_offset() const { return leader_log_start_offset_; }

 private:
  [[nodiscard]] Action OnError(const Fetched& answer);
  [[nodiscard]] Action Delay();
  [[nodiscard]] Action Change(Action action);
  void Fetching(const FollowerLog& log);
  void CheckInvariants(const FollowerLog& log) const;

  ReplicationRules rules_;
  State state_ = State::kIdle;
  LeaderEpoch epoch_ = kNoLeaderEpoch;
  BrokerId leader_ = kNoBroker;
  Offset high_watermark_{0};
  Fetch next_;
  bool compared_ = false;  // the leader of this epoch has confirmed what the log holds
  // Of the answer at work.
  Offset leader_high_watermark_ = kNoOffset;
  Offset leader_log_start_offset_ = kNoOffset;
};

}  // namespace highwater::broker
