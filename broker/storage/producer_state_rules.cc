#include "broker/storage/producer_state_rules.h"

#include <limits>

#include "core/mark.h"

namespace highwater::broker::storage {
namespace {

using protocol::ErrorCode;

constexpr int32_t kLastSequence = std::numeric_limits<int32_t>::max();

const ProducerBatchMetadata* FindDuplicate(const ProducerStateEntry& entry,
                                           const ProducerAppend& append) {
  if (entry.epoch != append.epoch) return nullptr;
  for (const ProducerBatchMetadata& batch : entry.batches) {
    if (batch.first_sequence() == append.first_sequence &&
        batch.last_sequence == append.last_sequence) {
      return &batch;
    }
  }
  return nullptr;
}

ErrorCode CheckEpoch(const ProducerStateEntry& entry, const ProducerAppend& append) {
  return append.epoch < entry.epoch ? ErrorCode::INVALID_PRODUCER_EPOCH : ErrorCode::NONE;
}

ErrorCode CheckSequence(const ProducerStateEntry& entry, const ProducerAppend& append) {
  // [I5] The state of a producer that is not known may have been lost with its records.
  if (!entry.known()) return ErrorCode::NONE;
  if (append.epoch != entry.epoch) {
    return append.first_sequence == 0 ? ErrorCode::NONE : ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
  }
  // An entry that has only seen markers counts as -1: 0 comes next.
  const int32_t last = entry.last_sequence();
  const int32_t expected = last == kLastSequence ? 0 : last + 1;
  return append.first_sequence == expected ? ErrorCode::NONE
                                           : ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
}

ErrorCode CheckTransaction(const ProducerStateEntry& entry, const ProducerAppend& append) {
  return entry.open_transaction && !append.transactional ? ErrorCode::INVALID_TXN_STATE
                                                         : ErrorCode::NONE;
}

}  // namespace

ProducerStateRules::ProducerStateRules()
    : FindDuplicate(storage::FindDuplicate),
      CheckEpoch(storage::CheckEpoch),
      CheckSequence(storage::CheckSequence),
      CheckTransaction(storage::CheckTransaction),
      CountsAdmitted([] { return true; }),
      BatchesInSnapshot([](const ProducerStateEntry& entry) { return entry.batches.size(); }),
      RebuildsState([] { return true; }) {}

ProducerStateRules ProducerStateRules::Kafka323() {
  ProducerStateRules rules;
  rules.BatchesInSnapshot = [](const ProducerStateEntry&) { return size_t{1}; };
  return rules;
}

ProducerVerdict Judge(const ProducerStateRules& rules, const ProducerStateEntry& entry,
                      const ProducerAppend& append) {
  if (const ProducerBatchMetadata* duplicate = rules.FindDuplicate(entry, append)) {
    HW_MARK("produce_duplicate");
    return {.duplicate = *duplicate};
  }
  for (const auto check : {rules.CheckEpoch, rules.CheckSequence, rules.CheckTransaction}) {
    const ErrorCode error = check(entry, append);
    if (error == ErrorCode::NONE) continue;
    if (error == ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) HW_MARK("produce_out_of_order_sequence");
    if (error == ErrorCode::INVALID_PRODUCER_EPOCH) HW_MARK("produce_older_producer_epoch");
    return {.error = error};
  }
  return {};
}

}  // namespace highwater::broker::storage
