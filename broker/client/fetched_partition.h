#pragma once

// FetchedPartition: what one Fetch answer held of one partition, on its way to the application:
// batches are checked, decompressed and cut into records as they are asked for.
//
// Pure. Follows [N33], [N34], [V5]-[V8]. Invariants:
//   1. Records come in the order of offsets; none below the offset that was fetched.
//   2. Control batches, and under read_committed the batches of aborted transactions, give no
//   records, but the position moves over
//      them.
//   3. After a batch the position is its last offset + 1, whatever compaction left of it.
//   4. A failed check stops it in front of the batch: records of a corrupt batch are never given.

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "broker/client/consumer.h"
#include "broker/protocol/fetch.h"
#include "broker/protocol/record.h"
#include "broker/protocol/record_batch.h"
#include "broker/types.h"
#include "core/bytes.h"

namespace highwater::broker::client {

class FetchedPartition {
 public:
  using AbortedTransaction = protocol::FetchResponse::AbortedTransaction;

  // `position`: the offset that was fetched. `aborted` is looked at under read_committed only.
  FetchedPartition(core::ByteChain bytes, Offset position, std::vector<AbortedTransaction> aborted,
                   IsolationLevel isolation_level, bool check_crcs);

  // Appends up to `max` records to `out`. False: nothing is left, or status() is not OK.
  bool Take(size_t max, std::vector<ConsumerRecord>& out);

  // The next offset to return, and the leader epoch of the batch before it (kNoLeaderEpoch: none
  // was seen yet).
  [[nodiscard]] Offset position() const { return position_; }
  [[nodiscard]] LeaderEpoch last_epoch() const { return last_epoch_; }
  // DataLoss for a corrupt batch, ResourceExhausted if a batch did not fit into the answer or
  // inflates too much, InvalidArgument for an old format.
  [[nodiscard]] const absl::Status& status() const { return status_; }

 private:
  // Opens the next batch that gives records. False at the end and after an error.
  bool OpenNext();
  bool Open(const protocol::RecordBatch& batch);
  [[nodiscard]] bool IsAborted(const protocol::RecordBatch& batch);
  void EndBatch(const protocol::RecordBatchHeader& header);
  bool Fail(absl::Status status);

  protocol::RecordBatchReader batches_;
  size_t size_;
  Offset position_;
  LeaderEpoch last_epoch_ = kNoLeaderEpoch;
  std::vector<AbortedTransaction> aborted_;  // by first offset
  size_t next_aborted_ = 0;
  std::set<int64_t> aborted_producers_;
  const bool read_committed_;
  const bool check_crcs_;
  bool any_batch_ = false;
  std::optional<protocol::RecordReader> reader_;
  protocol::RecordBatchHeader header_;  // of the open batch
  absl::Status status_;
};

}  // namespace highwater::broker::client
