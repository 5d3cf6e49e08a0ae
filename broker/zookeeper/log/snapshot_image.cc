#include "broker/zookeeper/log/snapshot_image.h"

#include <set>

#include "broker/zookeeper/log/snapshot_format.h"
#include "core/status_macros.h"

namespace highwater::broker::zookeeper {
namespace {

constexpr size_t kNodesPerSlice = 1000;

template <typename Visit>
void ForEachNode(const DataTree& tree, Visit visit) {
  std::string at;
  while (true) {
    const std::vector<ZnodeRecord> slice = tree.NodesAfter(at, kNodesPerSlice);
    if (slice.empty()) return;
    for (const ZnodeRecord& node : slice) visit(node);
    at = slice.back().path;
  }
}

}  // namespace

core::ByteChain EncodeTree(const DataTree& tree) {
  std::set<std::vector<Acl>> acls;
  ForEachNode(tree, [&](const ZnodeRecord& node) { acls.insert(node.acl); });
  SnapshotEncoder encoder(tree.sessions(), {acls.begin(), acls.end()});
  ForEachNode(tree, [&](const ZnodeRecord& node) { encoder.Add(node); });
  core::ByteChain bytes;
  bytes.Append(encoder.Take());
  bytes.Append(encoder.Finish(tree.last_processed_zxid()));
  return bytes;
}

absl::StatusOr<DataTree> DecodeTree(core::Bytes bytes, Zxid zxid) {
  SnapshotDecoder decoder(std::move(bytes));
  DataTreeLoader loader;
  HW_ASSIGN_OR_RETURN(const DataTree::Sessions sessions, decoder.ReadSessions());
  for (const auto& [id, timeout_ms] : sessions) loader.AddSession(id, timeout_ms);
  while (true) {
    HW_ASSIGN_OR_RETURN(std::optional<ZnodeRecord> node, decoder.Next());
    if (!node.has_value()) break;
    HW_RETURN_IF_ERROR(loader.AddNode(*std::move(node)));
  }
  HW_RETURN_IF_ERROR(decoder.Finish().status());
  return std::move(loader).Finish(zxid);
}

}  // namespace highwater::broker::zookeeper
