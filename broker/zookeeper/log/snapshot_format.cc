#include "broker/zookeeper/log/snapshot_format.h"

#include <fmt/format.h>

#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

constexpr int32_t kMagic = 0x5a4b534e;  // "ZKSN"
constexpr int32_t kVersion = 2;
constexpr int64_t kDatabaseId = -1;
constexpr int64_t kOpenAclKey = -1;
constexpr int32_t kEndVersion = 0x48574531;  // "HWE1"
const std::string kEndOfNodes = "/";

// An entry without a permission.
std::vector<Acl> NobodysAcl() { return {{.perms = 0, .id = {.scheme = "world", .id = "anyone"}}}; }

absl::Status Bad(std::string_view what) { return absl::DataLossError(std::string(what)); }

}  // namespace

SnapshotEncoder::SnapshotEncoder(const DataTree::Sessions& sessions,
                                 const std::vector<std::vector<Acl>>& acls) {
  writer_(kMagic);
  writer_(kVersion);
  writer_(kDatabaseId);
  writer_(static_cast<int32_t>(sessions.size()));
  for (const auto& [id, timeout_ms] : sessions) {
    writer_(id);
    writer_(timeout_ms);
  }
  keys_.emplace(OpenAcl(), kOpenAclKey);
  int64_t key = 0;
  for (const std::vector<Acl>& acl : acls) {
    if (keys_.emplace(acl, key + 1).second) ++key;
  }
  if (keys_.emplace(NobodysAcl(), key + 1).second) ++key;
  writer_(static_cast<int32_t>(key));
  for (const auto& [acl, k] : keys_) {
    if (k == kOpenAclKey) continue;
    writer_(k);
    writer_(acl);
  }
}

int64_t SnapshotEncoder::KeyOf(const std::vector<Acl>& acl) const {
  const auto found = keys_.find(acl);
  return found != keys_.end() ? found->second : keys_.at(NobodysAcl());
}

void SnapshotEncoder::Add(const ZnodeRecord& node) {
  writer_(node.path == "/" ? std::string() : node.path);
  writer_(node.data);
  writer_(KeyOf(node.acl));
  writer_(node.stat);
}

core::Bytes SnapshotEncoder::Take() {
  core::Bytes bytes = std::exchange(writer_, JuteWriter()).Finish();
  checksum_ = Adler32(checksum_, bytes.view());
  return bytes;
}

void SnapshotEncoder::Seal() {
  writer_(int64_t{checksum_});
  writer_(kEndOfNodes);
}

core::Bytes SnapshotEncoder::Finish(Zxid end) {
  core::ByteChain all;
  writer_(kEndOfNodes);
  all.Append(Take());
  Seal();
  writer_(end);
  writer_(kEndVersion);
  writer_(int64_t{0});
  all.Append(Take());
  Seal();
  all.Append(Take());
  return all.Flatten();
}

absl::Status SnapshotDecoder::Check() const {
  if (reader_.status().ok()) return absl::OkStatus();
  return Bad(std::string(reader_.status().message()));
}

void SnapshotDecoder::Fold() {
  const size_t read = bytes_.size() - reader_.remaining();
  checksum_ = Adler32(checksum_, bytes_.view().substr(folded_, read - folded_));
  folded_ = read;
}

absl::StatusOr<DataTree::Sessions> SnapshotDecoder::ReadSessions() {
  int32_t magic = 0;
  int32_t version = 0;
  int64_t database = 0;
  reader_(magic);
  reader_(version);
  reader_(database);
  HW_RETURN_IF_ERROR(Check());
  if (magic != kMagic || version != kVersion) return Bad("it does not begin as a snapshot does");
  DataTree::Sessions sessions;
  int32_t count = 0;
  reader_(count);
  if (count < 0) return Bad("its count of sessions is negative");
  for (int32_t i = 0; i < count && reader_.status().ok(); ++i) {
    SessionId id;
    reader_(id);
    reader_(sessions[id]);
  }
  reader_(count);
  if (count < 0) return Bad("its count of ACLs is negative");
  for (int32_t i = 0; i < count && reader_.status().ok(); ++i) {
    int64_t key = 0;
    reader_(key);
    reader_(acls_[key]);
  }
  HW_RETURN_IF_ERROR(Check());
  Fold();
  return sessions;
}

absl::StatusOr<std::optional<ZnodeRecord>> SnapshotDecoder::Next() {
  ZnodeRecord node;
  reader_(node.path);
  HW_RETURN_IF_ERROR(Check());
  if (node.path == kEndOfNodes) return std::nullopt;
  if (node.path.empty()) node.path.push_back('/');
  int64_t key = 0;
  reader_(node.data);
  reader_(key);
  reader_(node.stat);
  HW_RETURN_IF_ERROR(Check());
  // A node must not keep the whole file in memory.
  if (node.data.has_value()) node.data = core::Bytes::Copy(node.data->view());
  if (key == kOpenAclKey) {
    node.acl = OpenAcl();
  } else {
    // Apache's server writes its ACLs before its nodes: one may be missing that the log sets again.
    const auto found = acls_.find(key);
    node.acl = found != acls_.end() ? found->second : NobodysAcl();
  }
  Fold();
  return node;
}

absl::Status SnapshotDecoder::CheckSeal() {
  Fold();
  const int64_t wanted{checksum_};
  int64_t checksum = 0;
  std::string path;
  reader_(checksum);
  reader_(path);
  HW_RETURN_IF_ERROR(Check());
  if (checksum != wanted || path != kEndOfNodes) return Bad("its checksum is wrong");
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Zxid>> SnapshotDecoder::Finish() {
  HW_RETURN_IF_ERROR(CheckSeal());
  // Servers before 3.6 wrote nothing more.
  if (reader_.remaining() == 0) return std::nullopt;
  Zxid end;
  int32_t version = 0;
  int64_t value = 0;
  reader_(end);
  reader_(version);
  reader_(value);
  HW_RETURN_IF_ERROR(Check());
  HW_RETURN_IF_ERROR(CheckSeal());
  // Servers from 3.9 on write more behind it, sealed on its own.
  if (version != kEndVersion) return std::nullopt;
  if (reader_.remaining() != 0) return Bad("something stands behind its end");
  return end;
}

}  // namespace highwater::broker::zookeeper
