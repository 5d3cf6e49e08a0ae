#include "scenarios/world/zone_left_out.h"

#include <absl/strings/numbers.h>

#include <algorithm>

#include "core/mix.h"
#include "core/random.h"
#include "scenarios/fault_table.h"
#include "scenarios/world/applications.h"
#include "sim/host.h"

namespace highwater::scenarios {
namespace {

constexpr std::string_view kMinIsr = "min.insync.replicas";
constexpr size_t kZones = 3;
constexpr uint64_t kOneIn = 3;  // of the seeds that may
// Of the time to heal, so many sessions must fit in: one to notice who is away, the others to
// elect, to read, and to be slow.
constexpr int64_t kSessions = 4;

int32_t MinInsync(const Scenario& scenario, const TopicSpec& topic) {
  const std::string* text = FindSetting(topic.settings, kMinIsr);
  if (text == nullptr) text = FindSetting(scenario.cluster.settings, kMinIsr);
  int32_t count = 1;
  if (text != nullptr && !absl::SimpleAtoi(*text, &count)) return 1;
  return count;
}

// A majority of the ensemble stands elsewhere.
bool EnsembleSurvives(const Scenario& scenario, size_t zone) {
  const auto servers = static_cast<size_t>(scenario.cluster.zookeeper);
  size_t lost = 0;
  for (size_t i = 0; i < servers; ++i) {
    if (i % scenario.cluster.zones.size() == zone) ++lost;
  }
  return lost * 2 < servers;
}

bool HasLostABroker(const std::string& zone, absl::Span<const faults::Cast::Member> members) {
  return std::any_of(members.begin(), members.end(), [&](const faults::Cast::Member& member) {
    return member.kind == faults::Cast::Kind::kBroker && member.zone == zone &&
           !member.host->running();
  });
}

}  // namespace

bool CanLeaveAZoneOut(const Scenario& scenario) {
  const ClusterSpec& cluster = scenario.cluster;
  if (cluster.zookeeper == 0 || cluster.zones.size() < kZones || cluster.brokers < 3) return false;
  // The address of all brokers may be the zone's.
  if (cluster.vip.has_value() && !cluster.vip->drift.has_value()) return false;
  for (const TopicSpec& topic : scenario.topics) {
    if (topic.replicas < 3 || MinInsync(scenario, topic) > 2) return false;
  }
  const broker::BrokerConfig config = BrokerConfigOf(scenario, 0, "");
  if (scenario.run.heal < kSessions * config.zookeeper_session_timeout) return false;
  const std::vector<std::string> kinds = EnabledFaults(scenario);
  return std::none_of(kinds.begin(), kinds.end(), MovesReplicas);
}

std::optional<std::string> ZoneLeftOut(const Scenario& scenario, uint64_t seed,
                                       absl::Span<const faults::Cast::Member> members) {
  if (scenario.run.heal_with == HealWith::kAll || !CanLeaveAZoneOut(scenario)) return std::nullopt;
  const uint64_t key = core::Mix(seed, core::MixName("zone left out"));
  const bool drawn = core::KeyedRandom::Draw(key, 0) % kOneIn == 0;
  if (scenario.run.heal_with == HealWith::kDrawn && !drawn) return std::nullopt;
  std::vector<std::string> hurt;
  std::vector<std::string> whole;
  for (size_t i = 0; i < scenario.cluster.zones.size(); ++i) {
    const std::string& zone = scenario.cluster.zones[i];
    if (!EnsembleSurvives(scenario, i)) continue;
    (HasLostABroker(zone, members) ? hurt : whole).push_back(zone);
  }
  const std::vector<std::string>& choice = hurt.empty() ? whole : hurt;
  if (choice.empty()) return std::nullopt;
  return choice[core::KeyedRandom::Draw(key, 1) % choice.size()];
}

}  // namespace highwater::scenarios
