#pragma once

// PieceRing: the slices of one direction of a connection, from the oldest unread one to the last
// one sent, with when each arrives. Nothing moves in it but two cursors.

#include <cstdint>
#include <memory>

#include "core/bytes.h"

namespace highwater::sim {

class PieceRing {
 public:
  struct Piece {
    core::Bytes bytes;
    int64_t arrival = 0;
  };

  [[nodiscard]] size_t size() const { return size_; }
  // The nth oldest.
  [[nodiscard]] Piece& operator[](size_t n) { return pieces_[(first_ + n) & mask_]; }

  PieceRing() = default;
  PieceRing(const PieceRing&) = delete;
  PieceRing& operator=(const PieceRing&) = delete;

  void PushBack(core::Bytes bytes) {
    if (size_ > mask_) Grow();
    Piece& piece = (*this)[size_++];
    piece.bytes = std::move(bytes);
  }
  // The oldest piece, which leaves.
  [[nodiscard]] core::Bytes PopFront() {
    core::Bytes bytes = std::move(pieces_[first_].bytes);
    first_ = (first_ + 1) & mask_;
    --size_;
    return bytes;
  }
  void PopBack() { (*this)[--size_].bytes = core::Bytes(); }

 private:
  void Grow() {
    const size_t capacity = (size_t{mask_} + 1) * 2;
    auto larger = std::make_unique<Piece[]>(capacity);
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    heap_ = std::move(larger);
    pieces_ = heap_.get();
    mask_ = static_cast<uint32_t>(capacity - 1);
    first_ = 0;
  }

  Piece* pieces_ = inline_;
  uint32_t mask_ = 1;
  uint32_t first_ = 0;
  size_t size_ = 0;
  Piece inline_[2];
  std::unique_ptr<Piece[]> heap_;
};

}  // namespace highwater::sim
