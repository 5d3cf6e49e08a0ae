#pragma once

// ClientRules: the decisions of a consumer and of a client's metadata that can be replaced one by
// one.
//
//   Consumer consumer(env, config);                       // the reference client's rules
//   ClientRules rules; rules.AnswersPosition = ...;       // a mutant's
//   Consumer consumer(env, config, rules);

#include <cstdint>

#include "broker/types.h"

namespace highwater::broker::client {

// Who leads a partition, in which epoch.
struct LeaderAndEpoch {
  BrokerId leader = kNoBroker;
  LeaderEpoch epoch = kNoLeaderEpoch;

  friend bool operator==(const LeaderAndEpoch&, const LeaderAndEpoch&) = default;
};

// [N30] Where a consumer stands in a partition.
struct FetchPosition {
  Offset offset = kNoOffset;                  // the next to return; kNoOffset until it is known
  LeaderEpoch offset_epoch = kNoLeaderEpoch;  // of the last record before it, if known
  LeaderAndEpoch current_leader;              // under which the position is good

  friend bool operator==(const FetchPosition&, const FetchPosition&) = default;
};

// What a leader says of the end of an epoch in its log. Both are -1 if it cannot say.
struct EpochEnd {
  LeaderEpoch epoch = kNoLeaderEpoch;
  Offset end_offset = kNoOffset;
};

enum class PositionVerdict : uint8_t {
  kHolds,
  kCutTo,      // the log was cut below the position, to the end offset that the leader gave
  kCutBefore,  // it was cut, and the leader does not know where
};

struct ClientRules {
  // [N21] Whether metadata of epoch `heard` may replace what is known of epoch `known`. A broker
  // that was cut off answers with a leader that nobody follows any more; taken in, it would send
  // the client back and forth.
  bool (*MayTakeMetadata)(LeaderEpoch known, LeaderEpoch heard);
  // [N31] Whether a position that was good under another leader must be compared with the log of
  // its present one. Without that, a position behind a cut skips what the new leader wrote below
  // it, or reads on in another history (KIP-320).
  bool (*MustValidate)(const FetchPosition& position);
  // [N31] What the end of the position's epoch in the leader's log says of the position.
  PositionVerdict (*JudgePosition)(const FetchPosition& position, const EpochEnd& end);
  // [N33] Whether records that were fetched at `fetched` may be returned at `position`.
  bool (*AnswersPosition)(Offset fetched, Offset position);

  ClientRules();
};

}  // namespace highwater::broker::client
