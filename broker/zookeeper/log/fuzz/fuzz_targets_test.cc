// Runs the fuzzers' bodies over small files, mutations of them and noise: without clang, in every
// test run.

#include "broker/zookeeper/log/fuzz/fuzz_targets.h"

#include <gtest/gtest.h>

#include <string>

#include "broker/zookeeper/log/log_format.h"
#include "broker/zookeeper/log/snapshot_format.h"
#include "core/random.h"

namespace highwater::broker::zookeeper::fuzz {
namespace {

using Target = void (*)(absl::Span<const uint8_t>);

void RunOn(Target target, std::string_view input) {
  target({reinterpret_cast<const uint8_t*>(input.data()), input.size()});
}

// Bytes changed, taken out, doubled.
std::string Mutated(core::Random& random, std::string text) {
  for (uint64_t i = 0, n = 1 + random.Below(4); i < n && !text.empty(); ++i) {
    const auto at = static_cast<size_t>(random.Below(text.size()));
    const auto length = static_cast<size_t>(random.Below(16));
    switch (random.Below(4)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, text.substr(at, length));
        break;
      case 2:
        text.resize(at);
        break;
      default:
        text[at] = static_cast<char>(random.Below(256));
    }
  }
  return text;
}

void RunAround(Target target, const std::string& input) {
  core::KeyedRandom random(20262);
  RunOn(target, input);
  for (int i = 0; i < 5000; ++i) RunOn(target, Mutated(random, input));
  for (int i = 0; i < 200; ++i) {
    std::string noise(random.Below(64), ' ');
    for (char& c : noise) c = static_cast<char>(random.Below(3));
    RunOn(target, noise);
  }
}

const CreateTxn kCreate{.path = "/a", .data = core::Bytes::Copy("data"), .acl = OpenAcl()};

TEST(ZooKeeperFuzzTargetsTest, LogsStand) {
  std::string log;
  Txn txn{.header = {.zxid = Zxid(1), .type = OpCode::kCreate}, .body = kCreate};
  log += EncodeRecord(EncodeTxn(txn), 16).view();
  txn = {.header = {.zxid = Zxid(2), .type = OpCode::kMulti},
         .body = MultiTxn{.parts = {EncodePart(OpCode::kCreate, kCreate)}}};
  log += EncodeRecord(EncodeTxn(txn), 16).view();
  txn = {.header = {.zxid = Zxid(3), .type = OpCode::kCloseSession},
         .body = CloseSessionTxn{.paths_to_delete = {"/a"}}};
  log += EncodeRecord(EncodeTxn(txn), log.size() + kLogHeaderSize).view();
  RunAround(FuzzLog, log);
}

TEST(ZooKeeperFuzzTargetsTest, SnapshotsStand) {
  const DataTree tree;
  SnapshotEncoder encoder({{SessionId(1), 4000}}, {{{.perms = 1, .id = {"world", "anyone"}}}});
  for (const ZnodeRecord& node : tree.NodesAfter("", 100)) encoder.Add(node);
  RunAround(FuzzSnapshot, encoder.Finish(Zxid(3)).ToString());
}

}  // namespace
}  // namespace highwater::broker::zookeeper::fuzz
