#include "broker/zookeeper/log/log_tail.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "broker/protocol/encoder.h"

namespace highwater::broker::zookeeper {
namespace {

bool AllZero(std::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// A whole record behind the start of `rest`, wherever it begins.
struct Found {
  uint64_t position = 0;  // in the file
  Zxid zxid;
  // It was written when the place at the start had been synced: a group begins when all before it
  // is. Of what Apache's server wrote nobody knows; the worst is taken.
  bool later = false;
};
// The first one that is later, or else the first one.
std::optional<Found> FindRecord(const core::Bytes& rest, uint64_t at, Zxid last) {
  std::optional<Found> first;
  for (size_t i = 1; i + kRecordOverhead <= rest.size(); ++i) {
    // The high half of a checksum is zero.
    if (std::memcmp(rest.data() + i, "\0\0\0\0", 4) != 0) continue;
    const ParsedRecord record = ParseRecord(rest.Slice(i, rest.size() - i));
    if (record.kind != ParsedRecord::Kind::kRecord) continue;
    const absl::StatusOr<LogRecord> logged = DecodePayload(record.payload);
    if (!logged.ok() || logged->txn.header.zxid <= last) continue;
    const Found found{.position = at + i,
                      .zxid = logged->txn.header.zxid,
                      .later = logged->group_start.value_or(UINT64_MAX) > at};
    if (found.later) return found;
    if (!first.has_value()) first = found;
    i += record.size - 1;
  }
  return first;
}

// Whether a sector of the first `size` bytes of `rest` has nothing: a power loss took it.
bool LacksASector(const core::Bytes& rest, uint64_t at, size_t size) {
  for (size_t begin = 0; begin < std::min(size, rest.size());) {
    const size_t end =
        std::min<size_t>(rest.size(), begin + kSectorSize - (at + begin) % kSectorSize);
    // The first bytes of a checksum are zeros anyway: where only they lie in a sector, it proves
    // nothing.
    const bool always_zero = begin == 0 && end <= 4;
    if (!always_zero && AllZero(rest.view().substr(begin, end - begin))) return true;
    begin = end;
  }
  return false;
}

// Whether a whole record stands here but for its length.
bool OnlyLengthIsWrong(const core::Bytes& rest) {
  if (rest.size() <= kRecordOverhead) return false;
  const auto checksum = protocol::LoadBigEndian<uint64_t>(rest.data());
  const std::string_view payload =
      rest.view().substr(kRecordPrefixSize, rest.size() - kRecordOverhead);
  return Adler32(kAdlerOfNothing, payload) == checksum;
}

TailVerdict Damaged(std::string reason) {
  return {.kind = TailVerdict::Kind::kDamaged, .reason = std::move(reason)};
}

}  // namespace

TailVerdict JudgeTail(const core::Bytes& rest, uint64_t at, Zxid last) {
  if (AllZero(rest.view())) return {};
  const bool in_header = at < kLogHeaderSize;
  const ParsedRecord record = ParseRecord(rest);
  const std::optional<Found> behind = FindRecord(rest, at, last);
  if (behind.has_value()) {
    const std::string where = fmt::format("a whole one, 0x{:x}, stands behind it at byte {}",
                                          behind->zxid.value(), behind->position);
    if (behind->later) return Damaged(where);
    // What a record that the file's end cut short has behind its start is its own payload.
    if (!in_header && record.kind == ParsedRecord::Kind::kIncomplete) return Damaged(where);
  }
  // Of a record whose length is lost, or goes beyond the end, everything may be missing.
  const bool cut_short = !in_header && record.kind == ParsedRecord::Kind::kIncomplete;
  if (cut_short && OnlyLengthIsWrong(rest)) return Damaged("its length is wrong");
  if (cut_short) return {.kind = TailVerdict::Kind::kTorn};
  if (in_header && rest.size() < kLogHeaderSize) return {.kind = TailVerdict::Kind::kTorn};
  const size_t extent = in_header         ? kLogHeaderSize
                        : record.size > 0 ? record.size
                                          : kRecordPrefixSize;
  if (LacksASector(rest, at, extent)) return {.kind = TailVerdict::Kind::kTorn};
  return Damaged(record.problem.empty() ? "it is none" : record.problem);
}

}  // namespace highwater::broker::zookeeper
