#pragma once

// HostDiskContext: the world as a host's disk sees it.

#include "sim/disk_port.h"
#include "sim/host.h"
#include "sim/world.h"

namespace highwater::sim {

class HostDiskContext final : public DiskContext {
 public:
  explicit HostDiskContext(Host& host) : host_(&host), key_(core::Mix(host.key(), 0x6469736b)) {}
  // The disk stands in another host from now on. Its draws stay its own.
  void MoveTo(Host& host) { host_ = &host; }

  [[nodiscard]] int64_t Now() const override { return host_->world().now(); }
  [[nodiscard]] absl::Time WallNow() const override {
    return host_->clock().WallAt(host_->world().now());
  }
  void SetTimer(core::TimerNode& node, int64_t when) override {
    host_->world().wheel().Set(node, when);
  }
  void CancelTimer(core::TimerNode& node) override { host_->world().wheel().Cancel(node); }
  [[nodiscard]] uint64_t key() const override { return key_; }
  void Fold(EventKind kind, uint64_t digest) override {
    host_->world().Fold(host_->id(), kind, digest);
  }
  [[nodiscard]] FaultLedger& ledger() override { return host_->world().ledger(); }

 private:
  Host* host_;
  uint64_t key_;
};

}  // namespace highwater::sim
