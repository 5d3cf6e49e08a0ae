#include "broker/zookeeper/log/fuzz/fuzz_targets.h"

#include <set>

#include "broker/protocol/encoder.h"
#include "broker/zookeeper/log/log_format.h"
#include "broker/zookeeper/log/log_tail.h"
#include "broker/zookeeper/log/snapshot_format.h"
#include "core/check.h"

namespace highwater::broker::zookeeper::fuzz {
namespace {

using core::Bytes;

Bytes ToBytes(absl::Span<const uint8_t> input) {
  return Bytes::Copy({reinterpret_cast<const char*>(input.data()), input.size()});
}

// As `record`, with the right checksum and end.
Bytes Repaired(const Bytes& record) {
  std::string text = record.ToString();
  const size_t length = std::min(text.size() - kRecordOverhead, kMaxRecordPayload);
  const auto payload = std::string_view(text).substr(kRecordPrefixSize, length);
  auto* data = reinterpret_cast<uint8_t*>(text.data());
  protocol::StoreBigEndian(data, uint64_t{Adler32(kAdlerOfNothing, payload)});
  protocol::StoreBigEndian(data + 8, static_cast<uint32_t>(length));
  text[kRecordPrefixSize + length] = 'B';
  return Bytes::Copy(text);
}

void ReadLog(Bytes rest, uint64_t at) {
  Zxid last;
  while (true) {
    const ParsedRecord record = ParseRecord(rest);
    if (record.kind != ParsedRecord::Kind::kRecord) break;
    HW_CHECK(record.size <= rest.size() && record.size == record.payload.size() + kRecordOverhead);
    const absl::StatusOr<LogRecord> logged = DecodePayload(record.payload);
    if (logged.ok()) {
      // The transaction has one form; what stood behind it is left alone.
      const Bytes again = EncodeTxn(logged->txn);
      HW_CHECK(again.size() <= record.payload.size() ||
               logged->txn.header.type == OpCode::kCloseSession);
      const absl::StatusOr<Txn> twice = DecodeTxn(again);
      HW_CHECK(twice.ok() && *twice == logged->txn);
      last = logged->txn.header.zxid;
    }
    at += record.size;
    rest.RemovePrefix(record.size);
  }
  const TailVerdict verdict = JudgeTail(rest, at, last);
  HW_CHECK((verdict.kind == TailVerdict::Kind::kDamaged) == !verdict.reason.empty());
}

struct Content {
  DataTree::Sessions sessions;
  std::vector<ZnodeRecord> nodes;
};
absl::StatusOr<Content> Decode(Bytes bytes) {
  SnapshotDecoder decoder(std::move(bytes));
  Content content;
  absl::StatusOr<DataTree::Sessions> sessions = decoder.ReadSessions();
  if (!sessions.ok()) return sessions.status();
  content.sessions = *std::move(sessions);
  while (true) {
    absl::StatusOr<std::optional<ZnodeRecord>> node = decoder.Next();
    if (!node.ok()) return node.status();
    if (!node->has_value()) break;
    content.nodes.push_back(**std::move(node));
  }
  // The seals of most inputs are wrong; what they seal is looked at all the same.
  (void)decoder.Finish();
  DataTreeLoader loader;
  for (const auto& [id, timeout_ms] : content.sessions) loader.AddSession(id, timeout_ms);
  for (const ZnodeRecord& node : content.nodes) {
    if (!loader.AddNode(node).ok()) break;
  }
  (void)std::move(loader).Finish(Zxid(1));
  return content;
}

}  // namespace

void FuzzLog(absl::Span<const uint8_t> input) {
  const Bytes bytes = ToBytes(input);
  ReadLog(bytes, kLogHeaderSize);
  (void)JudgeTail(bytes, 0, Zxid(0));
  if (bytes.size() > kRecordOverhead) ReadLog(Repaired(bytes), kLogHeaderSize);
}

void FuzzSnapshot(absl::Span<const uint8_t> input) {
  const absl::StatusOr<Content> content = Decode(ToBytes(input));
  if (!content.ok()) return;
  std::set<std::vector<Acl>> acls;
  for (const ZnodeRecord& node : content->nodes) acls.insert(node.acl);
  SnapshotEncoder encoder(content->sessions, {acls.begin(), acls.end()});
  core::ByteChain again;
  for (const ZnodeRecord& node : content->nodes) encoder.Add(node);
  again.Append(encoder.Finish(Zxid(7)));
  SnapshotDecoder decoder(again.Flatten());
  const absl::StatusOr<DataTree::Sessions> sessions = decoder.ReadSessions();
  HW_CHECK(sessions.ok() && *sessions == content->sessions);
  for (const ZnodeRecord& node : content->nodes) {
    const absl::StatusOr<std::optional<ZnodeRecord>> copy = decoder.Next();
    HW_CHECK(copy.ok() && *copy == node);
  }
  HW_CHECK(decoder.Next().ok() && decoder.Finish().ok());
}

}  // namespace highwater::broker::zookeeper::fuzz
