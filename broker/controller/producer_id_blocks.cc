#include "broker/controller/producer_id_blocks.h"

#include <utility>

namespace highwater::broker {

std::optional<ProducerId> ProducerIdBlocks::Take() {
  if (next_ == current_.end()) {
    if (!following_) return std::nullopt;
    current_ = *std::exchange(following_, std::nullopt);
    next_ = current_.first;
  }
  const ProducerId id = next_;
  ++next_;
  return id;
}

bool ProducerIdBlocks::NeedsBlock() const {
  if (following_) return false;
  return (next_ - current_.first) * 10 >= current_.size * 9;
}

bool ProducerIdBlocks::Offer(const ProducerIdBlock& block) {
  if (block.size <= 0 || block.first < current_.end()) return false;
  if (following_ && block.first < following_->end()) return false;
  following_ = block;
  return true;
}

}  // namespace highwater::broker
