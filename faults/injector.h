#pragma once

// Injector: tries each ordered fault at its time, withdraws it at its end, and keeps the ledger
// honest: requested when it is ordered, applied when the world's state changed; observed is for the
// victim's ports to say.
//
//   Injector injector(world, cast, told);
//   injector.Order(orders);            // before the world runs
//   ... world.Run(...);
//   injector.Heal();                   // at the start of the heal phase: withdraws what is left,
//   starts who is down
//
// An order that waits for an event (FaultOrder::when) is tried as Notice hears of one: in the same
// instant, after everything that the event's own turn of a fiber did and before anything else
// happens in the world. An end of the very process that the event happened in takes effect at the
// event: nothing that the process does after it has an effect.
//
// After Heal nothing is started, killed or reconfigured: faults cannot heal a stuck cluster.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "faults/fault_order.h"
#include "sim/host.h"
#include "sim/network/vip.h"
#include "sim/world.h"

namespace highwater::faults {

// Who plays which role at this moment, as the servers themselves have told. Numbers are those of
// broker-N and zookeeper-N; nothing: nobody does, as far as is known.
class Roles {
 public:
  virtual ~Roles() = default;
  [[nodiscard]] virtual std::optional<int32_t> Controller() const = 0;
  [[nodiscard]] virtual std::optional<int32_t> LeaderOf(std::string_view topic,
                                                        int32_t partition) const = 0;
  // All assigned replicas, the leader among them, ascending.
  [[nodiscard]] virtual std::vector<int32_t> ReplicasOf(std::string_view topic,
                                                        int32_t partition) const = 0;
  [[nodiscard]] virtual std::optional<int32_t> ZooKeeperLeader() const = 0;
};

// Who can be hit.
struct Cast {
  enum class Kind : uint8_t { kBroker, kZooKeeper, kClient, kVipNode };
  struct Member {
    sim::Host* host;
    std::string zone;
    Kind kind;
    int32_t number = 0;  // of its kind
  };
  std::vector<Member> members;

  // The hosts that `aim` names now; for a role of one among several, the one that `key` draws.
  // Nobody if the role is not filled.
  [[nodiscard]] std::vector<sim::Host*> Resolve(const Aim& aim, const Roles& roles,
                                                uint64_t key) const;
  // All of a kind, in the order of the cast.
  [[nodiscard]] std::vector<sim::Host*> All(Kind kind) const;

  [[nodiscard]] std::vector<sim::Host*> Exactly(Kind kind, std::optional<int32_t> number) const;

 private:
  [[nodiscard]] std::vector<sim::Host*> OneOf(Kind kind, uint64_t key) const;
  [[nodiscard]] std::vector<sim::Host*> InZone(std::string_view zone) const;
};

// Whose load can surge.
class Load {
 public:
  virtual ~Load() = default;
  // From now on, until factor 1, this client sends `factor` times as much. Counts as applied if it
  // is a producer that is at work.
  virtual void Surge(const sim::Host& client, int64_t factor, sim::FaultId id) = 0;
};

// What a fault may need beside those whom it hits. Null where the region has none.
struct Stage {
  const Cast& cast;
  sim::Vip* vip;
  Load* load;
  // For a fault that takes effect later: to be called then, once.
  std::function<void()> took_effect;
};

// One fault that can be in force. Made by MakeFault for its kind.
class Fault {
 public:
  virtual ~Fault() = default;
  // Called once before Apply.
  virtual void Enter(const Stage& /*stage*/) {}
  // Whether Apply may be called on a fiber of the victim itself.
  [[nodiscard]] virtual bool MayBeginOnVictim() const { return false; }
  // After Apply: nothing has changed yet, and something may until Withdraw.
  [[nodiscard]] virtual bool Lurks() const { return false; }
  // Changes the world under `id`: whoever changes tells the ledger so, and nobody does if there is
  // nothing to change (the victim is down already, say).
  virtual void Apply(sim::World& world, const std::vector<sim::Host*>& victims,
                     const std::vector<sim::Host*>& others, sim::FaultId id) = 0;
  // Ends it: called once after an Apply that was applied, or lurks, at the order's end or at Heal.
  virtual void Withdraw(sim::World& world) = 0;
  // For people: `broker-0 loses power`.
  [[nodiscard]] virtual std::string Describe(const std::vector<sim::Host*>& victims) const = 0;
};

// `broker-0`, `broker-0 and broker-1`.
[[nodiscard]] std::string Names(const std::vector<sim::Host*>& hosts);

// A stop takes as long as it takes: whoever asked waits for its end before it starts anew. Nothing
// where somebody else has started it since.
void StartOnceGone(sim::World& world, sim::Host* host);

// Null for an unknown kind.
[[nodiscard]] std::unique_ptr<Fault> MakeFault(const FaultOrder& order);

class Injector {
 public:
  // Told of each fault that was applied: the order, its victims, and both in words.
  using Told = std::function<void(const FaultOrder& order, const std::vector<sim::Host*>& victims,
                                  std::string text)>;

  // `cast` may still grow.
  Injector(sim::World& world, const Cast& cast, const Roles& roles, Told told)
      : world_(world), cast_(cast), roles_(roles), told_(std::move(told)) {}

  void Order(std::vector<FaultOrder> orders);
  void Heal();
  // What happens in the cluster, as it happens: on a fiber of the broker that it happens to.
  void Notice(const Happening& happening) {
    if ((awaited_ >> static_cast<unsigned>(happening.event) & 1) != 0) [[unlikely]]
      FireWaiting(happening);
  }
  // What the region has; before the world runs.
  void SetStage(sim::Vip* vip, Load* load) {
    vip_ = vip;
    load_ = load;
  }
  // Faults of this kind are counted as applied and do nothing: for the test that a campaign whose
  // fault does nothing fails.
  void MakeSham(std::string kind) { sham_ = std::move(kind); }
  // Called after each fault that was applied or withdrawn.
  void OnChange(std::function<void()> changed) { changed_ = std::move(changed); }
  // Called just before a fault that has victims is tried, while everybody still has the role that
  // it had.
  using Fires = std::function<void(const FaultOrder& order, const std::vector<sim::Host*>& victims,
                                   const std::vector<sim::Host*>& others)>;
  void OnFire(Fires fires) { fires_ = std::move(fires); }

 private:
  struct Active {
    FaultOrder order;
    sim::FaultId id;
    std::unique_ptr<Fault> fault;  // null while it is not in force
    std::vector<sim::Host*> victims;
    bool waits = false;  // for its event
  };
  // At its time.
  void Begin(Active& active);
  void Wait(Active& active);
  void FireWaiting(const Happening& happening);
  // Finds the victims and makes the fault; false if there is nobody to hit. `here`: where the event
  // happened that it waited for.
  [[nodiscard]] bool Prepare(Active& active, sim::Host* here);
  // Who is on the other side.
  [[nodiscard]] std::vector<sim::Host*> OthersOf(const FaultOrder& order) const;
  // REQUIRES: it is prepared.
  void Strike(Active& active);
  // After it was tried.
  void Settle(Active& active);
  void TookEffect(Active& active);
  void End(Active& active);

  sim::World& world_;
  const Cast& cast_;
  const Roles& roles_;
  Told told_;
  std::function<void()> changed_;
  Fires fires_;
  sim::Vip* vip_ = nullptr;
  Load* load_ = nullptr;
  std::string sham_;
  std::vector<std::unique_ptr<Active>> active_;
  std::vector<Active*> waiting_;  // in the order in which they began to wait
  uint32_t awaited_ = 0;          // a bit for each event that somebody waits for
  bool healed_ = false;
};

}  // namespace highwater::faults
