#pragma once

// ProducerIdBlocks: hands out ids of the blocks that a broker was given, and says when the next
// block is to be asked for [X45]. Pure.
//
// Invariants: 1. Ids only grow. 2. A block that reaches below one that was taken before is refused:
// its ids may be in use [M110].

#include <optional>

#include "broker/controller/producer_id_block_source.h"

namespace highwater::broker {

class ProducerIdBlocks {
 public:
  // The next id; nullopt if there is none left.
  [[nodiscard]] std::optional<ProducerId> Take();
  // Whether 90 % of the last block are used and none waits behind it.
  [[nodiscard]] bool NeedsBlock() const;
  // False: the block is empty, or lies below what was given before.
  [[nodiscard]] bool Offer(const ProducerIdBlock& block);

 private:
  ProducerIdBlock current_;
  ProducerId next_{0};  // in current_
  std::optional<ProducerIdBlock> following_;
};

}  // namespace highwater::broker
