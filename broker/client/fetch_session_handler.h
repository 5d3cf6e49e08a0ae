#pragma once

// FetchSessionHandler: a consumer's side of its fetch session with one broker (KIP-227): what the
// next Fetch must carry, and whether an answer may be believed.
//
//   FetchSessionHandler session;
//   session.Build(std::move(wanted), request);      // all that is to be fetched from this broker
//   now
//   ... send; then one of:
//   if (session.HandleResponse(response)) for each partition of it: session.Find(topic, index)
//   session.HandleError();                          // no answer came
//
// Pure. Follows [P14], [P15]. Invariants:
//   1. An incremental request follows only an accepted answer of the same session, and differs from
//   the request before it exactly by what it lists and forgets.
//   2. After FETCH_SESSION_ID_NOT_FOUND the next request is full and asks for a session; after any
//   other refusal, a lost connection or an answer that cannot be, it also closes the old session.
//   3. A full answer that lacks a requested partition or has one too many, and an incremental one
//   with a partition that is not in the session, is not believed.
//   4. Topic ids are used if every partition has one.
//
// Not responsible for: positions, which answers the consumer still wants.

#include <absl/container/btree_map.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "broker/protocol/fetch.h"
#include "broker/protocol/uuid.h"
#include "broker/types.h"

namespace highwater::broker::client {

// A partition to fetch, as a session remembers it.
struct SessionPartition {
  TopicPartition id;
  protocol::Uuid topic_id;  // zero if unknown
  Offset fetch_offset;
  LeaderEpoch current_leader_epoch;
  int32_t max_bytes = 0;

  friend bool operator==(const SessionPartition&, const SessionPartition&) = default;
};

class FetchSessionHandler {
 public:
  // Fills session, topics and forgotten topics of `request`. `wanted` is in the order in which the
  // broker shall look at them; no partition twice.
  void Build(std::vector<SessionPartition> wanted, protocol::FetchRequest& request);
  // Whether the partitions of the answer may be looked at. If not, the next request is full.
  [[nodiscard]] bool HandleResponse(const protocol::FetchResponse& response);
  void HandleError();

  // Whether the request of the last Build names all its topics by id too.
  [[nodiscard]] bool uses_topic_ids() const { return uses_topic_ids_; }
  // The partition of the session that an answer means, by id where the name is empty; nullptr if
  // there is none.
  [[nodiscard]] const SessionPartition* Find(std::string_view topic, const protocol::Uuid& topic_id,
                                             int32_t index) const;

  [[nodiscard]] int32_t session_id() const { return session_id_; }
  // Of the next request; 0: full.
  [[nodiscard]] int32_t session_epoch() const { return session_epoch_; }

  // The epoch after `epoch`: it wraps to 1.
  [[nodiscard]] static int32_t NextEpoch(int32_t epoch);

 private:
  [[nodiscard]] bool full() const { return session_epoch_ == 0; }
  void BuildFull(std::vector<SessionPartition> wanted, protocol::FetchRequest& request);
  void BuildIncremental(std::vector<SessionPartition> wanted, protocol::FetchRequest& request);
  [[nodiscard]] bool NamesWhatWasAsked(const protocol::FetchResponse& response) const;
  void StartAnew(int32_t close);

  int32_t session_id_ = 0;
  int32_t session_epoch_ = 0;
  bool uses_topic_ids_ = true;
  absl::btree_map<TopicPartition, SessionPartition> partitions_;
  absl::btree_map<protocol::Uuid, std::string> names_;  // of the session's topics with ids
};

}  // namespace highwater::broker::client
