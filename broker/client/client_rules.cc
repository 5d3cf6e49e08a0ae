#include "broker/client/client_rules.h"

namespace highwater::broker::client {
namespace {

bool MayTakeMetadata(LeaderEpoch known, LeaderEpoch heard) {
  // Without an epoch there is nothing to compare: the broker is too old to tell.
  return heard == kNoLeaderEpoch || heard >= known;
}

bool MustValidate(const FetchPosition& position) {
  return position.offset_epoch != kNoLeaderEpoch && position.current_leader.epoch != kNoLeaderEpoch;
}

PositionVerdict JudgePosition(const FetchPosition& position, const EpochEnd& end) {
  if (end.end_offset == kNoOffset || end.epoch == kNoLeaderEpoch) {
    return PositionVerdict::kCutBefore;
  }
  return end.end_offset < position.offset ? PositionVerdict::kCutTo : PositionVerdict::kHolds;
}

bool AnswersPosition(Offset fetched, Offset position) { return fetched == position; }

}  // namespace

ClientRules::ClientRules()
    : MayTakeMetadata(client::MayTakeMetadata),
      MustValidate(client::MustValidate),
      JudgePosition(client::JudgePosition),
      AnswersPosition(client::AnswersPosition) {}

}  // namespace highwater::broker::client
