#include "broker/zookeeper/server/fuzz/fuzz_targets.h"

#include <string_view>
#include <vector>

#include "broker/zookeeper/server/testing/machine.h"
#include "broker/zookeeper/wire/frame.h"
#include "core/check.h"

namespace highwater::broker::zookeeper::fuzz {

namespace {

void CheckReplay(const std::vector<Txn>& txns, const DataTree& tree) {
  DataTree again;
  for (const Txn& txn : txns) {
    const auto decoded = DecodeTxn(EncodeTxn(txn));
    HW_CHECK(decoded.ok() && *decoded == txn, "{}", OpCodeName(txn.header.type));
    again.Apply(*decoded);
  }
  HW_CHECK(again.NodesAfter("", SIZE_MAX) == tree.NodesAfter("", SIZE_MAX));
  HW_CHECK(again.sessions() == tree.sessions());
}

}  // namespace

void FuzzRequests(absl::Span<const uint8_t> input) {
  testing::Machine machine({.tick_time_ms = 1000, .extended_types_enabled = true});
  machine.Open(1);
  FrameAssembler assembler(1 << 16);
  assembler.Add(core::ByteChain(
      core::Bytes::Copy({reinterpret_cast<const char*>(input.data()), input.size()})));
  std::vector<Txn> txns;
  const auto commit = [&](size_t n) {
    for (; n > 0 && !machine.proposed.empty(); --n) {
      txns.push_back(machine.proposed.front());
      machine.Commit();
    }
  };
  while (auto frame = assembler.Next()) {
    const size_t size = frame->size();
    machine.Receive(1, *std::move(frame));
    // The first is a session's; later ones lag behind by what the bytes say.
    commit(txns.empty() ? 1 : size % 3);
    (void)machine.Take();
  }
  commit(SIZE_MAX);
  HW_CHECK(machine.prep.pending() == 0);
  HW_CHECK(machine.processor.outstanding() == 0);
  CheckReplay(txns, machine.tree);
}

}  // namespace highwater::broker::zookeeper::fuzz
