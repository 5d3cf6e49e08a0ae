#include "broker/client/producer_rules.h"

#include <tuple>

#include "broker/client/record_accumulator.h"

namespace highwater::broker::client {
namespace {

bool MayPipeline(uint64_t since_first, bool established) {
  if (since_first == 0) return true;
  return established && since_first < TransactionManager::kMostUnacknowledged;
}

// In the order of creation, the parts of a split batch in the order of their records: that is the
// order of their sequences.
bool GoesBefore(const ProducerBatch& again, const ProducerBatch& other) {
  return std::tie(again.number, again.part) < std::tie(other.number, other.part);
}

bool DenialIsProof(bool maybe_written) { return !maybe_written; }

}  // namespace

ProducerRules::ProducerRules()
    : MayPipeline(client::MayPipeline),
      GoesBefore(client::GoesBefore),
      DenialIsProof(client::DenialIsProof) {}

ProducerRules ProducerRules::Kafka323() {
  ProducerRules rules;
  rules.MayPipeline = [](uint64_t, bool) { return true; };
  rules.DenialIsProof = [](bool) { return true; };
  return rules;
}

}  // namespace highwater::broker::client
