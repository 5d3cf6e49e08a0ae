#include "broker/protocol/records.h"

#include "core/check.h"

namespace highwater::broker::protocol {

uint64_t Records::size() const {
  if (const auto* chain = std::get_if<core::ByteChain>(&content_)) return chain->size();
  uint64_t size = 0;
  for (const core::FileRange& range : files()) size += range.length;
  return size;
}

const core::ByteChain& Records::bytes() const {
  static const core::ByteChain kNone;
  HW_CHECK(!in_files(), "records in files have no bytes in memory");
  const auto* chain = std::get_if<core::ByteChain>(&content_);
  return chain == nullptr ? kNone : *chain;
}

absl::Span<const core::FileRange> Records::files() const {
  const auto* ranges = std::get_if<Ranges>(&content_);
  return ranges == nullptr ? absl::Span<const core::FileRange>() : *ranges;
}

bool operator==(const Records& a, const Records& b) {
  if (a.content_.index() != b.content_.index()) return false;
  if (!a.in_files()) return a.bytes() == b.bytes();
  const auto same = [](const core::FileRange& x, const core::FileRange& y) {
    return x.file == y.file && x.offset == y.offset && x.length == y.length;
  };
  return std::equal(a.files().begin(), a.files().end(), b.files().begin(), b.files().end(), same);
}

}  // namespace highwater::broker::protocol
