#pragma once

// A snapshot's bytes. Pure.
//
//   SnapshotEncoder encoder(tree.sessions(), acls);
//   for (const ZnodeRecord& node : slice) encoder.Add(node);
//   Write(encoder.Take());  ...  Write(encoder.Finish(tree.last_processed_zxid()));
//
//   SnapshotDecoder decoder(bytes);
//   HW_ASSIGN_OR_RETURN(auto sessions, decoder.ReadSessions());
//   while (true) { HW_ASSIGN_OR_RETURN(auto node, decoder.Next()); if (!node.has_value()) break;
//   ... } HW_ASSIGN_OR_RETURN(auto end, decoder.Finish());       // only now it is known to be
//   whole
//
// int 'ZKSN', int version 2, long -1; sessions; ACLs with their keys; the nodes in path order,
// ended by the path "/"; a seal: long Adler-32 of everything before, string "/". Then long zxid,
// int version, long value, and a seal again: the digest of the tree in Apache's snapshots. Ours has
// there, under a version that Apache's server does not know and therefore passes over, the last
// zxid that had been applied when the last node was written: nodes may hold changes up to it. The
// root's path is written as "".
//
// Follows ZooKeeper facts 3.11. Not responsible for: files, which nodes (tree/), when.

#include <absl/status/statusor.h>

#include <map>
#include <optional>
#include <vector>

#include "broker/zookeeper/log/log_format.h"
#include "broker/zookeeper/tree/data_tree.h"

namespace highwater::broker::zookeeper {

class SnapshotEncoder {
 public:
  // `acls`: what the nodes have, as far as known. A node with another one got it after the snapshot
  // was begun, so that the log will set it again; until then nobody may use it.
  SnapshotEncoder(const DataTree::Sessions& sessions, const std::vector<std::vector<Acl>>& acls);

  void Add(const ZnodeRecord& node);
  // Bytes that Take would give.
  [[nodiscard]] size_t pending() const { return writer_.size(); }
  [[nodiscard]] core::Bytes Take();
  // The end; nothing may be called after it.
  [[nodiscard]] core::Bytes Finish(Zxid end);

 private:
  void Seal();
  [[nodiscard]] int64_t KeyOf(const std::vector<Acl>& acl) const;

  JuteWriter writer_;
  uint32_t checksum_ = kAdlerOfNothing;  // of what was taken
  std::map<std::vector<Acl>, int64_t> keys_;
};

class SnapshotDecoder {
 public:
  explicit SnapshotDecoder(core::Bytes bytes) : bytes_(bytes), reader_(std::move(bytes)) {}

  // DataLoss, here and below: these are not the bytes of a snapshot.
  [[nodiscard]] absl::StatusOr<DataTree::Sessions> ReadSessions();
  // nullopt behind the last node.
  [[nodiscard]] absl::StatusOr<std::optional<ZnodeRecord>> Next();
  // Checks the seals. Gives the zxid up to which nodes may hold changes, if the snapshot says it.
  [[nodiscard]] absl::StatusOr<std::optional<Zxid>> Finish();

 private:
  [[nodiscard]] absl::Status Check() const;
  [[nodiscard]] absl::Status CheckSeal();
  // Folds what has been read since the last time into the checksum.
  void Fold();

  core::Bytes bytes_;
  JuteReader reader_;
  uint32_t checksum_ = kAdlerOfNothing;
  size_t folded_ = 0;
  std::map<int64_t, std::vector<Acl>> acls_;
};

}  // namespace highwater::broker::zookeeper
